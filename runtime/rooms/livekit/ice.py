"""ICE with the server (RFC 8445), and the one UDP socket of a call. The edge to the network.

aioice decides which pair of addresses is used and keeps asking for consent; this gives it a socket that our clock can
read. There is one socket per call, for both versions of IP and bound to no address, so the kernel finds the way to
whatever address the server names, loopback included; the server learns ours from the checks themselves. What arrives
is told apart by its first byte (RFC 7983): only STUN is ever parsed as STUN, and no queue or task stands between a
packet and its tick.

Once the way is found, the checks by which the server keeps it open are answered here, in half of aioice's time: they
come from all calls all the while.

Until the connection stands the socket wakes the event loop, so that a call is set up without waiting for ticks; from
then on the clock reads it with all others (`net/polled`).
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable
from typing import Any, Final

from aioice import Candidate, Connection, ice
from aioice.candidate import candidate_foundation, candidate_priority

from runtime.limits import PACKETS_PER_TICK_MAX
from runtime.media.ice_checks import CONTROLLED, CONTROLLING, Checks, IceNames
from runtime.media.rtp import DATAGRAM_BYTES_MAX
from runtime.net.outbox import Outbox
from runtime.net.polled import PolledSockets

Address = tuple[str, int]
_STUN_LAST: Final = 3
_RECEIVE_BUFFER_BYTES: Final = 256 << 10
_IPV6_ADDRFORM: Final = 1
_MAPPED: Final = "::ffff:"
"""How a socket of both versions writes an address of version 4 (RFC 4291 section 2.5.5.2)."""


class IceSocket:
    """One UDP socket of both versions, or of version 4 where there is no other. `take` gets all that is not STUN."""

    def __init__(
        self, take: Callable[[bytes], None], take_stun: Callable[[bytes, Address], None], polled: PolledSockets
    ) -> None:
        self._take, self._take_stun, self._polled = take, take_stun, polled
        self._socket, self.both = _open()
        self._waking: asyncio.AbstractEventLoop | None = None
        self.remote: Address | None = None
        """The settled peer."""
        self.heard: Address | None = None
        """Whoever sent the last datagram that was not STUN."""

    @property
    def port(self) -> int:
        """Where it is bound."""
        return int(self._socket.getsockname()[1])

    def wake(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read whenever something comes."""
        self._waking = loop
        loop.add_reader(self._socket, self.read)

    def rest(self) -> None:
        """Read no more by itself: the clock does."""
        self._sleep()
        self._polled.add(self._socket, self._take_one)

    def route(self, inlet: Any, opener: Any, opened: Callable[[bytes], None]) -> None:
        """Media go by the native core's inlet, once they are opened; see `PolledSockets`."""
        self._polled.route(self._socket, inlet, opener, opened)

    def write(self, data: bytes, outbox: Outbox) -> None:
        """To the settled peer, with this tick's other packets."""
        outbox.add(self._socket, data)

    def _sleep(self) -> None:
        if self._waking is not None:
            self._waking.remove_reader(self._socket)
            self._waking = None

    def settle(self, remote: Address) -> None:
        """Speak to this peer alone from now on; the kernel drops what others send."""
        try:
            self._socket.connect(self._written(remote))
        except OSError:
            return  # an address without a way: consent will expire
        self.read()  # what came before others were kept away
        self.remote = remote
        if self.both and "." in remote[0] and sys.platform == "linux":
            self._leave_version_6()

    def _leave_version_6(self) -> None:
        """Make it a socket of version 4 alone (ipv6(7)): no way is looked up for each packet, 5 % less of a tick."""
        try:
            self._socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_ADDRFORM, socket.AF_INET)
        except OSError:
            pass  # then it stays what it is

    def read(self) -> None:
        """Take in what has come."""
        for _ in range(PACKETS_PER_TICK_MAX):
            try:
                data, address = self._socket.recvfrom(DATAGRAM_BYTES_MAX)
            except OSError:
                return
            if not data:
                continue
            if data[0] > _STUN_LAST and self.remote is not None:
                self._take(data)
                continue
            sender = address[0].removeprefix(_MAPPED), address[1]
            if data[0] > _STUN_LAST:
                self.heard = sender
                self._take(data)
            else:
                self._take_stun(data, sender)

    def _take_one(self, data: bytes, _sender: Address, _now: float, _wall: float) -> None:
        """Take one datagram of the settled peer: the kernel keeps away all others, so nobody has to be named."""
        if data and data[0] > _STUN_LAST:
            self._take(data)
        elif data and self.remote is not None:
            self._take_stun(data, self.remote)

    def send(self, data: bytes) -> None:
        """To the settled peer. A full buffer or an unreachable peer is one lost packet, as on any network."""
        try:
            self._socket.send(data)
        except OSError:
            pass

    def send_to(self, data: bytes, remote: Address) -> None:
        """To anybody."""
        if remote == self.remote:
            self.send(data)
            return
        try:
            self._socket.sendto(data, self._written(remote))
        except OSError:
            pass

    def close(self) -> None:
        """Close it; reading and sending do nothing from now on."""
        self._sleep()
        self._polled.remove(self._socket)
        self._socket.close()

    def _written(self, remote: Address) -> Address:
        return (_MAPPED + remote[0], remote[1]) if self.both and "." in remote[0] else remote


