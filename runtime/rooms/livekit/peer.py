"""The media path of one call to the server: ICE, then DTLS, then protected packets. An edge that decides nothing.

Made from the server's answer; candidates are added as they trickle in. It tells its owner once that it stands
(`connected`), or once that it failed or was lost (`failed`). From the first moment on RTP goes to `take_rtp`, RTCP
nowhere, data beside media to `take_data`.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from typing import Final, Protocol

from aioice import Candidate

from runtime.rooms.livekit.description import Answer, Ourselves
from runtime.rooms.livekit.dtls import Dtls, DtlsError, Identity
from runtime.rooms.livekit.ice import IceAgent
from runtime.rooms.livekit.limits import CANDIDATES_MAX

_DTLS_FIRST: Final = 20
_DTLS_LAST: Final = 63
_RTP_FIRST: Final = 128
_RTP_LAST: Final = 191
_RTCP_FIRST: Final = 192
_RTCP_LAST: Final = 223


class PeerUser(Protocol):
    """Who a peer tells."""

    def peer_connected(self) -> None:
        """Media may flow."""
        ...

    def peer_failed(self, words: str) -> None:
        """It never came to be, or is lost."""
        ...

    def take_rtp(self, packet: bytes) -> None:
        """A packet of somebody in the room."""
        ...

    def take_data(self, record: bytes) -> None:
        """Data beside media."""
        ...


class Peer:
    """See the module. `spawn` runs a coroutine that must not get lost."""

    def __init__(
        self,
        user: PeerUser,
        identity: Identity,
        ours: Ourselves,
        spawn: Callable[..., object],
    ) -> None:
        self._user = user
        self._identity = identity
        self._spawn = spawn
        self._ice = IceAgent(ours.ufrag, ours.password, self._take, lambda: self._fail("the media path is lost"))
        self._dtls: Dtls | None = None
        self._candidates = 0
        self._reachable = asyncio.Event()
        """Candidates trickle in behind the answer; without one there is nothing to check."""
        self._done = False
        self.connected = False
        self.is_dtls_client = False

    def answer(self, answer: Answer) -> None:
        """Begin: what the server said of itself."""
        self._ice.remote_username, self._ice.remote_password = answer.ufrag, answer.password
        self._ice.remote_is_lite = answer.ice_lite
        self.is_dtls_client = answer.we_are_client
        self._dtls = Dtls(self._identity, answer.fingerprint, client=answer.we_are_client)
        for candidate in answer.candidates:
            self.add_candidate(candidate)
        self._spawn(self._connect())

    def add_candidate(self, text: str) -> None:
        """A candidate of the server; those that we cannot use (TCP, names) are passed over."""
        if self._candidates >= CANDIDATES_MAX or self._done:
            return
        try:
            candidate = Candidate.from_sdp(text)
            ipaddress.ip_address(candidate.host)
        except (ValueError, IndexError, AssertionError):
            return
        if candidate.transport.lower() == "udp":
            self._candidates += 1
            self._spawn(self._add(candidate))
            self._reachable.set()

    def read(self) -> None:
        """Take in what came since the last tick."""
        if self._ice.socket is not None:
            self._ice.socket.read()

    def send_rtp(self, packet: bytes) -> None:
        """Protect and send."""
        dtls, sock = self._dtls, self._ice.socket
        if self.connected and dtls is not None and dtls.srtp is not None and sock is not None:
            wire = dtls.srtp.protect(packet)
            if wire is not None:
                sock.send(wire)

    def send_rtcp(self, compound: bytes) -> None:
        """Protect and send."""
        dtls, sock = self._dtls, self._ice.socket
        if self.connected and dtls is not None and dtls.srtp is not None and sock is not None:
            wire = dtls.srtp.protect_rtcp(compound)
            if wire is not None:
                sock.send(wire)

    def send_data(self, record: bytes) -> None:
        """Send data beside media."""
        if self.connected and self._dtls is not None:
            self._dtls.send(record)
            self._flush()

    def handle_timer(self) -> None:
        """Repeat what got lost in the handshake."""
        if self._dtls is not None and not self.connected and not self._done:
            try:
                self._dtls.handle_timer()
            except DtlsError as fault:
                self._fail(str(fault))
            else:
                self._flush()

    async def close(self) -> None:
        """Say goodbye and close the socket."""
        self._done = True
        self._reachable.set()
        if self._dtls is not None and self.connected:
            self._dtls.close()
            self._flush()
        self.connected = False
        await self._ice.end()

    async def _add(self, candidate: Candidate) -> None:
        try:
            await self._ice.add_remote_candidate(candidate)
        except ValueError:
            pass  # a kind of candidate that is none

    async def _connect(self) -> None:
        try:
            await self._ice.gather_candidates()
            await self._reachable.wait()
            if not self._done:
                await self._ice.connect()
        except OSError as fault:
            self._fail(f"no media path to the server: {fault}")
            return
        if self._done or self._ice.remote is None or self._ice.socket is None:
            return
        self._ice.socket.settle(self._ice.remote)
        assert self._dtls is not None
        try:
            self._dtls.start()
        except DtlsError as fault:
            self._fail(str(fault))
        else:
            self._flush()

    def _take(self, data: bytes) -> None:
        first = data[0]
        dtls = self._dtls
        if dtls is None:
            return
        if _RTP_FIRST <= first <= _RTP_LAST:
            if dtls.srtp is not None and len(data) > 1 and not _RTCP_FIRST <= data[1] <= _RTCP_LAST:
                packet = dtls.srtp.unprotect(data)
                if packet is not None:
                    self._user.take_rtp(packet)
        elif _DTLS_FIRST <= first <= _DTLS_LAST:
            self._take_dtls(dtls, data)

    def _take_dtls(self, dtls: Dtls, data: bytes) -> None:
        before = dtls.srtp
        try:
            records = dtls.receive(data)
        except DtlsError as fault:
            self._fail(str(fault))
            return
        self._flush()
        if before is None and dtls.srtp is not None and not self._done:
            self._stand()
        for record in records:
            self._user.take_data(record)
        if dtls.closed:
            self._fail("the server closed the media path")

    def _stand(self) -> None:
        assert self._ice.socket is not None
        self._ice.socket.rest()
        self.connected = True
        self._user.peer_connected()

    def _flush(self) -> None:
        sock = self._ice.socket
        if self._dtls is not None and sock is not None:
            for datagram in self._dtls.datagrams_to_send():
                remote = self._ice.remote or sock.heard
                if remote is not None:
                    sock.send_to(datagram, remote)

    def _fail(self, words: str) -> None:
        if not self._done:
            self._done = True
            self.connected = False
            self._user.peer_failed(words)
