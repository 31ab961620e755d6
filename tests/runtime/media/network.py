"""A simulated sender and network in virtual time, for the playout buffer: seeded, so a failure can be run again."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from runtime.media import reception
from runtime.media.codecs.codec import PCMU
from runtime.media.jitter import JitterBuffer, Piece, make_playout
from runtime.media.reception import Reception, make_reception

TICK_S = 0.02


def frame(number: int, *, quiet: bool = False, size: int = 160) -> bytes:
    """A µ-law frame that tells its number in its first four bytes; loud or quiet otherwise."""
    if quiet:
        # Base 16 digits as the sixteen quietest codes: the number is there and the frame is still quiet.
        digits = bytes(0xF0 | number >> shift & 0xF for shift in (28, 24, 20, 16, 12, 8, 4, 0))
        return digits + bytes([0xFF]) * (size - 8)
    return number.to_bytes(4, "big") + bytes([0x10]) * (size - 4)


def number_of(payload: bytes) -> int:
    """The number that `frame` put in."""
    if payload[-1] == 0xFF:
        return int("".join(f"{code & 0xF:x}" for code in payload[:8]), 16)
    return int.from_bytes(payload[:4], "big")


@dataclass
class Network:
    """What lies between the sender and us. `delay(sent_at)` gives the delay of a packet, None when it is lost."""

    seed: int = 1
    loss: float = 0.0
    jitter_s: float = 0.0
    delay_s: float = 0.05
    duplicated: float = 0.0
    spikes: tuple[tuple[float, float, float], ...] = ()
    """From, until, how much longer: everything sent meanwhile arrives together at the end, at the latest."""
    skew_ppm: float = 0.0
    """How much faster the sender's clock runs than ours."""
    random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def arrivals(self, sent_at: float) -> list[float]:
        """When the copies of a packet arrive."""
        if self.random.random() < self.loss:
            return []
        delay = self.delay_s + self.random.random() * self.jitter_s
        for start, end, longer in self.spikes:
            if start <= sent_at < end:
                delay = max(delay, min(end - sent_at, longer) + self.delay_s)
        copies = 2 if self.random.random() < self.duplicated else 1
        return [sent_at + delay + 0.003 * copy for copy in range(copies)]


@dataclass
class Played:
    """What came out: frame numbers (None for silence) tick by tick, and the lead in ms after each tick."""

    numbers: list[int | None]
    leads_ms: list[int]
    buffer: JitterBuffer
    reception: Reception
    sent: int
    made_up: int
    """Ticks for which something was to be made up."""


def play(network: Network, seconds: float, *, is_quiet: Callable[[int], bool] = lambda _: False) -> Played:
    """Send 20 ms packets for so long through the network, and pull once per tick of our clock."""
    sent = int(seconds / TICK_S)
    pace = TICK_S / (1 + network.skew_ppm / 1e6)
    on_the_way = [(at, number) for number in range(sent) for at in network.arrivals(number * pace)]
    on_the_way.sort()
    buffer, received = make_playout(PCMU), make_reception(8000)
    made_up = 0
    numbers: list[int | None] = []
    leads: list[int] = []
    upcoming = 0
    for tick in range(sent + 50):
        now = tick * TICK_S + 0.0137
        while upcoming < len(on_the_way) and on_the_way[upcoming][0] <= now:
            at, number = on_the_way[upcoming]
            upcoming += 1
            order = received.arrived(number & 0xFFFF, at)
            if order in (reception.NEXT, reception.AHEAD, reception.REORDERED):
                received.note_transit(number * 160, at)
                buffer.insert(
                    number * 160 + 0xFFFF0000 & 0xFFFFFFFF,
                    frame(number, quiet=is_quiet(number)),
                    at,
                    newest=order != reception.REORDERED,
                    follows=order == reception.NEXT,
                )
        pulled = buffer.pull(now)
        payload = pulled.payload if isinstance(pulled, Piece) else pulled
        numbers.append(None if payload is None else number_of(payload))
        made_up += pulled is not None and payload is None
        leads.append(buffer.lead_ms)
    return Played(numbers, leads, buffer, received, sent, made_up)
