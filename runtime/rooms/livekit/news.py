"""What the signalling asks of the edges (commands), and what it tells the call (events): plain values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from livekit.protocol import rtc

from runtime.rooms.livekit.description import Ourselves, Theirs
from runtime.rooms.livekit.modes import Mode
from schemas.tables.rows import Pairs


class Target(IntEnum):
    """Which of a call's media paths. The only one of a single connection counts as the publisher's."""

    PUBLISHER = rtc.PUBLISHER
    SUBSCRIBER = rtc.SUBSCRIBER


@dataclass(frozen=True, slots=True)
class Request:
    """Where a WebSocket is opened, and with which query."""

    path: str
    query: Pairs


@dataclass(frozen=True, slots=True)
class Dial:
    """Open a WebSocket with this request; the token carries `attributes`. An open one is closed first."""

    room: str
    request: Request
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
    """Make the media path that these two describe."""

    target: Target
    ours: Ourselves
    theirs: Theirs


@dataclass(frozen=True, slots=True)
class RestartPeer:
    """Find the way of a media path anew, by these credentials; what it carries goes on (RFC 8445 section 9)."""

    target: Target
    ours: Ourselves
    theirs: Theirs


@dataclass(frozen=True, slots=True)
class AddCandidate:
    """An ICE candidate of the server, without its `candidate:`."""

    target: Target
    text: str


@dataclass(frozen=True, slots=True)
class DropPeers:
    """Close all media paths that there are."""


Command = Dial | Send | HangUp | StartPeer | RestartPeer | AddCandidate | DropPeers


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
class ModeFound:
    """The server let the call in by this mode, and not by the other one."""

    mode: Mode


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


Event = Standing | Ready | Moved | ModeFound | TrackMuted | AttributesChanged | Left