def _open() -> tuple[socket.socket, bool]:
    for family, host in ((socket.AF_INET6, "::"), (socket.AF_INET, "0.0.0.0")):  # noqa: S104 — see the module
        try:
            opened = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        except OSError:
            if family == socket.AF_INET:
                raise
            continue
        try:
            if family == socket.AF_INET6:
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
            opened.bind((host, 0))
        except OSError:
            opened.close()
            if family == socket.AF_INET:
                raise
            continue
        return opened, family == socket.AF_INET6
    raise AssertionError("the last family returns or raises")


class _Side(asyncio.DatagramTransport):
    """The socket as aioice wants it: one transport for each version of IP."""

    def __init__(self, agent: IceAgent, udp: IceSocket, host: str) -> None:
        super().__init__()
        self._udp = udp
        self.protocol = ice.StunProtocol(agent)
        self.protocol.connection_made(self)
        self.protocol.local_candidate = _local(host, udp.port)

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Send to anybody."""
        self._udp.send_to(data, addr)

    def close(self) -> None:
        """Let aioice hear that it is closed."""
        asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)


def _local(host: str, port: int) -> Candidate:
    return Candidate(
        foundation=candidate_foundation("host", "udp", host),
        component=1,
        transport="udp",
        priority=candidate_priority(1, "host"),
        host=host,
        port=port,
        type="host",
    )


class IceAgent(Connection):
    """Our half of ICE. `take(datagram)` gets all that is not STUN, `lost()` is called when consent expired."""

    def __init__(
        self,
        ufrag: str,
        password: str,
        polled: PolledSockets,
        take: Callable[[bytes], None],
        lost: Callable[[], None],
        *,
        controlling: bool,
    ) -> None:
        super().__init__(ice_controlling=controlling, local_username=ufrag, local_password=password)
        self._polled = polled
        self._take = take
        self._lost = lost
        self._ours_to_close = False
        self._sides: dict[bool, _Side] = {}
        """By whether they are of version 4."""
        self._checks: Checks | None = None
        self.socket: IceSocket | None = None

    async def gather_candidates(self) -> None:
        """One socket, no enumeration of interfaces. OSError when there are no descriptors left."""
        self.socket = IceSocket(self._take, self._take_stun, self._polled)
        for host in ("0.0.0.0", "::") if self.socket.both else ("0.0.0.0",):  # noqa: S104 — see the module
            side = self._sides[host != "::"] = _Side(self, self.socket, host)
            self._protocols.append(side.protocol)
            self._local_candidates.append(side.protocol.local_candidate)
        self._local_candidates_start = self._local_candidates_end = True
        self.socket.wake(asyncio.get_running_loop())

    def towards(self, host: str) -> Candidate | None:
        """Where we are for this address of the peer's, as a candidate; None when there is no way to it.

        The kernel's own choice of way says it, without a datagram and without enumerating interfaces.
        """
        side = self._sides.get("." in host)
        if side is None or self.socket is None:
            return None
        with socket.socket(socket.AF_INET if "." in host else socket.AF_INET6, socket.SOCK_DGRAM) as asking:
            try:
                asking.connect((host, self.socket.port))
            except OSError:
                return None
            return _local(asking.getsockname()[0], self.socket.port)

    @property
    def remote(self) -> Address | None:
        """The address that was agreed on."""
        pair = self._nominated.get(1)
        return pair.remote_addr if pair is not None else None

    async def end(self) -> None:
        """Close, because we want to."""
        self._ours_to_close = True
        await self.close()

    async def close(self) -> None:
        """What aioice does when consent has expired."""
        if not self._ours_to_close:
            self._ours_to_close = True
            self._lost()
        await super().close()
        if self.socket is not None:
            self.socket.close()

    def _take_stun(self, data: bytes, sender: Address) -> None:
        side = self._sides.get("." in sender[0])
        if side is not None and not self._answers(data, sender):
            side.protocol.datagram_received(data, sender)

    def _answers(self, data: bytes, sender: Address) -> bool:
        """Whether it was a check of the settled peer's about which nothing is left to be decided."""
        if self.socket is None or sender != self.socket.remote:
            return False
        if self._checks is None:
            names = IceNames(self.local_username, self.local_password, self.remote_username or "")
            self._checks = Checks(names)
        check = self._checks.read(data)
        conflict = CONTROLLING if self.ice_controlling else CONTROLLED
        if check is None or check.unknown or conflict in check.attributes:
            return False
        self.socket.send(self._checks.success(check, sender))
        return True
