"""What every kind of room offers to a call, and what a call offers to a room.

A room sees a call as a `Leg`: something that yields one frame and takes one frame on every tick. A call sees a room
through `Rooms`: it joins, it leaves, and it hears of its fate through `RoomEvents`. Frames (`media/frame`) are one tick
(20 ms) of audio in any codec and rate, None for silence: whoever takes one makes of it what it needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from runtime.calls.commands import JoinRoom
from runtime.calls.reasons import EndReason
from runtime.media.codecs.codec import Codec
from runtime.media.frame import Frame
from schemas.tables.rows import ROOM_DEFAULTS, Pairs, Room


@dataclass(frozen=True, slots=True)
class Participant:
    """A caller as the room shows it (LiveKit's ParticipantInfo)."""

    call_id: str
    identity: str
    name: str
    metadata: str
    attributes: Pairs
    room: Room = ROOM_DEFAULTS
    """How the room is made, if this participant makes it."""
    headers: Pairs = ()
    """Headers of its INVITE that the room may ask for."""
    room_codec: str = "auto"
    """What the caller is published as: auto, opus, pcmu or pcma."""


def participant_of(order: JoinRoom) -> Participant:
    """The participant of a call that is to join its room."""
    orders = order.orders
    return Participant(
        call_id=order.call_id,
        identity=orders.identity,
        name=orders.name,
        metadata=orders.metadata,
        attributes=orders.attributes,
        headers=orders.headers,
        room=orders.room_settings,
        room_codec=orders.room_codec,
    )


class Leg(Protocol):
    """The phone side of one participant."""

    @property
    def codec(self) -> Codec:
        """What the phone speaks: a frame in it goes through untouched, and no rate above its own is heard."""
        ...

    def pull(self, now: float) -> Frame | None:
        """The frame that the caller spoke for this tick."""
        ...

    def push(self, frame: Frame | None, now: float) -> None:
        """What the caller hears for this tick."""
        ...

    def send_digits(self, digits: str, now: float) -> None:
        """Play digits to the caller's phone as RFC 4733 events."""
        ...


class RoomEvents(Protocol):
    """How a room tells its calls what became of them."""

    def waiting(self, call_id: str) -> None:
        """The room is being joined, or nobody is in it to talk to: the phone rings."""
        ...

    def entered(self, call_id: str, participant_id: str) -> None:
        """The participant is in the room and audio may flow, whoever is there. Told once, and before `joined`."""
        ...

    def joined(self, call_id: str) -> None:
        """Somebody is there to talk to: the phone can be answered."""
        ...

    def moved(self, call_id: str, room: str) -> None:
        """The participant was moved to another room, and goes on there."""
        ...

    def left(self, call_id: str, reason: str, words: str) -> None:
        """The call has no room, or has it no more, and not because it wanted to. `reason` is a record's code."""
        ...

    def refused(self, call_id: str, sip_status: int, reason: str, words: str) -> None:
        """The room cannot be had."""
        ...

    def shows(self, call_id: str, attributes: Pairs) -> None:
        """The room changed the participant's attributes; all of them, as they are now."""
        ...

    def asked_to_hold(self, call_id: str, *, on: bool) -> None:
        """Somebody in the room puts the phone on hold, or takes it back."""
        ...

    def asked_to_answer(self, call_id: str) -> None:
        """Somebody in the room wants the phone answered that rings."""
        ...

    def asked_to_end(self, call_id: str, headers: Pairs, words: str) -> None:
        """Somebody in the room ends the call; `headers` go on the BYE."""
        ...


class Rooms(Protocol):
    """A place where rooms are."""

    async def start(self) -> str:
        """Before the first call. "" or a warning for people; BridgeError when there can be no rooms at all."""
        ...

    async def check(self) -> str:
        """Whether there can be rooms now: "" or why not."""
        ...

    async def close(self) -> None:
        """After the last call: say goodbye, close what is open."""
        ...

    def join(self, room: str, participant: Participant, leg: Leg, now: float) -> None:
        """Bring a call into a room; `RoomEvents` hears of the outcome, maybe before this returns."""
        ...

    def leave(self, call_id: str, reason: str = EndReason.HANGUP) -> None:
        """Take a call out of its room; unknown calls are fine. `reason` is a record's code, for the others there."""
        ...

    def set_attributes(self, call_id: str, changes: Pairs) -> None:
        """Change what the room shows of a participant; an empty value takes an attribute away."""
        ...

    def show_headers(self, call_id: str, headers: Pairs) -> None:
        """What may be told of the headers of a phone that was called: they come with its answer."""
        ...

    def digit(self, call_id: str, digit: str, now: float) -> None:
        """A digit that this call's phone sent, for the others in its room."""
        ...

    def message(self, call_id: str, method: str, content_type: str, body: bytes) -> None:
        """What this call's phone wrote, by MESSAGE or INFO, likewise."""
        ...

    def tick(self, now: float) -> None:
        """One 20 ms step of every room."""
        ...
