"""EDGE. Waits until somebody writes to a file, its companions or its successor, told by the kernel (inotify(7)).

For who would otherwise look every few milliseconds: each such look wakes a thread, which costs more than what it does.
A hint, no more: a folder that cannot be watched (not Linux, no watches left, a disk of another machine) is never heard
of, so whoever waits here looks now and then by himself.
"""

from __future__ import annotations

import ctypes
import os
import select
import struct
import sys
import time

_IN_MODIFY, _IN_MOVED_TO, _IN_CREATE, _IN_DELETE = 0x2, 0x80, 0x100, 0x200
_EVENTS_BYTES = 64 << 10
_EVENT = struct.Struct("iIII")
"""Watch, mask, cookie, and how many bytes of name follow."""


class FolderNews:
    """News of the files in the folder of `path` whose names begin like its own."""

    def __init__(self, path: str) -> None:
        folder, name = os.path.split(path)
        self._name = os.fsencode(name)
        self._descriptor = _watch(folder) if sys.platform == "linux" else -1
        self._poll = select.poll()
        if self.works:
            self._poll.register(self._descriptor, select.POLLIN)

    @property
    def works(self) -> bool:
        """Whether news will be heard."""
        return self._descriptor >= 0

    def wait(self, within_s: float) -> bool:
        """Return at the first news since the last time, or after so long: whether there was any."""
        until = time.monotonic() + within_s
        while self._poll.poll(max(0.0, until - time.monotonic()) * 1000):
            if self._concerns(os.read(self._descriptor, _EVENTS_BYTES)):
                return True
        return False

    def close(self) -> None:
        """Listen no more."""
        if self.works:
            self._poll.unregister(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _concerns(self, events: bytes) -> bool:
        at = 0
        while at < len(events):
            size = _EVENT.unpack_from(events, at)[3]
            at += _EVENT.size + size
            if not size or events[at - size : at].startswith(self._name):
                return True  # a name of ours; or none: the folder itself, or more than the kernel could keep
        return False


def _watch(folder: str) -> int:
    """A descriptor that events are read from, or -1."""
    libc = ctypes.CDLL(None)
    try:
        descriptor = int(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        mask = ctypes.c_uint32(_IN_MODIFY | _IN_MOVED_TO | _IN_CREATE | _IN_DELETE)
        if descriptor >= 0 and libc.inotify_add_watch(descriptor, os.fsencode(folder), mask) < 0:
            os.close(descriptor)
            return -1
    except AttributeError:  # a C library without it
        return -1
    return descriptor
