"""What one tick of one call costs in the media core, in µs, beside a bare loop that moves the same bytes.

    python -m tests.bench.tick

The bare loop is the least that any relay in Python does: read the header fields of a packet, cut the payload off, put a
new header before it. What counts is the ratio, and that a call-tick stays far below the budget.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from struct import Struct

from runtime.media import rtp
from runtime.media.codecs.codec import PCMU
from runtime.media.config import StreamConfig
from runtime.media.mixer import Mixer
from runtime.media.session import MediaSession
from runtime.media.voice import Voice
from tests.bench.figures import Figure, report

BUDGET_US = 40.0
PEER = ("192.0.2.7", 4000)
TICKS = 20_000
REPEATS = 5
_HEADER = Struct("!BBHII")
_VOICES = [bytes((7 * i + 13 * voice) & 0xFF for i in range(160)) for voice in range(10)]


def session() -> MediaSession:
    """A call of the usual kind."""
    config = StreamConfig(PCMU, 0, 0, 101, 101, PEER, (PEER[0], PEER[1] + 1))
    return MediaSession(config, ssrc=1, sequence=1, timestamp=1, cname="x", entropy=lambda n: bytes(n), now=0.0)


def packets(count: int) -> list[bytes]:
    """Speech as a carrier sends it."""
    return [rtp.header(0, i == 0, i & 0xFFFF, i * 160, 99) + _VOICES[i % 10] for i in range(count)]


def bare_loop(stream: list[bytes]) -> None:
    """The reference: read a header, write a header."""
    sequence = timestamp = 0
    for data in stream:
        _first, _second, _sequence, _timestamp, _ssrc = _HEADER.unpack_from(data)
        payload = data[12:]
        sequence, timestamp = sequence + 1 & 0xFFFF, timestamp + 160 & 0xFFFFFFFF
        _ = _HEADER.pack(0x80, 0, sequence, timestamp, 1) + payload


def call_ticks(stream: list[bytes]) -> None:
    """One call: receive, pull, push back, check, report when due."""
    call = session()
    now = 0.0
    for data in stream:
        call.receive_rtp(data, PEER, now)
        call.push(call.pull(now), now)
        call.check(now)
        call.rtcp_due(now, now)
        now += 0.02
    assert call.stats.received == len(stream)


def receiving(stream: list[bytes]) -> None:
    """Only the way in."""
    call = session()
    now = 0.0
    for data in stream:
        call.receive_rtp(data, PEER, now)
        call.pull(now)
        now += 0.02


def sending(stream: list[bytes]) -> None:
    """Only the way out."""
    call, voice = session(), Voice(PCMU)
    for _ in stream:
        call.push(voice.frame(_VOICES[0]), 0.0)


def mixing(speaking: int, members: int) -> Callable[[list[bytes]], None]:
    """A room in which some of the members speak."""
    codecs = [PCMU] * members
    voices, mixer = [Voice(PCMU) for _ in range(speaking)], Mixer()

    def run(stream: list[bytes]) -> None:
        for _ in stream:
            frames = [voice.frame(payload) for voice, payload in zip(voices, _VOICES, strict=False)]
            for heard in mixer.mix([*frames, *[None] * (members - speaking)], codecs):
                if heard is not None:
                    heard.in_law("pcmu")

    return run


def us_per(step: Callable[[list[bytes]], None], stream: list[bytes]) -> float:
    """The best of some runs, per packet."""
    best = min(_timed(step, stream) for _ in range(REPEATS))
    return best / len(stream) * 1e6


def _timed(step: Callable[[list[bytes]], None], stream: list[bytes]) -> float:
    start = time.process_time()
    step(stream)
    return time.process_time() - start


def main() -> None:
    """Measure and report."""
    stream = packets(TICKS)
    rooms = {"2 of 2 speak": (2, 2), "1 of 3 speaks": (1, 3), "3 of 3 speak": (3, 3), "2 of 10 speak": (2, 10)}
    us = {
        "bare loop": us_per(bare_loop, stream),
        "receive + pull": us_per(receiving, stream),
        "push": us_per(sending, stream),
        "whole call-tick": us_per(call_ticks, stream),
    }
    mixes = {name: us_per(mixing(*size), stream) / size[1] for name, size in rooms.items()}
    best = f"CPU, best of {REPEATS}"
    report(
        [
            Figure(
                id="call-tick", what="one call for one tick of 20 ms in the media core", how=best,
                value=us["whole call-tick"], unit="µs", reference=us["bare loop"],
                beside="a bare loop that rewrites the header", budget=BUDGET_US,
            ),
            Figure(
                id="mix-three", what="a room of three who all speak, mixed for one of them", how=best,
                value=mixes["3 of 3 speak"], unit="µs", reference=us["bare loop"],
                beside="a bare loop that rewrites the header",
            ),
        ],
        us={name: round(cost, 2) for name, cost in us.items()},
        mix_us_per_member={name: round(cost, 2) for name, cost in mixes.items()},
    )  # fmt: skip


if __name__ == "__main__":
    main()
