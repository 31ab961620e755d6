"""RTP port pairs: an even port for RTP and the next one for RTCP, bound together, from one range (RFC 3550 §11).

The search starts at a random pair, so that a call's port cannot be guessed from the last one's, and walks on. A
port that somebody else holds is passed over; when `PORT_TRIES_MAX` pairs in a row are taken the call is refused. A pair
that was given back rests while others can be had: what the last call's peer goes on to send must not be the first
thing that the next call hears.
"""

from __future__ import annotations

import errno
import random
import resource
import socket
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from runtime.limits import PORT_TRIES_MAX, TCP_CONNECTIONS_MAX

RECEIVE_BUFFER_BYTES = 64 << 10
DESCRIPTORS_SPARE = 200

RESTS_S = 30.0
"""How long a pair is not given out again, as long as there are others."""


@dataclass(frozen=True, slots=True)
class RtpPorts:
    """Two bound, non-blocking sockets. `address` and `port` are what the SDP says."""

    address: str
    port: int
    rtp: socket.socket
    rtcp: socket.socket
    _given_back: Callable[[int], None] = field(repr=False, compare=False)

    def close(self) -> None:
        """Give both ports back."""
        self.rtp.close()
        self.rtcp.close()
        self._given_back(self.port)


class NoDescriptorsError(Exception):
    """This process, or the machine, has all the open files that it may have."""


class RtpPortRange:
    """The pairs of one range; `first` and `last` are inclusive, `clock` gives monotonic seconds."""

    def __init__(self, first: int, last: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._pairs = range(first + first % 2, last, 2)
        self._clock = clock
        self._resting: OrderedDict[int, float] = OrderedDict()
        """When the rest of each pair is over, the soonest first; never more than there are pairs."""
        assert len(self._pairs) > 0

    def __len__(self) -> int:
        return len(self._pairs)

    def reserve(self, address: str) -> RtpPorts | str:
        """A bound pair on `address`, or in words why none could be had."""
        try:
            return self._reserve(address) or "no free RTP ports: widen --rtp-ports"
        except NoDescriptorsError:
            return "no more files can be opened: raise the limit, ulimit -n"

    def _reserve(self, address: str) -> RtpPorts | None:
        now = self._clock()
        while self._resting and next(iter(self._resting.values())) <= now:
            self._resting.popitem(last=False)
        start = random.randrange(len(self._pairs))  # noqa: S311 - spreads ports; keys are never drawn here
        tried = 0
        for step in range(len(self._pairs)):
            port = self._pairs[(start + step) % len(self._pairs)]
            if port in self._resting:
                continue
            pair = self._bound(address, port)
            if pair is not None:
                return pair
            tried += 1
            if tried >= PORT_TRIES_MAX:
                return None
        for port in list(self._resting)[: PORT_TRIES_MAX - tried]:
            pair = self._bound(address, port)
            if pair is not None:
                return pair
        return None

    def _bound(self, address: str, port: int) -> RtpPorts | None:
        pair = _bind_pair(address, port)
        if pair is None:
            return None
        self._resting.pop(port, None)
        return RtpPorts(address, port, *pair, self._rest)

    def _rest(self, port: int) -> None:
        self._resting[port] = self._clock() + RESTS_S
        self._resting.move_to_end(port)


def descriptors_for(calls: int) -> int:
    """Raise this process's limit of open files towards what so many calls need; how many calls then fit.

    Each call holds two sockets; `DESCRIPTORS_SPARE` are for everything else. SIP connections get theirs on top as far
    as the hard limit allows.
    """
    wanted = 2 * calls + DESCRIPTORS_SPARE + TCP_CONNECTIONS_MAX
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return calls if soft == resource.RLIM_INFINITY else min(calls, (soft - DESCRIPTORS_SPARE) // 2)


def _bind_pair(address: str, port: int) -> tuple[socket.socket, socket.socket] | None:
    rtp = _bind(address, port)
    if rtp is None:
        return None
    rtcp = None
    try:
        rtcp = _bind(address, port + 1)
    finally:
        if rtcp is None:
            rtp.close()
    return None if rtcp is None else (rtp, rtcp)


def _bind(address: str, port: int) -> socket.socket | None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        sock = socket.socket(family, socket.SOCK_DGRAM)
    except OSError as fault:
        if fault.errno in (errno.EMFILE, errno.ENFILE):
            raise NoDescriptorsError from fault
        return None
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        sock.bind((address, port))
    except OSError:
        sock.close()
        return None
    return sock
