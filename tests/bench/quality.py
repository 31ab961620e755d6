"""How speech comes through a bad network: intelligibility (STOI) and delay, beside a receiver that conceals nothing.

In virtual time: the shipped sentence through a seeded network of loss and jitter, a session of the media core, and what
is heard of it. The reference is a bare receiver on the very same packets: a fixed delay of 40 ms and as much again as
the network's jitter, silence for what is missing. And over real sockets: the same through a running bridge, as its
room's recording has it. STOI is computed by `pystoi` (pip install pystoi), which is no part of our set-up.
"""

from __future__ import annotations

import audioop
import random
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from runtime.media import rtp
from runtime.media.codecs import g711
from runtime.media.codecs.codec import PCMU
from runtime.media.concealment import Concealment
from runtime.media.config import StreamConfig
from runtime.media.session import MediaSession
from tests.bench.figures import Figure, report
from tests.peers import BridgeProcess, lesson, wait_for
from tests.sound import SPEECH_PCMU

PEER = ("192.0.2.1", 4000)
TICK_S = 0.02
FRAMES = [SPEECH_PCMU[at : at + 160] for at in range(0, len(SPEECH_PCMU) - 159, 160)]
SENTENCES = 12
WARM_UP = 4
"""Sentences before any is judged: a delay that changes is heard once, and would be held against all that follow."""
NETWORK_S = 0.05
LAGS = range(30)
NETWORKS = ((0.0, 0.0), (0.05, 0.0), (0.1, 0.0), (0.0, 0.04), (0.05, 0.04), (0.1, 0.04))
Stoi = Callable[[bytes, bytes], float]


@dataclass
class Heard:
    """What came out, sentence by sentence as it was played, and how much later than it was said, in ms."""

    pcm: bytes
    delay_ms: float = 0.0


def arrivals(loss: float, jitter_s: float, seed: int) -> list[tuple[float, int]]:
    """When the packets of all sentences arrive: (time, number), in their order."""
    dice = random.Random(seed)
    sent = []
    for number in range(SENTENCES * len(FRAMES)):
        is_lost, late = dice.random() < loss, dice.random() * jitter_s
        if not is_lost:
            sent.append((number * TICK_S + NETWORK_S + late, number))
    return sorted(sent)


def datagram(number: int) -> bytes:
    """One packet of the sentences."""
    return rtp.header(0, number == 0, number & 0xFFFF, number * 160, 7) + FRAMES[number % len(FRAMES)]


def through_the_core(packets: list[tuple[float, int]]) -> Heard:
    """A session that hears them."""
    config = StreamConfig(PCMU, 0, 0, None, None, PEER, (PEER[0], PEER[1] + 1))
    session = MediaSession(config, ssrc=1, sequence=1, timestamp=1, cname="c", entropy=lambda n: b"\x80" * n, now=0.0)
    pcm, leads, at = bytearray(), [], 0
    for tick in range(SENTENCES * len(FRAMES) + LAGS[-1]):
        now = tick * TICK_S + 0.007
        while at < len(packets) and packets[at][0] <= now:
            session.receive_rtp(datagram(packets[at][1]), PEER, packets[at][0])
            at += 1
        frame = session.pull(now)
        pcm += bytes(320) if frame is None else frame.linear(8000)
        leads.append(session.stats.playout_ms)
    return Heard(bytes(pcm), sum(leads) / len(leads))


def through_nothing(packets: list[tuple[float, int]], jitter_s: float) -> Heard:
    """The bare receiver."""
    wait_s = 0.04 + jitter_s
    in_time = {number for at, number in packets if at <= number * TICK_S + NETWORK_S + wait_s}
    frames = [
        g711.decode("pcmu", FRAMES[number % len(FRAMES)]) if number in in_time else bytes(320)
        for number in range(SENTENCES * len(FRAMES))
    ]
    return Heard(b"".join(frames) + bytes(320 * LAGS[-1]), 1000 * wait_s)


def judged(heard: Heard, stoi: Stoi) -> float:
    """The mean of the sentences behind the warm-up, each where it fits best."""
    said = g711.decode("pcmu", b"".join(FRAMES))
    scores = []
    for sentence in range(WARM_UP, SENTENCES):
        first = sentence * len(said)
        window = heard.pcm[first : first + len(said) + 320 * LAGS[-1]]
        if len(window) <= len(said):
            continue
        lag, _ = audioop.findfit(window, said)
        scores.append(stoi(said, window[2 * lag : 2 * lag + len(said)]))
    return sum(scores) / len(scores)


