"""Offers and answers of one media path, as its offerer and as its answerer (see `description`, `offered`).

Called by `paths`. As the offerer: one offer at a time, sections only grow; the server says that it needs an offer (a
track of somebody else waits for a section, a new one or one that is there), and the offer goes out when the one before
it was answered. As the answerer: every offer is answered, and whatever else it wants is told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from livekit.protocol import rtc

from runtime.rooms.livekit.description import Ourselves, Theirs, write_offer
from runtime.rooms.livekit.limits import TRACKS_MAX
from runtime.rooms.livekit.offered import read_offer, write_answer


class Offering:
    """One media path that we offer; a new path gets a new one. `receiving`: sections for others' tracks at first."""

    def __init__(self, ours: Ourselves, session_id: int, receiving: int) -> None:
        self.ours = ours
        self.answer: rtc.SessionDescription | None = None
        """The server's last one."""
        self.offer: rtc.SessionDescription | None = None
        """Our last one."""
        self._session_id = session_id
        self._offers = 0
        self._open = False
        self._receiving = receiving
        self._missing = 0
        self._wanted = False

    def first_offer(self) -> rtc.SessionDescription:
        """The offer that goes with a join, the same again for every attempt."""
        return self._write() if self.offer is None else self.offer

    def require(self, sections: int) -> None:
        """The server needs an offer with so many more sections, which may be none."""
        self._missing += min(sections, TRACKS_MAX)
        self._wanted = True

    def resumed(self) -> None:
        """Signalling broke and is back: the answer to an open offer may be lost with it, so it is offered anew."""
        if self._open:
            self._open, self._wanted = False, True

    def next_offer(self) -> rtc.SessionDescription | None:
        """The offer to send now, or None."""
        if self._open or not self._wanted or self.answer is None:
            return None
        self._receiving = min(self._receiving + self._missing, TRACKS_MAX)
        self._missing, self._wanted = 0, False
        return self._write()

    def takes(self, answer: rtc.SessionDescription) -> bool:
        """Whether this answers the open offer; then it is kept. Older servers do not say which one they answer."""
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


class Answering:
    """One media path that the server offers. `describe()` gives fresh credentials of ours."""

    def __init__(self, describe: Callable[[], Ourselves], session_id: int) -> None:
        self.ours = describe()
        self.theirs: Theirs | None = None
        self.offer: rtc.SessionDescription | None = None
        """The server's last one."""
        self.answer: rtc.SessionDescription | None = None
        """Our last one."""
        self._describe = describe
        self._session_id = session_id
        self._answers = 0

    def take(self, offer: rtc.SessionDescription) -> Theirs | None:
        """Answer an offer: `answer` is to be sent.

        Gives the server's side when the path has to be found, for the first time or anew (other credentials of ICE,
        RFC 8839 section 4.4.1.1). DescriptionError when the offer lacks what a connection needs.
        """
        read = read_offer(offer.sdp)
        before, self.theirs = self.theirs, read
        anew = before is None or (before.ufrag, before.password) != (read.ufrag, read.password)
        if before is not None and anew:  # whoever restarts ICE is answered with credentials as fresh as its own
            fresh = self._describe()
            self.ours = replace(self.ours, ufrag=fresh.ufrag, password=fresh.password)
        self._answers += 1
        sdp = write_answer(offer.sdp, self.ours, self._session_id, self._answers)
        self.offer = offer
        self.answer = rtc.SessionDescription(type="answer", sdp=sdp, id=offer.id)
        return read if anew else None
