"""EDGE. The native libraries that PyAV brings along in its wheel: libopus, and FFmpeg's resampler; else the system's.

They are code, as a module is, so whoever needs one loads it when it is first asked for, and keeps it.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.util
from pathlib import Path

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


def _candidates(name: str) -> list[str]:
    spec = importlib.util.find_spec("av")
    bundled: list[str] = []
    if spec is not None and spec.origin is not None:
        package = Path(spec.origin).parent
        for folder in (package.parent / "av.libs", package / ".dylibs"):
            bundled += [str(file) for file in sorted(folder.glob(f"lib{name}[-.]*"))]
    system = ctypes.util.find_library(name)
    return [*bundled, system] if system else bundled
