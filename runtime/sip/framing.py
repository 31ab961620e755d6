"""A byte stream -> whole messages (RFC 3261 section 18.3), and the pings between them (RFC 5626 section 3.5.1).

The socket edge has one `StreamSplitter` per connection: bytes go in, items come out, whatever the pieces were in which
the bytes came. Where a message ends is told by its Content-Length alone, so one without it, or with two, cannot be
passed over: it comes out with the fault to answer, and is the last. The length is read by the parser's own rules: where
the two saw different messages in the same bytes, one could be smuggled past the other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from runtime.sip.errors import Fault
from runtime.sip.limits import HEAD_BYTES_MAX, MESSAGE_WITHIN_S, STREAM_BODY_BYTES_MAX

PING = b"\r\n\r\n"
"""What asks whether the peer of a stream is there (RFC 5626 section 3.5.1), and keeps a NAT from forgetting it."""

PONG = b"\r\n"
"""What answers a ping (RFC 5626 section 4.4.1)."""

_CRLF, _BLANK = b"\r\n", b"\r\n\r\n"
_BEGUN = (b"", b"\r", b"\r\n", b"\r\n\r")
"""Nothing yet, or what a ping may begin with."""

# White space with folding (section 7.3.1), a header line by either of its names, and its value.
_LWS = rb"(?:[ \t]|\r\n[ \t])*"
_length_lines = re.compile(rb"\r\n(?i:content-length|l)" + _LWS + rb":((?:[^\r]|\r(?!\n)|\r\n[ \t])*)")
_length = re.compile(_LWS + rb"([0-9]{1,10})" + _LWS)


@dataclass(frozen=True, slots=True)
class Framed:
    """The bytes of one message. With a fault they are as much of it as there is, and the stream ends there."""

    data: bytes
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Ping:
    """A double CRLF between messages: somebody wants to know whether we are there."""


@dataclass(frozen=True, slots=True)
class Pong:
    """The line end that answers a ping of ours: the peer is there, and knows pings."""


class StreamSplitter:
    """One direction of one connection. `now` is monotonic seconds."""

    __slots__ = ("_buffer", "_expects_pong", "_is_over", "_scanned", "_since", "_wanted")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._wanted = 0
        self._since: float | None = None
        self._is_over = False
        self._expects_pong = False

    def receive(self, data: bytes) -> None:
        """More of the stream. What comes after a fault is nobody's."""
        if not self._is_over:
            self._buffer += data

    def expect_pong(self) -> None:
        """We have sent a ping: the next line end between messages answers it, and is no part of a ping."""
        self._expects_pong = True

    def next_item(self, now: float) -> Framed | Ping | Pong | None:
        """The next whole message, ping or pong; None until more bytes are here."""
        if self._is_over:
            return None
        if not self._wanted:
            if self._expects_pong and self._buffer.startswith(_CRLF):
                del self._buffer[:2]
                self._expects_pong = False
                return Pong()
            if self._skip_line_ends():
                return Ping()
            if self._buffer in _BEGUN:
                return None  # no message that could be late
            fault = self._read_head()
            if fault is not None:
                return self._broken(fault)
        if not self._wanted or len(self._buffer) < self._wanted:
            if self._since is None:
                self._since = now
            return None
        data = bytes(self._buffer[: self._wanted])
        del self._buffer[: self._wanted]
        self._scanned = self._wanted = 0
        self._since = None
        return Framed(data)

    def check(self, now: float) -> Framed | None:
        """What has begun and takes too long: a peer that sends a byte a minute holds a connection for nothing."""
        if self._since is None or now < self._since + MESSAGE_WITHIN_S:
            return None
        return self._broken((400, "Message Did Not End In Time"))

    def end(self) -> Framed | None:
        """No more bytes will come. What has begun and is not whole comes out as a fault."""
        if self._is_over or not self._buffer.strip(_CRLF):
            return None
        return self._broken((400, "Connection Closed Within A Message"))

    def _skip_line_ends(self) -> bool:
        """Drop CRLF before a message (section 7.5); True for two together, which are a ping."""
        buffer = self._buffer
        while buffer.startswith(_CRLF):
            if buffer.startswith(_BLANK):
                del buffer[:4]
                return True
            if buffer in _BEGUN:
                return False
            del buffer[:2]
        return False

    def _read_head(self) -> Fault | None:
        """Find the end of the headers, and how long the message is by them."""
        buffer = self._buffer
        end = buffer.find(_BLANK, self._scanned)
        self._scanned = max(0, len(buffer) - 3)
        if end < 0 and len(buffer) <= HEAD_BYTES_MAX:
            return None
        if end < 0 or end + 4 > HEAD_BYTES_MAX:
            return 513, "Message Headers Too Large"
        length, fault = content_length(bytes(buffer[:end]))
        self._wanted = end + 4
        if fault is None and length > STREAM_BODY_BYTES_MAX:
            fault = 513, "Message Body Too Large"
        if fault is None:
            self._wanted += length
        return fault

    def _broken(self, fault: Fault) -> Framed:
        """The last item: what there is of the message, as much as one may have."""
        data = bytes(self._buffer[: self._wanted or HEAD_BYTES_MAX])
        self._is_over = True
        self._since = None
        self._buffer.clear()
        return Framed(data, fault)


def content_length(head: bytes) -> tuple[int, Fault | None]:
    """The Content-Length that a start line and headers (without the empty line) have, or why there is none."""
    values: list[bytes] = _length_lines.findall(head)
    if not values:
        return 0, (400, "Missing Content-Length")
    if len(values) > 1:
        return 0, (400, "More Than One Content-Length")
    found = _length.fullmatch(values[0])
    if found is None:
        return 0, (400, "Malformed Content-Length")
    return int(found[1]), None
