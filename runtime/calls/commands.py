"""What the switchboard asks of the edges: plain values, carried out in order by the worker."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from runtime.calls.pin_dialogue import Prompt
from runtime.calls.record import CallRecord
from runtime.media.codecs.codec import Codec
from runtime.media.config import StreamConfig
from runtime.routing.dial import Dialled, Failure, Transferred
from runtime.routing.orders import Orders
from runtime.routing.place import Placement
from runtime.stir.place import Place
from schemas.tables.rows import Pairs, Recording


class Ports(Protocol):
    """A reserved RTP port pair: what the SDP says of it."""

    @property
    def address(self) -> str:
        """The address that the peer sends to."""
        ...

    @property
    def port(self) -> int:
        """The RTP port; RTCP is the next one."""
        ...

    def close(self) -> None:
        """Give it back."""
        ...


@dataclass(frozen=True, slots=True)
class OpenLeg:
    """A call has these ports, and speaks `codec` for a start: read them. Once for each call, before all else.

    `rings`: until its media starts the room hears this ringing tone from it; "" = none.
    """

    call_id: str
    ports: Ports
    codec: Codec
    rings: str = ""


@dataclass(frozen=True, slots=True)
class JoinRoom:
    """Bring this call into its room. The room answers with `room_joined` or `room_refused`."""

    call_id: str
    orders: Orders


@dataclass(frozen=True, slots=True)
class PlayPrompt:
    """Let a call that has no room yet hear this. `file` "" = the bridge's own prompt. Its end is `prompt_played`."""

    call_id: str
    prompt: Prompt
    file: str


@dataclass(frozen=True, slots=True)
class HushPrompt:
    """Play no more of the prompt; nobody is told of its end."""

    call_id: str


@dataclass(frozen=True, slots=True)
class StartMedia:
    """Packets flow from now on as `stream` says; on a call that has media already, change it (re-INVITE)."""

    call_id: str
    stream: StreamConfig


@dataclass(frozen=True, slots=True)
class PassDigit:
    """A digit from this call's phone, for its room."""

    call_id: str
    digit: str


@dataclass(frozen=True, slots=True)
class PassMessage:
    """What this call's phone wrote, by MESSAGE or INFO, for its room. `content_type` is `type/subtype`."""

    call_id: str
    method: str
    content_type: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SetAttributes:
    """What the room is to show of this call's participant from now on; an empty value takes an attribute away."""

    call_id: str
    changes: Pairs


@dataclass(frozen=True, slots=True)
class ShowHeaders:
    """What the room may be told of the headers of whoever was called: they came with the answer."""

    call_id: str
    headers: Pairs


@dataclass(frozen=True, slots=True)
class PressKeys:
    """Press these keys on the phone's side, `w` for a pause. Their end is `DigitsSent`."""

    call_id: str
    digits: str


@dataclass(frozen=True, slots=True)
class RingPhone:
    """The phone hears this ringing tone in place of the room; "" = the room again."""

    call_id: str
    tone: str


@dataclass(frozen=True, slots=True)
class PlayMusic:
    """What the phone hears from now on where it would hear nothing, because it is on hold; "" = nothing again."""

    call_id: str
    music: str


@dataclass(frozen=True, slots=True)
class StartRecording:
    """Record what this call's phone says and hears; how that ends is `recording_ended`."""

    call_id: str
    file: str
    """Its name in the folder of recordings."""
    recording: Recording


@dataclass(frozen=True, slots=True)
class FindWays:
    """Look up where this call's phone may be sent on to; `ways_found` is told."""

    call_id: str
    placement: Placement


@dataclass(frozen=True, slots=True)
class FetchCertificate:
    """Get the certificate at this place, which the caller's number is verified by; `certificate_found` is told."""

    call_id: str
    place: Place


@dataclass(frozen=True, slots=True)
class HoldSettled:
    """Whoever asked for a hold, or its end, is told whether the call is `held` now, and why it is not as asked."""

    call_id: str
    held: bool
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class DialSettled:
    """Whoever asked for this call is told what became of it. Once for each call of ours."""

    call_id: str
    outcome: Dialled | Failure


@dataclass(frozen=True, slots=True)
class TransferSettled:
    """The same for a transfer."""

    outcome: Transferred


@dataclass(frozen=True, slots=True)
class TrustSource:
    """Somebody at this address knows the password of a trunk: it is no stranger, though no trunk names it."""

    address: str


@dataclass(frozen=True, slots=True)
class ExpectAnswers:
    """Somebody at this address is called: what belongs to that call is no stranger's."""

    address: str


@dataclass(frozen=True, slots=True)
class EndCall:
    """Nothing of the call is left but this record: leave the room, close the ports, write it down."""

    record: CallRecord
    ports: Ports | None


Command = (
    OpenLeg
    | JoinRoom
    | PlayPrompt
    | HushPrompt
    | StartMedia
    | PassDigit
    | PassMessage
    | PressKeys
    | RingPhone
    | PlayMusic
    | StartRecording
    | SetAttributes
    | ShowHeaders
    | TrustSource
    | ExpectAnswers
    | FindWays
    | FetchCertificate
    | HoldSettled
    | DialSettled
    | TransferSettled
    | EndCall
)
