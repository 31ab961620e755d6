"""What the signalling asks of the edges (commands), and what it tells the call (events): plain values."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.rooms.livekit.description import Answer, Ourselves
from schemas.tables.rows import Pairs


@dataclass(frozen=True, slots=True)
class Dial:
    """Open a WebSocket with this join request; the token carries `attributes`. An open one is closed first."""

    room: str
    request: bytes
    attributes: Pairs


@dataclass(frozen=True, slots=True)
class Send:
    """A message for the WebSocket."""

    data: bytes


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close the WebSocket, after what was sent."""


@dataclass(frozen=True, slots=True)
class StartPeer:
    """Make the media path that this answer describes."""

    ours: Ourselves
    answer: Answer


@dataclass(frozen=True, slots=True)
class AddCandidate:
    """An ICE candidate of the server, without its `candidate:`."""

    text: str


@dataclass(frozen=True, slots=True)
class DropPeer:
    """Close the media path, if there is one."""


Command = Dial | Send | HangUp | StartPeer | AddCandidate | DropPeer


@dataclass(frozen=True, slots=True)
class Standing:
    """The participant is in the room and media flows. `returned`: it was lost in between."""

    participant_id: str
    returned: bool


@dataclass(frozen=True, slots=True)
class Ready:
    """Somebody is there to talk to. Told once."""


@dataclass(frozen=True, slots=True)
class Moved:
    """The server moved the participant to another room."""

    room: str


@dataclass(frozen=True, slots=True)
class TrackMuted:
    """The server muted our track, or took it back."""

    muted: bool


@dataclass(frozen=True, slots=True)
class AttributesChanged:
    """The attributes of our participant, all of them."""

    attributes: Pairs


@dataclass(frozen=True, slots=True)
class Left:
    """The call has no room any more: `code` is a record's reason."""

    code: str
    words: str


Event = Standing | Ready | Moved | TrackMuted | AttributesChanged | Left
