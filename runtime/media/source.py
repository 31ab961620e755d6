"""Whose packets one call hears: symmetric RTP with a source lock (RFC 4961; the "RTP bleed" and "RTP inject" class).

The address in the SDP is right for a peer without NAT and wrong for one behind it, so a call must learn; and a call
that learns for ever gives its audio to whoever sends a packet to its port. So:

* A trunk may say where its media come from (`Peer.networks`): nobody else is a candidate, whatever its SDP says.
* The window opens at the first packet and lasts `learn_window_s`. A packet from the SDP's address and port locks at
  once. Until then candidates are ranked: the SDP's host, then the host that signalling comes from (a phone behind a
  NAT has one address for both), then who sent most packets, each in its sequence and none faster than speech.
* Only the leader is heard; one that neither SDP, signalling nor trunk speak for, not before it is locked.
* At the end of the window the leader is locked. A leader that fell silent is forgotten and the window starts again.
* Locked means: one address and one SSRC. Other addresses are refused for the rest of the call. Nothing is *sent* to a
  learned address before the lock.
* A new SSRC from the locked address is a new stream (a carrier switched its source) when two of its packets came in
  sequence and the stream before it is silent; while that lives, another is never played.
* A NAT that gives the peer another port in the middle of a call is followed when the locked address is silent and the
  very stream goes on from there: same SSRC, next sequence numbers, same host.
* A re-INVITE that moves the remote address opens the window again.

Nothing here assumes that the remote address belongs to one call: many calls may come from one address, each to its
own port. Hosts are compared as text; IPv6 addresses are expected in the form that the socket reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from schemas.tables.networks import NetworkSet, parse_address

Address = tuple[str, int]

learn_window_s: Final = 0.5
leader_silence_s_max: Final = 0.2
CANDIDATES_MAX: Final = 8
LEADER_PACKETS_MIN: Final = 2
CANDIDATE_PACKETS_PER_S_MAX: Final = 110
"""Packets of 10 ms, and a little: who sends faster gains nothing by it."""
STREAM_PACKETS_MIN: Final = 2
STREAM_SILENCE_S_MIN: Final = 0.05
"""A stream lives while its packets come closer together than this: none of 20 ms has come twice in a row."""
MOVE_SILENCE_S_MIN: Final = 1.0
SEQUENCE_STEP_MAX: Final = 32
"""Packets that may be missing between two that are "in sequence"."""
MOVE_STEP_MAX: Final = 3000
"""The same while a NAT changed its mind: a minute."""

REJECTED: Final = 0
ACCEPTED: Final = 1
NEW_STREAM: Final = 2
PENDING: Final = 3


@dataclass(frozen=True, slots=True)
class Peer:
    """What is known of where a call's media come from, beside its SDP."""

    signalled_by: str = ""
    """The host that its signalling comes from."""
    networks: NetworkSet | None = None
    """Where the trunk's media may come from, and go to; None: anywhere."""

    def may_be(self, host: str) -> bool:
        """Whether media may come from there, and go there."""
        return self.networks is None or self.networks.holds(parse_address(host))


ANYBODY: Final = Peer()


class _Candidate:
    """Who might be the peer: how much of a stream came from there."""

    __slots__ = ("_begun_at", "_sequence", "_ssrc", "packets")

    def __init__(self, ssrc: int, sequence: int, now: float) -> None:
        self.packets = 1
        self._ssrc = ssrc
        self._sequence = sequence
        self._begun_at = now

    def note(self, ssrc: int, sequence: int, now: float) -> None:
        """Another packet: one that does not go on with the stream begins anew."""
        if ssrc != self._ssrc or not _follows(sequence, self._sequence, SEQUENCE_STEP_MAX):
            self.packets, self._begun_at = 0, now
        spoken = int((now - self._begun_at) * CANDIDATE_PACKETS_PER_S_MAX) + LEADER_PACKETS_MIN
        self.packets = min(self.packets + 1, spoken)
        self._ssrc, self._sequence = ssrc, sequence


