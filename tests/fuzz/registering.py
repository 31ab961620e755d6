"""What a registrar, or whoever is at its address, can send back to REGISTER and OPTIONS."""

from __future__ import annotations

from runtime.routing.dial import Destination
from runtime.sip.path import Path
from runtime.trunks import limits
from runtime.trunks.registration import State
from runtime.trunks.tended import Probed
from tests.fuzz.dialling import HEAD
from tests.fuzz.signalling import DATAGRAMS_MAX, NEXT
from tests.fuzz.signalling import WORDS as SIP_WORDS
from tests.runtime.trunks.world import TRUNK, US, A, World, account

WORDS = (
    *SIP_WORDS, HEAD, b"SIP/2.0 200 OK\r\n", b"SIP/2.0 423 Brief\r\n", b"SIP/2.0 503 Out\r\n", b"Min-Expires: 600",
    b"Expires: 60", b"Contact: <sip:token-out@192.0.2.99>;expires=60", b"Retry-After: 5", b"SIP/2.0 401 No\r\n",
    b"WWW-Authenticate: Digest realm=\"a\", nonce=\"b\"",
)  # fmt: skip

_PATH = Path("udp", US, (A, 5060))
_PROBED = Probed(TRUNK, (Destination("", "carrier.example"),), 5.0)


def fuzz_registered(data: bytes) -> None:
    """Datagrams from the registrar of a trunk that is probed, too; then silence, and the bridge stops."""
    world = World()
    world.tend(account(), probed=(_PROBED,))
    world.run(2)
    for datagram in data.split(NEXT)[:DATAGRAMS_MAX]:
        world.endpoint.receive_datagram(datagram.replace(HEAD, _head_of(world)), _PATH, world.now)
        world.settle()
        world.run(3)
    registration = world.registration
    holds_s = registration.until - world.now
    assert holds_s <= limits.EXPIRES_S_MAX
    assert all(word.isprintable() for word in world.words)
    assert len(world.asked) < 100 * (DATAGRAMS_MAX + 1), "nobody can have us ask over and over"
    world.keeper.stop(world.now)
    world.run(limits.LEAVE_S + 1)
    assert not world.keeper.is_leaving
    assert registration.state is State.GONE


def _head_of(world: World) -> bytes:
    """Via, From, Call-ID and CSeq of the newest request."""
    headers = world.asked[-1][2].headers
    return "\r\n".join(f"{name}: {headers.first(name)}" for name in ("Via", "From", "Call-ID", "CSeq")).encode()


def registered_seeds() -> list[bytes]:
    """A registration that is granted, refused, lengthened, challenged."""
    return [
        _answer("200 OK", "Contact: <sip:token-out@192.0.2.99>;expires=60"),
        _answer("423 Interval Too Brief", "Min-Expires: 600") + NEXT + _answer("200 OK", "Expires: 600"),
        _answer("401 Unauthorized", 'WWW-Authenticate: Digest realm="a", nonce="b", algorithm=MD5, qop="auth"'),
        _answer("503 Service Unavailable", "Retry-After: 99999999999") + NEXT + _answer("403 Forbidden"),
    ]


def _answer(line: str, *more: str) -> bytes:
    extra = "".join(f"{each}\r\n" for each in more)
    rest = f"\r\nTo: <sip:acme@carrier.example>;tag=them\r\n{extra}Content-Length: 0\r\n\r\n"
    return f"SIP/2.0 {line}\r\n".encode() + HEAD + rest.encode()
