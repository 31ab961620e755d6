"""Calls over connections (RFC 3261 section 18): what goes along which one, and what happens when it is gone."""

from __future__ import annotations

import pytest

from runtime.sip.events import MessageDropped
from runtime.sip.limits import UDP_REQUEST_BYTES_MAX
from runtime.sip.message import Request, Response
from runtime.sip.path import Path
from tests.runtime.sip.raw import PATH, PEER, US, methods, read, request, response
from tests.runtime.sip.streams import CALL_BACK, CALLER, CONNECTION, OVER_TCP, RawStream

NEW_CONNECTION = Path("tcp", US, ("192.0.2.1", 50_000))
TCP_TO_PEER = Path("tcp", US, PEER)


def over_tcp(method="INVITE", branch="z9hG4bK-1", **kwargs):
    return request(method, via=OVER_TCP + branch, **kwargs)


def called(raw, **kwargs):
    raw.send(over_tcp(**kwargs))
    return raw.events()[0].leg


def confirmed(raw, **kwargs):
    leg = called(raw, **kwargs)
    raw.endpoint.set_local_tag(leg, "us")
    raw.endpoint.respond(leg, 200, raw.now)
    raw.send(over_tcp("ACK", "z9hG4bK-ack", to_tag="us"))
    raw.events()
    return leg


def outgoing(raw):
    """The messages that go out, each with its path."""
    return [(read(data), path) for data, path in raw.endpoint.datagrams_to_send()]


# Responses (section 18.2.2)


def test_responses_go_back_on_the_connection_of_their_request_and_once():
    raw = RawStream()
    leg = called(raw)
    raw.endpoint.respond(leg, 200, raw.now)
    assert raw.sent_paths() == [CONNECTION]
    raw.send(over_tcp("ACK", "z9hG4bK-ack", to_tag="x"))
    raw.endpoint.receive_datagram(over_tcp("DANCE", "z9hG4bK-2"), CONNECTION, raw.now)
    assert raw.sent_paths() == [CONNECTION]


def test_our_contact_names_the_transport():
    raw = RawStream()
    leg = called(raw)
    raw.endpoint.respond(leg, 200, raw.now)
    (ok,) = raw.sent()
    assert ok.headers.first("Contact") == "<sip:192.0.2.2:5060;transport=tcp>"


@pytest.mark.parametrize(
    ("sent_by", "port"), [("192.0.2.1", 5060), ("192.0.2.1:5080", 5080), ("pbx.example.com", 5060)]
)
def test_once_the_connection_is_gone_a_response_takes_a_new_one_to_the_port_of_the_via(sent_by, port):
    raw = RawStream()
    raw.send(request(via=f"Via: SIP/2.0/TCP {sent_by};branch=z9hG4bK-1"))
    leg = raw.events()[0].leg
    raw.lose()
    raw.endpoint.respond(leg, 486, raw.now)
    assert raw.sent_paths() == [Path("tcp", US, (CALLER[0], port))]


def test_a_200_without_ack_is_repeated_over_a_stream_too_as_proxies_on_the_way_may_lose_it():
    raw = RawStream()
    leg = called(raw)
    raw.endpoint.respond(leg, 200, raw.now)
    raw.sent()
    assert [when for when, _ in raw.wait(8.0)] == [0.5, 1.5, 3.5, 7.5]


# Requests of a dialog


def test_our_requests_in_a_dialog_reuse_the_connection_that_the_call_came_by():
    raw = RawStream()
    leg = confirmed(raw)
    assert raw.endpoint.bye(leg, raw.now)
    ((bye, path),) = outgoing(raw)
    assert path == CONNECTION
    assert bye.headers.first("Via").startswith("SIP/2.0/TCP 192.0.2.2:5060;branch=")


