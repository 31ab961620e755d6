"""One media path of one call to the server: ICE, then DTLS, then protected packets. An edge that decides nothing.

Made from the server's description; candidates are added as they trickle in. It tells its owner once that it stands
(`connected`), or once that it failed or was lost (`failed`). From the first moment on RTP goes to `take_rtp`, RTCP
nowhere, data beside media to `take_data`. When its way is to be found anew, it goes on by the old one until then.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from typing import Any, Final, Protocol

from aioice import Candidate

from runtime.media.dtls import Dtls, DtlsError, Identity
from runtime.media.srtp import SrtpSession
from runtime.net.outbox import Outbox
from runtime.net.polled import PolledSockets
from runtime.rooms.livekit.description import Ourselves, Theirs
from runtime.rooms.livekit.ice import IceAgent, IceSocket
from runtime.rooms.livekit.limits import CANDIDATES_MAX
from runtime.rooms.livekit.news import Target

_DTLS_FIRST: Final = 20
_DTLS_LAST: Final = 63
_RTP_FIRST: Final = 128
_RTP_LAST: Final = 191
_RTCP_FIRST: Final = 192
_RTCP_LAST: Final = 223


class PeerUser(Protocol):
    """Who a peer tells; each call names the peer, but for the media of those that there are."""

    def peer_connected(self, source: Peer) -> None:
        """Media may flow."""
        ...

    def peer_found_itself(self, source: Peer, candidate: str) -> None:
        """The server should know of this candidate of ours."""
        ...

    def peer_failed(self, source: Peer, words: str) -> None:
        """It never came to be, or is lost."""
        ...

    @property
    def inlet(self) -> Any:
        """By which packets of the room's streams need not come to `take_rtp`; None without the native core."""
        ...

    def take_rtp(self, packet: bytes) -> None:
        """A packet of somebody in the room."""
        ...

    def take_data(self, source: Peer, record: bytes) -> None:
        """Data beside media."""
        ...


