"""The ways to a trunk: its addresses in their order, and what TLS and WebSockets are to prove or to ask for there."""

from __future__ import annotations

import asyncio

from runtime.routing.dial import Destination
from runtime.sip.path import Path
from runtime.workers.hops import Found
from tests.runtime.workers.names import Names, finder

A, B = "192.0.2.1", "192.0.2.2"
NAMES = Names(a_example=(A,), b_example=(B, A), six_example=("2001:db8::1",))


def found(*places: Destination, identity: str = "default/out", speaks: tuple[str, ...] = ("udp",)) -> Found:
    return asyncio.run(finder(NAMES, *speaks).find(places, identity))


def only_path(place: Destination, *speaks: str) -> Path:
    ((_, path),) = found(place, speaks=speaks).ways
    return path


def test_the_first_destinations_addresses_come_first() -> None:
    b, a = Destination("", "b.example", 5070), Destination("", "a.example", 5080)
    ways = found(b, a).ways
    assert {way[1].remote for way in ways[:2]} == {(B, 5070), (A, 5070)}
    assert [place for place, _ in ways] == [b, b, a]
    assert ways[2][1].remote == (A, 5080)


def test_hosts_that_nobody_knows_are_named_once_each() -> None:
    gone = Destination("", "gone.example", 5060)
    result = found(gone, Destination("", "a.example", 5060), Destination("", "gone.example", 5070))
    assert result.unknown == ["gone.example"]
    assert len(result.ways) == 1


def test_what_no_listener_reaches_is_no_way_and_yet_not_unknown() -> None:
    result = found(Destination("", "six.example", 5060))
    assert (result.ways, result.unknown) == ([], [])


def test_a_proxy_is_looked_up_in_place_of_what_it_leads_to() -> None:
    place = Destination("", "gone.example", 5060, proxy=Destination("", "a.example", 5061, "tls"))
    path = only_path(place, "tls")
    assert (path.remote, path.name) == ((A, 5061), "a.example"), "TLS proves whom it was that was connected to"


def test_tls_proves_the_name_that_was_dialled_and_who_we_are() -> None:
    path = only_path(Destination("", "a.example", 5061, "tls"), "tls")
    assert (path.name, path.identity, path.resource) == ("a.example", "default/out", "")
    path = only_path(Destination("", A, 5061, "tls"), "tls")
    assert (path.name, path.identity) == ("", "default/out"), "an address has no name to be proved"


def test_paths_without_tls_prove_nothing() -> None:
    path = only_path(Destination("", "a.example", 5060, "udp"), "udp")
    assert (path.name, path.identity, path.resource) == ("", "", "")


def test_a_websocket_asks_for_the_trunks_resource_or_the_root() -> None:
    path = only_path(Destination("", "a.example", 443, "wss", resource="/sip"), "wss")
    assert (path.name, path.identity, path.resource) == ("a.example", "default/out", "/sip")
    path = only_path(Destination("", "a.example", 80, "ws"), "ws")
    assert (path.name, path.identity, path.resource) == ("a.example", "", "/")
