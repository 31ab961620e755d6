"""Whose packets one call hears: symmetric RTP with a source lock (RFC 4961; the "RTP bleed" and "RTP inject" class).

The address in the SDP is right for a peer without NAT and wrong for one behind it, so a call must learn; and a call
that learns for ever gives its audio to whoever sends a packet to its port. So:

* The window opens at the first packet and lasts `learn_window_s`. A packet from the SDP's address and port locks at
  once. Until then candidates are ranked: same host as in the SDP first, then who sent most packets. Only the leader
  is heard.
* At the end of the window the leader is locked. A leader that fell silent is forgotten and the window starts again.
* Locked means: other addresses are refused, for the rest of the call. Nothing is *sent* to a learned address before
  the lock.
* A new SSRC from the locked address is a new stream (a carrier switched its source); it takes two packets in a row,
  so two interleaved streams do not tear each other apart.
* A re-INVITE that moves the remote address opens the window again.

Nothing here assumes that the remote address belongs to one call: many calls may come from one address, each to its
own port. Hosts are compared as text; IPv6 addresses are expected in the form that the socket reports.
"""

from __future__ import annotations

from typing import Final

Address = tuple[str, int]

learn_window_s: Final = 0.5
leader_silence_s_max: Final = 0.2
CANDIDATES_MAX: Final = 8
LEADER_PACKETS_MIN: Final = 2

REJECTED: Final = 0
ACCEPTED: Final = 1
NEW_STREAM: Final = 2
PENDING: Final = 3


class SourceLock:
    """The source of one call's RTP: `locked` and `ssrc` are None until known."""

    __slots__ = (
        "_candidates",
        "_expected",
        "_heard",
        "_leader",
        "_leader_at",
        "_next_ssrc",
        "_opened_at",
        "locked",
        "ssrc",
    )

    def __init__(self, expected: Address) -> None:
        self.locked: Address | None = None
        self.ssrc: int | None = None
        self._expected = expected
        self._heard: Address | None = None
        self._forget()

    def _forget(self) -> None:
        self._candidates: dict[Address, int] = {}
        self._leader: Address | None = None
        self._leader_at = 0.0
        self._opened_at: float | None = None
        self._next_ssrc: int | None = None

    def reopen(self, expected: Address) -> None:
        """Learn again, with a new address from the SDP; the stream now playing goes on until another takes over."""
        self._expected = expected
        self.locked = None
        self._forget()

    def judge(self, source: Address, ssrc: int, now: float) -> int:
        """Say what to do with a packet.

        `REJECTED`; `ACCEPTED`; `NEW_STREAM`: accepted, sequence and timestamps start anew; `PENDING`: the right address
        with a new SSRC, not to be played before it has sent two packets in a row.
        """
        if self.locked is None:
            if not self._learn(source, now):
                return REJECTED
        elif source != self.locked:
            if source != self._expected:
                return REJECTED
            # Whoever spoke first may be a stranger; the address that signalling named is the peer, however late.
            self._change_leader(source)
            self._lock(source)
        return self._judge_stream(ssrc)

    def _judge_stream(self, ssrc: int) -> int:
        if ssrc == self.ssrc:
            self._next_ssrc = None
            return ACCEPTED
        if self.ssrc is not None and ssrc != self._next_ssrc:
            self._next_ssrc = ssrc
            return PENDING
        self.ssrc = ssrc
        self._next_ssrc = None
        return NEW_STREAM

    def _learn(self, source: Address, now: float) -> bool:
        """Whether `source` is the one to hear now; locks when that is settled."""
        if source == self._expected:
            self._change_leader(source)
            self._lock(source)
            return True
        if self._leader is not None and source != self._leader and now - self._leader_at > leader_silence_s_max:
            self._forget()
        if self._opened_at is None:
            self._opened_at = now
        if source not in self._candidates and len(self._candidates) >= CANDIDATES_MAX:
            weakest = min(self._candidates, key=self._rank)
            if self._rank(weakest) >= (source[0] == self._expected[0], 1) and self._candidates[weakest] > 1:
                return False
            del self._candidates[weakest]
        self._candidates[source] = self._candidates.get(source, 0) + 1
        if self._leader is None or self._rank(source) > self._rank(self._leader):
            self._change_leader(source)
        if source != self._leader:
            return False
        self._leader_at = now
        if now - self._opened_at >= learn_window_s and self._candidates[source] >= LEADER_PACKETS_MIN:
            self._lock(source)
        return True

    def _rank(self, source: Address) -> tuple[bool, int]:
        return source[0] == self._expected[0], self._candidates[source]

    def _change_leader(self, source: Address) -> None:
        if source != self._heard:
            # Another sender is another stream, even under the same SSRC.
            self.ssrc = None
            self._heard = source
        self._leader = source

    def _lock(self, source: Address) -> None:
        self.locked = source
        self._candidates = {}
