"""The native media core: what happens to every packet of every call, in Rust, where `make native` has built it.

Nothing needs it. What it does, a Python module beside it does in the same way and is the reference for it: the playout
buffer, what arrived, SRTP, the sockets of a tick. Whoever makes one of these asks `core`. `DIALPLANE_NATIVE=off` leaves
it out. One that was built from other sources than these, or elsewhere, is left out, too, and `state` says so.
"""

from __future__ import annotations

from types import ModuleType

from runtime import native


def _fitting() -> tuple[ModuleType | None, str]:
    if native.is_off("DIALPLANE_NATIVE"):
        return None, "Python (DIALPLANE_NATIVE=off)"
    try:
        found = native.compiled("runtime.media.native.compiled")
    except ImportError as fault:  # built on another machine
        return None, f"Python (the native core cannot be loaded, make native: {fault})"
    if found is None:
        return None, "Python"
    wanted = native.sources(__name__)  # of those who have the sources; who installed a module by hand has it as it is
    if wanted and getattr(found, "SOURCES", "") != wanted:
        return None, "Python (the native core was built from other sources: make native)"
    return found, "the native core"


core, state = _fitting()
"""The compiled module, None where Python does its work; and which of both is in force, in words."""
