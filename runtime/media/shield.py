"""What stands between the sockets of an encrypted call leg and its media session: packets in and out, by either way.

The session sees plain packets of the phone alone. With keys of signalling (`BySignalling`) it also sees where they come
from, and locks on to that as with plain media. With DTLS (`ByHandshake`) whose packets they are is proven, wherever the
phone is: the session sees them come from one made-up address and sends there, and this knows where that is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple, Protocol

from runtime.media.config import StreamConfig
from runtime.media.dtls import Identity
from runtime.media.dtls_leg import DtlsLeg
from runtime.media.protection import Protection
from runtime.media.source import ANYBODY, Address

PHONE: Final = ("192.0.0.8", 9)
PHONE_RTCP: Final = ("192.0.0.8", 10)
"""The made-up address (RFC 7600): nothing is ever sent to it."""


class Taken(NamedTuple):
    """A plain packet, or compound of RTCP, and where it is from as the session sees it."""

    packet: bytes
    address: Address
    is_rtcp: bool


class Datagram(NamedTuple):
    """What is to be sent, and whether by the socket of RTCP."""

    data: bytes
    address: Address
    by_rtcp: bool = False


class Shield(Protocol):
    """One leg's. `now` is monotonic seconds; datagrams may be anybody's."""

    @property
    def encryption(self) -> str:
        """How the leg is encrypted, as people are told."""
        ...

    @property
    def is_agreed(self) -> bool:
        """Whether there are keys, so that something can be said."""
        ...

    @property
    def unauthentic(self) -> int:
        """Datagrams that were none of the phone's."""
        ...

    def seen(self, stream: StreamConfig) -> StreamConfig:
        """The stream as the session sees it."""
        ...

    def senders(self, session: tuple[Address, ...]) -> tuple[Address, ...]:
        """Who alone can be heard, by what the session says; none while that is still to be found out."""
        ...

    def take(self, data: bytes, address: Address, now: float, *, rtcp: bool) -> Taken | None:
        """A datagram of either socket."""
        ...

    def seal(self, packet: bytes, address: Address, now: float, *, rtcp: bool) -> Datagram | None:
        """A packet or compound of ours, ready to be sent; None where it cannot be."""
        ...

    def next_datagram(self) -> Datagram | None:
        """What is to be sent beside media."""
        ...

    def handle_timer(self, now: float) -> None:
        """Now and then: repeat what got lost."""
        ...


class BySignalling:
    """By keys that travelled in SDP."""

    def __init__(self, protection: Protection) -> None:
        self.protection = protection

    @property
    def encryption(self) -> str:
        """Which suite."""
        return f"SDES {self.protection.keys.profile.suite}"

    @property
    def is_agreed(self) -> bool:
        """Signalling brought them."""
        return True

    @property
    def unauthentic(self) -> int:
        """Not made by the peer, or sent before."""
        return self.protection.unauthentic

    def seen(self, stream: StreamConfig) -> StreamConfig:
        """As it is."""
        return stream

    def senders(self, session: tuple[Address, ...]) -> tuple[Address, ...]:
        """The session has found out."""
        return session

    def take(self, data: bytes, address: Address, now: float, *, rtcp: bool) -> Taken | None:
        """Open it."""
        plain = self.protection.unprotect_rtcp(data) if rtcp else self.protection.unprotect(data)
        return None if plain is None else Taken(plain, address, rtcp)

    def seal(self, packet: bytes, address: Address, now: float, *, rtcp: bool) -> Datagram | None:
        """Protect it."""
        wire = self.protection.protect_rtcp(packet) if rtcp else self.protection.protect(packet)
        return None if wire is None else Datagram(wire, address, rtcp)

    def next_datagram(self) -> Datagram | None:
        """There is nothing beside media."""
        return None

    def handle_timer(self, now: float) -> None:
        """Nothing gets lost."""


