"""How speech comes through a bad network: intelligibility (STOI) and delay, beside a receiver that conceals nothing.

In virtual time: the shipped sentence, in each codec, through a seeded network of loss and jitter, a session of the
media core, and what is heard of it. The reference is a bare receiver on the very same packets: a fixed delay of 40 ms
and as much again as the network's jitter, silence for what is missing. `chain` does the same with real peers. STOI is
computed by `pystoi` (pip install pystoi), which is no part of our set-up.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

from runtime.media import rtp
from runtime.media.codecs import g711
from runtime.media.codecs.codec import G722, OPUS, PCMU, TICK_MS, Codec
from runtime.media.codecs.coding import make_decoder, make_encoder
from runtime.media.codecs.opus import OpusWishes
from runtime.media.concealment import Concealment
from runtime.media.config import StreamConfig
from runtime.media.jitter import Piece
from runtime.media.mending import Mender
from runtime.media.session import MediaSession
from tests.bench.figures import Figure, report
from tests.bench.intelligibility import Ears, load_ears
from tests.signals import speech, ticks
from tests.sound import SPEECH_PCMU

PEER = ("192.0.2.1", 4000)
TICK_S = 0.02
SENTENCES = 12
WARM_UP = 4
"""Sentences before any is judged: a delay that changes is heard once, and would be held against all that follow."""
NETWORK_S = 0.05
LAG_TICKS_MAX = 30
NETWORKS = ((0.0, 0.0), (0.05, 0.0), (0.1, 0.0), (0.0, 0.04), (0.05, 0.04), (0.1, 0.04))


@dataclass(frozen=True)
class Kind:
    """What is said in, and at what rate it is heard: `frames` are one sentence."""

    name: str
    codec: Codec
    rate_hz: int
    frames: list[bytes]


def kinds() -> Iterator[Kind]:
    """G.711, G.722 in its own room, and Opus, with and without in-band FEC, in a room of G.711."""
    frames = [SPEECH_PCMU[at : at + 160] for at in range(0, len(SPEECH_PCMU) - 159, 160)]
    yield Kind("pcmu", PCMU, 8_000, frames)
    for name, codec, rate_hz, fec in (
        ("g722", G722, 16_000, False),
        ("opus", OPUS, 8_000, False),
        ("opus-fec", OPUS, 8_000, True),
    ):
        encoder = make_encoder(codec, 16_000, OpusWishes(fec=fec))
        yield Kind(name, codec, rate_hz, [encoder.encode(tick) for tick in ticks(speech(16_000), 16_000)])


@dataclass
class Heard:
    """What came out, sentence by sentence as it was played, and how much later than it was said, in ms."""

    pcm: bytes
    delay_ms: float = 0.0


def arrivals(count: int, loss: float, jitter_s: float, seed: int) -> list[tuple[float, int]]:
    """When so many packets arrive: (time, number), in their order."""
    dice = random.Random(seed)
    sent = []
    for number in range(count):
        is_lost, late = dice.random() < loss, dice.random() * jitter_s
        if not is_lost:
            sent.append((number * TICK_S + NETWORK_S + late, number))
    return sorted(sent)


def through_the_core(kind: Kind, packets: list[tuple[float, int]]) -> Heard:
    """A session that hears them."""
    codec, frames = kind.codec, kind.frames
    config = StreamConfig(codec, 96, 96, None, None, PEER, (PEER[0], PEER[1] + 1))
    session = MediaSession(config, ssrc=1, sequence=1, timestamp=1, cname="c", entropy=lambda n: b"\x80" * n, now=0.0)
    silence = bytes(2 * kind.rate_hz * TICK_MS // 1000)
    pcm, leads, at = bytearray(), [], 0
    for tick in range(SENTENCES * len(frames) + LAG_TICKS_MAX):
        now = tick * TICK_S + 0.007
        while at < len(packets) and packets[at][0] <= now:
            arrived, number = packets[at]
            head = rtp.header(96, number == 0, number & 0xFFFF, number * codec.step, 7)
            session.receive_rtp(head + frames[number % len(frames)], PEER, arrived)
            at += 1
        frame = session.pull(now)
        pcm += silence if frame is None else frame.linear(kind.rate_hz)
        leads.append(session.stats.playout_ms)
    return Heard(bytes(pcm), sum(leads) / len(leads))


def through_nothing(kind: Kind, packets: list[tuple[float, int]], jitter_s: float) -> Heard:
    """The bare receiver."""
    wait_s = 0.04 + jitter_s
    in_time = {number for at, number in packets if at <= number * TICK_S + NETWORK_S + wait_s}
    decoder, silence = make_decoder(kind.codec, kind.rate_hz), bytes(2 * kind.rate_hz * TICK_MS // 1000)
    heard = [
        decoder.decode(kind.frames[number % len(kind.frames)]) if number in in_time else silence
        for number in range(SENTENCES * len(kind.frames))
    ]
    return Heard(b"".join(heard) + silence * LAG_TICKS_MAX, 1000 * wait_s)


def judged(kind: Kind, heard: Heard, ears: Ears) -> float:
    """The mean of the sentences behind the warm-up, each where it fits best."""
    said = speech(kind.rate_hz) if kind.codec is not PCMU else g711.decode("pcmu", b"".join(kind.frames))
    lag_bytes = 2 * kind.rate_hz * TICK_MS // 1000 * LAG_TICKS_MAX
    scores = []
    for sentence in range(WARM_UP, SENTENCES):
        window = heard.pcm[sentence * len(said) :][: len(said) + lag_bytes]
        if len(window) > len(said):
            lag = ears.place(said, window)
            scores.append(ears.stoi(said, window[2 * lag : 2 * lag + len(said)], kind.rate_hz))
    return sum(scores) / len(scores)


def concealing_us() -> tuple[float, float]:
    """CPU of one lost frame alone, and of one with the next at hand, at 8 kHz."""
    frames = next(kinds()).frames
    pcm = [g711.decode("pcmu", frame) for frame in frames]
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


def mending_us(kind: Kind) -> float:
    """CPU of one lost frame, made up and encoded again."""
    best = float("inf")
    for _ in range(5):
        spent = 0.0
        for number in range(3, len(kind.frames) - 1):
            mender = Mender(kind.codec)
            for frame in kind.frames[number - 3 : number]:
                mender.payload(frame)
            began = time.thread_time()
            mender.payload(Piece(None, following=kind.frames[number + 1]))
            spent += time.thread_time() - began
        best = min(best, spent / (len(kind.frames) - 4) * 1e6)
    return best


def figures(ears: Ears) -> Iterator[Figure]:
    """All of them."""
    for kind in kinds():
        of, about = ("", "") if kind.codec is PCMU else (f"{kind.name}-", f" in {kind.name}")
        for loss, jitter_s in NETWORKS:
            packets = arrivals(SENTENCES * len(kind.frames), loss, jitter_s, seed=5)
            core, bare = through_the_core(kind, packets), through_nothing(kind, packets, jitter_s)
            network = f"{loss:.0%} loss, {1000 * jitter_s:.0f} ms of jitter"
            key = f"{of}{100 * loss:.0f}-{1000 * jitter_s:.0f}"
            yield Figure(
                id=f"stoi-{key}", what=f"intelligibility{about} at {network}", how="virtual time, mean of 8 sentences",
                value=judged(kind, core, ears), unit="STOI", reference=judged(kind, bare, ears),
                beside="silence for what is missing", floor=True, budget=0.9,
            )  # fmt: skip
            yield Figure(
                id=f"delay-{key}", what=f"playout delay{about} at {network}", how="virtual time, mean",
                value=core.delay_ms, unit="ms", reference=bare.delay_ms,
                beside="a fixed delay that is just long enough",
            )  # fmt: skip
    alone, both = concealing_us()
    yield Figure(
        id="conceal", what="a lost frame of G.711 made good, and joined", how="CPU, best of 5", value=both, unit="µs",
        reference=alone, beside="the same from what came before alone",
    )  # fmt: skip
    g711_kind, g722_kind, *_ = kinds()
    yield Figure(
        id="mend-g722", what="a lost frame of G.722 made up and encoded", how="CPU, best of 5",
        value=mending_us(g722_kind), unit="µs", reference=mending_us(g711_kind), beside="the same of G.711",
    )  # fmt: skip


def main() -> None:
    """Measure and report."""
    ears = load_ears()
    if ears is None:
        return
    report(list(figures(ears)))


if __name__ == "__main__":
    main()
