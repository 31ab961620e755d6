"""`bridge answer`: a test phone that waits to be called, once, and says in words what it heard."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import click

from runtime.commands.options import output_option
from runtime.commands.script import Report, not_answered, report_of, script_of, script_options
from runtime.commands.tls_options import listening_options, tls_settings
from runtime.phone.answering import Manner
from runtime.phone.phone import await_call
from runtime.settings import parse_listens
from runtime.sip.keying import Way
from schemas.printable import printable

SENTENCE = "answer.wav"
"""Another one than that of `bridge call`: two test phones in one room can tell each other from themselves."""
LISTEN_DEFAULT = ("udp://127.0.0.1:5090",)


@click.command()
@click.option(
    "--listen",
    multiple=True,
    default=LISTEN_DEFAULT,
    show_default=True,
    help="Where the phone is called, udp://, tcp://, tls://, ws:// or wss://; repeatable.",
)
@listening_options
@script_options
@click.option(
    "--ring", type=click.FloatRange(0, 600), default=1.0, show_default=True, help="Seconds until it picks up."
)
@click.option(
    "--wait",
    type=click.FloatRange(0, 86_400),
    default=60.0,
    show_default=True,
    help="Seconds that it waits for a call.",
)
@click.option(
    "--decline",
    type=click.IntRange(400, 699),
    metavar="STATUS",
    default=None,
    help="Refuse the call with this SIP status, 486 for busy.",
)
@click.option("--decline-transfer", is_flag=True, help="Answer 603 where it is to be sent on.")
@output_option
def answer(
    listen: tuple[str, ...],
    play: Path | None,
    record: Path | None,
    dtmf: str,
    seconds: float,
    codecs: tuple[str, ...],
    encryption: Way | None,
    ring: float,
    wait: float,
    decline: int | None,
    output: str,
    *,
    decline_transfer: bool,
    **tls: Any,
) -> None:
    """Wait for one call: ring, pick up, say a sentence, tell what was heard.

    With --seconds it says its sentence again and again, so that whoever joins the call hears it.
    Where it is sent on (REFER) it says that the other number was reached, and hangs up.
    The exit code is 1 when nobody called.

    \b
    Example:
      bridge answer --seconds 60
      bridge answer --listen udp://127.0.0.1:5090 --record heard.wav --dtmf 123#
      bridge answer --decline 486
      bridge answer --encryption dtls --codec opus
      bridge answer --listen tls://127.0.0.1:5091 --tls-cert cert.pem --tls-key key.pem
    """
    script = script_of(play, SENTENCE, dtmf, seconds, codecs, encryption, repeats=bool(seconds))
    manner = Manner(wait, ring, decline or 0, takes_transfers=not decline_transfer)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a call that is given up is hung up
    listens = parse_listens(listen)

    def tell(words: str) -> None:
        click.echo(printable(words), err=True)

    outcome = asyncio.run(await_call(listens, tls_settings(tls, listens), manner, script, tell))
    report = report_of(outcome, script, record)
    if output == "json":
        called = {"from": outcome.caller, "to": outcome.called}
        click.echo(json.dumps({"formatVersion": 1, **called, **report.as_json()}))
    else:
        _tell(report, declines=decline is not None)
    if not outcome.caller:
        raise click.exceptions.Exit(1)


def _tell(report: Report, *, declines: bool) -> None:
    """Say what became of the call; that a call was declined is no bad news where that was asked for."""
    outcome = report.outcome
    if outcome.answered:
        report.words()
    elif declines and outcome.caller:
        click.echo(f"declined, {not_answered(outcome)}")
    else:
        click.echo(click.style(f"not answered, {not_answered(outcome)}", fg="red"))
