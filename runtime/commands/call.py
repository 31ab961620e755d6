"""`bridge call`: a test phone that places one call and says in words what it heard."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from runtime.commands.options import CALLER_DEFAULT, TEST_NUMBER, output_option, program, state_option, state_words
from runtime.commands.script import Report, not_answered, report_of, script_of, script_options
from runtime.commands.tls_options import calling_options, tls_settings
from runtime.errors import BridgeError
from runtime.net.tls_stream import NOT_TRUSTED
from runtime.phone import phone
from runtime.phone.phone import place_call
from runtime.settings import TRANSPORTS, Listen, callable_first, local_host, parse_listen
from runtime.sip.auth.client import Login
from runtime.sip.dialog import transport_of
from runtime.sip.errors import SipSyntaxError
from runtime.sip.grammar import is_address
from runtime.sip.keying import Way
from runtime.sip.path import TRANSPORT_DEFAULT, default_port
from runtime.sip.uri import Uri, parse_uri
from runtime.workers.running import find
from schemas.environment import variables

SENTENCE = "speech.wav"
REFUSED = 400
"""The first status that is a refusal, which `bridge calls` explains."""
CHALLENGES = (401, 407)
"""A phone without a password ends with these (RFC 3261 section 22)."""
PASSWORD_BYTES_MAX = 1024


@click.command()
@click.argument("uri", metavar="[URI]", required=False)
@script_options
@click.option("--from", "caller", default=CALLER_DEFAULT, show_default=True, help="The calling number.")
@click.option("--user", default=None, help="The user name to log in with, where that is asked for.")
@click.option(
    "--password-env",
    metavar="NAME",
    default=None,
    help="The environment variable that holds the password; no option takes the password itself.",
)
@click.option(
    "--password-file", type=click.Path(path_type=Path), default=None, help="A file that holds it, instead of that."
)
@click.option("--via", default=None, help="Send to this address, e.g. tcp://127.0.0.1:5070.  [default: the URI's host]")
@calling_options
@state_option
@output_option
def call(
    uri: str | None,
    play: Path | None,
    record: Path | None,
    dtmf: str,
    caller: str,
    seconds: float,
    codecs: tuple[str, ...],
    encryption: Way | None,
    user: str | None,
    password_env: str | None,
    password_file: Path | None,
    via: str | None,
    state: Path,
    output: str,
    **tls: Any,
) -> None:
    """Place a test call to URI; without one, to the bridge that runs on this state folder.

    \b
    Example:
      bridge call sip:+15550100000@127.0.0.1 --play hello.wav --record heard.wav --dtmf 123#
      bridge call "sip:+15550100000@127.0.0.1;transport=tcp"
      bridge call sip:+15550100000@127.0.0.1 --codec opus --record heard.wav
      bridge call "sip:+15550100000@sip.example.com;transport=tls" --encryption sdes
      bridge call sips:+15550100000@sip.example.com --tls-ca ca.pem
      bridge call sip:+15550100000@127.0.0.1 --via ws://127.0.0.1:8080
      bridge call sip:+15550100000@sip.example.com --user acme --password-env ACME_PASSWORD
    """
    if uri is None and record is None:
        record = Path("echo.wav")
    target = uri or _own_bridge(state, via)
    way = replace(_way(target, via), tls=tls_settings(tls))
    script = script_of(play, SENTENCE, dtmf, seconds, codecs, encryption)
    login = _login(user, password_env, password_file)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a call that is given up is hung up
    outcome = asyncio.run(place_call(target, caller, way, script, login))
    report = report_of(outcome, script, record)
    if output == "json":
        click.echo(json.dumps({"formatVersion": 1, "uri": target, "warning": outcome.warning, **report.as_json()}))
    else:
        _tell(report, state if uri is None else None, logs_in=login is not None, presses=bool(dtmf))
    if not outcome.answered:
        raise click.exceptions.Exit(1)


def _login(user: str | None, variable: str | None, file: Path | None) -> Login | None:
    if user is None and variable is None and file is None:
        return None
    if user is None or (variable is None) == (file is None):
        what = "--user goes together with one of --password-env and --password-file"
        raise BridgeError(what, "e.g. --user acme --password-env ACME_PASSWORD")
    if not user.isprintable():
        raise BridgeError("--user is no user name", "line breaks and control characters are in none")
    password = _from_file(file) if file is not None else os.fsencode(variables().get(variable or "", ""))
    if not password:
        where = f"the file {file}" if file is not None else f"the environment variable {variable}"
        raise BridgeError(f"{where} holds no password", "put it there, and nothing else")
    return Login(user, password)


def _from_file(path: Path) -> bytes:
    """What a file holds, without the line end that editors leave."""
    try:
        with path.open("rb") as file:
            return file.read(PASSWORD_BYTES_MAX).removesuffix(b"\n").removesuffix(b"\r")
    except OSError as fault:
        raise BridgeError(f"cannot read {path}: {fault.strerror}", "name another: --password-file FILE") from fault


def _own_bridge(state: Path, via: str | None) -> str:
    listen = parse_listen(via, "--via") if via else None
    if listen is None:
        bridge = find(state)
        if bridge is None:
            raise BridgeError(
                f"no bridge runs on the state folder {state}",
                "start one in another terminal: make run   (bridge up), or name a URI: sip:+15550100000@127.0.0.1",
            )
        listen = callable_first([parse_listen(text) for text in bridge.listen])
    params = () if listen.transport == TRANSPORT_DEFAULT else (("transport", listen.transport),)
    return str(Uri("sip", TEST_NUMBER, None, local_host(listen.host), listen.port, params))


def _way(target: str, via: str | None) -> phone.Way:
    """Where to send the call: `--via`, else the URI's host by the URI's transport. TLS is to prove the URI's host."""
    try:
        uri = parse_uri(target)
    except SipSyntaxError as fault:
        raise BridgeError(f"{target}: {fault.reason}", "write it like sip:+15550100000@127.0.0.1:5060") from fault
    transport = TRANSPORT_DEFAULT if not isinstance(uri, Uri) else transport_of(uri) or TRANSPORT_DEFAULT
    if not isinstance(uri, Uri) or transport not in TRANSPORTS:
        raise BridgeError(
            f"{target}: only sip: and sips: over {', '.join(TRANSPORTS)} can be called",
            "write it like sip:+15550100000@127.0.0.1:5060 or sip:+15550100000@127.0.0.1:5060;transport=tcp",
        )
    name = "" if is_address(uri.host) else uri.host
    if via:
        return phone.Way(parse_listen(via, "--via"), name)
    port = uri.port or default_port(transport)
    try:
        found = socket.getaddrinfo(uri.host, port, type=socket.SOCK_STREAM)
    except OSError as fault:
        what = f"{uri.host} has no address: {fault.strerror or fault}"
        raise BridgeError(what, "name an IP address, e.g. 127.0.0.1") from fault
    address = found[0][4]
    return phone.Way(Listen(transport, str(address[0]), int(address[1])), name)


def _tell(report: Report, state: Path | None, *, logs_in: bool, presses: bool) -> None:
    """Say what became of the call; `state` is the folder of the bridge that was called, where it is ours."""
    outcome = report.outcome
    if outcome.answered:
        report.words(asked_for_pin=not presses)
        return
    click.echo(click.style(f"not answered, {not_answered(outcome)}", fg="red"))
    if outcome.status in CHALLENGES and not logs_in:  # no record is kept of who was only challenged
        click.echo("  it asks for a password: --user NAME --password-env VARIABLE")
    elif NOT_TRUSTED in outcome.reason:
        click.echo("  name the authority that its certificate is from, or the certificate itself: --tls-ca FILE")
    elif outcome.status >= REFUSED and state is not None:
        click.echo(f"  why: {program('bridge')} calls{state_words(state)}")
