"""Where the settings of a `reconcile` command come from: its options, else `DIALPLANE_*`, else `.env`, else defaults.

Called once by `cli` with the environment and the text of `.env` (this module opens no file), so that
everything below takes a `Settings` value and never looks at the environment itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields

from reconciler.errors import ReconcileError

PREFIX = "DIALPLANE_"
OWNER_CHARS_MAX = 63

_ASSIGNMENT = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*(.*)")
_QUOTED = re.compile(r"(?:\"((?:[^\"\\]|\\.)*)\"|'([^']*)')[ \t]*(?:#.*)?")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_OWNER = re.compile(r"[a-z0-9]([-a-z0-9._]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one command. Each field is the option `--name`, and the variable `DIALPLANE_NAME`."""

    state: str = ".dialplane"
    """Folder of what must outlive a restart."""
    tables: str = ""
    """URL of the tables' store; "" = `tables.db` in the state folder."""
    owner: str = "default"
    """Whose objects these are: apply prunes only its own."""
    secrets: str = ""
    """Folder of `<name>/<key>` files that stands in for a cluster's secrets; "" = none."""

    @property
    def tables_url(self) -> str:
        """The store's URL: three slashes in front of a relative path, four of an absolute one."""
        return self.tables or f"sqlite:///{self.state.rstrip('/')}/tables.db"


def settings_from(options: Mapping[str, str | None], environ: Mapping[str, str], dotenv: str = "") -> Settings:
    """Settings from command line options (None = not given), the environment, and the text of a `.env` file."""
    in_file = parse_dotenv(dotenv)
    given: dict[str, str] = {}
    for name in (field.name for field in fields(Settings)):
        variable = PREFIX + name.upper()
        value = options.get(name)
        if value is None:
            value = environ.get(variable, in_file.get(variable))
        if value is not None:
            given[name] = value
    settings = Settings(**given)
    if not settings.state:
        raise ReconcileError("the state folder has no name", "give --state DIR, or leave it out")
    if len(settings.owner) > OWNER_CHARS_MAX or not _OWNER.fullmatch(settings.owner):
        hint = f"use at most {OWNER_CHARS_MAX} lower-case letters, digits, dots, dashes"
        raise ReconcileError(f"{settings.owner[:OWNER_CHARS_MAX]!r} is no owner's name", hint)
    return settings


def parse_dotenv(text: str) -> dict[str, str]:
    """Variables of a `.env` file: `KEY=value` lines, `export`, quotes, `#` comments; other lines are passed over."""
    found: dict[str, str] = {}
    for line in text.removeprefix("\ufeff").splitlines():
        assignment = _ASSIGNMENT.fullmatch(line.strip())
        if assignment is None:
            continue
        name, raw = assignment.groups()
        if quoted := _QUOTED.fullmatch(raw):
            double, single = quoted.groups()
            found[name] = single if double is None else _ESCAPE.sub(lambda m: _ESCAPES.get(m[1], m[1]), double)
        else:
            found[name] = re.split(r"(?:^|[ \t])#", raw, maxsplit=1)[0].rstrip()
    return found
