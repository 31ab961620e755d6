"""`bridge calls`: who is talking now, who was, and why calls were refused."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click

from runtime.commands.admin import ask
from runtime.commands.columns import console, table
from runtime.commands.options import anywhere_option, output_option, state_option
from schemas.printable import printable

RECENT_SHOWN = 10
VERSTAT_WORDS = {
    "TN-Validation-Passed": "verified",
    "TN-Validation-Failed": "verification failed",
    "No-TN-Validation": "not verified",
}


@click.command()
@state_option
@output_option
@anywhere_option
def calls(state: Path, output: str, *, anywhere: bool) -> None:
    """Show the live calls and the newest ended ones of the bridge that runs on this state folder.

    MOS is how the phone is heard / how it hears the bridge, `-` where that is not known: 4.4 is the best of G.711,
    below 3.6 people complain.

    \b
    Example:
      bridge calls
      bridge calls -o json | jq .live
    """
    found = ask(state, "/v1/calls", "calls", anywhere=anywhere)
    if output == "json":
        click.echo(json.dumps(found))
        return
    _show(found)


def _show(found: dict[str, Any]) -> None:
    out = console()
    if not found["live"]:
        out.print("no live calls")
    live = table(out, f"live calls: {len(found['live'])}", "call", "from", "to", "room", "MOS", "since", whole="call")
    for record in found["live"]:
        since = f"{max(0.0, time.time() - record['answeredAt']):.0f} s" if record["answeredAt"] else record["state"]
        since += f", on hold ({record['hold']})" if record.get("hold") else ""
        room = record["room"] or f"({record['state']})"
        live.add_row(*map(printable, (record["callId"], _caller(record), record["to"], room)), _mos(record), since)
    if found["live"]:
        out.print(live)
    ended = found["recent"][-RECENT_SHOWN:]
    if ended:
        recent = table(out, "ended last", "from", "to", "room", "SIP", "MOS", "why", whole="MOS")
        for record in reversed(ended):
            told = _caller(record), record["to"], record["room"], str(record["sipStatus"])
            recent.add_row(*map(printable, told), _mos(record), printable(record["words"]))
        out.print(recent)
    counts = f"{found['admitted']} admitted, {found['challenged']} asked for a password, {found['refused']} refused"
    out.print(f"revision {found['revision']}, {counts}")


def _caller(record: dict[str, Any]) -> str:
    """The caller's number, and what came of verifying it; records of older bridges say nothing of that."""
    verstat = record.get("verstat", "")
    if not verstat:
        return str(record["from"])
    attested = f" {record['attestation']}" if record["attestation"] else ""
    return f"{record['from']} ({VERSTAT_WORDS.get(verstat, verstat)}{attested})"


def _mos(record: dict[str, Any]) -> str:
    """How well the phone was heard / how well it heard the bridge; nothing where neither is known."""
    media = record.get("media", {})
    scores = [media.get("mos"), media.get("mosRemote")]
    return " / ".join("-" if score is None else f"{score:.1f}" for score in scores) if any(scores) else ""
