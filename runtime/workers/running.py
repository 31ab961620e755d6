"""`STATE/bridge.json`: where the running bridge of a state folder listens, so that the other commands find it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from runtime.errors import BridgeError
from schemas.whole_file import write_whole

FILE = "bridge.json"
KEY_FILE = "api.key"
KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class RunningBridge:
    """What a bridge says of itself: all its SIP listeners; `api` is `http://host:port`, or "" when it has none.

    `livekit_api`: the LiveKit-compatible API likewise, `ws://host:port`.
    """

    pid: int
    listen: tuple[str, ...]
    api: str
    livekit_api: str = ""


def own_folder(path: Path, option: str, *, private: bool = False) -> Path:
    """The folder that an option names, made for this user alone when it is not there.

    `private`: one that is there is closed to others as well.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if private:
            path.chmod(0o700)
    except OSError as fault:
        raise BridgeError(f"cannot make the folder {path}: {fault.strerror}", f"name another: {option} DIR") from fault
    return path


def announce(state: Path, bridge: RunningBridge) -> None:
    """Write the file, whole or not at all."""
    write_whole(state / FILE, json.dumps(asdict(bridge)).encode(), replace=True)


def withdraw(state: Path) -> None:
    """Remove the file, if it is this process's own."""
    if find(state, alive=False) is not None and _read(state).pid == os.getpid():
        (state / FILE).unlink(missing_ok=True)


def find(state: Path, *, alive: bool = True) -> RunningBridge | None:
    """The bridge that runs on this state folder, or None; with `alive`, only if its process is there."""
    try:
        bridge = _read(state)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return bridge if not alive or _is_alive(bridge.pid) else None


def api_key(state: Path) -> str:
    """The key of this state folder's API: made once, readable by this user alone."""
    path = state / KEY_FILE
    if not path.exists():
        with contextlib.suppress(FileExistsError):
            write_whole(path, secrets.token_urlsafe(KEY_BYTES).encode(), replace=False)
    key = path.read_text().strip()
    if not key:
        raise BridgeError(f"{path} is empty", "remove it: the next start makes a new key")
    return key


def contact_key(state: Path) -> bytes:
    """The secret of which the Contacts of this state folder's registrations are made."""
    own_folder(state, "--state", private=True)
    return hashlib.sha256(f"contact {api_key(state)}".encode()).digest()


def _read(state: Path) -> RunningBridge:
    found = json.loads((state / FILE).read_text())
    listen = found["listen"]
    if not isinstance(listen, list):
        raise TypeError("listen is a list of listeners")
    return RunningBridge(
        int(found["pid"]), tuple(map(str, listen)), str(found["api"]), str(found.get("livekit_api", ""))
    )


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
