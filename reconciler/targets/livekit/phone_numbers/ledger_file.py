"""EDGE. The ledger on disk: written whole, on the disk before anything is done upon it, and held by one at a time.

Two applies at once could both buy for one document; so whoever may buy holds a lock on the file beside the ledger for
as long as that takes. A ledger that cannot be read is never taken for an empty one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from reconciler.errors import ReconcileError
from reconciler.targets.livekit.phone_numbers.ledger import Ledger, decode, encode
from schemas.whole_file import OWNER_ALONE, write_whole

_NO_LINK = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""What is in the state folder is there itself. A named pipe is not waited for."""


class LedgerFile:
    """The ledger of one server. `path` None: nothing is kept on this machine yet, and nothing can be written."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def read(self) -> Ledger:
        """What it holds; an empty one where there is none yet. Raises ReconcileError."""
        if self._path is None:
            return Ledger()
        try:
            with open(os.open(self._path, os.O_RDONLY | _NO_LINK), "rb") as file:
                return decode(file.read())
        except FileNotFoundError:
            return Ledger()
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) else str(error)
            hint = "put it back from a copy; without it each number must be adopted (--adopt +1…=namespace/name)"
            what = f"{self._path}, which tells whose numbers are whose, cannot be read: {said}"
            raise ReconcileError(what, hint) from error

    def write(self, ledger: Ledger) -> None:
        """Replace what it holds; on the disk when this returns. Raises ReconcileError."""
        assert self._path is not None, "numbers are bought with a state folder only"
        try:
            write_whole(self._path, encode(ledger), replace=True, alone=True)  # whoever writes holds the lock
        except OSError as error:
            what = f"{self._path} cannot be written: {error.strerror}"
            raise ReconcileError(what, "no number is bought that cannot be written down") from error

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold it alone. Raises ReconcileError where another apply does."""
        if self._path is None:
            yield
            return
        beside = self._path.with_suffix(".lock")
        try:
            handle = os.open(beside, os.O_RDWR | os.O_CREAT | _NO_LINK, OWNER_ALONE)
        except OSError as error:
            what = f"{beside} cannot be held: {error.strerror}"
            raise ReconcileError(what, "no number is bought by two at once") from error
        try:
            _hold(handle)
            yield
        finally:
            os.close(handle)


NO_LEDGER = LedgerFile(None)
"""For who only looks, or has nothing to do with numbers."""


def _hold(handle: int) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        what = "another apply is at work on the phone numbers of this server"
        raise ReconcileError(what, "wait for it, and apply again") from error
