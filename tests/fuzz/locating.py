"""What a name server, or somebody in its place, answers when a trunk's servers are looked up."""

from __future__ import annotations

import ipaddress
import itertools
from random import Random

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.resolver
import dns.rrset

from runtime.net.dns_client import RECORDS_MAX, reply_of
from runtime.sip.locating import (
    ADDRESSES_MAX,
    AUTO,
    HOPS_MAX,
    NOTHING,
    Kind,
    Located,
    Question,
    Records,
    Speaks,
    locate,
)
from runtime.sip.path import RELIABLE_TRANSPORTS
from tests.fuzz.signalling import NEXT

HOST = "example.com"
ZONE = (
    "example.com. 60 IN NAPTR 1 1 s SIPS+D2W '' _sips._ws.example.com.",
    "example.com. 60 IN NAPTR 1 2 s SIP+D2U '' _sip._udp.example.com.",
    "_sips._ws.example.com. 60 IN SRV 1 10 8443 a.example.com.",
    "_sip._udp.example.com. 0 IN SRV 1 0 5060 .",
    "a.example.com. 60 IN A 192.0.2.1",
    "a.example.com. 60 IN AAAA 2001:db8::1",
    "example.com. 60 IN CNAME a.example.com.",
)
WORDS = (
    NEXT, b"\x00\x23\x00\x01", b"\x00\x21\x00\x01", b"\x00\x1c\x00\x01", b"\x00\x05\x00\x01", b"\xc0\x0c",
    b"\x08SIPS+D2W", b"\x07SIP+D2T", b"\x01s", b"\x05_sips\x03_ws\x00", b"\x00" * 4, b"\xff\xff", b"\x80\x00\x00\x00",
)  # fmt: skip

_TYPES = {Kind.NAPTR: ("NAPTR",), Kind.SRV: ("SRV",), Kind.ADDRESS: ("A", "AAAA")}
_SPOKEN = ("udp", *sorted(RELIABLE_TRANSPORTS - {"sctp"}))
_ROUNDS_MAX = 4


def fuzz_dns(data: bytes) -> None:
    """However it answers, the search ends soon, with a few ways that we speak, to addresses and ports."""
    answers = itertools.chain(data.split(NEXT), itertools.repeat(b""))
    ours = Speaks(_SPOKEN, lambda transport, _: transport in _SPOKEN)
    search = locate(HOST, None, AUTO, ours, Random(1).randbytes)
    try:
        questions = next(search)
        for _ in range(_ROUNDS_MAX):
            assert len(questions) < 200, "nobody can have us ask for everything"
            questions = search.send({question: _said(question, answers) for question in questions})
    except StopIteration as end:
        located: Located = end.value
    else:
        raise AssertionError("it asks on and on")
    assert len(located.hops) <= HOPS_MAX
    for hop in located.hops:
        assert hop.transport in _SPOKEN
        ipaddress.ip_address(hop.address[0])
        assert 1 <= hop.address[1] <= 65_535
        assert str(hop).isprintable()


def _said(question: Question, answers: itertools.chain[bytes]) -> Records:
    """What the next answers come to, as if each had been to this question; one that cannot be read is none."""
    found = NOTHING
    for kind in _TYPES[question.kind]:
        try:
            name = dns.name.from_text(question.name)
            answer = dns.message.from_wire(next(answers))
            if not isinstance(answer, dns.message.QueryMessage):
                continue
            answer.question = [dns.rrset.from_text(name, 0, "IN", kind)]
            answer.flags |= dns.flags.QR
            reply = reply_of(dns.resolver.Answer(name, answer.question[0].rdtype, answer.question[0].rdclass, answer))  # type: ignore[arg-type]
        except (dns.exception.DNSException, UnicodeError):
            continue
        records = reply.records
        assert max(map(len, (records.naptr, records.srv, records.addresses))) <= RECORDS_MAX
        assert reply.ttl_s >= 0
        found = Records(
            (*found.naptr, *records.naptr), (*found.srv, *records.srv), (*found.addresses, *records.addresses)
        )
    assert len(found.addresses) <= 2 * RECORDS_MAX >= ADDRESSES_MAX
    return found


def dns_seeds() -> list[bytes]:
    """The answers of a whole search in their order, and each alone."""
    each = [_answer(line) for line in ZONE]
    return [*each, NEXT.join(each), NEXT.join([_answer(*ZONE[:2]), b"", *each[2:]]), _answer(*ZONE)]


def _answer(*lines: str) -> bytes:
    kind = lines[0].split()[3]
    query = dns.message.make_query(lines[0].split()[0], kind)
    query.id = 0
    answer = dns.message.make_response(query)
    for line in lines:
        name, ttl, _, kind, rest = line.split(None, 4)
        answer.answer.append(dns.rrset.from_text(name, int(ttl), "IN", kind, rest.replace("'", '"')))
    return answer.to_wire()
