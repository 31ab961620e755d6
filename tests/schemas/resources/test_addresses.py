from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given as example
from hypothesis import strategies as st

from schemas.resources.addresses import network
from tests.schemas.resources import given


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("192.0.2.1", "192.0.2.1/32"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("::1", "::1/128"),
        ("0.0.0.0/0", "0.0.0.0/0"),
    ],
)
def test_addresses_and_networks_have_one_form(text, form):
    assert given.accepted(given.inbound(allowedAddresses=[text])).spec.inbound.allowed_addresses == (form,)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("54.172.60.1/30", "write 54.172.60.0/30 for the network or 54.172.60.1 for the one address"),
        ("2001:db8::1/32", "write 2001:db8::/32 for the network or 2001:db8::1 for the one address"),
        ("10.0.0.1:5060", "write 10.0.0.1: every port of it is allowed"),
        ("[2001:db8::1]:5060", "write 2001:db8::1, without brackets or port"),
        ("10.0.0.0/255.0.0.0", "write 10.0.0.0/8"),
        ("::ffff:192.0.2.0/120", "write 192.0.2.0/24"),
        ("fe80::1%eth0", "leave out the part from % on"),
        ("sip.example.com", "a name proves nothing about a caller"),
        ("localhost", "a name proves nothing about a caller"),
        ("300.1.1.1", "write it like 203.0.113.7"),
        ("192.0.2.1/33", "write it like 203.0.113.7"),
        ("192.0.2.1 ", "write it like 203.0.113.7"),
        ("", "write it like 203.0.113.7"),
        ("192.0.2.1-192.0.2.9", "a name proves nothing"),
        ("x" * 65, "at most 64 are allowed"),
    ],
)
def test_other_entries_are_refused_with_what_to_write(text, advice):
    found = given.complaints(given.inbound(allowedAddresses=["192.0.2.1", text]))
    assert list(found) == ["spec.inbound.allowedAddresses.1"]
    assert advice in found["spec.inbound.allowedAddresses.1"]


@example(st.ip_addresses(), st.integers(0, 128))
def test_the_form_of_a_network_allows_just_the_same_addresses(address, bits):
    length = min(bits, address.max_prefixlen)
    given_network = ipaddress.ip_network((address, length), strict=False)
    try:
        form = network(str(given_network))
    except ValueError:
        assert given_network.version == 6
        return
    assert ipaddress.ip_network(form) == given_network
    assert network(form) == form


@pytest.mark.parametrize(
    "host",
    [
        "sip.example.com",
        "sip.example.com:5060",
        "192.0.2.1",
        "192.0.2.1:1",
        "2001:db8::1",
        "[2001:db8::1]:65535",
        "pbx",
        "a_b.x.",
    ],
)
def test_an_outbound_address_is_a_host_with_an_optional_port(host):
    assert given.accepted(given.outbound(addresses=[host])).spec.outbound.addresses == (host,)


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("sip:example.com", "begins with a scheme"),
        ("SIPS:example.com", "begins with a scheme"),
        ("https://example.com", "begins with a scheme"),
        ("example.com;transport=tls", "has parameters"),
        ("bob@example.com", "has a user part"),
        ("example.com:0", "has no usable port"),
        ("example.com:65536", "has no usable port"),
        ("example.com:", "has no usable port"),
        ("example.com:sip", "has no usable port"),
        ("1.2.3", "is not a host"),
        ("a b", "is not a host"),
        ("-a.example", "is not a host"),
        ("", "is not a host"),
        ("[example.com]", "is not a host"),
        ("example.com\r\nX: y", "is not a host"),
    ],
)
def test_other_outbound_addresses_are_refused(host, why):
    found = given.complaints(given.outbound(addresses=[host]))
    assert why in found["spec.outbound.addresses.0"]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("sip:proxy.example.com", "sip:proxy.example.com;lr"),
        ("SIP:proxy.example.com:5070;lr", "sip:proxy.example.com:5070;lr"),
        ("sip:192.0.2.1;lr;transport=TCP", "sip:192.0.2.1;transport=tcp;lr"),
        ("sip:[2001:db8::1]:5061;transport=tls", "sip:[2001:db8::1]:5061;transport=tls;lr"),
        ("sip:2001:db8::1", "sip:[2001:db8::1];lr"),
        ("sip:proxy.example.com;transport=wss", "sip:proxy.example.com;transport=wss;lr"),
    ],
)
def test_a_proxy_is_a_uri_of_a_loose_router(written, kept):
    assert given.accepted(given.outbound(proxy=written)).spec.outbound.proxy == kept


@pytest.mark.parametrize(
    "wrong",
    [
        "proxy.example.com", "sips:proxy.example.com", "sip:", "sip:a b", "sip:me@proxy.example.com",
        "sip:proxy.example.com:0", "sip:proxy.example.com;transport=sctp", "sip:proxy.example.com;lr=on",
        "sip:proxy.example.com;transport=tcp;transport=udp", "sip:proxy.example.com;maddr=192.0.2.9",
        "sip:proxy.example.com?Route=x", "sip:proxy.example.com>\r\nX: y", "sip:proxy.example.com;",
    ],
)  # fmt: skip
def test_what_is_no_such_uri_is_refused(wrong):
    assert "spec.outbound.proxy" in given.complaints(given.outbound(proxy=wrong))


@pytest.mark.parametrize(
    "way",
    [{"transport": "wss"}, {"transport": "ws"}, {}, {"transport": "tls", "proxy": "sip:p.example.com;transport=ws"}],
)
def test_a_path_goes_with_a_websocket(way):
    assert given.accepted(given.outbound(webSocketPath="/sip/ws", **way)).spec.outbound.web_socket_path == "/sip/ws"


@pytest.mark.parametrize(
    "way", [{"transport": "udp"}, {"transport": "tls"}, {"transport": "ws", "proxy": "sip:p.example.com;transport=tcp"}]
)
def test_and_with_nothing_else(way):
    found = given.complaints(given.outbound(webSocketPath="/sip", **way))
    assert "nothing is opened on a path by" in found["spec.outbound.webSocketPath"]


@pytest.mark.parametrize("wrong", ["", "sip", "wss://a/b", "/a b", "/a?token=secret", "/a#b", "/\u00fc", "/a\r\nX: y"])
def test_what_is_no_path_is_refused(wrong):
    assert "spec.outbound.webSocketPath" in given.complaints(given.outbound(transport="wss", webSocketPath=wrong))


def test_the_from_host_has_no_port():
    given.accepted(given.outbound(fromHost="sip.example.com"))
    assert (
        "without a port" in given.complaints(given.outbound(fromHost="sip.example.com:5060"))["spec.outbound.fromHost"]
    )
