"""What strangers send down a connection: bytes in any pieces, of which messages are to be made."""

from __future__ import annotations

import zlib
from random import Random

from runtime.sip.errors import SipSyntaxError
from runtime.sip.framing import Framed, Ping, Pong, StreamSplitter
from runtime.sip.limits import MESSAGE_WITHIN_S
from runtime.sip.parser import parse_message
from tests.fuzz.signalling import vectors
from tests.runtime.sip.raw import request
from tests.runtime.sip.streams import CONNECTION, RawStream

WORDS = (
    b"Content-Length: ", b"l:", b"L \t:", b"CONTENT-LENGTH:", b"\r\n", b"\r\n\r\n", b"\r", b"\n", b"\r\n ", b"0", b"5",
    b"65536", b"-1", b"99999999999", b"OPTIONS sip:a@b SIP/2.0\r\n", b"SIP/2.0 200 OK\r\n", b"\x16\x03\x01",
    b"GET / HTTP/1.1\r\n",
)  # fmt: skip
LATE_S = 2 * MESSAGE_WITHIN_S


def fuzz_stream(data: bytes) -> None:
    """The pieces make no difference, a fault is the last item, and each message has one fate at the endpoint."""
    whole = _split([data])
    random = Random(zlib.crc32(data))
    cuts = sorted(random.randrange(len(data) + 1) for _ in range(random.randrange(12)))
    assert _split([data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]) == whole
    assert sum(len(item.data) for item in whole if isinstance(item, Framed)) <= len(data)
    raw = RawStream()
    for place, item in enumerate(whole):
        if isinstance(item, Ping | Pong):
            continue
        assert item.fault is None or place == len(whole) - 1, "nothing is used after a fault"
        if item.fault is None:
            _check_length(item.data)
        raw.endpoint.receive_datagram(item.data, CONNECTION, raw.now, item.fault)
    assert raw.endpoint.counts.fates.total() == sum(isinstance(item, Framed) for item in whole)


def _split(pieces: list[bytes]) -> list[Framed | Ping | Pong]:
    """All items; a message that has begun ends by the clock."""
    splitter, items = StreamSplitter(), []
    for piece in pieces:
        splitter.receive(piece)
        while (item := splitter.next_item(0.0)) is not None:
            items.append(item)
    late = splitter.check(LATE_S)
    if late is not None:
        items.append(late)
    assert splitter.end() is None, "by now nothing waits"
    return items


def _check_length(data: bytes) -> None:
    """Where both can read it, framing and parser see the same message."""
    try:
        message = parse_message(data)
    except SipSyntaxError:
        return
    assert data.endswith(b"\r\n\r\n" + message.body)


def stream_seeds() -> list[bytes]:
    """The vectors one by one and all together, and messages with pings between them."""
    talk = [request("OPTIONS", call_id=f"c{n}", branch=f"z9hG4bK{n}", body="x" * n) for n in range(4)]
    return [
        *vectors(),
        b"".join(vectors()),
        b"\r\n\r\n".join(talk),
        b"".join(talk) + talk[3][:-2],
        talk[0].replace(b"Content-Length: 0", b"l\r\n :\r\n 5") + b"12345" + talk[1],
    ]
