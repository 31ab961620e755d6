"""The secure RTP of one call leg: keys that came by signalling or a handshake, and what becomes of them in a long call.

It stands between a leg's sockets and its media session, which sees plain packets alone, and of the peer's only those
that are authentic: what is not changes nothing, neither the source that is heard nor any timeout, and is counted here.

* New keys (re-INVITE, a fork's other answer) begin at once; the peer's last ones are good until its new ones are used.
  Keys that stay, stay with their roll-over counters, whatever else changes (RFC 4568 section 7.1.4).
* Which roll-over a stream is in is not said by packets. Where the next one does not open, those that it may be in are
  tried: after a loss around the wrap, after a gap of ten minutes, after new keys by which a peer counts on (RFC 3711
  section 3.3.1) instead of from zero, as most do. Nothing older than what was heard is ever tried.
* A key opens as many packets as its sender gave it (`|2^20`, RFC 4568 section 6.1), and none of those that come after:
  who goes on without a new one is heard no more (RFC 3711 section 9.2).
* A key may have an identifier (MKI): it stands before the tag of each packet, outside of what the tag covers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from runtime.media.srtp import INDEX_MAX, Profile, opener, opener_from, sealer
from runtime.media.srtp_cm import Step

STREAMS_MAX: Final = 8
"""SSRCs of the peer that are kept by key, of media and of RTCP; libsrtp would keep any number."""
EARLIER_MAX: Final = 1
"""Sets of the peer's keys that are good beside the newest one."""
LIFETIME_MAX: Final = 1 << 48
TRIED_EVERY: Final = 8
"""Of so many packets that do not open, one is tried in other roll-overs: a stranger's flood costs little more."""
_RTP_BYTES_MIN: Final = 12
_HALF: Final = 0x8000


@dataclass(frozen=True, slots=True)
class MasterKey:
    """A master key with its salt behind it, its identifier, "" for none, and how many packets it is good for."""

    key: bytes = field(repr=False)
    mki: bytes = b""
    lifetime: int = field(default=LIFETIME_MAX, compare=False)


@dataclass(frozen=True, slots=True)
class Keys:
    """How one leg is protected: `send` is ours, `receive` are those that the peer may send by."""

    profile: Profile
    send: MasterKey
    receive: tuple[MasterKey, ...]


class _Stream:
    """How far one SSRC has come: its roll-overs, and the newest sequence number."""

    __slots__ = ("newest", "rolls")

    def __init__(self, sequence: int, rolls: int) -> None:
        self.newest, self.rolls = sequence, rolls

    def note(self, sequence: int) -> None:
        """A packet was authentic."""
        ahead = (sequence - self.newest) & 0xFFFF
        if 0 < ahead < _HALF:
            self.rolls += sequence < self.newest
            self.newest = sequence


class _Opening:
    """One key of the peer. `counted`: the roll-overs of its streams by its last key, which may go on."""

    __slots__ = (
        "_counted", "_failed", "_key", "_left", "_left_rtcp", "_moved", "_open", "_open_rtcp", "_profile", "_reporters",
        "streams",
    )  # fmt: skip

    def __init__(self, profile: Profile, master: MasterKey, counted: dict[bytes, int]) -> None:
        self._profile, self._key = profile, master.key
        self._left = self._left_rtcp = master.lifetime
        self._open, self._open_rtcp = opener(profile, master.key)
        self._moved: dict[bytes, Step] = {}
        """Streams that were found in another roll-over."""
        self._counted = counted
        self._failed = 0
        self.streams: dict[bytes, _Stream] = {}
        self._reporters: set[bytes] = set()

    def open(self, packet: bytes) -> bytes | None:
        """What is in a packet of media."""
        ssrc = packet[8:12]
        stream = self.streams.get(ssrc)
        if self._left <= 0 or (stream is None and len(self.streams) >= STREAMS_MAX):
            return None
        work = self._moved.get(ssrc, self._open)
        plain = work(packet)
        sequence = packet[2] << 8 | packet[3]
        if plain is None:
            self._failed += 1
            plain = self._sought(packet, ssrc, sequence, stream) if self._failed % TRIED_EVERY == 1 else None
            self._left -= plain is not None
            return plain
        self._left -= 1
        if stream is None:
            self.streams[ssrc] = _Stream(sequence, 0)
        else:
            stream.note(sequence)
        return plain

    def open_rtcp(self, packet: bytes) -> bytes | None:
        """What is in a compound; it says its index itself."""
        ssrc = packet[4:8]
        if self._left_rtcp <= 0 or (ssrc not in self._reporters and len(self._reporters) >= STREAMS_MAX):
            return None
        plain = self._open_rtcp(packet)
        if plain is not None:
            self._left_rtcp -= 1
            self._reporters.add(ssrc)
        return plain

    def _sought(self, packet: bytes, ssrc: bytes, sequence: int, stream: _Stream | None) -> bytes | None:
        """The same, if the packet is in another roll-over than libsrtp takes it to be in."""
        if stream is None:
            counted = self._counted.get(ssrc, 0)
            rolls = {counted, counted + 1, 1}
        else:  # further on by more than half of the numbers
            rolls = {stream.rolls + 1, stream.rolls + 2}
        newest = -1 if stream is None else stream.rolls << 16 | stream.newest
        for roll in sorted(rolls):
            index = roll << 16 | sequence
            if not max(newest, 0xFFFF) < index < INDEX_MAX:
                continue
            step = opener_from(self._profile, self._key, ssrc, index)
            plain = step(packet)
            if plain is not None:
                self._moved[ssrc] = step
                self.streams[ssrc] = _Stream(sequence, roll)
                return plain
        return None


