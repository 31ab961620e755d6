"""Dialogs: who, by which route, at which number (RFC 3261 section 12)."""

from __future__ import annotations

import pytest

from runtime.sip.dialog import dialog_of_request, dialog_of_response
from runtime.sip.errors import SipSyntaxError
from runtime.sip.incoming import read_request, read_response
from runtime.sip.parser import parse_message
from runtime.sip.path import Path
from runtime.sip.requests import contact_of
from runtime.sip.ways import SameWay
from tests.runtime.sip.raw import PATH, PEER, US, request, response


def called(path=PATH, **kwargs):
    dialog = dialog_of_request(read_request(parse_message(request(**kwargs)), path))
    dialog.name_local("us")
    return dialog


def calling(extra=(), **kwargs):
    own = parse_message(request(from_tag="us"))
    answer = read_response(parse_message(response(own, 200, to_tag="them", extra=extra, **kwargs)), PATH)
    return dialog_of_response(own, 1, answer, PATH)


WS = Path("ws", ("192.0.2.2", 8080), ("192.0.2.1", 40_000))
BROWSER = "<sip:x@e4s1bsjj5o5c.invalid;transport=ws>"


@pytest.mark.parametrize("contact", [BROWSER, "<sip:x@192.0.2.9:5060>", "<sip:x@192.0.2.9;transport=tcp>"])
@pytest.mark.parametrize("extra", [(), ("Record-Route: <sip:192.0.2.9;lr>",)])
def test_what_came_by_a_websocket_goes_along_it_whatever_it_calls_itself(contact, extra):
    """RFC 7118 section 5: nobody connects to a browser."""
    via = "Via: SIP/2.0/WS e4s1bsjj5o5c.invalid;branch=z9hG4bK1"
    dialog = called(WS, via=via, contact=contact, extra=extra)
    assert dialog.next_path(AnyWay()) == WS


def test_a_response_has_no_other_way_than_the_websocket_of_its_request():
    via = "Via: SIP/2.0/WS e4s1bsjj5o5c.invalid;branch=z9hG4bK1;rport"
    incoming = read_request(parse_message(request(via=via)), WS)
    assert incoming.response_path == incoming.path == WS
    assert incoming.response_path.again is None
    top = incoming.request.headers.first("Via")
    assert top == "SIP/2.0/WS e4s1bsjj5o5c.invalid;branch=z9hG4bK1;rport=40000;received=192.0.2.1"


@pytest.mark.parametrize(
    ("transport", "secure", "contact"),
    [
        ("ws", False, "<sip:a@192.0.2.2:8080;transport=ws>"),
        ("wss", False, "<sip:a@192.0.2.2:8080;transport=ws>"),
        ("wss", True, "<sips:a@192.0.2.2:8080;transport=ws>"),
        ("tls", True, "<sips:a@192.0.2.2:8080>"),
        ("tls", False, "<sip:a@192.0.2.2:8080;transport=tls>"),
        ("udp", False, "<sip:a@192.0.2.2:8080>"),
    ],
)
def test_our_contact_names_a_transport_as_uris_do(transport, secure, contact):
    assert contact_of(Path(transport, ("192.0.2.2", 8080), PEER), "192.0.2.2", "a", secure=secure) == contact


class AnyWay(SameWay):
    """A machine that speaks everything and has lost all connections."""

    def local_for(self, transport, remote):
        return US

    def is_open(self, path):
        return False


def next_request(dialog):
    return dialog.request("BYE", dialog.next_cseq(), via="SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKx")


def test_the_called_sides_dialog_is_the_mirror_of_the_invite():
    dialog = called()
    assert dialog.id == ("call@peer", "us", "from")
    bye = next_request(dialog)
    assert bye.uri == "sip:alice@192.0.2.1"
    assert bye.headers.first("From") == "<sip:bob@192.0.2.2>;tag=us"
    assert bye.headers.first("To") == "<sip:alice@192.0.2.1>;tag=from"
    assert bye.headers.first("CSeq") == "1 BYE"


def test_the_calling_sides_dialog_goes_on_from_its_invite():
    dialog = calling()
    assert dialog.id == ("call@peer", "us", "them")
    bye = next_request(dialog)
    assert bye.uri == "sip:bob@192.0.2.1"
    assert bye.headers.first("From") == "<sip:alice@192.0.2.1>;tag=us"
    assert bye.headers.first("To") == "<sip:bob@192.0.2.2>;tag=them"
    assert bye.headers.first("CSeq") == "2 BYE"


