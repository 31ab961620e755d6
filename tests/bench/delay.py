"""How long audio takes through the bridge: passed through between two callers, and mixed among three.

    python -m tests.bench.delay [--seconds 20]

A frame is told by its bytes when it is passed on, and by being loud among quiet ones when it is mixed. What is
measured is the time from the send to the kernel's stamp on arrival. Taken off is only how long the jitter buffer means
to hold a frame: it plays `delay_ms_start` behind the sender, and a packet arrives when its own 20 ms are over. Each
phone speaks at its own moment within the bridge's tick, so that the wait for the tick, 0 to 20 ms, is in every figure.
The reference is a bare relay that sends on what it receives.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from runtime.media.codecs.g711 import decode
from runtime.media.jitter import delay_ms_start
from tests.bench.figures import Figure, report, spread
from tests.bench.phones import FRAME_BYTES, TICK_S, Phone, calls, relayed, talk
from tests.peers import BridgeProcess, lesson

SETTLE_S = 1.0
HELD_MS = delay_ms_start - TICK_S * 1000
"""What the jitter buffer means to hold a frame, from its arrival."""
DELAY_MS_MAX = 500.0
PAIRS = 6
TRIPLES = 4
LOUD_EVERY = 25
"""Frames between two loud ones: half a second, more than any delay, so that each is known by its time."""
LOUD = bytes([0x80]) * 80 + bytes([0x00]) * 80
QUIET = bytes([0xE8]) * 80 + bytes([0x68]) * 80
"""A murmur, so that the others speak too and the room has to mix."""
LOUD_SAMPLE_MIN = 16_000


def unique(place: int, tick: int) -> bytes:
    """A frame that no other one is like: who spoke it and when, and the rest of some speech."""
    return b"%04d%08d" % (place, tick) + bytes([0x91]) * (FRAME_BYTES - 12)


def murmur(place: int, tick: int) -> bytes:
    """Every third phone shouts now and then, all others murmur."""
    return LOUD if place % 3 == 0 and tick % LOUD_EVERY == 0 else QUIET


def passed_through(phones: Sequence[Phone]) -> list[float]:
    """The delays of all frames between the two of each pair, in milliseconds."""
    out = []
    for one, other in zip(phones[::2], phones[1::2], strict=True):
        for speaker, listener in ((one, other), (other, one)):
            sent = {payload: at for at, payload in speaker.sent}
            settled = speaker.sent[0][0] + SETTLE_S
            out += [
                (at - sent[payload]) * 1000
                for at, payload in listener.arrivals
                if payload in sent and sent[payload] > settled
            ]
    return out


def mixed(phones: Sequence[Phone]) -> list[float]:
    """The delays of the loud frames to both others of each three, in milliseconds."""
    out = []
    for place in range(0, len(phones), 3):
        shouts = [at for at, payload in phones[place].sent if payload == LOUD]
        shouts = [at for at in shouts if at > shouts[0] + SETTLE_S]
        for listener in phones[place + 1 : place + 3]:
            heard = [at for at, payload in listener.arrivals if is_loud(payload)]
            for shout in shouts:
                after = [(at - shout) * 1000 for at in heard if 0 <= (at - shout) * 1000 < DELAY_MS_MAX * 0.9]
                out += after[:1]
    return out


def is_loud(payload: bytes) -> bool:
    """Whether a shout is in this frame."""
    linear = memoryview(decode("pcmu", payload)).cast("h")
    return max(map(abs, linear)) >= LOUD_SAMPLE_MIN


def measured(work: Path, seconds: int) -> dict[str, list[float]]:
    """All delays by kind, in milliseconds."""
    found = {}
    with lesson("01-one-number", work) as manifests, BridgeProcess(manifests, work) as bridge:
        address = ("127.0.0.1", bridge.port)
        with calls(address, [f"+1666{n // 2:07}" for n in range(2 * PAIRS)]) as phones:
            with talk(phones, unique):
                time.sleep(seconds)
            found["passed"] = passed_through(phones)
        with calls(address, [f"+1777{n // 3:07}" for n in range(3 * TRIPLES)]) as phones:
            with talk(phones, murmur):
                time.sleep(seconds)
            found["mixed"] = mixed(phones)
    with relayed(2 * PAIRS) as (phones, _):
        with talk(phones, unique):
            time.sleep(min(seconds, 5))
        found["bare"] = passed_through(phones)
    return found


def main() -> None:
    """Measure and report."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=int, default=20)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as place:
        found = measured(Path(place), chosen.seconds)
    least = spread(found["bare"])
    added = {name: spread([ms - HELD_MS for ms in found[name]]) for name in ("passed", "mixed")}
    beside, how = "a bare relay that sends on what it receives", "wall clock of {:,} frames"
    report(
        [
            Figure(
                id="delay-passed-p99", what="one-way delay beside the jitter buffer, passed through, p99",
                how=how.format(len(found["passed"])), value=added["passed"]["p99"], unit="ms", reference=least["p99"],
                beside=beside, budget=20.0,
            ),
            Figure(
                id="delay-mixed-p99", what="one-way delay beside the jitter buffer, mixed, p99",
                how=how.format(len(found["mixed"])), value=added["mixed"]["p99"], unit="ms", reference=least["p99"],
                beside=beside, budget=40.0,
            ),
            Figure(
                id="delay-whole-p50", what="one-way delay, jitter buffer and all, passed through, p50",
                how=how.format(len(found["passed"])), value=spread(found["passed"])["p50"], unit="ms",
                reference=least["p50"], beside=beside,
            ),
        ],
        jitter_buffer_ms=HELD_MS, bare_ms=least,
        whole_ms={name: spread(samples) for name, samples in found.items()},
    )  # fmt: skip


if __name__ == "__main__":
    main()
