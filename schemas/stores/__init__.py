"""EDGE. The door between the two halves: stores of tables, opened by URL.

Both programs call `open_tables(url)`; `default_url(state)` is what `--tables` means when nobody says otherwise.
"""

from __future__ import annotations

import os

from schemas.environment import make_state_folder
from schemas.stores.door import (
    HISTORY_MAX,
    LIVE_WITHIN_S,
    Aim,
    BridgeAck,
    Declared,
    Head,
    HistoryEntry,
    Key,
    Outdated,
    OwnerClash,
    Publish,
    Reader,
    Snapshot,
    Step,
    Store,
    StoreError,
)
from schemas.stores.sqlite import SqliteStore
from schemas.stores.sqlite_past import REVISIONS_KEPT

__all__ = [
    "HISTORY_MAX",
    "LIVE_WITHIN_S",
    "Aim",
    "BridgeAck",
    "Declared",
    "Head",
    "HistoryEntry",
    "Key",
    "Outdated",
    "OwnerClash",
    "Publish",
    "Reader",
    "Snapshot",
    "SqliteStore",
    "Step",
    "Store",
    "StoreError",
    "default_url",
    "open_tables",
]

_SQLITE = "sqlite:///"
_FORMS = "write sqlite:///tables.db (relative) or sqlite:////var/lib/dialplane/tables.db (absolute)"


def open_tables(url: str, revisions_kept: int | None = None) -> Store:
    """The store that `url` names, made if it is a fresh file. Raises StoreError. The caller closes it.

    A publish keeps what so many revisions have changed (None = the usual), and lets go of older ones.

    Only the scheme of a URL is ever repeated in a message: a URL may carry a password.
    """
    scheme, separator, _ = url.partition("://")
    if not separator:
        raise StoreError("--tables", "this is not a URL", _FORMS)
    if scheme in {"redis", "rediss"}:
        raise StoreError(f"{scheme}://…", "Redis stores are not available in this version", _FORMS)
    if scheme != "sqlite":
        raise StoreError(f"{scheme}://…", "no store is known by this scheme", _FORMS)
    path = url.removeprefix(_SQLITE)
    if path in {url, "", "/"} or path.startswith(":memory:"):
        raise StoreError("sqlite://…", "this names no file", _FORMS)
    return SqliteStore(path, REVISIONS_KEPT if revisions_kept is None else revisions_kept)


def default_url(state: str) -> str:
    """The tables of a state folder, which is made (for its owner alone, unseen by git) when it is missing."""
    try:
        make_state_folder(state)
    except OSError as error:
        hint = "choose a folder that you may write to with --state DIR"
        raise StoreError(state, f"the state folder cannot be used: {error.strerror}", hint) from error
    return _SQLITE + os.path.join(state, "tables.db")
