"""Reads secrets from the places that manifests name: environment variables, files, and a folder of `NAME/KEY` files.

A command opens the vault once; the watcher asks at every look whether something else is there now. Values leave it in a
`Secrets` alone, which shows none of them, and no complaint repeats one. Called with what `Folder.refresh` has read.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from reconciler.manifests.folder import FRESH_NS
from reconciler.manifests.reach import Reach, real, refuses_variable
from reconciler.model.secrets import Secrets, Unreadable, folder_of, place_name, secrets_of, usable, without_line_end
from reconciler.model.sources import FileSources
from schemas.seal import SECRET_BYTES_MAX, Sealer

Stamp = tuple[int, int, int, int]

_ENV, _FILE, _SECRET = "env", "file", "secret"


@dataclass(frozen=True, slots=True)
class _Known:
    """What was found at a place, and the stamp of the file then; None: look again in any case."""

    found: bytes | Unreadable
    stamp: Stamp | None


class Vault:
    """`folder` stands in for a cluster's Secrets ("" = none), `environ` is the environment.

    `reach` says which files manifests may read.

    `sealer` gives the key's, and is asked only when there is something to seal; None of either: nothing is sealed.
    It may raise SecretKeyError. `needed` as in `Secrets`.
    """

    def __init__(
        self,
        folder: str,
        environ: Mapping[str, str],
        sealer: Callable[[], Sealer | None] | None,
        *,
        needed: bool,
        reach: Reach,
    ) -> None:
        self._folder = folder
        self._environ = environ
        self._sealer = sealer
        self._needed = needed
        self._reach = reach
        self._names_of: dict[str, tuple[FileSources, frozenset[str]]] = {}
        self._known: dict[str, _Known] = {}
        self._opened = Secrets(needed=needed)

    def open(self, files: Mapping[str, FileSources]) -> Secrets:
        """What is at the places that these documents name."""
        names_of = {}
        for name, file in files.items():
            known = self._names_of.get(name)
            names_of[name] = known if known is not None and known[0] is file else (file, _names_in(file))
        self._names_of = names_of
        wanted = frozenset().union(*(names for _, names in names_of.values()))
        self._opened = self._look_at(wanted)
        return self._opened

    def has_changed(self) -> bool:
        """Whether there is something else now than when it was opened last."""
        return self._look_at(self._known.keys()) != self._opened

    def _look_at(self, names: Iterable[str]) -> Secrets:
        known: dict[str, _Known] = {}
        for name in names:
            kind, _, rest = name.partition(":")
            if kind == _ENV:
                known[name] = _Known(_from_environment(rest, self._environ), None)
            else:
                known[name] = self._from_file(name, self._path(kind, rest))
        self._known = known
        found = {name: place.found for name, place in known.items()}
        is_sealed = self._sealer is not None and any(isinstance(value, bytes) for value in found.values())
        return Secrets(found, self._sealer() if self._sealer is not None and is_sealed else None, self._needed)

    def _path(self, kind: str, rest: str) -> str:
        if kind == _FILE:
            return rest
        assert kind == _SECRET
        return os.path.join(self._folder, rest) if self._folder else ""

    def _from_file(self, name: str, path: str) -> _Known:
        if not path:
            what = f"the Secret {name.partition(':')[2]} is not known here"
            return _Known(Unreadable(what, "put it into DIR/NAME/KEY and give --secrets DIR"), None)
        is_file, real_path = name.startswith(_FILE), real(path)
        if is_file and (refused := self._reach.refuses_file(real_path, path)):
            return _Known(refused, None)
        stamp, known = _stamp(real_path), self._known.get(name)
        if known is not None and stamp is not None and known.stamp == stamp:
            return known
        return _Known(_read(real_path, path, is_relative=is_file), stamp)


def _names_in(file: FileSources) -> frozenset[str]:
    """The places that one file's documents name."""
    return frozenset(
        place_name(place, folder_of(source.place.file))
        for source in file.sources
        if source.document is not None
        for _, place in secrets_of(source.document)
    )


def _from_environment(name: str, environ: Mapping[str, str]) -> bytes | Unreadable:
    if refused := refuses_variable(name):
        return refused
    value = environ.get(name)
    if value is None:
        hint = "set it where the reconciler runs and start it again"
        return Unreadable(f"the environment variable {name} is not set", hint)
    return usable(os.fsencode(value), f"the environment variable {name}")


def _read(real_path: str, path: str, *, is_relative: bool) -> bytes | Unreadable:
    """The content of the file that `path` leads to, without the line end that editors leave."""
    hint = "a path begins at the manifest's folder" if is_relative and not os.path.isabs(path) else ""
    try:
        handle = os.open(real_path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except (OSError, ValueError) as error:
        return Unreadable(f"the file {path} cannot be read: {_reason(error)}", hint)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return Unreadable(f"{path} is no regular file", hint)
        with os.fdopen(handle, "rb", closefd=False) as file:
            value = file.read(SECRET_BYTES_MAX + 3)
    except OSError as error:
        return Unreadable(f"the file {path} cannot be read: {_reason(error)}", hint)
    finally:
        os.close(handle)
    return usable(without_line_end(value), f"the file {path}")


def _stamp(path: str) -> Stamp | None:
    """What tells a changed file from an unchanged one; None where it is missing, or may yet change within its grain."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    if status.st_mtime_ns > time.time_ns() - FRESH_NS:
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)
