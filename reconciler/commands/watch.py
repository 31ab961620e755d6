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
from reconciler.commands.common import opened, show_problems, vault_of
from reconciler.commands.options import Given, settings_options
from reconciler.errors import ReconcileError
from reconciler.loop import Loop
from reconciler.manifests.files import STDIN
from reconciler.manifests.folder import Folder, Reading
from reconciler.settings import Settings
from reconciler.targets.tables import TablesTarget
from schemas.problems import Problem

PARENT_BYTES_MAX = 4096


@click.command("watch")
@click.argument("source", metavar="DIR")
@click.option("--exit-with-parent", is_flag=True, help="End when standard input, a pipe from the parent, closes.")
@settings_options
def command(source: str, exit_with_parent: bool, given: Given) -> None:
    """Apply DIR now, and again whenever a manifest changes. Ends on SIGTERM or Ctrl-C.

    A broken document holds back its own object, an unsafe change all of them: the live tables stay, and the line says
    which apply would allow it.

    \b
    Example:
      reconcile watch manifests/
    """
    settings = given.settings()
    if source.startswith("-") and source != STDIN:
        raise ReconcileError(f"{source} is no folder", "write: reconcile watch DIR")
    if source == STDIN:
        raise ReconcileError("standard input cannot be watched", "give a folder or a file")
    if not exit_with_parent and not os.path.exists(source):  # one that vanishes later is waited for
        raise ReconcileError(f"{source} is not there", "name a folder of manifests, or make it first")
    with opened(settings) as store:
        vault, apply = vault_of(settings, [source], needed=True), _apply(source, settings)
        account = partial(note_down, settings)
        loop = Loop(Folder(source), TablesTarget(store, settings.owner), _say, _report, apply, vault, account)
        asyncio.run(_run(loop, exit_with_parent=exit_with_parent))


def _apply(source: str, settings: Settings) -> str:
    """The command that applies this source to these tables, ready to be pasted into a shell."""
    usual = Settings()
    said = [("--state", settings.state, usual.state), ("--tables", settings.tables, usual.tables)]
    said += [("--owner", settings.owner, usual.owner), ("--secrets", settings.secrets, usual.secrets)]
    words = ["reconcile", "apply", source]
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