@pytest.mark.parametrize(
    ("contact", "path"),
    [
        ("<sip:alice@192.0.2.1;transport=tcp>", CONNECTION),
        ("<sip:alice@192.0.2.1>", CONNECTION),
        ("<sip:alice@pbx.example.com>", CONNECTION),
        ("<sip:alice@192.0.2.1:5062;transport=TCP>", Path("tcp", US, ("192.0.2.1", 5062))),
        ("<sip:alice@198.51.100.7>", Path("tcp", US, ("198.51.100.7", 5060))),
        ("<sip:alice@192.0.2.1;transport=udp>", PATH),
        ("<sip:alice@192.0.2.1;transport=sctp>", CONNECTION),
        ("<sips:alice@192.0.2.1>", CONNECTION),
    ],
)
def test_the_contact_decides_where_requests_go_and_a_call_stays_on_its_transport(contact, path):
    raw = RawStream()
    leg = confirmed(raw, contact=contact)
    raw.endpoint.bye(leg, raw.now)
    ((bye, chosen),) = outgoing(raw)
    assert chosen == path
    assert bye.headers.first("Via").startswith(f"SIP/2.0/{path.transport.upper()} ")


def test_a_peer_behind_nat_is_reached_by_its_connection():
    raw = RawStream()
    raw.send(request(via="Via: SIP/2.0/TCP 10.0.0.5;branch=z9hG4bK-1", contact="<sip:alice@10.0.0.5:5060>"))
    leg = raw.events()[0].leg
    raw.endpoint.set_local_tag(leg, "us")
    raw.endpoint.respond(leg, 200, raw.now)
    raw.send(over_tcp("ACK", "z9hG4bK-ack", to_tag="us"))
    raw.endpoint.bye(leg, raw.now)
    assert raw.sent_paths() == [CONNECTION]


def test_a_call_that_came_by_udp_follows_a_contact_that_asks_for_tcp():
    raw = RawStream()
    raw.endpoint.receive_datagram(request(contact="<sip:alice@192.0.2.1;transport=tcp>"), PATH, raw.now)
    leg = raw.events()[0].leg
    raw.endpoint.set_local_tag(leg, "us")
    raw.endpoint.respond(leg, 200, raw.now)
    raw.endpoint.receive_datagram(request("ACK", branch="z9hG4bK-ack", to_tag="us"), PATH, raw.now)
    raw.sent()
    raw.endpoint.bye(leg, raw.now)
    assert raw.sent_paths() == [TCP_TO_PEER]


# A connection that dies


def test_a_connection_that_dies_ends_no_call_and_our_bye_takes_a_new_one():
    raw = RawStream()
    leg = confirmed(raw)
    raw.lose()
    assert raw.events() == []
    raw.endpoint.bye(leg, raw.now)
    ((bye, path),) = outgoing(raw)
    assert path == CALL_BACK
    raw.send(response(bye, 200), CALL_BACK)
    assert raw.kinds() == ["LegEnded"]
    raw.settle()


def test_the_peers_bye_may_come_by_another_connection():
    raw = RawStream()
    confirmed(raw)
    raw.lose()
    raw.endpoint.receive_datagram(over_tcp("BYE", "z9hG4bK-bye", cseq=2, to_tag="us"), NEW_CONNECTION, raw.now)
    ((ok, path),) = outgoing(raw)
    assert (ok.status, path) == (200, NEW_CONNECTION)
    assert raw.kinds() == ["ByeReceived", "LegEnded"]
    raw.settle()


@pytest.mark.parametrize("method", ["INFO", "INVITE", "ACK"])
def test_once_the_peer_has_come_by_another_connection_it_is_reached_by_that(method):
    raw = RawStream()
    leg = confirmed(raw, contact="<sip:alice@pbx.example.com>")
    raw.lose()
    raw.send(over_tcp(method, "z9hG4bK-2", cseq=2, to_tag="us", contact=None), NEW_CONNECTION)
    raw.endpoint.bye(leg, raw.now)
    assert set(raw.sent_paths()) == {NEW_CONNECTION}


def test_while_its_own_connection_is_open_a_dialog_keeps_it():
    raw = RawStream()
    leg = confirmed(raw)
    raw.send(over_tcp("INFO", "z9hG4bK-2", cseq=2, to_tag="us"), NEW_CONNECTION)
    raw.endpoint.bye(leg, raw.now)
    assert raw.sent_paths() == [CONNECTION]


