"""The first words of a bridge: where it listens, and what to try next. Every command in them works as it stands.

Called by `serve` once there are tables. A test call is suggested only where these very tables would admit it.
"""

from __future__ import annotations

import ipaddress
import os
import shlex
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import click

from runtime.commands.call import CALLER_DEFAULT, TEST_NUMBER
from runtime.commands.options import program, state_words
from runtime.settings import BridgeSettings, Listen
from schemas.tables.decisions import Admitted, CallFacts
from schemas.tables.lookup import decide
from schemas.tables.tables import Tables

CANDIDATES_MAX = 100
"""Called numbers that are tried, until one is admitted."""


def welcome(listening: Sequence[Listen], tables: Tables, settings: BridgeSettings, folder: Path | None) -> str:
    """What is printed when the bridge is ready."""
    state = state_words(settings.state)
    host = local_host(listening[0])
    number = callable_number(tables, host, settings.region)
    title = f"The bridge answers calls on {' and '.join(map(str, listening))}"
    by = f", by the manifests in {folder}" if folder else ", by the live tables"
    into = f", into rooms on {settings.livekit.url}" if settings.livekit else ""
    lines = ["", click.style(title, bold=True) + by + into]
    if number:
        lines += ["  try it, in a second terminal:", f"    {_call(number, host, listening[0], state)}"]
    else:
        lines.append(f"  these manifests admit no call from {host} that could be suggested here")
    lines += ["  who is talking, and why calls were refused:", f"    {program('bridge')} calls{state}"]
    if folder is not None:
        explained = f"--to {number or TEST_NUMBER} --from {CALLER_DEFAULT} --ip {host}"
        lines += [
            f"  edit a file in {folder} and the next call follows it; where would a call go, and why?",
            f"    {program('reconcile')} explain {shlex.quote(str(folder))} {explained}",
        ]
    return "\n".join([*lines, "  Ctrl-C stops it.", ""])


def local_host(listen: Listen) -> str:
    """The address by which this machine reaches a listener, and from which such a call comes."""
    address = ipaddress.ip_address(listen.host)
    if not address.is_unspecified:
        return str(address)
    return "127.0.0.1" if address.version == 4 else "::1"


def callable_number(tables: Tables, host: str, region: str) -> str:
    """A number that a call from this machine reaches; "" when none of those looked at is admitted."""
    for number in islice(dict.fromkeys(_numbers(tables)), CANDIDATES_MAX):
        if isinstance(decide(tables, CallFacts(host, number, CALLER_DEFAULT, region=region)), Admitted):
            return number
    return ""


def _numbers(tables: Tables) -> Iterator[str]:
    yield TEST_NUMBER
    yield from (row.number for row in tables.numbers.by_id.values())
    for entry in tables.rules.values():
        yield from (pattern for pattern in entry.row.to if not pattern.endswith("*"))


def _call(number: str, host: str, listen: Listen, state: str) -> str:
    """The command that places the call; `make call` for who came by `make run`."""
    if number == TEST_NUMBER:
        return "make call" if "MAKELEVEL" in os.environ and not state else f"{program('bridge')} call{state}"
    at = f"[{host}]" if ":" in host else host
    return f"{program('bridge')} call {shlex.quote(f'sip:{number}@{at}:{listen.port};transport={listen.transport}')}"
