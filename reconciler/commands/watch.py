"""`reconcile watch DIR`: apply whenever a manifest changes, until a signal, or until the parent is gone."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
from collections.abc import Callable
from functools import partial

import click

from reconciler.commands.auditing import note_down
from reconciler.commands.common import show_problems, vault_of
from reconciler.commands.options import Given, settings_options
from reconciler.commands.target import Where, opened_target, target_option
from reconciler.errors import ReconcileError
from reconciler.loop import Loop
from reconciler.manifests.files import STDIN
from reconciler.manifests.folder import Folder, Reading
from reconciler.settings import Settings
from schemas.problems import Problem
from schemas.resources.values import duration_ms
from schemas.stores import holds_password

PARENT_BYTES_MAX = 4096
DRIFT_EVERY_MS = 60_000
DRIFT_EVERY_LEAST_MS = 5_000
"""A watcher looks at its folder no more often either."""
DRIFT_EVERY_MOST_MS = 24 * 3_600_000


@click.command("watch")
@click.argument("source", metavar="DIR")
@click.option("--exit-with-parent", is_flag=True, help="End when standard input, a pipe from the parent, closes.")
@target_option
@click.option(
    "--drift-every",
    metavar="TIME",
    help="How often to look at LiveKit for what others have changed there, 5s to 24h (60s).",
)
@settings_options
def command(source: str, exit_with_parent: bool, at: Where, drift_every: str | None, given: Given) -> None:
    """Apply DIR now, and again whenever a manifest changes. Ends on SIGTERM or Ctrl-C.

    A broken document holds back its own object, an unsafe change all of them: what is live stays, and the line says
    which apply would allow it. What somebody else changes is told and put back. A LiveKit server that fails is tried
    again after growing pauses.

    \b
    Example:
      reconcile watch manifests/
      reconcile watch manifests/ --target livekit --drift-every 5m
    """
    settings = given.settings()
    if source.startswith("-") and source != STDIN:
        raise ReconcileError(f"{source} is no folder", "write: reconcile watch DIR")
    if source == STDIN:
        raise ReconcileError("standard input cannot be watched", "give a folder or a file")
    if not exit_with_parent and not os.path.exists(source):  # one that vanishes later is waited for
        raise ReconcileError(f"{source} is not there", "name a folder of manifests, or make it first")
    look_every_s = _seconds(drift_every, at)
    with opened_target(at, settings, to_write=True, look_every_s=look_every_s) as target:
        vault, apply = vault_of(settings, [source], needed=True), _apply(source, settings, at)
        account = partial(note_down, settings, target=target.manner.address)
        loop = Loop(Folder(source), target, _say, _report, apply, vault, account)
        asyncio.run(_run(loop, exit_with_parent=exit_with_parent))


def _seconds(drift_every: str | None, at: Where) -> float:
    """`--drift-every` in seconds. Our own tables tell of each change by themselves."""
    if drift_every is not None and not at.is_livekit:
        raise ReconcileError("--drift-every is about a LiveKit server", "add --target livekit")
    try:
        ms = duration_ms(drift_every) if drift_every is not None else DRIFT_EVERY_MS
    except ValueError as error:
        raise ReconcileError(f"--drift-every: {error}", "write it like 60s or 5m") from error
    if not DRIFT_EVERY_LEAST_MS <= ms <= DRIFT_EVERY_MOST_MS:
        raise ReconcileError(f"--drift-every {drift_every} is out of bounds", "give 5s to 24h")
    return ms / 1000


def _apply(source: str, settings: Settings, at: Where) -> str:
    """The command that applies this source to this target, ready to be pasted into a shell."""
    usual = Settings()
    tables = "" if holds_password(settings.tables) else settings.tables  # then it comes from the environment anyway
    said = [("--state", settings.state, usual.state), ("--tables", tables, usual.tables)]
    said += [("--owner", settings.owner, usual.owner), ("--secrets", settings.secrets, usual.secrets)]
    words = ["reconcile", "apply", source, *(["--target", at.name] if at.is_livekit else [])]
    for option, value, default in said:
        words += [option, value] if value != default else []
    for folder in filter(None, settings.secret_files.split(os.pathsep)):
        words += ["--secret-files", folder]
    return shlex.join(words)


async def _run(loop: Loop, *, exit_with_parent: bool) -> None:
    stop = asyncio.Event()
    running = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        running.add_signal_handler(number, stop.set)
    if exit_with_parent:
        running.add_reader(sys.stdin.fileno(), partial(_look_at_parent, stop.set))
    await loop.run(stop)


def _look_at_parent(stop: Callable[[], None]) -> None:
    """The pipe has something: whatever it says is of no interest, its end is."""
    if not os.read(sys.stdin.fileno(), PARENT_BYTES_MAX):
        stop()


def _say(line: str) -> None:
    click.echo(line)


def _report(reading: Reading, problems: list[Problem]) -> None:
    show_problems(problems, reading)
