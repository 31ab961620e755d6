"""Music for a phone that is on hold: a sound that begins anew when it is over. It may still come from a disk."""

from __future__ import annotations

from runtime.media.frame import Frame
from runtime.media.sound import Sound
from runtime.rooms.booth import FETCH_TICKS_MAX, Fetch


class Music:
    """One phone's, from its beginning."""

    __slots__ = ("_at", "_fetch", "_sound", "_waited")

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._sound: Sound | None = None
        self._at = self._waited = 0

    def frame(self) -> Frame | None:
        """The frame of this tick; None while it is waited for."""
        if self._sound is None:
            self._waited += 1
            self._sound = self._fetch.sound or (self._fetch.instead if self._waited > FETCH_TICKS_MAX else None)
        if not self._sound:
            return None
        frame = self._sound[self._at]
        self._at = (self._at + 1) % len(self._sound)
        return frame
