"""EDGE. The key that secrets in the tables are sealed with: where it is, and how it comes to be.

`DIALPLANE_SECRET_KEY` (base64 of 64 bytes), else the file that `DIALPLANE_SECRET_KEY_FILE` names, else `secret.key` in
the state folder, which the reconciler makes once, for its owner alone. Reconciler and bridge must have the same one.
A key that somebody else may have put there is refused, as ssh does: with it they could read what is sealed thereafter.
No message ever shows any of it.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import errno
import os
import stat
from collections.abc import Mapping

from schemas.environment import check_state_folder, make_state_folder, others_may_write
from schemas.seal import KEY_BYTES
from schemas.whole_file import write_whole

VARIABLE = "DIALPLANE_SECRET_KEY"
FILE_VARIABLE = "DIALPLANE_SECRET_KEY_FILE"
KEY_FILE = "secret.key"
KEY_FILE_BYTES_MAX = 4096

_HINT = f"it must be the base64 of {KEY_BYTES} bytes, like `openssl rand -base64 {KEY_BYTES}` makes"


class SecretKeyError(Exception):
    """The key cannot be had. Reads as one sentence: where, what is wrong, and what to do about it."""

    def __init__(self, where: str, what: str, hint: str) -> None:
        super().__init__(f"{where}: {what}; {hint}")
        self.where = where
        self.what = what
        self.hint = hint


def read_key(state: str, environ: Mapping[str, str]) -> bytes | None:
    """The key, None where there is none yet. Raises SecretKeyError."""
    if text := environ.get(VARIABLE):
        return _parsed(VARIABLE, text)
    named = environ.get(FILE_VARIABLE)
    path = named or os.path.join(state, KEY_FILE)
    try:
        if not named:
            check_state_folder(state)
        return _parsed(path, _contents(path, is_named=bool(named)))
    except (FileNotFoundError, NotADirectoryError):
        if not named:
            return None
        raise SecretKeyError(path, "there is no such file", f"{FILE_VARIABLE} names it") from None
    except OSError as error:
        what = "cannot be trusted" if error.errno == errno.EPERM else "cannot be read"
        reason = "it is a link" if error.errno == errno.ELOOP else error.strerror
        hint = "let this user, and nobody else, read it"
        raise SecretKeyError(str(error.filename or path), f"{what}: {reason}", hint) from error


def check_shared_key(where: str, environ: Mapping[str, str]) -> None:
    """Raises SecretKeyError where tables for many machines, at `where`, are used without a key that all of them have.

    One that is made in this machine's state folder would seal what nobody else can unseal.
    """
    if not (environ.get(VARIABLE) or environ.get(FILE_VARIABLE)):
        what = "tables for several machines need one key that all of them have"
        hint = f"make it once with `openssl rand -base64 {KEY_BYTES}`, and give it to each in {VARIABLE} or a file that"
        raise SecretKeyError(where, what, f"{hint} {FILE_VARIABLE} names")


def read_or_make_key(state: str, environ: Mapping[str, str]) -> bytes:
    """The key; where there is none yet a new one is put into the state folder. Raises SecretKeyError."""
    found = read_key(state, environ)
    if found is not None:
        return found
    path = os.path.join(state, KEY_FILE)
    try:
        make_state_folder(state)
        _make(path)
    except OSError as error:
        raise SecretKeyError(path, f"cannot be made: {error.strerror}", "name another folder: --state DIR") from error
    made = read_key(state, environ)
    assert made is not None, "it was made just now"
    return made


def _contents(path: str, *, is_named: bool) -> str:
    # A link is followed where somebody named it. Without O_NONBLOCK a named pipe would be waited for.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if is_named else os.O_NOFOLLOW)
    handle = os.open(path, flags)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise SecretKeyError(path, "this is no regular file", "put the key into one")
        if why := others_may_write(status):
            raise PermissionError(errno.EPERM, why, path)
        with open(handle, encoding="ascii", errors="replace", closefd=False) as file:
            return file.read(KEY_FILE_BYTES_MAX)
    finally:
        os.close(handle)


def _make(path: str) -> None:
    """Put a key there, whole and on the disk; the one that another process puts there first stays."""
    with contextlib.suppress(FileExistsError):
        write_whole(path, base64.b64encode(os.urandom(KEY_BYTES)) + b"\n", replace=False)


def _parsed(where: str, text: str) -> bytes:
    try:
        key = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise SecretKeyError(where, "this is no key", _HINT)
    return key
