"""The surroundings that both programs share: a `.env` file, the state folder, the address of the tables.

Called once, first, by both command lines. What the environment says already always wins over the file.

A `.env` file lies in whatever folder somebody stands in, so it configures these programs and nothing else. Only names
that are theirs go into the environment, which children inherit and loaders obey: a `PYTHONPATH`, `LD_PRELOAD` or
`PATH` in it would run what lies there. Its other names are found by name alone (`variables`), as secrets are.
`DIALPLANE_ENV_FILE` names another file, or none where it is empty: for jobs whose working folder is a stranger's.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import stat
from collections import ChainMap
from collections.abc import Mapping

STATE_DEFAULT = ".dialplane"
ENV_FILE = ".env"
ENV_FILE_VARIABLE = "DIALPLANE_ENV_FILE"
ENV_FILE_BYTES_MAX = 1 << 20

OWN_PREFIXES = ("DIALPLANE_", "LIVEKIT_")
"""How the names begin that a `.env` file may put into the environment."""

_from_file: dict[str, str] = {}
"""The file's other names."""

_GITIGNORE = ".gitignore"

_ASSIGNMENT = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*(.*)")
_QUOTED = re.compile(r"(?:\"((?:[^\"\\]|\\.)*)\"|'([^']*)')[ \t]*(?:#.*)?")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


class EnvFileError(Exception):
    """The file is there and not read. Reads as one sentence: where, what is wrong, what to do about it."""


def is_plain(environ: Mapping[str, str]) -> bool:
    """Whether somebody wants no colours, or has a terminal without: https://no-color.org."""
    return bool(environ.get("NO_COLOR")) or environ.get("TERM") == "dumb"


def address_and_port(text: str) -> tuple[str, int] | None:
    """An IP address and a port: `127.0.0.1:5060`, `[::1]:5060`; None where it is something else."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return None
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65_535):
        return None
    return host, int(port)


def parse_env(text: str) -> dict[str, str]:
    """Variables of a `.env` file: `KEY=value` lines, `export`, quotes, `#` comments; other lines are passed over."""
    found: dict[str, str] = {}
    for line in text.removeprefix("\ufeff").splitlines():
        assignment = _ASSIGNMENT.fullmatch(line.strip())
        if assignment is None:
            continue
        name, raw = assignment.groups()
        if quoted := _QUOTED.fullmatch(raw):
            double, single = quoted.groups()
            found[name] = single if double is None else _ESCAPE.sub(lambda m: _ESCAPES.get(m[1], m[1]), double)
        else:
            found[name] = re.split(r"(?:^|[ \t])#", raw, maxsplit=1)[0].rstrip()
    return found


def env_file(environ: Mapping[str, str]) -> str:
    """The path of the file, "" = none is to be read."""
    return environ.get(ENV_FILE_VARIABLE, ENV_FILE)


def load_env_file() -> None:
    """Put our own names of the file into the environment where they are not set yet. Raises EnvFileError.

    That there is no `.env` is fine; a file that was named must be there.
    """
    _from_file.clear()
    path, is_named = env_file(os.environ), ENV_FILE_VARIABLE in os.environ
    if not path:
        return
    text = _contents(path, is_named=is_named)
    for name, value in parse_env(text).items():
        if name == ENV_FILE_VARIABLE:
            continue
        if name.startswith(OWN_PREFIXES):
            os.environ.setdefault(name, value)
        else:
            _from_file[name] = value


def _contents(path: str, *, is_named: bool) -> str:
    # A link is followed where somebody named it. Without O_NONBLOCK a named pipe would be waited for.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if is_named else os.O_NOFOLLOW)
    try:
        with open(os.open(path, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise _refused(path, "is no regular file")
            data = file.read(ENV_FILE_BYTES_MAX + 1)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        if is_named:
            raise _refused(path, f"cannot be read: {error.strerror}") from error
        return ""  # a folder is somebody's virtual environment
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.ELOOP:
            raise _refused(path, "is a link, and is not followed") from error
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _refused(path, f"cannot be read: {reason}") from error
    if len(data) > ENV_FILE_BYTES_MAX:
        raise _refused(path, f"holds more than {ENV_FILE_BYTES_MAX:,} bytes")
    return data.decode(errors="replace")


def _refused(path: str, what: str) -> EnvFileError:
    return EnvFileError(f"{path} {what}, name a file of settings with {ENV_FILE_VARIABLE}, or leave it empty for none")


def variables() -> Mapping[str, str]:
    """The environment, and beneath it every name of the `.env` file: for names that a user chooses."""
    return ChainMap(os.environ, _from_file)


def others_may_write(status: os.stat_result) -> str:
    """Why somebody else than this user (and root) can have put something there, and what to do; "" = nobody can."""
    if status.st_uid not in (0, os.geteuid()):
        return f"it belongs to another user (number {status.st_uid}), chown it or name another"
    if status.st_mode & 0o022:
        return f"others may write to it (mode {stat.S_IMODE(status.st_mode):04o}), chmod go-w it or name another"
    return ""


def check_state_folder(state: str) -> None:
    """Raises PermissionError where others may put a key or tables into the state folder; a missing one is fine."""
    try:
        status = os.stat(state)
    except (FileNotFoundError, NotADirectoryError):
        return
    if why := others_may_write(status):
        raise PermissionError(errno.EPERM, why, state)


def make_state_folder(state: str) -> None:
    """Make the state folder, for its owner alone and unseen by git, when it is missing. Raises OSError."""
    check_state_folder(state)
    if os.path.isdir(state):
        return
    os.makedirs(state, mode=0o700, exist_ok=True)
    with open(os.path.join(state, _GITIGNORE), "w", encoding="utf-8") as ignore:
        ignore.write("*\n")
