"""A name server on loopback that says what a test wants: dnspython's messages over a UDP socket of its own."""

from __future__ import annotations

import socket
import threading
from types import TracebackType

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset


class DnsServer:
    """Answers from `zone`: lines like `_sip._udp.carrier.example. 60 IN SRV 1 0 5060 a.carrier.example.`"""

    def __init__(self, *zone: str) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.asked: list[tuple[str, str]] = []
        self.silent = False
        self._sets: dict[tuple[str, str], dns.rrset.RRset] = {}
        self.say(*zone)
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def address(self) -> str:
        """`127.0.0.1:port`."""
        return f"127.0.0.1:{self.sock.getsockname()[1]}"

    def say(self, *zone: str) -> None:
        """Say this from now on."""
        sets: dict[tuple[str, str], list[str]] = {}
        ttls: dict[tuple[str, str], int] = {}
        for line in zone:
            name, ttl, _in, kind, data = line.split(None, 4)
            sets.setdefault((name, kind), []).append(data)
            ttls[name, kind] = int(ttl)
        self._sets = {key: dns.rrset.from_text(key[0], ttls[key], "IN", key[1], *data) for key, data in sets.items()}

    def __enter__(self) -> DnsServer:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, tb: TracebackType | None) -> None:
        self.sock.close()
        self._thread.join()

    def _run(self) -> None:
        self.sock.settimeout(0.2)
        while True:
            try:
                data, peer = self.sock.recvfrom(4096)
            except TimeoutError:
                continue
            except OSError:
                return
            if not self.silent:
                self.sock.sendto(self._answer(dns.message.from_wire(data)), peer)

    def _answer(self, query: dns.message.Message) -> bytes:
        question = query.question[0]
        name, kind = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        if (name, kind) in self._sets:
            response.answer.append(self._sets[name, kind])
        elif all(known != name for known, _ in self._sets):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()
