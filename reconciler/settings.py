"""Where the settings of a `reconcile` command come from: its options, else `DIALPLANE_*`, else defaults.

Made by each command from the environment, in which a `.env` file is by then (`schemas.environment`), so that everything
below takes a `Settings` value and never looks at the environment itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields

from reconciler.errors import ReconcileError

PREFIX = "DIALPLANE_"
OWNER_CHARS_MAX = 63

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
    secret_files: str = ""
    """Folders beside the manifests' own whose files manifests may name, as PATH lists folders; "" = none."""

    @property
    def tables_url(self) -> str:
        """The store's URL: three slashes in front of a relative path, four of an absolute one."""
        return self.tables or f"sqlite:///{self.state.rstrip('/')}/tables.db"


def settings_from(options: Mapping[str, str | None], environ: Mapping[str, str]) -> Settings:
    """Settings from command line options (None = not given) and the environment."""
    given: dict[str, str] = {}
    for name in (field.name for field in fields(Settings)):
        variable = PREFIX + name.upper()
        value = options.get(name)
        if value is None:
            value = environ.get(variable)
        if value is not None:
            given[name] = value
    settings = Settings(**given)
    if not settings.state:
        raise ReconcileError("the state folder has no name", "give --state DIR, or leave it out")
    if len(settings.owner) > OWNER_CHARS_MAX or not _OWNER.fullmatch(settings.owner):
        hint = f"use at most {OWNER_CHARS_MAX} lower-case letters, digits, dots, dashes"
        raise ReconcileError(f"{settings.owner[:OWNER_CHARS_MAX]!r} is no owner's name", hint)
    return settings
