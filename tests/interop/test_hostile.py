"""Hostile input beside live calls: thousands of mutated datagrams, every one accounted for, and nobody notices.

The seeds are the torture vectors of RFC 4475 and what SIPp and the bridge really said to each other. A carrier gone mad
sends most of them, from addresses that a trunk of its own allows and bounds; strangers send the rest. The bridge's
count of what became of them must add up, and whenever the carrier is owed an answer it must have it on the wire.
"""

from __future__ import annotations

import os
import re
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from reconciler.manifests.reading import read_file
from runtime.media import rtcp, rtp
from tests.fuzz import manifests, media, signalling
from tests.fuzz.mutation import mutants
from tests.peers import STEADY, BridgeProcess, sipp, talk_share, wait_for
from tests.sound import SPEECH_PCMU

SCENARIO = Path(__file__).parent / "scenarios" / "uac-g711.xml"
CALLS = 20
TALK_MS = 20_000
DATAGRAMS = 10_000
WARM_UP = 2_000
MEDIA_DATAGRAMS = 2_000
OWN_MAX = 4 * CALLS
"""What the calls that are up say meanwhile: a BYE and its repetitions, where the attack outlasts them."""
BURST_BYTES_MAX = 50_000
"""Sent before the bridge is waited for: so little that the socket's buffer holds it, even at the kernel's default."""
BURST_MAX = 16
MANIFESTS = 10_000
GROWTH_KIB_MAX = 8 << 10
"""What memory may grow by beyond the warm-up. Arenas fragment by one or two MiB; one leaked KiB for each datagram
would make ten."""

