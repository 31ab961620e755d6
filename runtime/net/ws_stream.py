"""SIP over WebSocket between the bytes of a connection and its messages, without a socket (RFC 7118, RFC 6455).

Each message of the WebSocket is one SIP message, text or binary. Frames, the handshake and closing are `websockets`',
which takes and gives bytes as `tls_stream` does; so the bounds of connections are those of WebSockets too. It is fed by
the piece, since a kilobyte may hold a hundred frames and media waits for them.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from typing import Final

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidOrigin, NegotiationError
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import OPEN, Protocol
from websockets.server import ServerProtocol
from websockets.typing import Origin, Subprotocol
from websockets.uri import WebSocketURI

from runtime.limits import WS_PING_AFTER_S
from runtime.net.framing import Item, Over, Part
from runtime.sip.framing import PING, PONG, Framed, Ping, Pong
from runtime.sip.limits import HEAD_BYTES_MAX, MESSAGE_WITHIN_S, STREAM_BODY_BYTES_MAX

SUBPROTOCOL: Final = Subprotocol("sip")
"""RFC 7118 section 4.1."""

MESSAGE_BYTES_MAX: Final = HEAD_BYTES_MAX + STREAM_BODY_BYTES_MAX
"""As much as any other stream may bring; more is closed with 1009."""

PIECE_BYTES: Final = 512
"""What is worked on at a time: 85 frames at the most, less than a millisecond."""

CLOSED: Final = "WebSocket Closed"
BROKEN: Final = "WebSocket Broken"
TOO_LARGE: Final = "WebSocket Message Too Large"
LATE: Final = "WebSocket Message Did Not End In Time"
NO_HANDSHAKE: Final = "No WebSocket Handshake"
OTHER_ORIGIN: Final = "WebSocket Origin Not Allowed"
NOT_SIP: Final = "WebSocket Without The Protocol sip"
REFUSED: Final = "WebSocket Refused"

_HEAD_END = b"\r\n\r\n"
_STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ")


class WsStream(ABC):
    """Either side of one connection; a `Framing`."""

    keeps_alive = True
    ping_after_s = WS_PING_AFTER_S
    waiting = 0

    _head_bytes = 2
    """Of a frame that comes in, without a longer length."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._buffer = bytearray()
        self._message = bytearray()
        self._ready: deque[Item] = deque()
        self._is_in_parts = False
        self._unfinished = 0
        """Bytes of a frame that is not whole; lengths are written as short as can be (RFC 6455 section 5.2)."""
        self._since: float | None = None
        self._over = ""

    @property
    def is_ready(self) -> bool:
        """Whether the handshake is done and nobody has closed."""
        return self._protocol.state is OPEN

    def receive(self, data: bytes) -> None:
        """More of the stream. What comes after its end is nobody's."""
        if not self._over:
            self._buffer += data

    def next_item(self, now: float) -> Item | None:
        """The next message, ping or pong, or that a piece brought none; None until more bytes are here."""
        worked = not self._ready and self._feed(now)
        if self._ready:
            return self._ready.popleft()
        return Part() if worked else None

    def check(self, now: float) -> Item | None:
        """A message that has begun and takes too long."""
        if self._since is None or now < self._since + MESSAGE_WITHIN_S or self._over:
            return None
        self._protocol.fail(CloseCode.POLICY_VIOLATION, LATE)
        self._end(LATE)
        return self._ready.popleft()

    def end(self) -> Item | None:
        """Nothing: half a message is no message."""
        return None

    def wrapped(self, message: bytes) -> bytes:
        """One frame: text where it is UTF-8, as browsers insist. b"" where nobody would hear it (any more)."""
        if not self.is_ready:
            return b""
        self._put(message)
        return self._written()

    def ping(self) -> bytes:
        """A Ping frame (RFC 6455 section 5.5.2, RFC 7118 section 6)."""
        if not self.is_ready:
            return b""
        self._protocol.send_ping(b"")
        return self._written()

    def pong(self) -> bytes:
        """Nothing: a ping is answered where it is read."""
        return b""

    def goodbye(self) -> bytes:
        """A Close frame, where the peer has none yet."""
        if self.is_ready:
            self._protocol.send_close(CloseCode.GOING_AWAY)
        return self._written()

    def taken(self) -> bytes:
        """The handshake's answer, pongs, a Close frame."""
        return self._written()

    # -- how it is done --------------------------------------------------------------------------------------------

    def _feed(self, now: float) -> bool:
        """Work on one piece, before the handshake on its head, whole and alone; False where that is not here yet."""
        if not self._buffer or self._over:
            return False
        length = PIECE_BYTES
        if self._protocol.handshake_exc is None and not self.is_ready:
            length = self._buffer.find(_HEAD_END) + len(_HEAD_END)
            if length < len(_HEAD_END) or length > HEAD_BYTES_MAX:
                if len(self._buffer) > HEAD_BYTES_MAX:
                    self._end(NO_HANDSHAKE)
                return False
            if not self._is_acceptable(bytes(self._buffer[:length])):
                return True
        piece = bytes(self._buffer[:length])
        del self._buffer[:length]
        was_ready = self.is_ready
        self._protocol.receive_data(piece)
        for event in self._protocol.events_received():
            if isinstance(event, Request | Response):
                self._shake_hands(event)
            elif isinstance(event, Frame):
                self._take(event)
        if not self.is_ready and not self._over:
            self._end(self._why())
        elif was_ready and not self._over:
            self._unfinished += len(piece)
            begun = self._unfinished > 0 or self._is_in_parts
            self._since = (now if self._since is None else self._since) if begun else None
        return True

    def _is_acceptable(self, head: bytes) -> bool:
        """Whether the handshake may be read on; if not, it is over."""
        return True

    @abstractmethod
    def _shake_hands(self, head: Request | Response) -> None:
        """What the peer has said in its handshake."""

    def _take(self, frame: Frame) -> None:
        if frame.opcode is Opcode.PING:
            self._ready.append(Ping())
        elif frame.opcode is Opcode.PONG:
            self._ready.append(Pong())
        elif frame.opcode is not Opcode.CLOSE:
            self._message += frame.data
            self._is_in_parts = not frame.fin
            if frame.fin:
                message = bytes(self._message)
                self._message.clear()
                self._ready.append(self._read(message))
                self._since = None  # what stands behind it has only begun
        size = len(frame.data)
        self._unfinished -= self._head_bytes + size + (0 if size < 126 else 2 if size < 65_536 else 8)

    def _read(self, message: bytes) -> Item:
        """One message. The pings of other streams are heard here, too (RFC 5626 section 3.5.1).

        What came behind it in the same piece may have closed the WebSocket: then nobody hears an answer.
        """
        if message == PING:
            if self.is_ready:
                self._protocol.send_text(PONG)
            return Ping()
        return Framed(message)

    def _why(self) -> str:
        """Why it is over, one of a few phrases: what a peer wrote is not repeated."""
        fault = self._protocol.handshake_exc
        if isinstance(fault, InvalidOrigin):
            return OTHER_ORIGIN
        if isinstance(fault, NegotiationError):
            return NOT_SIP
        if fault is not None:
            return NO_HANDSHAKE
        sent, received = self._protocol.close_sent, self._protocol.close_rcvd
        if received is not None:
            return CLOSED
        return TOO_LARGE if sent is not None and sent.code == CloseCode.MESSAGE_TOO_BIG else BROKEN

    def _end(self, why: str) -> None:
        self._over = why
        self.waiting = 0
        self._since = None
        self._buffer.clear()
        self._message.clear()
        self._ready.append(Over(why))

    def _put(self, message: bytes) -> None:
        try:
            message.decode()
        except UnicodeDecodeError:
            self._protocol.send_binary(message)
        else:
            self._protocol.send_text(message)

    def _written(self) -> bytes:
        return b"".join(self._protocol.data_to_send())


