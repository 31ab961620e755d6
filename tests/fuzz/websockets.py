"""What comes in on a WebSocket, either side of it: handshakes and frames, of which messages are to be made."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from random import Random

from websockets.frames import Frame, Opcode
from websockets.utils import accept_key

from runtime.net.framing import Item, Over, Part
from runtime.net.ws_stream import MESSAGE_BYTES_MAX, WsClient, WsServer, WsStream
from runtime.sip.framing import PING, Framed
from runtime.sip.limits import MESSAGE_WITHIN_S
from runtime.sip.path import Path
from tests.runtime.sip.raw import US, Raw, request

ACCEPT = b"@ACCEPT@"
"""Stands for what a server answers to the key of this very handshake."""

HANDSHAKE = (
    b"GET /sip HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://phone.example\r\n"
    b"Sec-WebSocket-Protocol: sip\r\n\r\n"
)
ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: " + ACCEPT + b"\r\nSec-WebSocket-Protocol: sip\r\n\r\n"
)
_FRAMES = (
    b"\x81", b"\x82", b"\x01", b"\x00", b"\x80", b"\x88", b"\x89", b"\x8a", b"\xc1", b"\x7e\xff\xff", b"\xfe\x01\x00",
    b"\xff" + b"\x00" * 5 + b"\x01\x00\x00", b"\x80\x00\x00\x00\x00", b"\r\n\r\n", b"\x03\xe8", b"\xff\xfe",
)  # fmt: skip
WORDS = (*_FRAMES, HANDSHAKE, b"Sec-WebSocket-Extensions: permessage-deflate\r\n", b"Origin: null\r\n", b"chat, sip")
SERVER_WORDS = (*_FRAMES, ANSWER, ACCEPT, b"HTTP/1.1 404 Not Found\r\n", b"Transfer-Encoding: chunked\r\n")

PATH = Path("ws", US, ("192.0.2.1", 43_210))
LATE_S = 2 * MESSAGE_WITHIN_S


def fuzz_websocket(data: bytes) -> None:
    """Whoever connects to us."""
    _check(data, lambda: (WsServer(["https://phone.example"]), data))


def fuzz_server(data: bytes) -> None:
    """Whomever we connect to, who may know our key; something of ours waits for the handshake."""

    def begun() -> tuple[WsStream, bytes]:
        stream = WsClient("sip.example", 8443, "/sip", secure=True)
        asked = stream.wrapped(request("OPTIONS"))
        assert asked.startswith(b"GET /sip HTTP/1.1\r\nHost: sip.example:8443\r\n")
        key = re.findall(rb"Sec-WebSocket-Key: (.*)\r", asked)[0]
        return stream, data.replace(ACCEPT, accept_key(key.decode()).encode(), 1)

    _check(data, begun)


def _check(data: bytes, begun: Callable[[], tuple[WsStream, bytes]]) -> None:
    """The pieces make no difference, an end is the last item, and each message has one fate at the endpoint."""
    stream, filled = begun()
    whole = _items(stream, [filled])
    random = Random(zlib.crc32(data))
    cuts = sorted(random.randrange(len(filled) + 1) for _ in range(random.randrange(12)))
    stream, filled = begun()
    assert _items(stream, [filled[a:b] for a, b in zip([0, *cuts], [*cuts, len(filled)], strict=True)]) == whole
    assert all(place == len(whole) - 1 for place, item in enumerate(whole) if isinstance(item, Over))
    messages = [item.data for item in whole if isinstance(item, Framed)]
    assert sum(map(len, messages)) <= len(filled)
    raw = Raw()
    for message in messages:
        assert len(message) <= MESSAGE_BYTES_MAX
        raw.endpoint.receive_datagram(message, PATH, raw.now)
    assert raw.endpoint.counts.fates.total() == len(messages)


def _items(stream: WsStream, pieces: list[bytes]) -> list[Item]:
    """All that comes of it but for parts; what has begun ends by the clock. What it says itself is taken, as it is."""
    items: list[Item] = []
    for piece in pieces:
        stream.receive(piece)
        while (item := stream.next_item(0.0)) is not None:
            items.append(item)
            stream.taken()
    late = stream.check(LATE_S)
    if late is not None:
        items.append(late)
    assert stream.waiting == 0 or not stream.is_ready
    if items and isinstance(items[-1], Over):
        assert not stream.is_ready
        assert stream.wrapped(b"SIP/2.0 200 OK\r\n\r\n") == b"", "nobody hears it"
    return [item for item in items if not isinstance(item, Part)]


def websocket_seeds() -> list[bytes]:
    """A page's handshake, and frames of each kind behind it."""
    return [HANDSHAKE, *(HANDSHAKE + talk for talk in _talks(mask=True))]


def server_seeds() -> list[bytes]:
    """A server's, likewise, and refusals."""
    return [
        *(ANSWER + talk for talk in _talks(mask=False)),
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot there",
        ANSWER.replace(b"Sec-WebSocket-Protocol: sip\r\n", b"") + frame(Opcode.TEXT, b"x", mask=False),
    ]


def frame(opcode: Opcode, data: bytes = b"", *, mask: bool, fin: bool = True) -> bytes:
    """One frame; the mask of a mutant may be any."""
    return Frame(opcode, data, fin).serialize(mask=mask)


def _talks(*, mask: bool) -> list[bytes]:
    options, text = request("OPTIONS"), Opcode.TEXT
    parts = [
        frame(text, options[:50], mask=mask, fin=False),
        frame(Opcode.PING, b"p", mask=mask),
        frame(Opcode.CONT, options[50:], mask=mask),
    ]
    return [
        frame(text, options, mask=mask) + frame(Opcode.BINARY, options, mask=mask),
        b"".join(parts),
        frame(text, PING, mask=mask) + frame(Opcode.PONG, mask=mask) + frame(text, b"\r\n", mask=mask),
        frame(text, b"", mask=mask) + frame(Opcode.CLOSE, b"\x03\xe8bye", mask=mask) + frame(text, options, mask=mask),
        frame(text, b"\xff\xfe", mask=mask) + b"\x82\x7f" + b"\xff" * 8,
    ]
