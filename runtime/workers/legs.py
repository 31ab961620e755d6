"""The phone side of live calls: media sessions tied to their sockets, read once per tick.

No packet wakes the event loop: the kernel keeps what arrives, with its time of arrival, until the next tick of the one
clock reads it (`net/polled`). What the calls hear is sent together when all have been served (`net/outbox`).
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from collections.abc import Callable, Container
from functools import partial
from typing import Any

from runtime.calls.negotiate import Certificate, media_ends
from runtime.media.codecs.codec import Codec
from runtime.media.config import StreamConfig
from runtime.media.dtls import Identity
from runtime.media.dtls_leg import HANDSHAKE_LAST
from runtime.media.frame import Frame
from runtime.media.session import MediaSession
from runtime.media.shield import Shield, shielded
from runtime.media.source import Address
from runtime.media.stats import Stats
from runtime.net.outbox import make_outbox
from runtime.net.polled import PolledSockets, make_polled, stamp_arrivals
from runtime.net.rtp_ports import RtpPorts
from runtime.net.source_filter import admit_all, admit_only
from runtime.workers.leg_sound import LegSound

FLOOD_PACKETS_PER_TICK = 40
"""So many of others in 20 ms are a flood: of `PACKETS_PER_TICK_MAX` that are read, and far from any mistake."""
EARLY_MAX = 8
"""Datagrams of ICE and DTLS that are kept until media starts."""


class PhoneLeg:
    """One call's media: a session that works on values, and the two sockets it speaks through.

    `rings`: until its media starts, whoever listens to the leg hears this ringing tone.
    """

    def __init__(self, call_id: str, ports: RtpPorts, codec: Codec, *, rings: str = "") -> None:
        self.call_id = call_id
        self.ports = ports
        self.session: MediaSession | None = None
        self.shield: Shield | None = None
        """What stands before the session where the leg is encrypted."""
        self.identity: Identity | None = None
        """Who we are in DTLS."""
        self.outbox = make_outbox()
        """Where its audio waits until `PhoneLegs.flush`."""
        self.sockets: PolledSockets | None = None
        """What its packets are read by."""
        self._codec = codec
        self.sound = LegSound(rings)
        """What is done with its audio on the way to and from whoever listens to it."""
        self._early: deque[tuple[bytes, Address, bool]] = deque(maxlen=EARLY_MAX)
        self._refused = 0
        self._is_shut = False

    @property
    def codec(self) -> Codec:
        """What the phone speaks."""
        return self._codec

    def start(self, stream: StreamConfig, make: Callable[[StreamConfig], MediaSession], now: float) -> None:
        """Let packets flow, or change how they flow (re-INVITE)."""
        self._codec = stream.codec
        self.shield = shielded(self.shield, stream, self.identity, now)
        if self.shield is not None:
            stream = self.shield.seen(stream)
            while self._early:
                data, address, rtcp = self._early.popleft()
                self.shield.take(data, address, now, rtcp=rtcp)
            self._answer()
        if self.session is None:
            self.session = make(stream)
            self._route(self.session.inlet)
            return
        self.session.reconfigure(stream, now)
        self._route(self.session.inlet)
        if self._is_shut:  # who is heard may be another one now
            self._is_shut = False
            admit_all(self.ports.rtp)

    def _route(self, inlet: Any) -> None:
        """Plain packets of a settled stream need not come here; those of an encrypted leg are first to be opened."""
        if self.sockets is not None and inlet is not None:
            self.sockets.route(self.ports.rtp, inlet if self.shield is None else None)

    @property
    def unauthentic(self) -> int:
        """Datagrams to an encrypted leg that its peer did not make."""
        return self.shield.unauthentic if self.shield is not None else 0

    def pull(self, now: float) -> Frame | None:
        """The frame that the caller spoke for this tick."""
        session = self.session
        if session is not None:
            refused = session.refused + self.unauthentic
            if refused - self._refused > FLOOD_PACKETS_PER_TICK:
                self._shut(session.senders if self.shield is None else self.shield.senders(session.senders))
            self._refused = refused
            return self.sound.of_phone(session.pull(now))
        return self.sound.heard_before.frame() if self.sound.heard_before is not None else None

    def _shut(self, senders: tuple[Address, ...]) -> None:
        """Somebody floods the port: the kernel shall take the peer's packets alone, or there is no room for them."""
        if not self._is_shut and admit_only(self.ports.rtp, senders):
            self._is_shut = True

    def push(self, frame: Frame | None, now: float) -> None:
        """What the caller hears for this tick."""
        if self.session is not None:
            frame, instead = self.sound.for_phone(frame, silent=self.session.config.silent)
            shield = self.shield
            for data, address in self.session.push(frame, now, instead=instead):
                if shield is None:
                    self.outbox.add(self.ports.rtp, data, address)
                elif (sealed := shield.seal(data, address, now, rtcp=False)) is not None:
                    self.outbox.add(self.ports.rtp, sealed.data, sealed.address)

    def send_digits(self, digits: str, now: float) -> None:
        """Press keys on the phone's side, in the way that it takes them."""
        if self.session is not None:
            self.session.send_digits(digits, now)

    def report(self, now: float, wall: float) -> None:
        """Send the RTCP report that is due, if one is."""
        if self.session is not None:
            due = self.session.rtcp_due(now, wall)
            if due is not None:
                self._send_rtcp(*due, now)
        if self.shield is not None:
            self.shield.handle_timer(now)
            self._answer()

    def take_rtp(self, own: Container[Address], data: bytes, address: Address, now: float, wall: float) -> None:
        """Hand the session one datagram of the RTP socket."""
        session = self.session
        if session is None:
            self._take_early(data, address, rtcp=False)
            return
        if address in own:
            session.reject()
            return
        if self.shield is None:
            session.receive_rtp(data, address, now)
        else:
            self._take_shielded(self.shield, session, data, address, now, wall, rtcp=False)

    def take_rtcp(self, own: Container[Address], data: bytes, address: Address, now: float, wall: float) -> None:
        """The same of the RTCP socket."""
        session = self.session
        if session is None:
            self._take_early(data, address, rtcp=True)
            return
        if address in own:
            session.reject()
            return
        if self.shield is None:
            session.receive_rtcp(data, address, now, wall)
        else:
            self._take_shielded(self.shield, session, data, address, now, wall, rtcp=True)

    def _take_early(self, data: bytes, address: Address, *, rtcp: bool) -> None:
        """A phone begins with ICE and DTLS when it has our answer, and we with its ACK: its first steps are kept."""
        if self.identity is not None and data and data[0] <= HANDSHAKE_LAST:
            self._early.append((data, address, rtcp))

    def _take_shielded(
        self,
        shield: Shield,
        session: MediaSession,
        data: bytes,
        address: Address,
        now: float,
        wall: float,
        *,
        rtcp: bool,
    ) -> None:
        taken = shield.take(data, address, now, rtcp=rtcp)
        if taken is None:
            self._answer()
        elif taken.is_rtcp:
            session.receive_rtcp(taken.packet, taken.address, now, wall)
        else:
            session.receive_rtp(taken.packet, taken.address, now)

    def close(self, now: float, wall: float) -> Stats | None:
        """Say goodbye by RTCP, give the ports back, and tell what was counted."""
        self.sound.close()
        try:
            if self.session is None:
                return None
            goodbye = self.session.close(now, wall)
            if goodbye is not None:
                self._send_rtcp(*goodbye, now)
            return self.session.stats
        finally:
            self.ports.close()

    def _send_rtcp(self, data: bytes, address: Address, now: float) -> None:
        if self.shield is None:
            _send(self.ports.rtcp, data, address)
        elif (sealed := self.shield.seal(data, address, now, rtcp=True)) is not None:
            _send(self.ports.rtcp if sealed.by_rtcp else self.ports.rtp, sealed.data, sealed.address)

    def _answer(self) -> None:
        """Send what stands before the session has to say for itself."""
        while self.shield is not None and (said := self.shield.next_datagram()) is not None:
            _send(self.ports.rtcp if said.by_rtcp else self.ports.rtp, said.data, said.address)


