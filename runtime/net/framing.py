"""How messages stand in the stream of a connection: what `Connection` needs of it, and the plain way of TCP and TLS.

`ws_stream` is the other way. What stands in a stream is put there and taken out by nobody else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from runtime.limits import PING_AFTER_S
from runtime.sip.framing import PING, PONG, Framed, Ping, Pong, StreamSplitter


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the stream was worked on, and no message came of it yet."""


@dataclass(frozen=True, slots=True)
class Over:
    """The stream is at its end; `why` is a reason phrase, one of a few."""

    why: str


Item = Framed | Ping | Pong | Part | Over


class Framing(Protocol):
    """One connection's stream, both ways. `now` is monotonic seconds.

    `is_ready`: messages may go either way. `keeps_alive`: it is pinged by whoever accepted it, too, as long as its peer
    is no stranger; `ping_after_s`: when nothing came for so long. `waiting`: bytes of messages that wait until it is.
    """

    keeps_alive: bool
    ping_after_s: float
    waiting: int

    @property
    def is_ready(self) -> bool:
        """Whether messages may go."""

    def receive(self, data: bytes) -> None:
        """More of the stream; nothing is worked on yet."""

    def next_item(self, now: float) -> Item | None:
        """The next that is in it, found in a bounded time; None until more bytes are here."""

    def check(self, now: float) -> Item | None:
        """What has begun and takes too long."""

    def end(self) -> Item | None:
        """No more bytes will come: what has begun and is not whole."""

    def wrapped(self, message: bytes) -> bytes:
        """A message of ours as it stands in the stream."""

    def ping(self) -> bytes:
        """What asks whether the peer is there; the `Pong` of it is looked for from now on."""

    def pong(self) -> bytes:
        """What answers a `Ping`."""

    def goodbye(self) -> bytes:
        """What says that no more comes from us."""

    def taken(self) -> bytes:
        """What the stream itself has to say to the peer now."""


class PlainFraming(StreamSplitter):
    """Messages one behind the other, told apart by their Content-Length (RFC 3261 section 18.3)."""

    __slots__ = ()

    keeps_alive = False
    ping_after_s = PING_AFTER_S
    waiting = 0
    is_ready = True

    def wrapped(self, message: bytes) -> bytes:
        """As it is."""
        return message

    def ping(self) -> bytes:
        """RFC 5626 section 3.5.1."""
        self.expect_pong()
        return PING

    def pong(self) -> bytes:
        """RFC 5626 section 4.4.1."""
        return PONG

    def goodbye(self) -> bytes:
        """Nothing: the end of the stream says it."""
        return b""

    def taken(self) -> bytes:
        """Nothing."""
        return b""