class WsServer(WsStream):
    """The side of who was connected to. `origins`: the web pages that may connect ("*" is any).

    A browser says which page connects; a program says none, or what it likes: it is let in, to be judged as any caller.
    """

    _head_bytes = 6  # with its mask (RFC 6455 section 5.3)

    def __init__(self, origins: Sequence[str] = ()) -> None:
        allowed = None if "*" in origins else [None, *(Origin(origin) for origin in origins)]
        self._server = ServerProtocol(origins=allowed, subprotocols=[SUBPROTOCOL], max_size=MESSAGE_BYTES_MAX)
        super().__init__(self._server)

    def _shake_hands(self, head: Request | Response) -> None:
        assert isinstance(head, Request), "a server reads requests"
        self._server.send_response(self._server.accept(head))


class WsClient(WsStream):
    """The side of who connects, to a `resource` ("/path") of a host. What is sent before that is done waits."""

    def __init__(self, host: str, port: int, resource: str, *, secure: bool) -> None:
        uri = WebSocketURI(secure=secure, host=host, port=port, path=resource, query="")
        self._client = ClientProtocol(uri, subprotocols=[SUBPROTOCOL], max_size=MESSAGE_BYTES_MAX)
        self._client.send_request(self._client.connect())
        self._unsent: list[bytes] = []
        super().__init__(self._client)

    def wrapped(self, message: bytes) -> bytes:
        """A frame; before the handshake is done it waits, and the request that begins it goes out."""
        if self.is_ready or self._over:
            return super().wrapped(message)
        self._unsent.append(message)
        self.waiting += len(message)
        return self._written()

    def _is_acceptable(self, head: bytes) -> bool:
        """A refusal is not read on: its body may never end."""
        found = _STATUS.match(head)
        if found is not None and found[1] != b"101":
            self._end(f"{REFUSED}: HTTP {found[1].decode()}")
        return not self._over

    def _shake_hands(self, head: Request | Response) -> None:
        if not self.is_ready:
            return
        if self._client.subprotocol != SUBPROTOCOL:
            self._client.fail(CloseCode.PROTOCOL_ERROR, NOT_SIP)
            self._end(NOT_SIP)
            return
        for message in self._unsent:
            self._put(message)
        self._unsent.clear()
        self.waiting = 0
