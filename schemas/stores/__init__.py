"""EDGE. The door between the two halves: stores of tables, opened by URL.

Both programs call `open_tables(url)`; `default_url(state)` is what `--tables` means when nobody says otherwise.
"""

from __future__ import annotations

import os

from schemas.environment import make_state_folder
from schemas.stores.bounds import HISTORY_MAX, REVISIONS_KEPT
from schemas.stores.door import (
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
from schemas.stores.redis.address import is_redis, parse_address
from schemas.stores.sqlite import SqliteStore

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
    "holds_password",
    "is_shared",
    "open_tables",
    "shown",
]

_SQLITE = "sqlite:///"
_FORMS = "write sqlite:///tables.db (relative), sqlite:////var/lib/dialplane/tables.db (absolute), or redis://HOST/0"


def open_tables(url: str, revisions_kept: int | None = None) -> Store:
    """The store that `url` names, made if it is a fresh file. Raises StoreError. The caller closes it.

    A publish keeps what so many revisions have changed (None = the usual), and lets go of older ones.

    Only the scheme of a URL is ever repeated in a message: a URL may carry a password.
    """
    kept = REVISIONS_KEPT if revisions_kept is None else revisions_kept
    scheme, separator, _ = url.partition("://")
    if not separator:
        raise StoreError("--tables", "this is not a URL", _FORMS)
    if is_shared(url):
        from schemas.stores.redis.store import RedisStore  # its client takes a while to load

        return RedisStore(parse_address(url), kept)
    if scheme != "sqlite":
        raise StoreError(f"{scheme}://…", "no store is known by this scheme", _FORMS)
    path = url.removeprefix(_SQLITE)
    if path in {url, "", "/"} or path.startswith(":memory:"):
        raise StoreError("sqlite://…", "this names no file", _FORMS)
    return SqliteStore(path, kept)


def is_shared(url: str) -> bool:
    """Whether these tables are for many machines: reached through a network, and read by several bridges."""
    return is_redis(url)


def shown(url: str) -> str:
    """The URL as messages may have it: without who asks, and the password."""
    return parse_address(url).shown if is_shared(url) else url


def holds_password(url: str) -> bool:
    """Whether nobody else may see the URL."""
    address = parse_address(url) if is_shared(url) else None
    return address is not None and bool(address.password or address.sentinel_password)


def default_url(state: str) -> str:
    """The tables of a state folder, which is made (for its owner alone, unseen by git) when it is missing."""
    try:
        make_state_folder(state)
    except OSError as error:
        hint = "choose a folder that you may write to with --state DIR"
        raise StoreError(state, f"the state folder cannot be used: {error.strerror}", hint) from error
    return _SQLITE + os.path.join(state, "tables.db")
