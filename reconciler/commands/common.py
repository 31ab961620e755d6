"""What the commands share: reading sources, opening the tables, showing problems and plans.

Errors of the store become `ReconcileError` here, so that no command shows a traceback for what a person can mend.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from reconciler.commands.options import is_colourful
from reconciler.commands.progress import patience
from reconciler.errors import ReconcileError
from reconciler.manifests.folder import Reading, in_order, read_documents
from reconciler.manifests.reach import Reach, folders_of
from reconciler.manifests.vault import Vault
from reconciler.plan.gates import Allowances
from reconciler.plan.pinned import nothing_while_pinned
from reconciler.plan.problems import as_json as problem_json
from reconciler.plan.problems import render_problems
from reconciler.plan.render import Line, nothing_changes
from reconciler.settings import Settings
from reconciler.targets.target import Planned, Target
from schemas.environment import ENV_FILE, env_file, variables
from schemas.problems import Problem
from schemas.seal import KEY_BYTES, Sealer
from schemas.secret_key import FILE_VARIABLE, SecretKeyError, read_key, read_or_make_key
from schemas.stores import Store, StoreError, default_url, open_tables

_STYLES = {"create": "green", "update": "yellow", "delete": "red", "refusal": "red"}
_SQLITE = "sqlite:///"


def read(sources: Sequence[str]) -> Reading:
    """Read and check all sources."""
    with patience("reading the manifests") as progress:
        return read_documents(sources, progress.note)


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn what the store or the key complains about into the command's one sentence."""
    try:
        yield
    except (StoreError, SecretKeyError) as error:
        raise ReconcileError(f"{error.where}: {error.what}", error.hint) from error


def vault_of(settings: Settings, sources: Sequence[str], *, needed: bool, compared: bool = False) -> Vault:
    """The secrets of a command that reads these sources.

    `needed`: they go into the tables, and the key is made if there is none yet.

    Without, nothing is written. Where there is no key any other does to try a PIN, but not where secrets are
    `compared` with live ones, as in a plan: they would all seem to have changed.
    """

    def sealer() -> Sealer | None:
        if needed:
            return Sealer(read_or_make_key(settings.state, os.environ))
        key = read_key(settings.state, os.environ)
        return None if key is None and compared else Sealer(key or stand_in)

    stand_in = os.urandom(KEY_BYTES)
    return Vault(settings.secrets, variables(), sealer, needed=needed, reach=reach_of(settings, sources))


def key_of(settings: Settings) -> bytes | None:
    """The key that secrets are sealed with, None where there is none."""
    with store_errors():
        return read_key(settings.state, os.environ)


def allow_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that allow what is refused as unsafe; the command gets `allowed`."""

    @functools.wraps(command)
    def gathered(
        *args: Any,
        allow_deletes: int | None,
        allow_any: tuple[str, ...],
        allow_unrouted: tuple[str, ...],
        allow_purchases: bool,
        allow_releases: bool,
        **kwargs: Any,
    ) -> Any:
        names = frozenset(allow_any), frozenset(allow_unrouted)
        allowed = Allowances(allow_deletes, *names, allow_purchases, allow_releases)
        return command(*args, allowed=allowed, **kwargs)

    return _allow_deletes(_allow_any(_allow_unrouted(_allow_purchases(_allow_releases(gathered)))))


_allow_deletes = click.option(
    "--allow-deletes", metavar="N", type=click.IntRange(0), help="Delete up to N objects, however many."
)
_allow_any = click.option(
    "--allow-any", metavar="KIND/NAMESPACE/NAME", multiple=True, help="Let this one open to any number."
)


_allow_unrouted = click.option(
    "--allow-unrouted",
    metavar="NUMBER|KIND/NAMESPACE/NAME",
    multiple=True,
    help="Let nobody answer this number, or those that lose their route by a change of this object.",
)


_allow_purchases = click.option("--allow-purchases", is_flag=True, help="Buy the numbers that are asked for (billed).")
_allow_releases = click.option(
    "--allow-releases",
    is_flag=True,
    help="Give numbers back whose documents are gone and said `deletionPolicy: Delete`.",
)


def reach_of(settings: Settings, sources: Sequence[str]) -> Reach:
    """What the manifests of these sources may read."""
    named = tuple(folder for folder in settings.secret_files.split(os.pathsep) if folder)
    elsewhere = os.environ.get(FILE_VARIABLE), env_file(os.environ)
    return Reach(folders_of(sources) + named, (settings.state, ENV_FILE, *filter(None, elsewhere)))


@contextmanager
def opened(settings: Settings) -> Iterator[Store]:
    """The live tables, made if they are missing."""
    with store_errors():
        store = open_tables(settings.tables or default_url(settings.state), settings.revisions_kept)
        try:
            yield store
        finally:
            store.close()


@contextmanager
def opened_if_there(settings: Settings) -> Iterator[Store | None]:
    """The live tables; None where there are none yet, for commands that only look."""
    url = settings.tables_url
    if url.startswith(_SQLITE) and not _is_there(url.removeprefix(_SQLITE)):
        with store_errors():
            yield None
        return
    with opened(settings) as store:
        yield store


@contextmanager
def opened_there(settings: Settings) -> Iterator[Store]:
    """The live tables, which must be there. Raises ReconcileError."""
    with opened_if_there(settings) as store:
        if store is None:
            hint = "run `reconcile apply DIR` first, or name the right place with --state or --tables"
            raise ReconcileError(f"there are no tables at {settings.tables_url}", hint)
        yield store


def _is_there(path: str) -> bool:
    try:
        os.stat(path)
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ReconcileError(f"{path} cannot be read: {reason}", "name another with --state or --tables") from error
    return True


def show_problems(problems: Sequence[Problem], reading: Reading, form: str = "text", *, err: bool = True) -> None:
    """Print problems with the lines in question."""
    click.echo(render_problems(problems, form, reading.line, colour=is_colourful(err=err)), nl=False, err=err)


def show_lines(lines: Sequence[Line], *, err: bool = False) -> None:
    """Print a plan's lines in their colours."""
    colour = is_colourful(err=err)
    for line in lines:
        click.echo(click.style(line.text, fg=_STYLES[line.style]) if colour and line.style else line.text, err=err)


def nothing_said(planned: Planned, *, applied: bool, nothing: str) -> str:
    """What is said of a plan without changes; `nothing` where nothing is in the way."""
    if planned.pin is not None:
        return nothing_while_pinned(planned.pin, planned.waiting, applied=applied)
    return nothing_changes(planned.desired, applied=applied, nothing=nothing)


def show_json(report: dict[str, Any], *, err: bool = False) -> None:
    """Print one JSON object."""
    click.echo(json.dumps(report, indent=2, ensure_ascii=False), err=err)


def problems_json(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    """Problems inside another report."""
    return [problem_json(problem) for problem in problems]


def problems_of(reading: Reading, planned: Planned, target: Target) -> list[Problem]:
    """All problems of a pass that concern its target, in order."""
    found = in_order([*reading.problems, *planned.desired.problems])
    return [problem for problem in found if problem.code not in target.manner.leaves_out]


def has_errors(problems: Sequence[Problem]) -> bool:
    """Whether any of them holds something back."""
    return any(problem.is_error for problem in problems)


def show_table(rows: Sequence[Sequence[str]], red: Callable[[Sequence[str]], bool] = lambda _: False) -> None:
    """Print rows, the names of the columns first, in columns. A row that is `red` is so on a terminal."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    colour = is_colourful()
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        click.echo(click.style(line, fg="red") if colour and red(row) else line)
