"""EDGE. Files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile

OWNER_ALONE = 0o600


def write_whole(path: str, data: bytes, mode: int = OWNER_ALONE, *, replace: bool) -> None:
    """Put a file at `path`; a link that is there is replaced, not followed. Raises OSError.

    FileExistsError where something is there and it is not to be replaced.
    """
    handle, partial = tempfile.mkstemp(prefix=f".{os.path.basename(path)}.", dir=os.path.dirname(path) or ".")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(handle, mode)
            os.fsync(handle)
        if replace:
            os.replace(partial, path)
        else:
            os.link(partial, path)
            os.unlink(partial)
    except BaseException:
        os.unlink(partial)
        raise