def test_a_bye_that_finds_no_connection_ends_the_call():
    raw = RawStream()
    leg = confirmed(raw)
    raw.lose()
    raw.endpoint.bye(leg, raw.now)
    assert raw.sent_paths() == [CALL_BACK]
    raw.lose(CALL_BACK, "Connection Refused")
    assert raw.kinds() == ["LegEnded"]
    raw.settle()


def test_a_request_whose_connection_is_lost_is_answered_503_and_the_call_goes_on():
    raw = RawStream()
    leg = confirmed(raw)
    assert raw.endpoint.request(leg, "INFO", raw.now)
    assert raw.endpoint.reinvite(leg, raw.now, b"v=0")
    raw.lose()
    first, second = raw.events()
    assert {type(first).__name__, type(second).__name__} == {"RequestAnswered", "ReinviteRejected"}
    assert [(e.response.status, e.response.reason) for e in (first, second)] == [(503, "Connection Closed")] * 2
    assert raw.endpoint.leg_info(leg) is not None


def test_an_invite_of_ours_ends_with_the_reason_when_nobody_listens():
    raw = RawStream()
    options = {"from_": "sip:bob@192.0.2.2", "to": "sip:alice@192.0.2.1", "body": b"v=0\r\n"}
    raw.endpoint.invite("sip:alice@192.0.2.1;transport=tcp", TCP_TO_PEER, raw.now, **options)
    assert raw.sent_paths() == [TCP_TO_PEER]
    raw.lose(TCP_TO_PEER, "Connection Refused")
    rejected, ended = raw.events()
    assert (rejected.response.status, rejected.response.reason) == (503, "Connection Refused")
    assert type(ended).__name__ == "LegEnded"
    raw.settle()


# Large requests (section 18.1.1)

LONG = [("X-Long", "x" * UDP_REQUEST_BYTES_MAX)]


def invited(raw, headers=LONG):
    """We call the peer by UDP: the leg, the INVITE that goes out, and its path."""
    options = {"from_": "sip:bob@192.0.2.2", "to": "sip:alice@192.0.2.1", "body": b"v=0\r\n", "headers": headers}
    leg = raw.endpoint.invite("sip:alice@192.0.2.1", PATH, raw.now, **options)
    ((data, path),) = raw.endpoint.datagrams_to_send()
    return leg, data, path


def test_a_request_that_is_too_large_for_udp_goes_by_tcp_and_says_so():
    _, data, path = invited(RawStream())
    invite = read(data)
    assert path == TCP_TO_PEER
    assert invite.headers.first("Via").startswith("SIP/2.0/TCP 192.0.2.2:5060;branch=z9hG4bK")
    assert invite.headers.first("Contact") == "<sip:192.0.2.2:5060>", "the call itself stays one by UDP"


def test_the_bound_is_the_rfcs():
    _, data, path = invited(RawStream(), [("X-Long", "x")])
    assert path == PATH
    room = UDP_REQUEST_BYTES_MAX - len(data)
    _, data, path = invited(RawStream(), [("X-Long", "x" * (1 + room))])
    assert (len(data), path) == (1300, PATH)
    assert invited(RawStream(), [("X-Long", "x" * (2 + room))])[2] == TCP_TO_PEER


def test_without_tcp_of_our_own_even_a_large_request_goes_by_udp():
    assert invited(RawStream("udp"))[2] == PATH


def test_where_the_peer_has_no_tcp_the_request_goes_by_udp_after_all():
    raw = RawStream()
    leg, data, _ = invited(raw)
    raw.lose(TCP_TO_PEER, "Connection Refused")
    ((second, path),) = outgoing(raw)
    assert path == PATH
    assert second.headers.first("Via") == read(data).headers.first("Via").replace("/TCP ", "/UDP ")
    assert raw.events() == []
    assert methods([message for _, message in raw.wait(0.5)]) == ["INVITE"], "and is repeated as over UDP"
    raw.send(response(second, 180, to_tag="them"), PATH)
    assert raw.endpoint.cancel(leg, raw.now)
    ((cancel, path),) = outgoing(raw)
    assert (cancel.method, path) == ("CANCEL", PATH)
    assert cancel.headers.first("Via") == second.headers.first("Via")