PROBE = (
    b"OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP %s:%d;rport;branch=%s\r\nFrom: <sip:p@127.0.0.1>;tag=p\r\n"
    b"To: <sip:127.0.0.1>\r\nCall-ID: %s\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)
_REQUEST = re.compile(rb"(?!ACK )[A-Za-z0-9\-.!%*_+`'~]+ [!-~]{1,2048} SIP/2\.0\r\n")
_STAMP = re.compile(rb"z9hG4bK-hostile-[0-9]+")
_LOGGED = re.compile(rb"UDP message (?:sent|received) *\[?\(?([0-9]+)\)?\]? bytes[^\n]*\n\n")


CARRIER = """
---
apiVersion: dialplane.dev/v1alpha1
kind: Trunk
metadata: {name: mad-carrier}
spec:
  inbound: {allowedAddresses: [127.0.77.0/24]}
  limits: {maxConcurrentCalls: 20}
---
apiVersion: dialplane.dev/v1alpha1
kind: DispatchRule
metadata: {name: mad-calls}
spec:
  trunkRefs: [{name: mad-carrier}]
  rule: {callee: {roomPrefix: mad}}
"""


class Attacker:
    """Sockets of the carrier and of strangers, and one that knows when the bridge has read all that they sent."""

    def __init__(self, port: int) -> None:
        self.bridge = ("127.0.0.1", port)
        self.strangers = [_bound(f"127.0.66.{number}") for number in range(1, 41)]
        self.carrier = [_bound(f"127.0.77.{number}") for number in range(1, 21)]
        self.probe = _bound("127.0.0.1")
        self.sent = 0
        self.asked: set[bytes] = set()
        """Stamps of the carrier's requests, not ACKs, that anybody can see a way back for: they must be answered."""
        self.answered: set[bytes] = set()
        self._random = Random(7)

    def attack(self, seeds: list[bytes], count: int, seed: int) -> None:
        """Send so many mutants, and wait until all are read."""
        weight = waiting = 0
        for number, data in enumerate(self._mutants(seeds, count, seed)):
            sock = self._random.choice(self.strangers if number % 4 == 0 else self.carrier)
            sock.sendto(data, self.bridge)
            self.sent += 1
            weight, waiting = weight + len(data) + 1000, waiting + 1
            if weight > BURST_BYTES_MAX or waiting >= BURST_MAX:
                self.settle()
                weight = waiting = 0
        self.settle()

    def settle(self) -> None:
        """An OPTIONS that is answered behind everything sent before; take in what came back meanwhile."""
        branch = f"z9hG4bK-probe-{self.sent}".encode()
        host, port = self.probe.getsockname()
        self.probe.sendto(PROBE % (host.encode(), port, branch, branch), self.bridge)
        self.sent += 1
        deadline = time.monotonic() + 10
        while branch not in self.probe.recv(65_536):
            assert time.monotonic() < deadline, "the bridge answers no more"
        self.listen()

    def listen(self) -> None:
        """Take in the answers that are there."""
        while ready := select.select([*self.carrier, *self.strangers], [], [], 0)[0]:
            for sock in ready:
                self.answered.update(_STAMP.findall(sock.recv(65_536)))

    def close(self) -> None:
        for sock in (*self.carrier, *self.strangers, self.probe):
            sock.close()

    def _mutants(self, seeds: list[bytes], count: int, seed: int) -> Iterator[bytes]:
        """Mutants; where a request line is left, every other one of the carrier gets a Via that leads back, stamped."""
        for number, data in enumerate(mutants(seeds, count, seed, signalling.WORDS)):
            line = _REQUEST.match(data) if number % 2 else None
            if line is None:
                yield data
                continue
            stamp = b"z9hG4bK-hostile-%d" % (seed * 1_000_000 + number)
            self.asked.add(stamp)
            via = b"Via: SIP/2.0/UDP 127.0.77.1;rport;branch=%s\r\n" % stamp
            yield data[: line.end()] + via + data[line.end() :]


def _bound(address: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.settimeout(10)
    sock.bind((address, 0))
    return sock


def real_traffic(bridge: BridgeProcess, work: Path) -> list[bytes]:
    """What SIPp and the bridge say to each other in one call."""
    work.mkdir()
    (work / "speech.ul").write_bytes(SPEECH_PCMU)
    (work / "to.csv").write_text("SEQUENTIAL\n+16669999999;\n")
    log = work / "messages.log"
    options = ["-sf", str(SCENARIO), "-inf", "to.csv", "-m", "1", "-d", "300", "-trace_msg", "-message_file", str(log)]
    assert sipp(bridge.target, work, *options).returncode == 0
    text = log.read_bytes()
    found = [text[head.end() : head.end() + int(head[1])] for head in _LOGGED.finditer(text)]
    assert len(found) >= 6, "INVITE, 100, 200, ACK, BYE, 200"
    return found


def counted(bridge: BridgeProcess) -> tuple[Counter[str], Counter[str]]:
    """Datagrams by what became of them, and dropped ones by reason."""
    told = bridge.calls()
    return Counter(told["datagrams"]), Counter(told["dropped"])


def media_ports(bridge: BridgeProcess) -> list[int]:
    """The UDP ports of the media range that the bridge has open now; /proc/net knows those of the whole machine."""
    process = Path(f"/proc/{bridge.process.pid}")
    owned = {os.path.realpath(link).rpartition("/")[2] for link in (process / "fd").iterdir()}
    lines = [line.split() for line in (process / "net" / "udp").read_text().splitlines()[1:]]
    ports = [int(fields[1].rpartition(":")[2], 16) for fields in lines if f"socket:[{fields[9]}]" in owned]
    return [port for port in ports if 10_000 <= port < 20_000 and port != bridge.port]


def spray(ports: list[int], count: int) -> int:
    """Mutated RTP and RTCP from strangers at live calls' ports; how many were sent."""
    packet = rtp.header(0, True, 1, 160, 6) + SPEECH_PCMU[:160]
    seeds = [packet, *media.rtcp_seeds(), rtcp.write((rtcp.ReceiverReport(6),))]
    with closing(_bound("127.0.66.99")) as sock:
        for number, data in enumerate(mutants(seeds, count, 3)):
            sock.sendto(data[:4096] or b"\0", ("127.0.0.1", ports[number % len(ports)]))
            if number % 50 == 49:
                time.sleep(0.02)  # a tick of the bridge: what waits for it is bounded by the socket's buffer
    return count


def talk(bridge: BridgeProcess, work: Path) -> threading.Thread:
    """So many calls of SIPp with speech, two to a room, while the thread runs."""
    work.mkdir()
    (work / "speech.ul").write_bytes(SPEECH_PCMU)
    (work / "to.csv").write_text("SEQUENTIAL\n" + "".join(f"+1666{n // 2 + 1:07d};\n" for n in range(CALLS)))
    options = [
        "-sf",
        str(SCENARIO),
        "-inf",
        "to.csv",
        "-m",
        str(CALLS),
        "-l",
        str(CALLS),
        "-r",
        "40",
        "-d",
        str(TALK_MS),
    ]
    talking = threading.Thread(target=lambda: sipp(bridge.target, work, *options))
    talking.start()
    return talking


@pytest.mark.peer("sipp")
@pytest.mark.xdist_group("sipp")
def test_ten_thousand_mutated_datagrams_are_each_accounted_for_and_disturb_no_call(
    bridge: BridgeProcess, tmp_path: Path
) -> None:
    with (bridge.manifests / "trunk.yaml").open("a") as file:
        file.write(CARRIER)
    wait_for(lambda: bridge.counters()["revision"] >= 2, "the carrier's trunk")
    seeds = [*signalling.vectors(), *real_traffic(bridge, tmp_path / "one")]
    before = len(bridge.records())
    talking = talk(bridge, tmp_path / "many")
    with closing(Attacker(bridge.port)) as attacker:
        wait_for(lambda: len(bridge.counters()["live"]) == CALLS, "all calls to be up")
        live = {call["callId"] for call in bridge.counters()["live"]}
        sprayed = spray(media_ports(bridge), MEDIA_DATAGRAMS)
        attacker.attack(seeds, WARM_UP, seed=1)
        fates_before, dropped_before = counted(bridge)
        memory_before, sent_before = bridge.rss_kib(), attacker.sent
        attacker.asked.clear()

        attacker.attack(seeds, DATAGRAMS, seed=2)

        fates_after, dropped_after = counted(bridge)
        memory_after, sent = bridge.rss_kib(), attacker.sent - sent_before
        still = {call["callId"] for call in bridge.counters()["live"]} & live
        talking.join()
        fates, dropped = fates_after - fates_before, dropped_after - dropped_before
        own = fates.total() - sent
        assert 0 <= own <= OWN_MAX, f"every datagram has a fate: {fates}"
        assert dropped.total() == fates["dropped"] + fates["turned-away"], "every drop has a reason"
        assert len(attacker.asked) > DATAGRAMS // 6, "many requests are near enough to real ones to be owed an answer"
        assert attacker.asked <= attacker.answered, "whoever is owed an answer has one"
    assert memory_after - memory_before < GROWTH_KIB_MAX, "what strangers send leaves nothing behind"
    assert still == live, "no call that was up ended"
    records = [r for r in bridge.records()[before:] if r["callId"] in live]
    assert [(r["reason"], r["endedBy"]) for r in records] == [("hangup", "caller")] * CALLS
    for record in records:
        assert talk_share(record) > STEADY, "audio never stopped"
        assert record["media"]["packetsReceived"] > STEADY * 50 * (TALK_MS / 1000), "the caller was heard all the time"
    assert sum(r["media"]["packetsRejected"] for r in records) >= 0.9 * sprayed, "strangers' media is counted"
    assert "Traceback" not in bridge.log()


def test_ten_thousand_mutated_manifests_are_documents_or_problems_and_leave_nothing_behind() -> None:
    seeds = manifests.manifest_seeds()
    for data in mutants(seeds, WARM_UP, 1, manifests.WORDS):
        read_file(data, "some.yaml")
    before = _rss_kib()
    declared = broken = 0
    for data in mutants(seeds, MANIFESTS, 2, manifests.WORDS):
        read = read_file(data, "some.yaml")
        broken += bool(read.problems)
        declared += any(source.document is not None for source in read.sources.sources)
        assert read.problems or read.entries or not data.strip() or not read.sources.sources
    assert declared > MANIFESTS // 10
    assert broken > MANIFESTS // 2
    assert _rss_kib() - before < GROWTH_KIB_MAX


def _rss_kib() -> int:
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0])
