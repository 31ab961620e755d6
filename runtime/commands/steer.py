"""`bridge hold`, `bridge resume` and `bridge pick-up`: what a room may ask of its phones, from the command line."""

from __future__ import annotations

import json
import urllib.parse
from pathlib import Path

import click

from runtime.commands.admin import ask
from runtime.commands.options import anywhere_option, output_option, state_option

_call = click.argument("call_id", metavar="CALL")


@click.command()
@_call
@state_option
@output_option
@anywhere_option
def hold(call_id: str, state: Path, output: str, *, anywhere: bool) -> None:
    """Put the phone of a live call on hold: its room neither hears it nor is heard.

    \b
    Example:
      bridge hold SCL_uGZvL8mVKa3P            the call, as bridge calls shows it
    """
    _steer("hold", call_id, "hold", "is on hold", state, output, anywhere=anywhere)


@click.command()
@_call
@state_option
@output_option
@anywhere_option
def resume(call_id: str, state: Path, output: str, *, anywhere: bool) -> None:
    """Take the phone of a live call back from hold.

    \b
    Example:
      bridge resume SCL_uGZvL8mVKa3P
    """
    _steer("resume", call_id, "resume", "is not on hold", state, output, anywhere=anywhere)


@click.command("pick-up")
@_call
@state_option
@output_option
@anywhere_option
def pick_up(call_id: str, state: Path, output: str, *, anywhere: bool) -> None:
    """Answer a phone that rings, as with rules that say `answer: onRequest`.

    \b
    Example:
      bridge pick-up SCL_uGZvL8mVKa3P
    """
    _steer("pick-up", call_id, "answer", "is answered", state, output, anywhere=anywhere)


@click.command("keep")
@_call
@state_option
@output_option
@anywhere_option
def keep(call_id: str, state: Path, output: str, *, anywhere: bool) -> None:
    """Wait no more for the transfer of a live call: its phone hears its room again.

    What the phone was told cannot be taken back: if the other number answers all the same, the call ends then.

    \b
    Example:
      bridge keep SCL_uGZvL8mVKa3P
    """
    _steer("keep", call_id, "keep", "is not being transferred", state, output, anywhere=anywhere)


def _steer(command: str, call_id: str, verb: str, done: str, state: Path, output: str, *, anywhere: bool) -> None:
    path = f"/v1/calls/{urllib.parse.quote(call_id, safe='')}/{verb}"
    told = ask(state, path, f"{command} {call_id}", anywhere=anywhere, method="POST")
    click.echo(json.dumps(told) if output == "json" else f"call {told['callId']} {done}")