class ByHandshake:
    """By keys that DTLS makes: one handshake, or one for each socket where RTCP has its own."""

    def __init__(self, identity: Identity, stream: StreamConfig, now: float) -> None:
        assert stream.handshake is not None, "there is one"
        peer = stream.peer
        self._media = DtlsLeg(identity, stream.handshake, stream.remote, peer.may_be, now)
        self._reports: DtlsLeg | None = None
        if not stream.handshake.mux:
            self._reports = DtlsLeg(identity, stream.handshake, stream.remote_rtcp, peer.may_be, now)

    @property
    def encryption(self) -> str:
        """Which profile; or why there is none."""
        protection = self._media.protection
        if protection is not None:
            return f"DTLS {protection.keys.profile.suite}"
        return f"DTLS, not agreed on: {self._media.fault or 'no handshake was finished'}"

    @property
    def is_agreed(self) -> bool:
        """The handshake is finished."""
        return self._media.protection is not None

    @property
    def unauthentic(self) -> int:
        """Neither packets of the phone, nor its checks and handshakes."""
        return sum(
            leg.refused + (leg.protection.unauthentic if leg.protection is not None else 0) for leg in self._legs()
        )

    def renew(self, stream: StreamConfig, now: float) -> bool:
        """Signalling has agreed again; False where this cannot go on."""
        handshake = stream.handshake
        if handshake is None or handshake.mux != (self._reports is None):
            return False
        reports = self._reports
        return self._media.renew(handshake, stream.remote, now) and (
            reports is None or reports.renew(handshake, stream.remote_rtcp, now)
        )

    def seen(self, stream: StreamConfig) -> StreamConfig:
        """With the made-up address, of which nothing has to be learnt."""
        return replace(stream, remote=PHONE, remote_rtcp=PHONE_RTCP, peer=ANYBODY)

    def senders(self, session: tuple[Address, ...]) -> tuple[Address, ...]:
        """Where media go."""
        return () if self._media.remote is None else (self._media.remote,)

    def take(self, data: bytes, address: Address, now: float, *, rtcp: bool) -> Taken | None:
        """Open it, or answer it."""
        leg = self._reports if rtcp else self._media
        found = leg.receive(data, address, now) if leg is not None else None
        if found is None or (rtcp and not found[1]):
            return None
        return Taken(found[0], PHONE_RTCP if found[1] else PHONE, found[1])

    def seal(self, packet: bytes, address: Address, now: float, *, rtcp: bool) -> Datagram | None:
        """Protect it, for where the phone is."""
        by_rtcp = rtcp and self._reports is not None
        leg = self._reports if by_rtcp and self._reports is not None else self._media
        sealed = leg.protect(packet, now, rtcp=rtcp)
        return None if sealed is None else Datagram(*sealed, by_rtcp)

    def next_datagram(self) -> Datagram | None:
        """Answers to checks, and handshakes."""
        for leg in self._legs():
            datagram = leg.next_datagram()
            if datagram is not None:
                return Datagram(*datagram, leg is self._reports)
        return None

    def handle_timer(self, now: float) -> None:
        """Handshakes may have lost something."""
        for leg in self._legs():
            leg.handle_timer(now)

    def _legs(self) -> tuple[DtlsLeg, ...]:
        return (self._media,) if self._reports is None else (self._media, self._reports)


def shielded(before: Shield | None, stream: StreamConfig, identity: Identity | None, now: float) -> Shield | None:
    """What stands before the session for this stream; what can go on, goes on. None: it is plain."""
    if stream.handshake is not None:
        assert identity is not None, "whoever agrees on DTLS has a certificate"
        if isinstance(before, ByHandshake) and before.renew(stream, now):
            return before
        return ByHandshake(identity, stream, now)
    if stream.keys is None:
        return None
    if isinstance(before, BySignalling):
        before.protection.rekey(stream.keys)
        return before
    return BySignalling(Protection(stream.keys))