def test_the_cancel_of_a_large_invite_goes_where_the_invite_went():
    raw = RawStream()
    leg, data, path = invited(raw)
    invite = read(data)
    raw.send(response(invite, 180, to_tag="them"), path)
    raw.endpoint.cancel(leg, raw.now)
    ((cancel, chosen),) = outgoing(raw)
    assert (cancel.method, chosen) == ("CANCEL", TCP_TO_PEER)
    assert cancel.headers.first("Via") == invite.headers.first("Via")


def test_a_failure_of_a_large_invite_is_acknowledged_where_it_went():
    raw = RawStream()
    _, data, path = invited(raw)
    raw.endpoint.receive_datagram(response(read(data), 486, to_tag="them"), path, raw.now)
    ((ack, chosen),) = outgoing(raw)
    assert (ack.method, chosen) == ("ACK", TCP_TO_PEER)
    raw.settle()


# Streams that cannot be split


def test_a_framing_fault_is_answered_and_the_request_never_used():
    raw = RawStream()
    fault = (400, "Missing Content-Length")
    raw.endpoint.receive_datagram(over_tcp().replace(b"Content-Length: 0\r\n", b""), CONNECTION, raw.now, fault)
    ((answer, path),) = outgoing(raw)
    assert isinstance(answer, Response)
    assert (answer.status, answer.reason, path) == (400, "Missing Content-Length", CONNECTION)
    assert raw.events() == []
    assert raw.endpoint.transaction_count == 0


@pytest.mark.parametrize(
    "part", [over_tcp()[:120], over_tcp() + b"v=0", over_tcp().replace(b"SIP/2.0\r\n", b"SIP/3.0\r\n", 1)]
)
def test_the_fault_of_the_framing_goes_before_those_that_it_has_caused(part):
    raw = RawStream()
    raw.endpoint.receive_datagram(part, CONNECTION, raw.now, (400, "Message Did Not End In Time"))
    (answer,) = raw.sent()
    assert (answer.status, answer.reason) == (400, "Message Did Not End In Time")


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01", over_tcp("ACK", to_tag="x"), b"SIP/2.0 200 OK\r\n\r\n"],
)
def test_what_nobody_waits_for_is_dropped_and_counted(data):
    raw = RawStream()
    raw.endpoint.receive_datagram(data, CONNECTION, raw.now, (400, "Missing Content-Length"))
    assert raw.sent() == []
    (event,) = raw.events()
    assert isinstance(event, MessageDropped)
    assert event.why == "Missing Content-Length"


# What may be closed


def test_connections_of_live_calls_and_open_transactions_are_needed_and_no_others():
    raw = RawStream()
    assert raw.endpoint.connections() == set()
    confirmed(raw)
    raw.wait(100.0)
    assert raw.endpoint.connections() == {CONNECTION}
    raw.endpoint.receive_datagram(over_tcp("OPTIONS", "z9hG4bK-o", call_id="o"), NEW_CONNECTION, raw.now)
    assert raw.endpoint.connections() == {CONNECTION, NEW_CONNECTION}
    raw.endpoint.respond_request(raw.events()[0].request_id, 200, raw.now)
    raw.wait(0.0)
    assert raw.endpoint.connections() == {CONNECTION}
    raw.send(over_tcp("BYE", "z9hG4bK-bye", cseq=2, to_tag="us"))
    raw.wait(0.0)
    assert raw.endpoint.connections() == set()


def test_a_call_of_ours_needs_its_connection_from_the_first_moment():
    raw = RawStream()
    options = {"from_": "sip:bob@192.0.2.2", "to": "sip:alice@192.0.2.1", "body": b"v=0\r\n"}
    raw.endpoint.invite("sip:alice@192.0.2.1;transport=tcp", TCP_TO_PEER, raw.now, **options)
    assert raw.endpoint.connections() == {TCP_TO_PEER}
    assert isinstance(raw.sent()[0], Request)
