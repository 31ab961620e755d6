"""The first words of a bridge: where it listens, and what to try next. Every command in them works as it stands.

Called by `serve` once there are tables. A test call is suggested only where these very tables would admit it, at once
or to who has the password and the PIN that they ask for.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import click

from runtime.commands.options import CALLER_DEFAULT, TEST_NUMBER, program, state_words
from runtime.settings import BridgeSettings, Listen, callable_first, local_host
from schemas.stores import holds_password
from schemas.tables.decisions import Admitted, CallFacts, Challenged, Decision, PinNeeded
from schemas.tables.lookup import decide
from schemas.tables.rows import Auth
from schemas.tables.tables import Tables

CANDIDATES_MAX = 100
"""Called numbers that are tried, until one is admitted."""


@dataclass(frozen=True, slots=True)
class TestCall:
    """A call from this machine that comes in, and what its caller is asked for on the way."""

    __test__ = False  # pytest: the name starts with Test, it is none

    number: str
    login: Auth | None = None
    pin: bool = False

    @property
    def options(self) -> str:
        """What `bridge call` needs for it. No secret is among it: a variable's name, and the word PIN."""
        options = ' --dtmf "PIN#"' if self.pin else ""
        if self.login is None:
            return options
        return f" --user {shlex.quote(self.login.username)} --password-env {_variable(self.login)}{options}"


def welcome(listening: Sequence[Listen], tables: Tables, settings: BridgeSettings, folder: Path | None) -> str:
    """What is printed when the bridge is ready."""
    state = state_words(settings.state)
    at = callable_first(listening)
    host = local_host(at.host)
    test_call = admitted_call(tables, host, settings.region)
    title = f"The bridge answers calls on {' and '.join(map(str, listening))}"
    by = f", by the manifests in {folder}" if folder else ", by the live tables"
    into = f", into rooms on {settings.livekit.url}" if settings.livekit else ""
    lines = ["", click.style(title, bold=True) + by + into]
    if test_call is not None:
        lines += [f"  try it, in a second terminal{_asked(test_call)}:"]
        lines += [f"    {_call(test_call, host, at, state)}"]
    else:
        lines.append(f"  these manifests admit no call from {host} that could be suggested here")
    lines += ["  who is talking, and why calls were refused:", f"    {program('bridge')} calls{state}"]
    if folder is not None:
        number = test_call.number if test_call is not None else TEST_NUMBER
        explained = f"--to {number} --from {CALLER_DEFAULT} --ip {host}"
        lines += [
            f"  edit a file in {folder} and the next call follows it; where would a call go, and why?",
            f"    {program('reconcile')} explain {shlex.quote(str(folder))} {explained}",
        ]
    return "\n".join([*lines, "  Ctrl-C stops it.", ""])


def without_tables(
    listening: Sequence[Listen], settings: BridgeSettings, folder: Path | None, tables: str | None
) -> str:
    """What is printed when the bridge is ready and nothing is declared; `tables` as the user named them, if at all."""
    title = f"The bridge listens on {' and '.join(map(str, listening))}, and refuses every call"
    if folder is not None:
        why = f": the manifests in {folder} have made no tables yet"
        todo = ["  what is wrong with them:", f"    {program('reconcile')} validate {shlex.quote(str(folder))}"]
    else:
        named = f" --tables {shlex.quote(tables)}" if tables and not holds_password(tables) else ""
        where = state_words(settings.state) + named
        why = ": there are no tables yet"
        todo = [
            "  make them from a folder of manifests, the next call follows them:",
            f"    {program('reconcile')} apply DIR{where}",
        ]
    return "\n".join(["", click.style(title, bold=True) + why, *todo, "  Ctrl-C stops it.", ""])


def admitted_call(tables: Tables, host: str, region: str) -> TestCall | None:
    """A call from this machine that comes in, one that is asked for nothing if there is such; None: none was found."""
    asked: TestCall | None = None
    for number in islice(dict.fromkeys(_numbers(tables)), CANDIDATES_MAX):
        found = _try(tables, CallFacts(host, number, CALLER_DEFAULT, region=region))
        if found is not None and found.login is None and not found.pin:
            return found
        asked = asked or found
    return asked


def _try(tables: Tables, facts: CallFacts) -> TestCall | None:
    """What a call to this number is asked for; None where it is refused."""
    login: Auth | None = None
    decision: Decision = decide(tables, facts)
    if isinstance(decision, Challenged):
        assert decision.trunk.inbound is not None, "only inbound trunks match calls"
        login = decision.trunk.inbound.auth
        assert login is not None, "only a trunk with a password challenges"
        decision = decide(tables, replace(facts, authenticated_as=login.username))
    if not isinstance(decision, Admitted | PinNeeded):
        return None
    return TestCall(facts.called, login, isinstance(decision, PinNeeded))


def _variable(login: Auth) -> str:
    """The environment variable that the manifest names for the password, else a stand-in."""
    kind, _, name = login.password.key.partition(":")
    return shlex.quote(name) if kind == "env" else "NAME"


def _asked(call: TestCall) -> str:
    """What the caller must put into the suggested command."""
    needed = [
        f"the password in {_variable(call.login)}" if call.login is not None else "",
        "its PIN for PIN" if call.pin else "",
    ]
    words = " and ".join(word for word in needed if word)
    return f", with {words}" if words else ""


def _numbers(tables: Tables) -> Iterator[str]:
    yield TEST_NUMBER
    yield from (row.number for row in tables.numbers.by_id.values())
    for entry in tables.rules.values():
        yield from (pattern for pattern in entry.row.to if not pattern.endswith("*"))


def _call(call: TestCall, host: str, listen: Listen, state: str) -> str:
    """The command that places the call; `make call` for who came by `make run`."""
    if call.number == TEST_NUMBER:
        if "MAKELEVEL" in os.environ and not state and not call.options:
            return "make call"
        return f"{program('bridge')} call{state}{call.options}"
    at = f"[{host}]" if ":" in host else host
    uri = shlex.quote(f"sip:{call.number}@{at}:{listen.port};transport={listen.transport}")
    return f"{program('bridge')} call {uri}{call.options}"