def through_a_bridge(loss: float, jitter_s: float, seed: int) -> Heard:
    """A call of a running bridge over loopback, its packets lost and late by chance; what its room has recorded."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as media:
        work, records = Path(folder), Path(folder) / "rooms"
        records.mkdir()
        media.bind(("127.0.0.1", 0))
        with (
            lesson("01-one-number", work) as manifests,
            BridgeProcess(manifests, work, "--record", str(records)) as bridge,
        ):
            with _call(bridge, media.getsockname()[1]) as port:
                begun = time.monotonic()
                for at, number in arrivals(loss, jitter_s, seed):
                    time.sleep(max(0.0, begun + at - time.monotonic()))
                    media.sendto(datagram(number), ("127.0.0.1", port))
                time.sleep(0.5)
            wait_for(lambda: bridge.records(), "the record")
            media_told = bridge.records()[0]["media"]
            print(f"  over sockets: {media_told}", file=sys.stderr)
        [recorded] = records.glob("*.wav")
        pcm = recorded.read_bytes()[44:]
    quiet = next(at for at in range(0, len(pcm), 320) if audioop.max(pcm[at : at + 320], 2) > 500)
    spoken = next(n for n, frame in enumerate(FRAMES) if audioop.max(g711.decode("pcmu", frame), 2) > 500)
    return Heard(pcm[max(0, quiet - 320 * (spoken + 2)) :] + bytes(320 * LAGS[-1]))


class _call:  # noqa: N801 - it reads as what it does
    """A call of that bridge with media at a port of ours; `with` gives the bridge's port."""

    def __init__(self, bridge: BridgeProcess, media_port: int) -> None:
        self._at = ("127.0.0.1", bridge.port)
        self._sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sip.bind(("127.0.0.1", 0))
        self._sip.settimeout(10)
        self._media_port = media_port
        self._to = ""

    def __enter__(self) -> int:
        sdp = (
            f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {self._media_port} RTP/AVP 0\r\n"
        )
        self._send("INVITE", 1, sdp)
        answer = ""
        while not answer.startswith("SIP/2.0 200"):
            answer = self._sip.recv(65_536).decode()
        self._to = next(line[4:] for line in answer.splitlines() if line.startswith("To: "))
        self._send("ACK", 1)
        return int(answer.split("m=audio ")[1].split()[0])

    def __exit__(self, *_: object) -> None:
        self._send("BYE", 2)
        self._sip.close()

    def _send(self, method: str, number: int, body: str = "") -> None:
        host, port = self._sip.getsockname()
        kind = "Content-Type: application/sdp\r\n" if body else ""
        self._sip.sendto(
            f"{method} sip:+16660000001@{self._at[0]}:{self._at[1]} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {host}:{port};rport;branch=z9hG4bK-{method}-{number}\r\nMax-Forwards: 70\r\n"
            f"From: <sip:+15550101111@{host}>;tag=q\r\nTo: {self._to or '<sip:+16660000001@127.0.0.1>'}\r\n"
            f"Call-ID: quality\r\nCSeq: {number} {method}\r\nContact: <sip:q@{host}:{port}>\r\n{kind}"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode(),
            self._at,
        )


def concealing_us() -> tuple[float, float]:
    """CPU of one lost frame alone, and of one with the next at hand, at 8 kHz."""
    pcm = [g711.decode("pcmu", frame) for frame in FRAMES]
    found = []
    for following in (False, True):
        best = float("inf")
        for _ in range(5):
            spent = 0.0
            for number in range(3, len(pcm) - 1):
                conceals = Concealment(8000)
                began = time.thread_time()
                conceals.lost(160, b"".join(pcm[number - 3 : number]), pcm[number + 1] if following else b"")
                conceals.found(pcm[number + 1])
                spent += time.thread_time() - began
            best = min(best, spent / (len(pcm) - 4) * 1e6)
        found.append(best)
    return found[0], found[1]


def figures(stoi: Stoi) -> Iterator[Figure]:
    """All of them."""
    for loss, jitter_s in NETWORKS:
        packets = arrivals(loss, jitter_s, seed=5)
        core, bare = through_the_core(packets), through_nothing(packets, jitter_s)
        network = f"{loss:.0%} loss, {1000 * jitter_s:.0f} ms of jitter"
        key = f"{100 * loss:.0f}-{1000 * jitter_s:.0f}"
        yield Figure(
            id=f"stoi-{key}", what=f"intelligibility at {network}", how="virtual time, mean of 8 sentences",
            value=judged(core, stoi), unit="STOI", reference=judged(bare, stoi),
            beside="silence for what is missing", floor=True, budget=0.9,
        )  # fmt: skip
        yield Figure(
            id=f"delay-{key}", what=f"playout delay at {network}", how="virtual time, mean", value=core.delay_ms,
            unit="ms", reference=bare.delay_ms, beside="a fixed delay that is just long enough",
        )  # fmt: skip
    alone, both = concealing_us()
    yield Figure(
        id="conceal", what="a lost frame of G.711 made good, and joined", how="CPU, best of 5", value=both, unit="µs",
        reference=alone, beside="the same from what came before alone",
    )  # fmt: skip
    yield Figure(
        id="stoi-bridge", what="intelligibility through a bridge at 10% loss, 40 ms of jitter",
        how="over loopback, mean of 8 sentences of the room's recording", floor=True,
        value=judged(through_a_bridge(0.1, 0.04, seed=5), stoi), unit="STOI",
        reference=judged(through_nothing(arrivals(0.1, 0.04, seed=5), 0.04), stoi),
        beside="silence for what is missing",
    )  # fmt: skip


def main() -> None:
    """Measure and report."""
    try:
        import numpy as np  # only this benchmark needs them, and they are large
        from pystoi import stoi
    except ImportError:
        print("  skipped: pystoi is not here (pip install pystoi)", file=sys.stderr)
        return

    def scored(said: bytes, heard: bytes) -> float:
        return float(stoi(*(np.frombuffer(pcm, "<i2").astype(float) for pcm in (said, heard)), 8000))

    report(list(figures(scored)))


if __name__ == "__main__":
    main()
