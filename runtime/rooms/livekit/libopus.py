"""Where libopus is: the one that PyAV brings along, else the system's."""

from __future__ import annotations

import ctypes.util
import importlib.util
from pathlib import Path

from runtime.errors import BridgeError
from runtime.media.codecs.opus import OpusLibrary


def load_opus() -> OpusLibrary:
    """The library, or BridgeError."""
    for path in _candidates():
        try:
            return OpusLibrary(path)
        except OSError:
            continue
    raise BridgeError("libopus is not on this machine", "install it: sudo apt-get install libopus0")


def _candidates() -> list[str]:
    spec = importlib.util.find_spec("av")
    bundled: list[str] = []
    if spec is not None and spec.origin is not None:
        package = Path(spec.origin).parent
        for folder in (package.parent / "av.libs", package / ".dylibs"):
            bundled += [str(file) for file in sorted(folder.glob("libopus*"))]
    system = ctypes.util.find_library("opus")
    return [*bundled, system] if system else bundled
