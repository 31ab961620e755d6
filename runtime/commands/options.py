"""Options that several commands share, and the log that people read."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import structlog

from schemas.environment import STATE_DEFAULT, is_plain

F = TypeVar("F", bound=Callable[..., Any])

TEST_NUMBER, CALLER_DEFAULT = "+15550100000", "+15550199999"
"""Of a test call, where nothing else is said: whom it calls, and who it says that it is."""


def state_option(command: F) -> F:
    """`--state DIR`."""
    return click.option(
        "--state",
        type=click.Path(path_type=Path, file_okay=False),
        default=STATE_DEFAULT,
        show_default=True,
        envvar="DIALPLANE_STATE",
        help="Folder of what outlives a restart.",
    )(command)


def program(name: str) -> str:
    """How to call a program of ours from here: by its name where the shell finds it, else by its path."""
    beside = Path(sys.executable).parent / name
    found = shutil.which(name)
    if found is not None and Path(found).resolve() == beside.resolve():
        return name
    if not beside.exists():
        return name
    try:
        return str(beside.relative_to(Path.cwd()))
    except ValueError:
        return str(beside)


def state_words(state: Path) -> str:
    """The option that names a state folder, for a command in a message; "" for the usual one."""
    return "" if str(state) == STATE_DEFAULT else f" --state {shlex.quote(str(state))}"


def output_option(command: F) -> F:
    """`-o text|json`."""
    return click.option(
        "-o",
        "output",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="Form of the answer.",
    )(command)


def anywhere_option(command: F) -> F:
    """`--anywhere`, of the commands that ask a running bridge by its API's key."""
    return click.option(
        "--anywhere", is_flag=True, help="Send the key to an API that is not on this machine's loopback, too."
    )(command)


def make_log(form: str) -> Callable[..., None]:
    """A function `log(event, **fields)` to standard error: coloured on a terminal, plain in a pipe, or JSON lines."""
    coloured = sys.stderr.isatty() and not is_plain(os.environ)
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=coloured, pad_event_to=0)
    )
    logger = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.processors.TimeStamper(fmt="iso" if form == "json" else "%H:%M:%S", utc=form == "json"),
            renderer,
        ],
    )

    def log(event: str, **fields: object) -> None:
        logger.msg(event, **fields)

    return log
