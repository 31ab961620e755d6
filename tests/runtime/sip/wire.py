"""Two endpoints wired together in memory, in virtual time; the wire may lose, delay and duplicate.

A `Wire` owns the clock: `run(seconds)` delivers datagrams and rings timers in the order of time. Each `Side` keeps
every event with its time; `app`, where given, is called with each event and may give commands, as the call layer does.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

from runtime.sip.endpoint import Endpoint, EndpointConfig, Path
from runtime.sip.events import Answered, Event, InviteReceived, ReinviteReceived, RequestReceived
from runtime.sip.message import Message
from runtime.sip.parser import parse_message

ALICE = ("192.0.2.1", 5060)
BOB = ("192.0.2.2", 5060)

Fate = Callable[[int, bytes], list[float]]
"""What becomes of the n-th datagram: the delays in seconds of its copies, none when it is lost."""


def at_once(_number: int, _data: bytes) -> list[float]:
    return [0.0]


def seeded(seed: str) -> Callable[[int], bytes]:
    """Entropy that is the same in every run."""
    count = 0

    def entropy(size: int) -> bytes:
        nonlocal count
        count += 1
        return hashlib.sha256(f"{seed}/{count}".encode()).digest()[:size]

    return entropy


@dataclass
class Side:
    name: str
    address: tuple[str, int]
    endpoint: Endpoint
    app: Callable[[Side, Event, float], None] | None = None
    log: list[tuple[float, Event]] = field(default_factory=list)
    sent: list[tuple[float, Message]] = field(default_factory=list)

    @property
    def events(self) -> list[Event]:
        return [event for _, event in self.log]

    def of(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events]

    def sent_as(self) -> list[str]:
        """What this side sent, in short: methods and status codes."""
        return [str(getattr(message, "method", "") or message.status) for _, message in self.sent]

    def is_idle(self) -> bool:
        endpoint = self.endpoint
        return not (endpoint.leg_count or endpoint.transaction_count or endpoint.alarm_count or endpoint._core.pending)


class Wire:
    def __init__(
        self,
        fate: Fate = at_once,
        config: EndpointConfig | None = None,
        bob_config: EndpointConfig | None = None,
        transport: str = "udp",
    ) -> None:
        config = config or EndpointConfig("test", allow=("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "UPDATE"))
        self.now = 0.0
        self.fate = fate
        self.transport = transport
        self.alice = Side("alice", ALICE, Endpoint(config, seeded("alice")))
        self.bob = Side("bob", BOB, Endpoint(bob_config or config, seeded("bob")))
        self.sides = {side.address: side for side in (self.alice, self.bob)}
        self.count = 0
        self._planned: list[tuple[float, int, Callable[[], object]]] = []
        self._planned_count = 0
        self._flying: list[tuple[float, int, bytes, tuple[str, int], tuple[str, int]]] = []

    def path(self, side: Side) -> Path:
        """The way from this side to the other one."""
        other = self.bob if side is self.alice else self.alice
        return Path(self.transport, side.address, other.address)

    def call(self, **kwargs: object) -> int:
        """Alice calls Bob."""
        options = {"from_": "sip:alice@192.0.2.1", "to": "sip:bob@192.0.2.2", "body": b"v=0\r\n", **kwargs}
        leg = self.alice.endpoint.invite("sip:bob@192.0.2.2", self.path(self.alice), self.now, **options)
        self.drain()
        return leg

    def at(self, when: float, action: Callable[[], object]) -> None:
        """Do something at a time to come."""
        self._planned_count += 1
        heapq.heappush(self._planned, (when, self._planned_count, action))

    def drain(self) -> None:
        """Take what both sides have to say until neither has more; apps may answer events with commands."""
        busy = True
        while busy:
            busy = False
            for side in self.sides.values():
                for data, path in side.endpoint.datagrams_to_send():
                    busy = True
                    self._post(side, data, path)
                while (event := side.endpoint.next_event()) is not None:
                    busy = True
                    side.log.append((self.now, event))
                    if side.app is not None:
                        side.app(side, event, self.now)

    def run(self, seconds: float) -> None:
        """Let this much time pass."""
        self.run_until(self.now + seconds)

    def run_until(self, end: float) -> None:
        self.drain()
        while (when := self._next()) is not None and when <= end:
            self.now = max(self.now, when)
            while self._flying and self._flying[0][0] <= self.now:
                _, _, data, source, target = heapq.heappop(self._flying)
                side = self.sides[target]
                side.endpoint.receive_datagram(data, Path(self.transport, target, source), self.now)
                self.drain()
            for side in self.sides.values():
                side.endpoint.handle_timer(self.now)
            self.drain()
            while self._planned and self._planned[0][0] <= self.now:
                heapq.heappop(self._planned)[2]()
                self.drain()
        self.now = end

    def cut(self) -> None:
        """The connection between the two closes: what was under way is lost, and the next message makes a new one."""
        self._flying.clear()
        for side in self.sides.values():
            side.endpoint.connection_failed(self.path(side), "Connection Closed", self.now)
        self.drain()

    def settle(self) -> None:
        """Let so much time pass that every timer of a finished call has rung."""
        self.run(400.0)

    def _next(self) -> float | None:
        times = [queue[0][0] for queue in (self._flying, self._planned) if queue]
        times += [when for side in self.sides.values() if (when := side.endpoint.next_deadline()) is not None]
        return min(times) if times else None

    def _post(self, side: Side, data: bytes, path: Path) -> None:
        side.sent.append((self.now, parse_message(data)))
        assert path.local == side.address
        if path.remote not in self.sides:
            return
        for delay in self.fate(self.count, data):
            heapq.heappush(self._flying, (self.now + delay, self.count, data, side.address, path.remote))
        self.count += 1


def answering(wire, *, ring_s=0.0, answer_s=1.0, status=200):
    """An app that rings, answers everything, and hangs up after a minute as a media timeout would."""

    def app(side, event, now):
        endpoint = side.endpoint
        if isinstance(event, InviteReceived):
            leg = event.leg
            wire.at(now + ring_s, lambda: endpoint.respond(leg, 180, wire.now))
            wire.at(now + answer_s, lambda: endpoint.respond(leg, status, wire.now, body=b"v=0\r\n"))
            wire.at(now + 60.0, lambda: endpoint.bye(leg, wire.now))
        elif isinstance(event, ReinviteReceived):
            endpoint.respond(event.leg, 200, now, body=b"v=0\r\n")
        elif isinstance(event, RequestReceived):
            endpoint.respond_request(event.request_id, 200, now)

    return app


def calling(wire, *, talk_s=5.0):
    """An app that hangs up some time after the answer, and answers what it is asked meanwhile."""
    others = answering(wire)

    def app(side, event, now):
        if isinstance(event, Answered):
            wire.at(now + talk_s, lambda: side.endpoint.bye(event.leg, wire.now))
        others(side, event, now)

    return app
