"""EDGE. Native code: libraries that PyAV brings along in its wheel (libopus, FFmpeg's), else the system's; and our own.

It is code, as a module is, so whoever needs it loads it when it is first asked for, and keeps it.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib
import importlib.util
import os
from hashlib import sha256
from pathlib import Path
from types import ModuleType

from runtime.errors import BridgeError


def load(name: str, *symbols: str) -> ctypes.PyDLL:
    """The library `lib<name>` that has all these symbols. BridgeError when there is none.

    The interpreter's lock is kept during calls: a frame takes less time than handing the lock over and back.
    """
    for path in _candidates(name):
        try:
            library = ctypes.PyDLL(path)
        except OSError:
            continue
        if all(hasattr(library, symbol) for symbol in symbols):
            return library
    hint = "PyAV brings it: pip install --force-reinstall av"
    raise BridgeError(f"lib{name} is not on this machine", hint)


def compiled(name: str) -> ModuleType | None:
    """A module of ours that is compiled where there is a toolchain for it; None where that was not done.

    Raises ImportError where it is there and cannot be loaded.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        return None


def sources(package: str) -> str:
    """The fingerprint of the Rust of a package: what was built from others is not it. "" where there is none."""
    spec = importlib.util.find_spec(package)
    folder = Path(spec.origin).parent if spec is not None and spec.origin is not None else Path()
    files = [*sorted(folder.glob("src/*.rs")), *folder.glob("Cargo.lock")]
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16] if files else ""


def is_off(variable: str) -> bool:
    """Whether the environment says that something is not to be used."""
    return os.environ.get(variable, "") == "off"


def _candidates(name: str) -> list[str]:
    spec = importlib.util.find_spec("av")
    bundled: list[str] = []
    if spec is not None and spec.origin is not None:
        package = Path(spec.origin).parent
        for folder in (package.parent / "av.libs", package / ".dylibs"):
            bundled += [str(file) for file in sorted(folder.glob(f"lib{name}[-.]*"))]
    system = ctypes.util.find_library(name)
    return [*bundled, system] if system else bundled
