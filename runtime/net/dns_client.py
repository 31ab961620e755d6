"""The DNS as the bridge asks it: NAPTR and SRV by dnspython, addresses by the machine's resolver (`machine_names`).

Where a server of one's own is named (`--dns`) it is asked for everything. Nothing here blocks the event loop, and no
question takes longer than `ASK_S_MAX`.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdata
import dns.resolver
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA
from dns.rdtypes.IN.NAPTR import NAPTR
from dns.rdtypes.IN.SRV import SRV

from runtime.net.machine_names import ASK_S_MAX, MachineNames, NoAnswerError
from runtime.sip.locating import NOTHING, Kind, Naptr, Question, Records, Srv
from runtime.sip.path import Address

TTL_UNKNOWN_S = 30.0
"""How long an answer of the machine's resolver holds: it does not tell, and keeps by itself what it knows."""

TTL_NEGATIVE_S = 30.0
"""How long it holds that there is no such record."""

RECORDS_MAX = 64
"""Records of one answer that are read."""

UDP_BYTES_MAX = 1_232
"""The size of an answer by UDP that no network tears apart; larger ones come by TCP."""

_RESOLV_CONF = "/etc/resolv.conf"


@dataclass(frozen=True, slots=True)
class Reply:
    """What is known of a name, and for how many seconds."""

    records: Records
    ttl_s: float


class DnsClient:
    """One per bridge. `server` None: the machine's resolver and its name servers."""

    def __init__(self, server: Address | None = None) -> None:
        self._server = server
        self._machine = MachineNames()
        self._resolver: dns.asyncresolver.Resolver | None = None
        self._configured = 0

    async def ask(self, question: Question) -> Reply:
        """One question. NoAnswerError when none can be had in time."""
        if question.kind is not Kind.ADDRESS:
            return await self._query(question.name, question.kind)
        if self._server is None:
            found = await self._machine.addresses(question.name)
            return Reply(Records(addresses=found), TTL_UNKNOWN_S if found else TTL_NEGATIVE_S)
        replies = await asyncio.gather(*(self._query(question.name, kind) for kind in ("A", "AAAA")))
        found = tuple(address for reply in replies for address in reply.records.addresses)
        return Reply(Records(addresses=found), min(r.ttl_s for r in replies if r.records.addresses or not found))

    async def _query(self, name: str, kind: str) -> Reply:
        resolver = self._resolver_now()
        if resolver is None:
            return Reply(NOTHING, TTL_NEGATIVE_S)  # a machine without name servers has /etc/hosts alone
        try:
            answer = await resolver.resolve(
                dns.name.from_text(name), kind, raise_on_no_answer=False, lifetime=ASK_S_MAX, search=False
            )
        except dns.resolver.NXDOMAIN:
            return Reply(NOTHING, TTL_NEGATIVE_S)
        except (dns.exception.DNSException, OSError, UnicodeError) as fault:
            raise NoAnswerError(str(fault)) from fault
        return reply_of(answer)

    def _resolver_now(self) -> dns.asyncresolver.Resolver | None:
        """A resolver by the machine's configuration of this moment; None where it names no server."""
        if self._server is not None:
            if self._resolver is None:
                self._resolver = dns.asyncresolver.Resolver(configure=False)
                self._resolver.nameservers, self._resolver.port = [self._server[0]], self._server[1]
                self._resolver.use_edns(0, 0, UDP_BYTES_MAX)
            return self._resolver
        try:
            written = os.stat(_RESOLV_CONF).st_mtime_ns
            if written != self._configured:
                self._resolver = dns.asyncresolver.Resolver(_RESOLV_CONF)
                self._resolver.use_edns(0, 0, UDP_BYTES_MAX)
                self._configured = written
        except (OSError, dns.exception.DNSException):
            self._resolver, self._configured = None, 0
        return self._resolver


def reply_of(answer: dns.resolver.Answer) -> Reply:
    """What an answer says, which anybody may have written who is on the way to the name server."""
    if answer.rrset is None:
        return Reply(NOTHING, TTL_NEGATIVE_S)
    return Reply(_records(list(answer.rrset)[:RECORDS_MAX]), answer.chaining_result.minimum_ttl)


def _records(found: list[dns.rdata.Rdata]) -> Records:
    """The records of one answer as values."""
    return Records(
        naptr=tuple(
            Naptr(
                record.order,
                record.preference,
                _text(record.flags),
                _text(record.service),
                _text(record.regexp),
                record.replacement.to_text(omit_final_dot=True),
            )
            for record in found
            if isinstance(record, NAPTR)
        ),
        srv=tuple(
            Srv(record.priority, record.weight, record.port, record.target.to_text(omit_final_dot=True))
            for record in found
            if isinstance(record, SRV)
        ),
        addresses=tuple(record.address for record in found if isinstance(record, A | AAAA)),
    )


def _text(data: bytes) -> str:
    return data.decode("ascii", "replace")
