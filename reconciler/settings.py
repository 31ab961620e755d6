"""Where the settings of a `reconcile` command come from: its options, else `DIALPLANE_*`, else defaults.

Made by each command from the environment, in which a `.env` file is by then (`schemas.environment`), so that everything
below takes a `Settings` value and never looks at the environment itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from urllib.parse import urlparse

from reconciler.errors import ReconcileError

PREFIX = "DIALPLANE_"
OWNER_CHARS_MAX = 63
REVISIONS_KEPT_MAX = 5_000
METRICS_EXAMPLE = "127.0.0.1:8081"

_OWNER = re.compile(r"[a-z0-9]([-a-z0-9._]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one command. Each field is the option `--its-name`, and the variable `DIALPLANE_ITS_NAME`."""

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

    revisions_kept: int | None = None
    """How many revisions are kept, to be shown and gone back to; None = as many as the store keeps by itself."""

    @property
    def tables_url(self) -> str:
        """The store's URL: three slashes in front of a relative path, four of an absolute one."""
        return self.tables or f"sqlite:///{self.state.rstrip('/')}/tables.db"


@dataclass(frozen=True, slots=True)
class LiveKitAccess:
    """A LiveKit server and a key of it."""

    url: str
    key: str
    secret: str = field(repr=False)

    @property
    def host(self) -> str:
        """The server's name, as messages have it."""
        return urlparse(self.url).netloc.rpartition("@")[2]


def livekit_from(environ: Mapping[str, str]) -> LiveKitAccess:
    """LiveKit's own three variables. Raises ReconcileError."""
    names = ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET")
    missing = [name for name in names if not environ.get(name)]
    if missing:
        raise ReconcileError(f"LiveKit is reached by {' and '.join(missing)}", "set them in the environment or in .env")
    access = LiveKitAccess(*(environ[name] for name in names))
    if urlparse(access.url).scheme not in ("http", "https", "ws", "wss") or not access.host:
        hint = "write it like wss://project.livekit.cloud or ws://localhost:7880"
        raise ReconcileError("LIVEKIT_URL is no address of a server", hint)
    return access


def settings_from(options: Mapping[str, str | None], environ: Mapping[str, str]) -> Settings:
    """Settings from command line options (None = not given) and the environment."""
    given: dict[str, str] = {}
    for name in (slot.name for slot in fields(Settings)):
        variable = PREFIX + name.upper()
        value = options.get(name)
        if value is None:
            value = environ.get(variable)
        if value is not None:
            given[name] = value
    kept = given.pop("revisions_kept", None)
    settings = Settings(**given, revisions_kept=None if kept is None else _revisions(kept))
    if not settings.state:
        raise ReconcileError("the state folder has no name", "give --state DIR, or leave it out")
    if len(settings.owner) > OWNER_CHARS_MAX or not _OWNER.fullmatch(settings.owner):
        hint = f"use at most {OWNER_CHARS_MAX} lower-case letters, digits, dots, dashes"
        raise ReconcileError(f"{settings.owner[:OWNER_CHARS_MAX]!r} is no owner's name", hint)
    return settings


def _revisions(text: str) -> int:
    count = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(REVISIONS_KEPT_MAX)) else -1
    if not 0 <= count <= REVISIONS_KEPT_MAX:
        raise ReconcileError(f"{text[:20]!r} is no count of revisions", f"keep 0 to {REVISIONS_KEPT_MAX} of them")
    return count
