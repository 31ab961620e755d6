"""What a phone that the bridge called, or whoever is at its address, can send back: answers, and news of a transfer."""

from __future__ import annotations

from runtime.routing.dial import Failure
from runtime.sip.path import Path
from schemas.tables.rows import Inbound, NumberRow, Outbound, Rows, TrunkRow
from schemas.tables.tables import Tables
from tests.flow.memory import BRIDGE, World
from tests.fuzz.signalling import DATAGRAMS_MAX, NEXT, PEER, end_of
from tests.fuzz.signalling import WORDS as SIP_WORDS
from tests.runtime.sip.offers import OFFER

HEAD = b"@@head@@"
"""Stands for the Via, From, Call-ID and CSeq of the newest request of the bridge."""
IDS = b"@@ids@@"
"""Stands for From, To and Call-ID of a request of the phone's own within the call."""

WORDS = (
    *SIP_WORDS, HEAD, IDS, b"SIP/2.0 180 Ringing\r\n", b"SIP/2.0 486 Busy\r\n", b"SIP/2.0 202 Accepted\r\n",
    b"NOTIFY sip:a@192.0.2.1 SIP/2.0\r\n", b"Event: refer", b"Subscription-State: terminated", b"Refer-Sub: false",
    b"WWW-Authenticate: Digest realm=\"a\", nonce=\"b\"", b"X-Twilio-Error: ", b"message/sipfrag",
    b"Require: 100rel", b"RSeq: 1", b"Session-Expires: 90;refresher=uas", b"Min-SE: 300", b"Allow: UPDATE",
    b"UPDATE sip:a@192.0.2.1 SIP/2.0\r\n", b"SIP/2.0 302 Moved\r\n", b"SIP/2.0 491 Request Pending\r\n",
)  # fmt: skip

_PATH = Path("udp", BRIDGE, PEER)
_TRUNK = TrunkRow(
    "default/out", inbound=Inbound(networks=("198.51.100.0/24",)), outbound=Outbound((f"{PEER[0]}:{PEER[1]}",))
)
_NUMBER = NumberRow("default/n", "+15550100000", "default/out")
_TABLES = Tables.build(Rows({_TRUNK.id: _TRUNK}, {}, {_NUMBER.id: _NUMBER}))


def fuzz_dialled(data: bytes) -> None:
    """Datagrams from a phone that is called with a key to press; once it has answered it is sent on."""
    world = World(_TABLES)
    sent: list[bytes] = []
    _listen(world, sent)
    assert world.place(dtmf="1", wait_until_answered=True, dialtone=True) is None
    transferred = False
    for datagram in data.split(NEXT)[:DATAGRAMS_MAX]:
        world.endpoint.receive_datagram(_filled(datagram, sent[-1]), _PATH, world.now)
        world.settle()
        world.step(0.7)
        if not transferred:
            transferred = not isinstance(world.transfer(dialtone=True), Failure)
    end_of(world, placed=1)
    assert len(world.dialled) == 1, "whoever waits is told once"
    assert len(world.transferred) == transferred


def _listen(world: World, sent: list[bytes]) -> None:
    """Keep what the bridge sends to the phone."""
    taken = world.endpoint.datagrams_to_send

    def keep() -> list[tuple[bytes, Path]]:
        out = taken()
        sent.extend(data for data, _ in out if not data.startswith(b"SIP/2.0"))
        return out

    world.endpoint.datagrams_to_send = keep  # type: ignore[method-assign]


def _filled(datagram: bytes, newest: bytes) -> bytes:
    lines = {line.partition(b":")[0]: line for line in newest.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]}
    head = b"\r\n".join(lines[name] for name in (b"Via", b"From", b"Call-ID", b"CSeq") if name in lines)
    to = lines[b"To"] if b"tag=" in lines[b"To"] else lines[b"To"] + b";tag=them"
    ids = b"\r\n".join((b"From" + to[2:], b"To" + lines[b"From"][4:], lines[b"Call-ID"]))
    return datagram.replace(HEAD, head).replace(IDS, ids)


def _answer(line: str, *more: str, body: bytes = b"") -> bytes:
    extra = "".join(f"{each}\r\n" for each in more)
    return (
        f"SIP/2.0 {line}\r\n".encode() + HEAD
        + f"\r\nTo: <sip:+15550109999@198.51.100.7>;tag=them\r\nContact: <sip:them@198.51.100.7>\r\n{extra}"
        f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    )  # fmt: skip


def _notify(number: int, status: str, state: str) -> bytes:
    body = f"SIP/2.0 {status}".encode()
    return (
        f"NOTIFY sip:a@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK-n{number}\r\n".encode() + IDS
        + f"\r\nCSeq: {number} NOTIFY\r\nMax-Forwards: 70\r\nContact: <sip:them@198.51.100.7>\r\nEvent: refer\r\n"
        f"Subscription-State: {state}\r\nContent-Type: message/sipfrag\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )  # fmt: skip


def _update(number: int, body: bytes) -> bytes:
    return (
        f"UPDATE sip:a@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK-u{number}\r\n".encode() + IDS
        + f"\r\nCSeq: {number} UPDATE\r\nMax-Forwards: 70\r\nContact: <sip:them@198.51.100.7>\r\n"
        f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    )  # fmt: skip


def dialled_seeds() -> list[bytes]:
    """Ways in which a call of ours goes."""
    answered = _answer("200 OK", "X-Case: 7", body=OFFER)
    return [
        _answer("180 Ringing") + NEXT + answered + NEXT + _answer("202 Accepted")
        + NEXT + _notify(1, "100 Trying", "active") + NEXT + _notify(2, "200 OK", "terminated"),
        answered + NEXT + _answer("202 Accepted", "Refer-Sub: false"),
        answered + NEXT + _answer("603 Decline"),
        answered + NEXT + _notify(1, "603 Decline", "terminated;reason=noresource"),
        _answer("183 Session Progress", body=OFFER) + NEXT + _answer("486 Busy Here"),
        _answer("404 Not Found", "X-Twilio-Error: 13224 no such number"),
        _answer("401 Unauthorized", 'WWW-Authenticate: Digest realm="a", nonce="b", qop="auth"'),
        _answer("302 Moved Temporarily"),
        _answer("302 Moved Temporarily").replace(b"<sip:them@", b"<sip:+15550107777@") + NEXT + answered,
        _answer("183 Session Progress", "Require: 100rel", "RSeq: 9", body=OFFER) + NEXT + _answer("180 Ringing")
        + NEXT + _update(1, OFFER) + NEXT + _answer("200 OK", "Session-Expires: 90;refresher=uas"),
        answered + NEXT + _update(1, OFFER + b"a=inactive\r\n") + NEXT + _update(2, b""),
        _answer("422 Session Interval Too Small", "Min-SE: 3600"),
        _answer("503 Service Unavailable", "Retry-After: 5"),
        _answer("200 OK", body=b"v=0\r\n"),
    ]  # fmt: skip
