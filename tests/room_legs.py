"""Calls without phones: legs that speak a tone and count what they hear, for tests and benches of rooms alone."""

from __future__ import annotations

import asyncio
import math
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from runtime.media.codecs import g711
from runtime.media.codecs.codec import PCMU, Codec
from runtime.media.frame import Frame
from runtime.media.voice import Voice
from runtime.rooms.adapter import Participant
from runtime.rooms.livekit.rooms import LiveKitRooms
from runtime.settings import LiveKitServer
from schemas.tables.rows import Pairs

TONE = [
    g711.encode(
        "pcmu",
        struct.pack("=160h", *(int(9000 * math.sin(2 * math.pi * 440 * (n * 160 + i) / 8000)) for i in range(160))),
    )
    for n in range(50)
]


@dataclass
class ToneLeg:
    """Says a tone; `heard` counts the frames that were not silence, `last` is when the last one came."""

    codec: Codec = PCMU
    voice: Voice = field(default_factory=lambda: Voice(PCMU))
    said: int = 0
    heard: int = 0
    last: float = 0.0
    digits: str = ""

    def pull(self, now: float) -> Frame | None:
        self.said += 1
        return self.voice.frame(TONE[self.said % len(TONE)])

    def push(self, frame: Frame | None, now: float) -> None:
        if frame is not None and not g711.is_quiet("pcmu", frame.in_law("pcmu")):
            self.heard += 1
            self.last = now

    def send_digits(self, digits: str, now: float) -> None:
        self.digits += digits


@dataclass
class Told:
    """What rooms told of their calls."""

    joined_: list[str] = field(default_factory=list)
    entered_: dict[str, str] = field(default_factory=dict)
    moved_: dict[str, str] = field(default_factory=dict)
    left_: dict[str, tuple[str, str]] = field(default_factory=dict)

    def waiting(self, call_id: str) -> None:
        pass

    def entered(self, call_id: str, participant_id: str) -> None:
        self.entered_[call_id] = participant_id

    def moved(self, call_id: str, room: str) -> None:
        self.moved_[call_id] = room

    def joined(self, call_id: str) -> None:
        self.joined_.append(call_id)

    def refused(self, call_id: str, sip_status: int, reason: str, words: str) -> None:
        self.left_[call_id] = (reason, words)

    def shows(self, call_id: str, attributes: Pairs) -> None:
        pass

    def asked_to_end(self, call_id: str, headers: Pairs, words: str) -> None:
        self.left_[call_id] = ("asked", words)

    def left(self, call_id: str, reason: str, words: str) -> None:
        self.left_[call_id] = (reason, words)


class Calls:
    """Legs in rooms of one server, and the clock that ticks them; use it as `async with`."""

    def __init__(self, server: LiveKitServer) -> None:
        self.told = Told()
        self.rooms = LiveKitRooms(server, self.told)
        self.legs: dict[str, ToneLeg] = {}
        self._clock: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Calls:
        await self.rooms.start()
        self._clock = asyncio.create_task(self._tick())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._clock is not None
        self._clock.cancel()
        await self.rooms.close()

    def join(self, call_id: str, room: str, room_codec: str = "auto") -> ToneLeg:
        leg = self.legs[call_id] = ToneLeg()
        participant = Participant(
            call_id, f"sip_{call_id}", call_id, "", (("sip.callID", call_id),), room_codec=room_codec
        )
        self.rooms.join(room, participant, leg, time.monotonic())
        return leg

    async def until(self, what: Callable[[], object], why: str, within_s: float = 20.0) -> None:
        deadline = time.monotonic() + within_s
        while not what():
            assert time.monotonic() < deadline, f"waited {within_s} s for {why}; {self.told.left_}"
            await asyncio.sleep(0.02)

    def all_heard_since(self, moment: float) -> bool:
        """Whether everybody heard something after this moment."""
        return all(leg.last > moment for leg in self.legs.values())

    async def _tick(self) -> None:
        due = time.monotonic()
        while True:
            due = max(due + 0.02, time.monotonic() - 0.1)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.rooms.tick(time.monotonic())
