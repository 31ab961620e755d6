"""Rooms inside the bridge: a lone caller hears itself, several hear each other and not themselves.

They need no server, so that a first call works in the first minute, and they are what tests and laptops run on. A room
exists while it has members. A digit that one phone sends is played to the other phones of its room. With `--play` a
member first hears a file; with `--record` every room leaves a WAV file of all that was said in it.

Unlike LiveKit's rooms, two calls of one number may be in one room: nothing here needs an identity to be unique.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from runtime.calls.reasons import EndReason
from runtime.gate.bucket import TokenBucket
from runtime.limits import ROOM_MEMBERS_MAX
from runtime.media.echo import EchoLine
from runtime.media.frame import Frame
from runtime.media.mixer import Mixer
from runtime.media.sound import Sound
from runtime.rooms.adapter import Leg, Participant, RoomEvents
from runtime.rooms.files import RoomRecording
from schemas.ids import ID_CHARS, random_id
from schemas.tables.rows import Pairs

ECHO_DELAY_MS = 400
"""Long enough that a person hears it as an echo, short enough to talk on."""

DIGITS_PER_S = 2.0
DIGITS_BURST = 20.0
"""Keys of one member that the others are played: no more than fit, or they would hear keys instead of speech."""

_NOTHING = Sound({})


@dataclass(slots=True)
class _Member:
    participant: Participant
    leg: Leg
    echo: EchoLine
    digits: TokenBucket
    played: int = 0


@dataclass(slots=True)
class _Room:
    name: str
    members: dict[str, _Member] = field(default_factory=dict)
    recording: RoomRecording | None = None
    mixer: Mixer = field(default_factory=Mixer)


class EmbeddedRooms:
    """All rooms of one bridge; used from the event loop's thread only.

    `greeting` is the sound of `--play`; `record` opens a room's recording, or None.
    """

    def __init__(
        self,
        events: RoomEvents,
        greeting: Sound = _NOTHING,
        record: Callable[[str], RoomRecording | None] = lambda _room: None,
    ) -> None:
        self._events = events
        self._greeting = greeting
        self._record = record
        self._rooms: dict[str, _Room] = {}
        self._room_of: dict[str, _Room] = {}

    def join(self, room: str, participant: Participant, leg: Leg, now: float) -> None:
        """Bring a call into a room, which is made when it is not there."""
        found = self._rooms.get(room)
        if found is None:
            found = self._rooms[room] = _Room(room, recording=self._record(room))
        if len(found.members) >= ROOM_MEMBERS_MAX:
            words = f"room {room} has all the {ROOM_MEMBERS_MAX} members that it takes"
            self._events.refused(participant.call_id, 486, EndReason.ROOM_FULL, words)
            return
        digits = TokenBucket(DIGITS_PER_S, DIGITS_BURST, now)
        echo = EchoLine(ECHO_DELAY_MS)
        found.members[participant.call_id] = _Member(participant, leg, echo, digits)
        self._room_of[participant.call_id] = found
        self._events.entered(participant.call_id, random_id("PA", os.urandom(ID_CHARS)))
        self._events.joined(participant.call_id)

    def leave(self, call_id: str, reason: str = EndReason.HANGUP) -> None:
        """Take a call out of its room; the last one closes it."""
        room = self._room_of.pop(call_id, None)
        if room is None:
            return
        del room.members[call_id]
        if not room.members:
            del self._rooms[room.name]
            if room.recording is not None:
                room.recording.close()

    def set_attributes(self, call_id: str, changes: Pairs) -> None:
        """Change what the room shows of a participant."""
        room = self._room_of.get(call_id)
        if room is not None:
            member = room.members[call_id]
            attributes = {**dict(member.participant.attributes), **dict(changes)}
            shown = tuple(sorted((name, value) for name, value in attributes.items() if value))
            member.participant = replace(member.participant, attributes=shown)

    def show_headers(self, call_id: str, headers: Pairs) -> None:
        """Nobody in these rooms can ask for them."""

    def digit(self, call_id: str, digit: str, now: float) -> None:
        """Play a digit to the other phones of the room."""
        room = self._room_of.get(call_id)
        if room is None or not room.members[call_id].digits.take(now):
            return
        for other, member in room.members.items():
            if other != call_id:
                member.leg.send_digits(digit, now)

    def message(self, call_id: str, method: str, content_type: str, body: bytes) -> None:
        """Nobody in these rooms can read it."""

    def members(self, room: str) -> list[Participant]:
        """Who is in a room now; empty when there is no such room."""
        found = self._rooms.get(room)
        return [m.participant for m in found.members.values()] if found else []

    def tick(self, now: float) -> None:
        """Pull a frame from every member, mix, push a frame to every member."""
        for room in self._rooms.values():
            self._tick_room(room, now)

    async def start(self) -> str:
        """Nothing has to be there beforehand."""
        return ""

    async def check(self) -> str:
        """They are always there."""
        return ""

    async def close(self) -> None:
        """Close what is still recorded: the bridge is going away."""
        for room in self._rooms.values():
            if room.recording is not None:
                room.recording.close()

    def _tick_room(self, room: _Room, now: float) -> None:
        members = list(room.members.values())
        frames = [member.leg.pull(now) for member in members]
        if room.recording is not None:
            room.recording.write(frames)
        if len(members) == 1:
            heard: Sequence[Frame | None] = [members[0].echo.step(frames[0])]
        else:
            heard = room.mixer.mix(frames, [member.leg.codec for member in members])
        for member, frame in zip(members, heard, strict=True):
            if member.played < len(self._greeting):
                frame = self._greeting[member.played]
                member.played += 1
            member.leg.push(frame, now)
