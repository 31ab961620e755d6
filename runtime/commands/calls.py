"""`bridge calls`: who is talking now, who was, and why calls were refused."""

from __future__ import annotations

import http.client
import ipaddress
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from runtime.commands.options import output_option, state_option
from runtime.errors import BridgeError
from runtime.workers.running import api_key, find

TIMEOUT_S = 5.0
RECENT_SHOWN = 10


@click.command()
@state_option
@output_option
@click.option("--anywhere", is_flag=True, help="Send the key to an API that is not on this machine's loopback, too.")
def calls(state: Path, output: str, *, anywhere: bool) -> None:
    """Show the live calls and the newest ended ones of the bridge that runs on this state folder.

    \b
    Example:
      bridge calls -o json | jq .live
    """
    found = _ask(state, anywhere=anywhere)
    if output == "json":
        click.echo(json.dumps(found))
        return
    _show(found)


def _ask(state: Path, *, anywhere: bool) -> dict[str, Any]:
    bridge = find(state)
    if bridge is None:
        raise BridgeError(
            f"no bridge runs on the state folder {state}", "start one: bridge up   or name its --state DIR"
        )
    if not bridge.api:
        raise BridgeError("the bridge runs without its API", "start it without --api off")
    if not (anywhere or is_loopback(bridge.api)):
        raise BridgeError(
            f"the bridge's API is at {bridge.api}, not on this machine's loopback: the key is not sent there",
            "if that is right: bridge calls --anywhere",
        )
    request = urllib.request.Request(  # noqa: S310 - the URL is the one that the bridge wrote, always http
        f"{bridge.api}/v1/calls", headers={"Authorization": f"Bearer {api_key(state)}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - as above
            body: dict[str, Any] = json.loads(answer.read())
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as fault:
        raise BridgeError(
            f"the bridge's API at {bridge.api} does not answer: {fault}", "is the bridge running?"
        ) from fault
    return body


def is_loopback(url: str) -> bool:
    """Whether a URL's host is a loopback address; a name is none."""
    try:
        return ipaddress.ip_address(urllib.parse.urlsplit(url).hostname or "").is_loopback
    except ValueError:
        return False


def _plain(text: str) -> str:
    """A stranger's words without what could steer a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _show(found: dict[str, Any]) -> None:
    console = Console(markup=False, emoji=False)  # a caller's name is no markup, whatever it looks like
    if not found["live"]:
        console.print("no live calls")
    live = Table("call", "from", "to", "room", "since", title=f"live calls: {len(found['live'])}", title_justify="left")
    for record in found["live"]:
        since = f"{max(0.0, time.time() - record['answeredAt']):.0f} s" if record["answeredAt"] else record["state"]
        room = record["room"] or f"({record['state']})"
        live.add_row(*map(_plain, (record["callId"], record["from"], record["to"], room)), since)
    if found["live"]:
        console.print(live)
    ended = found["recent"][-RECENT_SHOWN:]
    if ended:
        recent = Table("from", "to", "room", "SIP", "why", title="ended last", title_justify="left")
        for record in reversed(ended):
            told = record["from"], record["to"], record["room"], str(record["sipStatus"]), record["words"]
            recent.add_row(*map(_plain, told))
        console.print(recent)
    counts = f"{found['admitted']} admitted, {found['challenged']} asked for a password, {found['refused']} refused"
    console.print(f"revision {found['revision']}, {counts}")
