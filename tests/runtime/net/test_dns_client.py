"""The DNS asked for real: a name server on loopback, and the machine's own resolver."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from runtime.net import dns_client
from runtime.net.dns_client import TTL_NEGATIVE_S, DnsClient, Reply
from runtime.net.machine_names import THREADS_MAX, MachineNames, NoAnswerError
from runtime.settings import parse_dns
from runtime.sip.locating import NOTHING, Kind, Naptr, Question, Records, Srv
from tests.dns_server import DnsServer

ZONE = (
    'carrier.example. 300 IN NAPTR 10 20 "s" "SIP+D2T" "" _sip._tcp.carrier.example.',
    "_sip._udp.carrier.example. 60 IN SRV 1 5 5070 a.carrier.example.",
    "_sip._udp.carrier.example. 60 IN SRV 2 0 5060 .",
    "a.carrier.example. 30 IN A 192.0.2.1",
    "a.carrier.example. 20 IN AAAA 2001:db8::1",
    "four.carrier.example. 30 IN A 192.0.2.4",
)


def ask(client: DnsClient, kind: Kind, name: str) -> Reply:
    return asyncio.run(client.ask(Question(kind, name)))


def test_records_come_as_values_with_the_time_that_they_hold() -> None:
    with DnsServer(*ZONE) as server:
        client = DnsClient(parse_dns(server.address))
        naptr = Naptr(10, 20, "s", "SIP+D2T", "", "_sip._tcp.carrier.example")
        assert ask(client, Kind.NAPTR, "carrier.example") == Reply(Records(naptr=(naptr,)), 300)
        found = ask(client, Kind.SRV, "_sip._udp.carrier.example")
        assert set(found.records.srv) == {Srv(1, 5, 5070, "a.carrier.example"), Srv(2, 0, 5060, ".")}
        assert ask(client, Kind.ADDRESS, "a.carrier.example") == Reply(
            Records(addresses=("192.0.2.1", "2001:db8::1")), 20
        )
        assert ask(client, Kind.ADDRESS, "four.carrier.example") == Reply(Records(addresses=("192.0.2.4",)), 30)
        assert ask(client, Kind.SRV, "_sip._tcp.carrier.example") == Reply(NOTHING, TTL_NEGATIVE_S)


def test_a_server_that_says_nothing_is_no_answer_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_client, "ASK_S_MAX", 0.3)
    with DnsServer() as server:
        server.silent = True
        begun = time.monotonic()
        with pytest.raises(NoAnswerError):
            ask(DnsClient(parse_dns(server.address)), Kind.SRV, "_sip._udp.carrier.example")
        assert time.monotonic() - begun < 3


def test_names_of_etc_hosts_are_known() -> None:
    found = ask(DnsClient(), Kind.ADDRESS, "localhost")
    assert {"127.0.0.1", "::1"} & set(found.records.addresses)


def test_a_machine_without_name_servers_has_its_hosts_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_client, "_RESOLV_CONF", str(tmp_path / "none"))
    assert ask(DnsClient(), Kind.SRV, "_sip._udp.carrier.example") == Reply(NOTHING, TTL_NEGATIVE_S)


def test_a_new_configuration_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = tmp_path / "resolv.conf"
    monkeypatch.setattr(dns_client, "_RESOLV_CONF", str(conf))
    client = DnsClient()
    conf.write_text("nameserver 192.0.2.53\n")
    first = client._resolver_now()
    assert first is not None
    assert client._resolver_now() is first
    conf.unlink()
    assert client._resolver_now() is None


def test_few_names_are_looked_up_at_once() -> None:
    async def test() -> None:
        names = MachineNames()
        names._running = THREADS_MAX
        with pytest.raises(NoAnswerError):
            await names.addresses("localhost")

    asyncio.run(test())
