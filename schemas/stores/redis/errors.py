"""What Redis's errors mean to a person, and what to do about each: the one place that translates them.

Called around everything that goes to Redis, so that no exception of the client leaves the store. Redis repeats no
password in its errors; the client repeats commands in some of its own, and those are cut off.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from redis import exceptions

from schemas.stores.door import StoreError
from schemas.tables.codec import RowError
from schemas.tables.digest import TreeMismatchError

CHARS_MAX = 200
"""Of a message that is Redis's own."""

FRESH = "delete the keys with this prefix and apply again: the manifests hold everything that they held"

_LOGIN = "give both in the URL, redis://USER:PASSWORD@HOST with % in front of what is special, as in DIALPLANE_TABLES"
_SAYINGS: dict[str, tuple[str, str]] = {
    "WRONGPASS": ("Redis does not take this user and password", _LOGIN),
    "NOAUTH": ("Redis wants a password", _LOGIN),
    "NOPERM": ("this user may not do that: {}", "let the user run +@all on the keys ~{PREFIX}:*, see the docs"),
    "LOADING": ("Redis is loading its data", "wait; it is tried again"),
    "READONLY": (
        "this server is a replica, it takes no publish",
        "name the primary, or the Sentinels by redis+sentinel://",
    ),
    "OOM": ("Redis has no memory left, nothing was changed", "raise its maxmemory, or free some"),
    "MISCONF": ("Redis cannot save to its disk and takes no writes, nothing was changed", "look into its log"),
    "NOREPLICAS": ("Redis has too few replicas to take a write, nothing was changed", "see min-replicas-to-write"),
    "MASTERDOWN": ("this replica has lost its primary", "wait, or name the primary"),
    "CLUSTERDOWN": ("the cluster is down", "wait; `redis-cli cluster info` tells more"),
    "TRYAGAIN": ("the cluster is moving these keys just now", "wait; it is tried again"),
    "ASK": ("the cluster is moving these keys just now", "wait; it is tried again"),
    "BUSY": ("a script of somebody else holds Redis up", "wait, or end it with SCRIPT KILL"),
    "WRONGTYPE": ("a key with this prefix is another program's", f"choose another ?prefix=NAME, or {FRESH}"),
    "EXECABORT": ("Redis refused a command", ""),
}
_PLAIN_TEXTS = {
    "max number of clients reached": ("Redis has as many clients as it takes", "raise its maxclients"),
    "unknown command": ("this server does not know a command: {}", "Redis 7 or newer is needed, or Valkey"),
    "DB index is out of range": ("Redis has no database of this number", "name another behind the / of the URL"),
    "SELECT is not allowed in cluster mode": ("a cluster has database 0 only", "leave the number out"),
    "wrong number of arguments for 'auth'": ("Redis does not take this user and password", _LOGIN),
    "invalid username-password pair": ("Redis does not take this user and password", _LOGIN),
    "without any password configured": ("Redis has no password for this user, and was given one", _LOGIN),
}


@contextmanager
def told_apart(where: str) -> Iterator[None]:
    """Whatever goes wrong inside with the server at `where` leaves as a StoreError."""
    try:
        yield
    except (exceptions.RedisError, OSError) as error:
        raise store_error(where, error) from error
    except TreeMismatchError as error:
        raise StoreError(where, "the rows are not those that were published", FRESH) from error
    except RowError as error:
        hint = "a newer dialplane wrote it: upgrade this one, or " + FRESH
        raise StoreError(where, f"a row cannot be read ({error})", hint) from error


def store_error(where: str, error: Exception) -> StoreError:
    """The sentence for one error."""
    text = str(error).rpartition("caused error: ")[2].rstrip(".")
    if fault := _tls_fault(error):
        return StoreError(
            where, f"TLS failed: {fault}", "name its authority with ?ca=FILE, and the host as it is certified"
        )
    for mark, (what, hint) in _PLAIN_TEXTS.items():
        if mark in text:
            return StoreError(where, what.format(text[:CHARS_MAX]), hint)
    word = getattr(error, "status_code", None) or text.partition(" ")[0]
    if word in _SAYINGS:
        what, hint = _SAYINGS[word]
        return StoreError(where, what.format(text[:CHARS_MAX]), hint)
    if isinstance(error, exceptions.TimeoutError | TimeoutError):
        return StoreError(where, "Redis does not answer", "is it there, and the way to it open?")
    if isinstance(error, exceptions.InvalidResponse):
        return StoreError(where, "what answers there is no Redis", "name another host or port; TLS is rediss://")
    if isinstance(error, exceptions.ConnectionError | OSError):
        return StoreError(where, f"Redis cannot be reached: {text[:CHARS_MAX]}", "is it there, and the way to it open?")
    return StoreError(where, f"Redis failed: {text[:CHARS_MAX]}")


def _tls_fault(error: BaseException | None) -> str:
    """What the TLS beneath an error complains about, "" where it does not."""
    for _ in range(5):
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        if isinstance(error, ssl.SSLError):
            return error.reason or "no TLS is spoken there"
        if error is None:
            break
        error = error.__cause__ or error.__context__
    return ""