class SourceLock:
    """The source of one call's RTP: `locked` and `ssrc` are None until known.

    `outside` is the host that was refused last because the trunk does not name it, "" for none.
    """

    __slots__ = (
        "_before",
        "_candidates",
        "_expected",
        "_heard",
        "_last_at",
        "_leader",
        "_leader_at",
        "_next_packets",
        "_next_sequence",
        "_next_ssrc",
        "_opened_at",
        "_peer",
        "_sequence",
        "locked",
        "outside",
        "ssrc",
    )

    def __init__(self, expected: Address, peer: Peer = ANYBODY) -> None:
        self.locked: Address | None = None
        self.ssrc: int | None = None
        self.outside = ""
        self._expected = expected
        self._peer = peer
        self._heard: Address | None = None
        self._before: Address | None = None
        self._sequence = 0
        self._last_at = 0.0
        self._forget()

    def _forget(self) -> None:
        self._candidates: dict[Address, _Candidate] = {}
        self._leader: Address | None = None
        self._leader_at = 0.0
        self._opened_at: float | None = None
        self._next_ssrc: int | None = None
        self._next_sequence = self._next_packets = 0

    def reopen(self, expected: Address, peer: Peer) -> None:
        """Learn again, with a new address from the SDP; the stream now playing goes on until another takes over."""
        self._expected = expected
        self._peer = peer
        self._before = self.locked or self._before
        self.locked = None
        self._forget()

    def judge(self, source: Address, ssrc: int, sequence: int, now: float, *, is_audio: bool = True) -> int:
        """Say what to do with a packet.

        `REJECTED`; `ACCEPTED`; `NEW_STREAM`: accepted, sequence and timestamps start anew; `PENDING`: the right address
        with another SSRC, not to be played (yet). What is not audio begins no stream.
        """
        if source != self.locked and not self._takes(source, ssrc, sequence, now):
            return REJECTED
        if ssrc == self.ssrc:
            self._next_ssrc = None
            self._sequence = sequence
            self._last_at = now
            return ACCEPTED
        return self._judge_stream(ssrc, sequence, now, is_audio)

    def went_on(self, sequence: int, now: float) -> None:
        """The stream that is heard has gone on to here, by packets that nobody judged: there was nothing to it."""
        self._next_ssrc = None
        self._sequence = sequence
        self._last_at = now

    def _takes(self, source: Address, ssrc: int, sequence: int, now: float) -> bool:
        """Whether to hear an address that is not locked."""
        if self.locked is None:
            return self._learn(source, ssrc, sequence, now)
        if source == self._expected and self._peer.may_be(source[0]):
            # Whoever spoke first may be a stranger; the address that signalling named is the peer, however late.
            self._change_leader(source)
            self._lock(source)
            return True
        if not self._moved(source, ssrc, sequence, now):
            return False
        self._heard = source
        self._lock(source)
        return True

    def _moved(self, source: Address, ssrc: int, sequence: int, now: float) -> bool:
        """Whether the stream that is heard goes on from another port."""
        return (
            self.locked is not None
            and source[0] == self.locked[0]
            and ssrc == self.ssrc
            and now - self._last_at >= MOVE_SILENCE_S_MIN
            and _follows(sequence, self._sequence, MOVE_STEP_MAX)
        )

    def _judge_stream(self, ssrc: int, sequence: int, now: float, is_audio: bool) -> int:
        if not is_audio:
            return PENDING
        if self.ssrc is not None:
            goes_on = ssrc == self._next_ssrc and _follows(sequence, self._next_sequence, SEQUENCE_STEP_MAX)
            self._next_packets = self._next_packets + 1 if goes_on else 1
            self._next_ssrc, self._next_sequence = ssrc, sequence
            if self._next_packets < STREAM_PACKETS_MIN or now - self._last_at < STREAM_SILENCE_S_MIN:
                return PENDING
        self.ssrc = ssrc
        self._sequence = sequence
        self._last_at = now
        self._next_ssrc = None
        return NEW_STREAM

    def _learn(self, source: Address, ssrc: int, sequence: int, now: float) -> bool:
        """Whether `source` is the one to hear now; locks when that is settled."""
        if not self._peer.may_be(source[0]):
            self.outside = source[0]
            return False
        if source == self._expected:
            self._change_leader(source)
            self._lock(source)
            return True
        if self._leader is not None and source != self._leader and now - self._leader_at > leader_silence_s_max:
            self._forget()
        if self._opened_at is None:
            self._opened_at = now
        candidate = self._candidates.get(source)
        if candidate is not None:
            candidate.note(ssrc, sequence, now)
        elif self._has_room(source):
            candidate = self._candidates[source] = _Candidate(ssrc, sequence, now)
        else:
            return False
        if self._leader is None or self._rank(source) > self._rank(self._leader):
            self._change_leader(source)
        if source != self._leader:
            return False
        self._leader_at = now
        if now - self._opened_at >= learn_window_s and candidate.packets >= LEADER_PACKETS_MIN:
            self._lock(source)
            return True
        return self._nearness(source) > 0

    def _has_room(self, source: Address) -> bool:
        """Whether one more candidate can be watched; the least of them makes room for one that is nearer."""
        if len(self._candidates) < CANDIDATES_MAX:
            return True
        weakest = min((other for other in self._candidates if other != self._leader), key=self._rank)
        if self._rank(weakest) >= (self._nearness(source), 1) and self._candidates[weakest].packets > 1:
            return False
        del self._candidates[weakest]
        return True

    def _nearness(self, source: Address) -> int:
        """How much speaks for an address: SDP, signalling, trunk or what was heard before; 0 is only itself."""
        if source[0] == self._expected[0]:
            return 3
        if source[0] == self._peer.signalled_by:
            return 2
        return 1 if self._peer.networks is not None or source == self._before else 0

    def _rank(self, source: Address) -> tuple[int, int]:
        return self._nearness(source), self._candidates[source].packets

    def _change_leader(self, source: Address) -> None:
        if source != self._heard:
            # Another sender is another stream, even under the same SSRC.
            self.ssrc = None
            self._heard = source
        self._leader = source

    def _lock(self, source: Address) -> None:
        self.locked = source
        self._candidates = {}


def _follows(sequence: int, before: int, step_max: int) -> bool:
    return 0 < (sequence - before) & 0xFFFF <= step_max