class Peer:
    """See the module. `spawn` runs a coroutine that must not get lost."""

    def __init__(
        self,
        user: PeerUser,
        target: Target,
        identity: Identity,
        ours: Ourselves,
        theirs: Theirs,
        polled: PolledSockets,
        spawn: Callable[..., object],
    ) -> None:
        self.target = target
        self._user = user
        self._polled = polled
        self._spawn = spawn
        self._dtls = Dtls(identity, (theirs.fingerprint,), client=theirs.we_are_client)
        self._srtp: SrtpSession | None = None
        self._candidates = 0
        self._told: tuple[str, ...] = ()
        """Addresses of ours that the server was told of."""
        self._reachable = asyncio.Event()
        """Candidates trickle in behind the description; without one there is nothing to check."""
        self._done = False
        self.connected = False
        self.is_dtls_client = theirs.we_are_client
        self._ice = self._trying = self._find_way(ours, theirs)
        """The way that is used, and the one that is being found."""

    def restart(self, ours: Ourselves, theirs: Theirs) -> None:
        """Find the way anew, by these credentials. What the path carries goes on by the old one until then."""
        if self._done:
            return
        if self._trying is not self._ice:
            self._spawn(self._trying.end())
        self._reachable.set()  # whoever still waited for the first candidate sees that it is not wanted any more
        self._candidates, self._reachable, self._told = 0, asyncio.Event(), ()
        self._trying = self._find_way(ours, theirs)

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
            self._spawn(self._add(self._trying, candidate))
            self._reachable.set()

    def send_rtp(self, packet: bytes, outbox: Outbox) -> None:
        """Protect and send, with this tick's other packets."""
        srtp, sock = self._srtp, self._ice.socket
        if self.connected and srtp is not None and sock is not None:
            wire = srtp.protect(packet)
            if wire is not None:
                sock.write(wire, outbox)

    def send_rtcp(self, compound: bytes) -> None:
        """Protect and send."""
        srtp, sock = self._srtp, self._ice.socket
        if self.connected and srtp is not None and sock is not None:
            wire = srtp.protect_rtcp(compound)
            if wire is not None:
                sock.send(wire)

    def send_data(self, record: bytes) -> None:
        """Send data beside media."""
        if self.connected:
            self._dtls.send(record)
            self._flush()

    def handle_timer(self) -> None:
        """Repeat what got lost in the handshake."""
        if not self.connected and not self._done:
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
        if self.connected:
            self._dtls.close()
            self._flush()
        self.connected = False
        if self._trying is not self._ice:
            await self._trying.end()
        await self._ice.end()

    def _find_way(self, ours: Ourselves, theirs: Theirs) -> IceAgent:
        agent = IceAgent(
            ours.ufrag,
            ours.password,
            self._polled,
            self._take,
            lambda: self._fail("the media path is lost"),
            controlling=theirs.we_control,
        )
        agent.remote_username, agent.remote_password = theirs.ufrag, theirs.password
        agent.remote_is_lite = theirs.ice_lite
        self._trying = agent
        self._spawn(self._connect(agent, self._reachable))
        for candidate in theirs.candidates:
            self.add_candidate(candidate)
        return agent

    async def _add(self, agent: IceAgent, candidate: Candidate) -> None:
        try:
            await agent.add_remote_candidate(candidate)
        except ValueError:
            return  # a kind of candidate that is none
        # LiveKit's ICE learns our address from our checks, but it is slow to trust what it learned so: a server that
        # decides about addresses takes a second less when it is told.
        ours = None if agent.ice_controlling else agent.towards(candidate.host)
        if ours is not None and ours.host not in self._told:
            self._told += (ours.host,)
            self._user.peer_found_itself(self, ours.to_sdp())

    async def _connect(self, agent: IceAgent, reachable: asyncio.Event) -> None:
        try:
            await agent.gather_candidates()
            await reachable.wait()
            if not self._done and agent is self._trying:
                await agent.connect()
        except OSError as fault:
            if agent is self._trying:
                self._fail(f"no media path to the server: {fault}")
            return
        if not self._done and agent is self._trying and agent.remote is not None and agent.socket is not None:
            agent.socket.settle(agent.remote)
            await self._use(agent)

    async def _use(self, agent: IceAgent) -> None:
        """Go by this way from now on."""
        before, self._ice = self._ice, agent
        if self._srtp is None:
            try:
                self._dtls.start()
            except DtlsError as fault:
                self._fail(str(fault))
                return
            self._flush()
        elif agent.socket is not None:
            self._rest(agent.socket)
        if before is not agent:
            await before.end()

    def _take(self, data: bytes) -> None:
        first = data[0]
        srtp = self._srtp
        if _RTP_FIRST <= first <= _RTP_LAST:
            if srtp is not None and len(data) > 1 and not _RTCP_FIRST <= data[1] <= _RTCP_LAST:
                packet = srtp.unprotect(data)
                if packet is not None:
                    self._user.take_rtp(packet)
        elif _DTLS_FIRST <= first <= _DTLS_LAST:
            self._take_dtls(self._dtls, data)

    def _take_dtls(self, dtls: Dtls, data: bytes) -> None:
        try:
            records = dtls.receive(data)
        except DtlsError as fault:
            self._fail(str(fault))
            return
        self._flush()
        if self._srtp is None and dtls.keys is not None and not self._done:
            self._srtp = SrtpSession(dtls.keys.profile, dtls.keys.send.key, dtls.keys.receive[0].key)
            self._stand()
        for record in records:
            self._user.take_data(self, record)
        if dtls.closed:
            self._fail("the server closed the media path")

    def _stand(self) -> None:
        assert self._ice.socket is not None
        self._rest(self._ice.socket)
        self.connected = True
        self._user.peer_connected(self)

    def _rest(self, sock: IceSocket) -> None:
        """Let the clock read the socket from now on."""
        sock.rest()
        if self._srtp is not None and self._srtp.opener is not None:
            sock.route(self._user.inlet, self._srtp.opener, self._user.take_rtp)

    def _flush(self) -> None:
        sock = self._ice.socket
        if sock is not None:
            for datagram in self._dtls.datagrams_to_send():
                remote = self._ice.remote or sock.heard
                if remote is not None:
                    sock.send_to(datagram, remote)

    def _fail(self, words: str) -> None:
        if not self._done:
            self._done = True
            self.connected = False
            self._user.peer_failed(self, words)
