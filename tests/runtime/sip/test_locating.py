"""Where a host's servers are (RFC 3263, RFC 2782), with a DNS that is a table."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from runtime.sip.locating import (
    ADDRESSES_MAX,
    AUTO,
    HOPS_MAX,
    NOTHING,
    Hop,
    Kind,
    Located,
    Naptr,
    Question,
    Records,
    Speaks,
    Srv,
    hop_of,
    locate,
    srv_order,
)
from runtime.sip.path import Path

Dns = dict[tuple[Kind, str], Records]
BOTH = ("udp", "tcp")
ALL = ("udp", "tcp", "tls", "ws", "wss")


def speaks(*transports: str, version: int = 0) -> Speaks:
    """Listeners for these transports, on one version of IP alone where it is named."""

    def reaches(transport: str, address: str) -> bool:
        return transport in transports and version in (0, 6 if ":" in address else 4)

    return Speaks(transports, reaches)


def found(
    host: str,
    dns: Dns,
    port: int | None = None,
    transport: str = AUTO,
    ours: Speaks | None = None,
    asked: list[Question] | None = None,
    seed: int = 0,
) -> Located:
    search = locate(host, port, transport, ours or speaks(*BOTH), Random(seed).randbytes)
    try:
        questions = next(search)
        while True:
            if asked is not None:
                asked += questions
            questions = search.send({q: dns[q.kind, q.name] for q in questions if (q.kind, q.name) in dns})
    except StopIteration as end:
        result: Located = end.value
        return result


def hops(*args: object, **kwargs: object) -> list[tuple[str, str, int]]:
    return [(hop.transport, *hop.address) for hop in found(*args, **kwargs).hops]  # type: ignore[arg-type]


def a(*addresses: str) -> Records:
    return Records(addresses=addresses)


def srv(*records: tuple[int, int, int, str]) -> Records:
    return Records(srv=tuple(Srv(*record) for record in records))


def naptr(*records: tuple[int, int, str, str, str]) -> Records:
    return Records(naptr=tuple(Naptr(o, p, flags, service, "", to) for o, p, flags, service, to in records))


def test_a_number_needs_no_dns_and_is_udp_where_we_speak_it() -> None:
    asked: list[Question] = []
    assert hops("192.0.2.7", {}, asked=asked) == [("udp", "192.0.2.7", 5060)]
    assert hops("192.0.2.7", {}, port=5070, asked=asked) == [("udp", "192.0.2.7", 5070)]
    assert hops("2001:db8::7", {}, ours=speaks("tcp"), asked=asked) == [("tcp", "2001:db8::7", 5060)]
    assert hops("192.0.2.7", {}, transport="tls", ours=speaks(*ALL), asked=asked) == [("tls", "192.0.2.7", 5061)]
    assert found("192.0.2.7", {}, ours=speaks("udp", version=6)) == Located((), True)
    assert not asked


def test_a_port_that_is_named_means_addresses_and_no_srv() -> None:
    asked: list[Question] = []
    dns = {(Kind.ADDRESS, "sip.example"): a("192.0.2.1", "2001:db8::1"), (Kind.SRV, "_sip._udp.sip.example"): srv()}
    assert hops("sip.example", dns, port=5080, asked=asked) == [
        ("udp", "192.0.2.1", 5080),
        ("udp", "2001:db8::1", 5080),
    ]
    assert asked == [Question(Kind.ADDRESS, "sip.example")]


def test_a_host_without_any_service_is_its_addresses() -> None:
    dns = {(Kind.ADDRESS, "sip.example"): a("192.0.2.1", "192.0.2.2")}
    assert hops("sip.example.", dns) == [("udp", "192.0.2.1", 5060), ("udp", "192.0.2.2", 5060)]
    assert hops("sip.example", dns, transport="tls", ours=speaks(*ALL)) == [
        ("tls", "192.0.2.1", 5061), ("tls", "192.0.2.2", 5061),
    ]  # fmt: skip
    assert found("sip.example", {}) == Located((), False), "nothing is known of it"


def test_naptr_says_which_transport_goes_first() -> None:
    dns = {
        (Kind.NAPTR, "example.com"): naptr(
            (10, 20, "s", "SIP+D2U", "_sip._udp.example.com"),
            (10, 10, "S", "sip+d2t", "_sip._tcp.example.com"),
            (5, 0, "s", "E2U+sip", "elsewhere.example.com"),
            (20, 0, "s", "SIPS+D2T", "_sips._tcp.example.com"),
        ),
        (Kind.SRV, "_sip._tcp.example.com"): srv((1, 0, 5070, "b.example.com")),
        (Kind.SRV, "_sip._udp.example.com"): srv((1, 0, 5060, "a.example.com")),
        (Kind.SRV, "_sips._tcp.example.com"): srv((1, 0, 5061, "a.example.com")),
        (Kind.ADDRESS, "a.example.com"): a("192.0.2.1"),
        (Kind.ADDRESS, "b.example.com"): a("192.0.2.2"),
    }
    assert hops("example.com", dns, ours=speaks(*ALL)) == [("tcp", "192.0.2.2", 5070), ("udp", "192.0.2.1", 5060)]
    assert hops("example.com", dns, ours=speaks("udp")) == [("udp", "192.0.2.1", 5060)]
    asked: list[Question] = []
    assert hops("example.com", dns, transport="udp", asked=asked) == [("udp", "192.0.2.1", 5060)]
    assert Question(Kind.NAPTR, "example.com") not in asked, "the transport is named"


def test_a_websocket_is_called_where_it_is_named_or_the_domain_says_so() -> None:
    """RFC 7118 section 10: SIP+D2W and SIPS+D2W; ports 80 and 443."""
    dns = {
        (Kind.SRV, "_sips._ws.example.com"): srv((1, 0, 8443, "w.example.com")),
        (Kind.SRV, "_sip._ws.example.com"): srv((1, 0, 8080, "w.example.com")),
        (Kind.ADDRESS, "w.example.com"): a("192.0.2.5"),
        (Kind.ADDRESS, "example.com"): a("192.0.2.1"),
    }
    assert hops("example.com", dns, transport="wss", ours=speaks(*ALL)) == [("wss", "192.0.2.5", 8443)]
    assert hops("example.com", dns, transport="ws", ours=speaks(*ALL)) == [("ws", "192.0.2.5", 8080)]
    assert hops("w.example.com", dns, transport="ws", ours=speaks(*ALL)) == [("ws", "192.0.2.5", 80)]
    assert hops("w.example.com", dns, transport="wss", ours=speaks(*ALL)) == [("wss", "192.0.2.5", 443)]
    asked: list[Question] = []
    assert hops("example.com", dns, ours=speaks(*ALL), asked=asked) == [("udp", "192.0.2.1", 5060)]
    assert not any("._ws." in question.name for question in asked), "nobody has said so"
    dns[Kind.NAPTR, "example.com"] = naptr(
        (1, 1, "s", "SIPS+D2W", "_sips._ws.example.com"), (1, 2, "s", "SIP+D2W", "_sip._ws.example.com")
    )
    assert hops("example.com", dns, ours=speaks(*ALL)) == [("wss", "192.0.2.5", 8443), ("ws", "192.0.2.5", 8080)]
    assert hops("example.com", dns, ours=speaks("udp")) == []


def test_a_domain_that_speaks_only_what_we_do_not_is_not_called_some_other_way() -> None:
    dns = {
        (Kind.NAPTR, "example.com"): naptr((1, 1, "s", "SIPS+D2T", "_sips._tcp.example.com")),
        (Kind.ADDRESS, "example.com"): a("192.0.2.1"),
    }
    assert found("example.com", dns) == Located((), True)


def test_without_naptr_the_services_of_our_transports_are_tried_in_our_order() -> None:
    dns = {
        (Kind.SRV, "_sip._tcp.example.com"): srv((1, 0, 5060, "t.example.com")),
        (Kind.SRV, "_sip._udp.example.com"): srv((1, 0, 5060, "192.0.2.9")),
        (Kind.ADDRESS, "t.example.com"): a("192.0.2.1"),
    }
    assert hops("example.com", dns) == [("udp", "192.0.2.9", 5060), ("tcp", "192.0.2.1", 5060)]


def test_a_service_that_is_decidedly_not_there_has_no_addresses_instead() -> None:
    dns = {
        (Kind.SRV, "_sip._udp.example.com"): srv((0, 0, 0, ".")),
        (Kind.ADDRESS, "example.com"): a("192.0.2.1"),
    }
    assert found("example.com", dns) == Located((), True)


def test_names_that_are_none_and_ports_that_are_none_are_passed_over() -> None:
    asked: list[Question] = []
    dns = {
        (Kind.SRV, "_sip._udp.example.com"): srv(
            (1, 0, 5060, "a\\000b"), (2, 0, 0, "ok.example"), (3, 0, 5060, "a..b"), (4, 0, 5060, "x" * 254),
            (5, 0, 5060, "ok.example"), (6, 0, 5060, "/etc/passwd"),
        ),
        (Kind.ADDRESS, "ok.example"): a("192.0.2.1"),
    }  # fmt: skip
    assert hops("example.com", dns, transport="udp", asked=asked) == [("udp", "192.0.2.1", 5060)]
    assert [q.name for q in asked if q.kind is Kind.ADDRESS] == ["example.com", "ok.example"]


def test_both_versions_of_ip_are_ways_as_far_as_we_listen() -> None:
    dns = {(Kind.ADDRESS, "sip.example"): a("2001:db8::1", "192.0.2.1")}
    assert [hop[1] for hop in hops("sip.example", dns)] == ["2001:db8::1", "192.0.2.1"]
    assert [hop[1] for hop in hops("sip.example", dns, ours=speaks("udp", version=4))] == ["192.0.2.1"]


def test_priorities_come_in_order_and_weights_by_chance() -> None:
    records = [Srv(1, 90, 5060, "often"), Srv(1, 10, 5060, "seldom"), Srv(1, 0, 5060, "hardly"), Srv(0, 0, 1, "first")]
    random = Random(1)
    drawn = Counter(srv_order(records, random.randbytes)[1].target for _ in range(2_000))
    assert srv_order(records, random.randbytes)[0].target == "first"
    assert 1_700 < drawn["often"] < 1_900
    assert 120 < drawn["seldom"] < 280
    assert 0 < drawn["hardly"] < 80, "a weight of 0 has a small chance (RFC 2782)"


SRVS = st.builds(
    Srv, st.integers(0, 3), st.integers(0, 65_535), st.integers(0, 65_535),
    st.sampled_from(["a.example", "b.example", "192.0.2.1", ".", "", "\x00", "c.example."]),
)  # fmt: skip


@given(st.lists(SRVS, max_size=40), st.binary(min_size=8, max_size=8))
def test_an_order_holds_every_record_once_by_priority(records: list[Srv], drawn: bytes) -> None:
    ordered = srv_order(records, lambda _: drawn)
    assert sorted(map(repr, ordered)) == sorted(map(repr, set(records)))
    assert [r.priority for r in ordered] == sorted(r.priority for r in ordered)
    assert ordered == srv_order(reversed(records), lambda _: drawn), "equal records, equal order"


NAPTRS = st.builds(
    Naptr, st.integers(0, 3), st.integers(0, 3), st.sampled_from(["s", "S", "u", ""]),
    st.sampled_from(["SIP+D2U", "SIP+D2T", "SIPS+D2T", "SIPS+D2W", "SIP+D2S", "E2U+sip", ""]),
    st.sampled_from(["", "!x!y!"]),
    st.sampled_from(["_sip._udp.x", "_sip._tcp.x", "_sips._tcp.x", "", "."]),
)  # fmt: skip
RECORDS = st.builds(
    Records, st.lists(NAPTRS, max_size=12).map(tuple), st.lists(SRVS, max_size=40).map(tuple),
    st.lists(st.sampled_from([f"192.0.2.{n}" for n in range(20)] + ["2001:db8::1"]), max_size=20).map(tuple),
)  # fmt: skip


@given(st.randoms(use_true_random=False), st.data())
def test_whatever_the_dns_says_the_search_ends_with_few_ways_that_we_speak(random: Random, data: st.DataObject) -> None:
    transport = data.draw(st.sampled_from([AUTO, *ALL]))
    ours = speaks(*data.draw(st.sampled_from([ALL, BOTH, ("tcp",)])))
    search = locate("x", data.draw(st.sampled_from([None, 5080])), transport, ours, random.randbytes)
    rounds = 0
    try:
        questions = next(search)
        while True:
            rounds += 1
            assert questions
            questions = search.send({q: data.draw(st.one_of(st.just(NOTHING), RECORDS)) for q in questions})
    except StopIteration as end:
        located: Located = end.value
    assert rounds <= 3
    assert len(located.hops) <= HOPS_MAX
    assert len(set(located.hops)) == len(located.hops)
    for hop in located.hops:
        assert isinstance(hop, Hop)
        assert ours.reaches(hop.transport, hop.address[0])
        assert 0 < hop.address[1] <= 65_535
        assert transport in (AUTO, hop.transport)


def test_of_one_name_few_addresses_are_tried() -> None:
    many = a(*(f"192.0.2.{n}" for n in range(100)))
    dns = {(Kind.SRV, "_sip._udp.x"): srv((1, 1, 5060, "y")), (Kind.ADDRESS, "y"): many}
    assert len(hops("x", dns, transport="udp")) == ADDRESSES_MAX


def test_a_hop_is_written_as_people_write_it():
    assert str(hop_of(Path("tls", ("192.0.2.99", 5061), ("2001:db8::1", 5061)))) == "tls://[2001:db8::1]:5061"
