"""A peer that writes its messages by hand, against one endpoint in virtual time: every byte and second is ours."""

from __future__ import annotations

from collections.abc import Callable

from runtime.sip.endpoint import Endpoint, EndpointConfig, Path
from runtime.sip.errors import SipSyntaxError
from runtime.sip.events import Event
from runtime.sip.message import Headers, Request, Response
from runtime.sip.parser import parse_message
from tests.runtime.sip.wire import seeded

US = ("192.0.2.2", 5060)
PEER = ("192.0.2.1", 5060)
PATH = Path("udp", US, PEER)
ALLOW = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "UPDATE")

COPIED = ("Via", "From", "To", "Call-ID", "CSeq")


def request(
    method: str = "INVITE",
    *,
    branch: str | None = "z9hG4bK-1",
    cseq: int = 1,
    cseq_method: str = "",
    to_tag: str = "",
    from_tag: str = "from",
    call_id: str = "call@peer",
    uri: str = "sip:bob@192.0.2.2",
    via: str = "",
    sent_by: str = "192.0.2.1",
    extra: tuple[str, ...] = (),
    contact: str | None = "<sip:alice@192.0.2.1>",
    body: str = "",
) -> bytes:
    """A request as a well-behaved peer writes it; every part can be another."""
    lines = [
        f"{method} {uri} SIP/2.0",
        via or f"Via: SIP/2.0/UDP {sent_by}" + (f";branch={branch}" if branch is not None else ""),
        "From: <sip:alice@192.0.2.1>" + (f";tag={from_tag}" if from_tag else ""),
        "To: <sip:bob@192.0.2.2>" + (f";tag={to_tag}" if to_tag else ""),
        f"Call-ID: {call_id}",
        f"CSeq: {cseq} {cseq_method or method}",
        "Max-Forwards: 70",
        *([f"Contact: {contact}"] if contact and method in ("INVITE", "UPDATE") else []),
        *extra,
        *(["Content-Type: application/sdp"] if body else []),
        f"Content-Length: {len(body)}",
        "",
        body,
    ]
    return "\r\n".join(lines).encode()


def response(
    answered: Request,
    status: int,
    *,
    to_tag: str = "",
    extra: tuple[str, ...] = (),
    contact: str = "<sip:bob@192.0.2.1>",
) -> bytes:
    """A response of the peer to a request of ours."""
    lines = [f"SIP/2.0 {status} Whatever"]
    for name in COPIED:
        value = answered.headers.first(name)
        lines.append(f"{name}: {value}" + (f";tag={to_tag}" if name == "To" and to_tag else ""))
    if 100 < status < 300 and contact:
        lines.append(f"Contact: {contact}")
    return "\r\n".join([*lines, *extra, "Content-Length: 0", "", ""]).encode()


def read(data: bytes) -> Request | Response:
    """What we sent. The answer to a broken request repeats what is broken in it, and is read without judgement."""
    try:
        return parse_message(data)
    except SipSyntaxError:
        start, *lines = data.partition(b"\r\n\r\n")[0].decode().split("\r\n")
        _, status, reason = start.split(" ", 2)
        pairs = (line.partition(": ") for line in lines)
        return Response(int(status), reason, Headers((name, value) for name, _, value in pairs))


class Raw:
    """One endpoint and what it did. `now` moves by `wait` only."""

    def __init__(self, config: EndpointConfig | None = None, welcomes: Callable[[str], bool] = lambda _: True) -> None:
        self.endpoint = Endpoint(config or EndpointConfig("test", allow=ALLOW), seeded("raw"), welcomes=welcomes)
        self.now = 0.0

    def send(self, data: bytes, path: Path = PATH) -> list[Request | Response]:
        """Give the endpoint a datagram; what it sends at once."""
        self.endpoint.receive_datagram(data, path, self.now)
        return self.sent()

    def sent(self) -> list[Request | Response]:
        return [read(data) for data, _ in self.endpoint.datagrams_to_send()]

    def sent_paths(self) -> list[Path]:
        return [path for _, path in self.endpoint.datagrams_to_send()]

    def events(self) -> list[Event]:
        out = []
        while (event := self.endpoint.next_event()) is not None:
            out.append(event)
        return out

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events()]

    def wait(self, seconds: float) -> list[tuple[float, Request | Response]]:
        """Let time pass; what was sent meanwhile, with the time of each."""
        end = self.now + seconds
        out = []
        while (when := self.endpoint.next_deadline()) is not None and when <= end:
            self.now = when
            self.endpoint.handle_timer(when)
            out += [(when, message) for message in self.sent()]
        self.now = end
        return out

    def settle(self) -> None:
        """After long enough nothing may be left; the ends of calls are read away."""
        self.wait(400.0)
        self.events()
        endpoint = self.endpoint
        left = (endpoint.leg_count, endpoint.transaction_count, endpoint.alarm_count, len(endpoint._core.pending))
        assert left == (0, 0, 0, 0), left

    def called(self, **kwargs: object) -> int:
        """The peer calls; the leg."""
        self.send(request(**kwargs))
        return self.events()[0].leg

    def confirmed(self, tag: str = "us", **kwargs: object) -> int:
        """The peer has called, we have answered and it has acknowledged; CSeq 1 is used."""
        leg = self.called(**kwargs)
        self.endpoint.set_local_tag(leg, tag)
        self.endpoint.respond(leg, 200, self.now)
        self.send(request("ACK", branch="z9hG4bK-ack", to_tag=tag))
        self.events()
        return leg

    def calling(self, **kwargs: object) -> tuple[int, Request]:
        """We call the peer: the leg and our INVITE."""
        options = {"from_": "sip:bob@192.0.2.2", "to": "sip:alice@192.0.2.1", "body": b"v=0\r\n", **kwargs}
        leg = self.endpoint.invite("sip:alice@192.0.2.1", PATH, self.now, **options)
        return leg, self.sent()[0]

    def answered(self, **kwargs: object) -> tuple[int, Request]:
        """We have called and the peer has answered: the leg and our ACK."""
        leg, invite = self.calling()
        ack = self.send(response(invite, 200, to_tag="them", **kwargs))[0]
        self.events()
        return leg, ack


def methods(messages: list) -> list[str]:
    """Requests by method, responses by status."""
    return [m.method if isinstance(m, Request) else str(m.status) for m in messages]