class PhoneLegs:
    """All live legs, and their sockets. `identity`: who they are in DTLS, where they may agree on that."""

    def __init__(self, identity: Identity | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._identity = identity
        self._legs: dict[str, PhoneLeg] = {}
        self._sockets = make_polled(clock)
        self._outbox = make_outbox()
        self._own: set[Address] = set()
        """Our own ends: what comes from there goes in a circle."""

    @property
    def certificate(self) -> Certificate:
        """How phones know us in DTLS."""
        named = self._identity.fingerprint if self._identity is not None else None
        return () if named is None else ((named.algorithm, named.digest),)

    def add(self, leg: PhoneLeg) -> None:
        """Read this leg's sockets from the next tick on."""
        self._legs[leg.call_id] = leg
        leg.outbox, leg.sockets, leg.identity = self._outbox, self._sockets, self._identity
        self._own |= media_ends(leg.ports)
        stamp_arrivals(leg.ports.rtp)
        self._sockets.add(leg.ports.rtp, partial(leg.take_rtp, self._own))
        self._sockets.add(leg.ports.rtcp, partial(leg.take_rtcp, self._own))

    def get(self, call_id: str) -> PhoneLeg | None:
        """The leg of a call."""
        return self._legs.get(call_id)

    def remove(self, call_id: str) -> PhoneLeg | None:
        """Read this leg's sockets no more; the caller closes it."""
        leg = self._legs.pop(call_id, None)
        if leg is not None:
            self._own -= media_ends(leg.ports)
            self._sockets.remove(leg.ports.rtp)
            self._sockets.remove(leg.ports.rtcp)
        return leg

    def all(self) -> list[PhoneLeg]:
        """Every live leg."""
        return list(self._legs.values())

    def read(self, now: float, wall: float) -> None:
        """Take in what came since the last tick, with the kernel's times of arrival."""
        self._sockets.read(now, wall)

    def flush(self) -> None:
        """Send what this tick made for the phones."""
        self._outbox.flush()

    def close(self) -> None:
        """The legs are closed one by one before."""
        self._sockets.close()


def _send(sock: socket.socket, data: bytes, address: tuple[str, int]) -> None:
    try:
        sock.sendto(data, address)
    except (OSError, OverflowError):
        pass  # a full buffer, an unreachable peer or no port at all: one lost packet, as on any network


def new_session(stream: StreamConfig) -> MediaSession:
    """A session whose SSRC, first sequence number and first timestamp nobody can guess (RFC 3550 section 5.1)."""
    drawn = int.from_bytes(os.urandom(10))
    return MediaSession(
        stream,
        ssrc=drawn & 0xFFFFFFFF,
        sequence=drawn >> 32 & 0xFFFF,
        timestamp=drawn >> 48 & 0xFFFFFFFF,
        cname=os.urandom(8).hex(),
        entropy=os.urandom,
        now=time.monotonic(),
    )
