"""EDGE. Files that are there whole or not at all, and on the disk: the one way in which both houses put one down.

What is written goes into a file beside first, and takes the place of the other in one step. Only the audit log, which
grows, is written otherwise.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable

OWNER_ALONE = 0o600


def write_whole(
    path: str | os.PathLike[str],
    data: bytes,
    mode: int = OWNER_ALONE,
    *,
    replace: bool,
    alone: bool = False,
    owner: tuple[int, int] | None = None,
    check: Callable[[], bool] = lambda: True,
) -> bool:
    """Put a file at `path`, and on the disk; a link that is there is replaced, not followed. Raises OSError.

    FileExistsError where something is there and it is not to be replaced. `alone`: nobody else writes there at the same
    moment, in a folder that strangers cannot write to; so what a killed process left is written over. `owner`: the user
    and the group that the file is given, where this user may. `check` is asked at the last moment: False = leave it.
    """
    path = os.fspath(path)
    folder, name = os.path.dirname(path) or ".", os.path.basename(path)
    handle, beside = _beside(folder, name, alone=alone)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            if owner is not None:
                with contextlib.suppress(PermissionError):
                    os.fchown(handle, *owner)
            os.fchmod(handle, mode)
            os.fsync(handle)
        if not check():
            return False
        if replace:
            os.replace(beside, path)
        else:
            os.link(beside, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
    sync_folder(folder)
    return True


def sync_folder(folder: str) -> None:
    """Have the names in a folder on the disk. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _beside(folder: str, name: str, *, alone: bool) -> tuple[int, str]:
    if not alone:
        return tempfile.mkstemp(prefix=f".{name}.", dir=folder)  # mode 0600
    path = os.path.join(folder, f".{name}.new")
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, OWNER_ALONE), path
