"""`bridge doctor`: whether a running bridge is well, and what to do where it is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from runtime.commands.admin import ask
from runtime.commands.columns import console, table
from runtime.commands.options import anywhere_option, output_option, state_option
from schemas.printable import printable

STYLES = {"up": "green", "registered": "green", "down": "red", "failed": "red", "resting": "yellow"}


@click.command()
@state_option
@output_option
@anywhere_option
def doctor(state: Path, output: str, *, anywhere: bool) -> int:
    """Tell whether the bridge that runs on this state folder is well: its tables, trunks, registrations and rooms.

    The exit code is 1 when something is wrong that calls fail by.

    \b
    Example:
      bridge doctor
      bridge doctor -o json | jq '.trunks[].hops'
    """
    found = ask(state, "/v1/status", "doctor", anywhere=anywhere)
    if output == "json":
        click.echo(json.dumps(found))
    else:
        _show(found)
    return int(any(finding["severity"] == "error" for finding in found["findings"]))


def _show(found: dict[str, Any]) -> None:
    out = console()
    region = f", region {found['region']}" if found["region"] else ""
    out.print(f"bridge {found['version']} on {' '.join(found['listeners'])}{region}: {found['state']}", soft_wrap=True)
    calls = f"{found['calls']} live {'call' if found['calls'] == 1 else 'calls'}"
    out.print(f"tables of revision {found['revision']}; {calls}; media by {found['mediaCore']}")
    if found["livekit"] is not None:
        out.print(f"LiveKit server {printable(found['livekit'])}: {'unreachable' if found['livekitFault'] else 'ok'}")
    if found["trunks"]:
        out.print(_trunks(out, found["trunks"]))
    if found["sound"]:
        out.print(_sound(out, found["sound"]))
    for finding in found["findings"]:
        style = "bold red" if finding["severity"] == "error" else "yellow"
        out.print(finding["severity"], style=style, end="")
        out.print(f" {printable(finding['where'])}: {printable(finding['what'])}", soft_wrap=True)
        if finding["hint"]:
            out.print(f"  {printable(finding['hint'])}", soft_wrap=True)
    if not found["findings"]:
        out.print("nothing is wrong", style="green")


def _trunks(out: Console, trunks: list[dict[str, Any]]) -> Table:
    made = table(out, "trunks that place calls", "trunk", "address", "state", "for", "last", whole="address")
    for trunk in trunks:
        name = trunk["trunk"]
        for hop in trunk["hops"] or [None]:
            if hop is None:
                row = ("(no way)", "", "", "")
            else:
                row = (hop["address"], hop["state"], _time(hop["forS"]), _last(hop))
            style = STYLES.get(hop["state"]) if hop is not None else "red"
            made.add_row(printable(name), *map(printable, row), style=style)
            name = ""
        registration = trunk["registration"]
        if registration is not None:
            row = ("(registration)", registration["state"], _time(registration["forS"]), registration["words"])
            made.add_row(name, *map(printable, row), style=STYLES.get(registration["state"]))
    return made


def _sound(out: Console, trunks: list[dict[str, Any]]) -> Table:
    headers = ("trunk", "calls", "MOS", "worst", "theirs", "lost", "jitter", "round trip")
    made = table(out, "how the last calls sounded", *headers, whole="trunk")
    for trunk in trunks:
        scores = (f"{trunk['mos']:.1f}", f"{trunk['mosWorst']:.1f}", _known(trunk["mosRemote"], ""))
        lost, jitter = f"{trunk['lostPercent']:.1f} %", f"{trunk['jitterMs']:.0f} ms"
        row = (str(trunk["calls"]), *scores, lost, jitter, _known(trunk["rttMs"], " ms"))
        made.add_row(printable(trunk["trunk"]), *row)
    return made


def _known(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.1f}{unit}"


def _last(hop: dict[str, Any]) -> str:
    return f"{hop['words']}, {_time(hop['agoS'])} ago" if hop["words"] else ""


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
