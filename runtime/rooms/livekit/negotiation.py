"""Offers and answers of one media path: one offer at a time, sections only grow (see `description`).

Called by the signalling. The server says that it needs an offer (a track of somebody else waits for a section, a new
one or one that is there); the offer goes out when the one before it was answered.
"""

from __future__ import annotations

from livekit.protocol import rtc

from runtime.rooms.livekit.description import Ourselves, write_offer
from runtime.rooms.livekit.limits import TRACKS_MAX

SECTIONS_AT_START = 1
"""For the everyday call: one agent. Each further track costs one more round trip."""


class Negotiation:
    """One media path's; a new path gets a new one."""

    def __init__(self, ours: Ourselves, session_id: int) -> None:
        self.ours = ours
        self.answer: rtc.SessionDescription | None = None
        """The server's last one."""
        self.offer: rtc.SessionDescription | None = None
        """Our last one."""
        self._session_id = session_id
        self._offers = 0
        self._open = False
        self._receiving = SECTIONS_AT_START
        self._missing = 0
        self._wanted = False

    def first_offer(self) -> rtc.SessionDescription:
        """The offer that goes with a join, the same again for every attempt."""
        return self._write() if self.offer is None else self.offer

    def require(self, sections: int) -> None:
        """The server needs an offer with so many more sections, which may be none."""
        self._missing += min(sections, TRACKS_MAX)
        self._wanted = True

    def next_offer(self) -> rtc.SessionDescription | None:
        """The offer to send now, or None."""
        if self._open or not self._wanted or self.answer is None:
            return None
        self._receiving = min(self._receiving + self._missing, TRACKS_MAX)
        self._missing, self._wanted = 0, False
        return self._write()

    def takes(self, answer: rtc.SessionDescription) -> bool:
        """Whether this answers the open offer; then it is kept."""
        if not self._open or (answer.id and answer.id != self._offers):
            return False
        self._open = False
        self.answer = answer
        return True

    def _write(self) -> rtc.SessionDescription:
        self._offers += 1
        self._open = True
        sdp = write_offer(self.ours, self._session_id, self._offers, self._receiving)
        self.offer = rtc.SessionDescription(type="offer", sdp=sdp, id=self._offers)
        return self.offer
