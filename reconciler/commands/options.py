"""Options that every command takes, and the settings that come of them. Light: `cli` imports it for `--help`."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ParamSpec, TypeVar

import click

from reconciler.settings import Settings, settings_from
from schemas.environment import is_plain

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line says of the settings; None = nothing."""

    state: str | None = None
    tables: str | None = None
    owner: str | None = None
    secrets: str | None = None
    secret_files: str | None = None
    revisions_kept: str | None = None

    def over(self, outer: Given) -> Given:
        """These, and what only `outer` says."""
        return Given(
            *(
                getattr(self, f.name) if getattr(self, f.name) is not None else getattr(outer, f.name)
                for f in fields(self)
            )
        )

    def settings(self) -> Settings:
        """The settings: these options, else the environment. Raises ReconcileError."""
        options = {field.name: getattr(self, field.name) for field in fields(self)}
        return settings_from(options, os.environ)


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of `Settings`, before the command's name or behind it, as `given`."""
    return _state(_owner(_tables(_revisions_kept(_secrets(_gather(command))))))


def settings_options_but_tables(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same for a command that has a `--tables` of its own."""
    return _state(_owner(_secrets(_gather(command))))


def settings_options_but_secrets(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same for a command whose secrets come from elsewhere."""
    return _state(_owner(_tables(_revisions_kept(_gather(command)))))


def secrets_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Only those about secrets, for a command that needs neither tables nor state; the command gets `given`."""
    return _secrets(_gather(command))


def _gather(command: Callable[..., R]) -> Callable[..., R]:
    @functools.wraps(command)
    def gathered(
        *args: Any,
        state: str | None = None,
        owner: str | None = None,
        tables: str | None = None,
        secrets: str | None = None,
        secret_files: tuple[str, ...] = (),
        revisions_kept: str | None = None,
        **kwargs: Any,
    ) -> R:
        outer = click.get_current_context().obj
        files = os.pathsep.join(secret_files) or None
        given = kwargs.pop("given", None) or Given(state, tables, owner, secrets, files, revisions_kept)
        return command(*args, given=given.over(outer) if isinstance(outer, Given) else given, **kwargs)

    return gathered


_state = click.option("--state", metavar="DIR", help="Folder of what must outlive a restart (.dialplane).")
_tables = click.option(
    "--tables", metavar="URL", help="The live tables, sqlite:// or redis:// (sqlite:///STATE/tables.db)."
)
_revisions_kept = click.option(
    "--revisions-kept", metavar="N", help="How many revisions can be shown and gone back to (1000)."
)
_owner = click.option("--owner", metavar="NAME", help="Whose objects these are; only they are changed (default).")

_secrets_folder = click.option("--secrets", metavar="DIR", help="Folder of NAME/KEY files, for secretKeyRef (none).")
_secret_files = click.option(
    "--secret-files",
    metavar="DIR",
    multiple=True,
    help="A folder whose files manifests may name, beside their own; may be given again.",
)


def _secrets(command: Callable[..., Any]) -> Callable[..., Any]:
    return _secrets_folder(_secret_files(command))


def output_option(*forms: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add `-o FORM`; the command gets it as `form`."""
    return click.option(
        "-o", "--output", "form", type=click.Choice(forms), default=forms[0], show_default=True, help="How to print."
    )


def is_colourful(*, err: bool = False) -> bool:
    """Whether colours go to a person at a terminal who did not say NO_COLOR."""
    return (sys.stderr if err else sys.stdout).isatty() and not is_plain(os.environ)