class _Receiving:
    """One set of the peer's keys, told apart by their identifiers."""

    __slots__ = ("_mki_bytes", "_profile", "keys", "openings")

    def __init__(self, profile: Profile, keys: tuple[MasterKey, ...], counted: dict[bytes, int]) -> None:
        self._profile, self.keys = profile, keys
        self._mki_bytes = len(keys[0].mki)
        self.openings = {key.mki: _Opening(profile, key, counted) for key in keys}

    def is_by(self, keys: Keys) -> bool:
        """Whether these are its keys."""
        return (self._profile, self.keys) == (keys.profile, keys.receive)

    @property
    def counted(self) -> dict[bytes, int]:
        """The roll-overs of each stream."""
        return {ssrc: stream.rolls for opening in self.openings.values() for ssrc, stream in opening.streams.items()}

    def open(self, packet: bytes) -> bytes | None:
        """What is in a packet of media."""
        if not self._mki_bytes:
            return self.openings[b""].open(packet)
        opening, packet = self._by_mki(packet, self._profile.tail_bytes)
        return None if opening is None or len(packet) < _RTP_BYTES_MIN else opening.open(packet)

    def open_rtcp(self, packet: bytes) -> bytes | None:
        """What is in a compound."""
        if not self._mki_bytes:
            return self.openings[b""].open_rtcp(packet)
        opening, packet = self._by_mki(packet, self._profile.rtcp_tail_bytes)
        return None if opening is None else opening.open_rtcp(packet)

    def _by_mki(self, packet: bytes, tail_bytes: int) -> tuple[_Opening | None, bytes]:
        """The key that a packet names, and the packet without that."""
        end = len(packet) - tail_bytes
        at = end - self._mki_bytes
        if at < 0:
            return None, packet
        return self.openings.get(packet[at:end]), packet[:at] + packet[end:]


class Protection:
    """One leg's; see the module. Datagrams may be anybody's, and of any length."""

    __slots__ = ("_earlier", "_receiving", "_seal", "_seal_rtcp", "_send", "keys", "unauthentic")

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self.unauthentic = 0
        """Datagrams that the peer did not send, or sent before."""
        self._receiving = _Receiving(keys.profile, keys.receive, {})
        self._earlier: list[_Receiving] = []
        self._seal, self._seal_rtcp = sealer(keys.profile, keys.send.key)

    def rekey(self, keys: Keys) -> None:
        """What signalling agreed on now; what has not changed goes on as it is."""
        before, self.keys = self.keys, keys
        if (keys.profile, keys.send) != (before.profile, before.send):
            self._seal, self._seal_rtcp = sealer(keys.profile, keys.send.key)
        if self._receiving.is_by(keys):
            return
        known = next((earlier for earlier in self._earlier if earlier.is_by(keys)), None)
        fresh = known or _Receiving(keys.profile, keys.receive, self._receiving.counted)
        self._earlier = [self._receiving, *(each for each in self._earlier if each is not known)][:EARLIER_MAX]
        self._receiving = fresh

    def protect(self, packet: bytes) -> bytes | None:
        """A packet of media of ours, ready to be sent; None when it is too long."""
        wire = self._seal(packet)
        mki = self.keys.send.mki
        return wire if not mki or wire is None else _with_mki(wire, mki, self.keys.profile.tail_bytes)

    def protect_rtcp(self, compound: bytes) -> bytes | None:
        """The same for RTCP."""
        wire = self._seal_rtcp(compound)
        mki = self.keys.send.mki
        return wire if not mki or wire is None else _with_mki(wire, mki, self.keys.profile.rtcp_tail_bytes)

    def unprotect(self, data: bytes) -> bytes | None:
        """The packet of media in a datagram; None when the peer did not send it, or sent it before."""
        if len(data) < _RTP_BYTES_MIN:
            self.unauthentic += 1
            return None
        plain = self._receiving.open(data)
        if plain is not None:
            if self._earlier:
                self._earlier = []
            return plain
        for earlier in self._earlier:
            plain = earlier.open(data)
            if plain is not None:
                return plain
        self.unauthentic += 1
        return None

    def unprotect_rtcp(self, data: bytes) -> bytes | None:
        """The same for RTCP."""
        for receiving in (self._receiving, *self._earlier):
            plain = receiving.open_rtcp(data)
            if plain is not None:
                return plain
        self.unauthentic += 1
        return None


def _with_mki(wire: bytes, mki: bytes, tail_bytes: int) -> bytes:
    at = len(wire) - tail_bytes
    return wire[:at] + mki + wire[at:]