RECORDED = ("Record-Route: <sip:198.51.100.1;lr>, <sip:198.51.100.2;lr>", "Record-Route: <sip:198.51.100.3;lr>")


def test_the_called_side_takes_the_recorded_route_in_order():
    bye = next_request(called(extra=RECORDED))
    assert bye.headers.all("Route") == (
        "<sip:198.51.100.1;lr>",
        "<sip:198.51.100.2;lr>",
        "<sip:198.51.100.3;lr>",
    )
    assert bye.uri == "sip:alice@192.0.2.1"


def test_the_calling_side_takes_the_recorded_route_in_reverse():
    bye = next_request(calling(extra=RECORDED))
    assert bye.headers.all("Route") == (
        "<sip:198.51.100.3;lr>",
        "<sip:198.51.100.2;lr>",
        "<sip:198.51.100.1;lr>",
    )


def test_a_strict_router_gets_itself_as_request_uri_and_the_target_as_last_route():
    dialog = called(extra=("Record-Route: <sip:198.51.100.1;method=BYE;x=1?Subject=a>, <sip:198.51.100.2;lr>",))
    bye = next_request(dialog)
    assert bye.uri == "sip:198.51.100.1;x=1"
    assert bye.headers.all("Route") == ("<sip:198.51.100.2;lr>", "<sip:alice@192.0.2.1>")
    assert dialog.next_path(SameWay()).remote == ("198.51.100.1", 5060)


@pytest.mark.parametrize(
    ("contact", "remote"),
    [
        ("<sip:alice@198.51.100.7>", ("198.51.100.7", 5060)),
        ("<sip:alice@198.51.100.7:5080;ob>", ("198.51.100.7", 5080)),
        ("<sip:alice@pbx.example.com:5080>", PATH.remote),
        ("<sip:alice@pbx.example.com;maddr=198.51.100.8>", ("198.51.100.8", 5060)),
        ("<sip:alice@[2001:db8::1]:5070>", PATH.remote),
        ("<sip:alice@239.0.0.1>", PATH.remote),
        ("<sip:alice@0.0.0.0>", PATH.remote),
    ],
)
def test_requests_go_to_the_contact_or_where_a_name_cannot_be_reached_the_way_the_peer_came(contact, remote):
    path = called(contact=contact).next_path(SameWay())
    assert (path.remote, path.local, path.transport) == (remote, US, "udp")


def test_the_first_route_is_the_next_hop():
    dialog = called(extra=("Record-Route: <sip:198.51.100.1:5070;lr>",))
    assert dialog.next_path(SameWay()).remote == ("198.51.100.1", 5070)


def test_a_peer_behind_nat_is_reached_where_it_came_from_and_not_at_its_private_contact():
    outside = Path("udp", US, ("203.0.113.9", 40_000))
    hidden = called(outside, sent_by="10.0.0.5:5060", contact="<sip:alice@10.0.0.5:5060>")
    assert hidden.next_path(SameWay()) == outside
    open_ = called(outside, sent_by="10.0.0.5:5060", contact="<sip:alice@198.51.100.7>")
    assert open_.next_path(SameWay()).remote == ("198.51.100.7", 5060)


def test_an_old_peer_without_contact_and_tag_is_called_back_at_its_from():
    dialog = called(contact=None, from_tag="")
    assert dialog.id == ("call@peer", "us", "")
    assert next_request(dialog).uri == "sip:alice@192.0.2.1"


@pytest.mark.parametrize("contact", ["<tel:+14155550100>", "<sip:a@1.2.3.4>, <sip:b@1.2.3.4>", "<sip:a@@b>", "*"])
def test_a_contact_that_is_not_one_sip_uri_is_the_peers_fault(contact):
    with pytest.raises(SipSyntaxError) as fault:
        called(contact=contact)
    assert fault.value.status == 400


def test_sequence_numbers_may_stay_or_grow_but_not_fall():
    dialog = called(cseq=7)
    assert dialog.is_in_order(7)
    assert dialog.is_in_order(20)
    assert not dialog.is_in_order(19)
    assert dialog.remote_cseq == 20
    fresh = calling()
    assert fresh.is_in_order(3)
    assert not fresh.is_in_order(2)


def test_a_contact_moves_the_target_and_none_leaves_it():
    dialog = called()
    dialog.refresh_target(parse_message(request(contact="<sip:alice@192.0.2.77>")).headers)
    assert dialog.remote_target == "sip:alice@192.0.2.77"
    dialog.refresh_target(parse_message(request(contact=None)).headers)
    assert dialog.remote_target == "sip:alice@192.0.2.77"
