"""Calls over WebSockets (RFC 7118): all that goes to the other side goes along the one connection, whoever made it."""

from __future__ import annotations

import pytest

from runtime.sip.endpoint import Endpoint, EndpointConfig
from runtime.sip.events import RequestAnswered
from runtime.sip.path import Path
from tests.runtime.sip.raw import ALLOW, US, Raw, read, request, response
from tests.runtime.sip.streams import Streams
from tests.runtime.sip.wire import seeded

PHONE = Path("ws", US, ("192.0.2.1", 43_210))
"""It was accepted from a page, which is nowhere else."""

SERVER = Path("wss", US, ("192.0.2.1", 443), name="sip.example.com", resource="/ws")
"""It was opened by us."""

INVALID = "sip:ic7v3h1v@e4s1bsjj5o5c.invalid;transport=ws"
TIMER = ("Supported: timer", "Allow: INVITE, ACK, BYE, UPDATE, INFO", "Session-Expires: 90;refresher=uas")


class RawFlow(Raw):
    """Messages come by the WebSocket, and leave with their paths."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        config = EndpointConfig("test", allow=(*ALLOW, "REFER"), supported=("timer",))
        self.path, self.ways = path, Streams("udp", "tcp", "ws", "wss")
        self.endpoint = Endpoint(config, seeded("raw"), self.ways)

    def ours(self) -> tuple[str, str, Path]:
        """The one request that goes out: method, target, path."""
        [(data, path)] = self.endpoint.datagrams_to_send()
        message = read(data)
        self.request = message
        return message.method, message.uri, path

    def heard(self, data: bytes) -> None:
        self.endpoint.receive_datagram(data, self.path, self.now)


def called(raw: RawFlow, *, routed: bool) -> int:
    """The other side calls, with a Contact that is nowhere (and through a proxy that records its route); the leg."""
    routes = ("Record-Route: <sip:192.0.2.77:5060;lr>", "Record-Route: <sip:192.0.2.78;transport=ws;lr>")
    extra = (*TIMER, *(routes if routed else ()))
    via = "Via: SIP/2.0/WS e4s1bsjj5o5c.invalid;branch="
    raw.heard(request(via=f"{via}z9hG4bK-1", contact=f"<{INVALID}>", extra=extra))
    leg = raw.events()[0].leg
    raw.endpoint.set_local_tag(leg, "us")
    raw.endpoint.respond(leg, 200, raw.now)
    assert set(raw.sent_paths()) == {raw.path}
    raw.heard(request("ACK", via=f"{via}z9hG4bK-a", to_tag="us"))
    raw.events()
    return leg


@pytest.mark.parametrize("path", [PHONE, SERVER])
@pytest.mark.parametrize("routed", [False, True])
def test_refreshes_holds_transfers_keys_and_the_end_go_along_it(path: Path, routed: bool) -> None:
    raw = RawFlow(path)
    leg = called(raw, routed=routed)
    raw.now = 45.0
    raw.endpoint.handle_timer(raw.now)
    assert raw.ours() == ("UPDATE", INVALID, path)
    raw.heard(response(raw.request, 200, contact=f"<{INVALID}>", extra=("Session-Expires: 90;refresher=uac",)))
    assert raw.endpoint.reinvite(leg, raw.now, b"v=0")
    assert raw.ours() == ("INVITE", INVALID, path)
    raw.heard(response(raw.request, 200, contact=f"<{INVALID}>"))
    assert raw.ours() == ("ACK", INVALID, path)
    raw.endpoint.request(leg, "REFER", raw.now, headers=[("Refer-To", "<tel:+15550105555>")])
    assert raw.ours() == ("REFER", INVALID, path)
    raw.heard(response(raw.request, 202, contact=f"<{INVALID}>"))
    raw.endpoint.bye(leg, raw.now)
    assert raw.ours() == ("BYE", INVALID, path)
    raw.heard(response(raw.request, 200))
    raw.settle()


@pytest.mark.parametrize("path", [PHONE, SERVER])
def test_one_that_is_lost_is_asked_for_again_and_what_waited_has_failed(path: Path) -> None:
    """Whether it can be had again is the sockets' to say: one of ours can, a page's cannot."""
    raw = RawFlow(path)
    leg = called(raw, routed=False)
    raw.ways.gone.add(path)
    raw.endpoint.connection_failed(path, "WebSocket Closed", raw.now)
    raw.endpoint.request(leg, "INFO", raw.now)
    assert raw.ours() == ("INFO", INVALID, path)
    raw.endpoint.connection_failed(path, "Connection Closed", raw.now)
    [answered] = [event for event in raw.events() if isinstance(event, RequestAnswered)]
    assert answered.response.status == 503
