"""What somebody asks the bridge to do with a phone: place a call, or send a caller on; and what became of it.

Made by the API from LiveKit's CreateSIPParticipantRequest and TransferSIPParticipantRequest, whose syntax it has
checked: what is here can be put into a SIP message as it is. Times are seconds. Passwords are in no representation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from runtime.sip.path import Path
from runtime.sip.requests import URI_TRANSPORTS
from runtime.sip.uri import Uri
from schemas.tables.rows import NO_WISHES, Headers, Media, Pairs

NO_POLICY = Headers()
"""No header becomes an attribute, and none the other way."""

RINGING_TIMEOUT_S = 180.0
CALL_DURATION_S_MAX = 86_400.0
TRANSFER_TIMEOUT_S = 30.0
"""LiveKit's defaults; a call lasts no longer than a day."""


@dataclass(frozen=True, slots=True)
class Destination:
    """The parts of a `sip:` URI. `port` None: the transport's own. `transport` "auto", or udp, tcp, tls, ws, wss."""

    user: str
    host: str
    port: int | None = None
    transport: str = "auto"
    proxy: Destination | None = None
    """Where requests for it go first, without a user; None = to itself."""
    resource: str = ""
    """What a WebSocket to it is opened on ("/path"); "" = the root."""

    @property
    def first_hop(self) -> Destination:
        """Whose address is looked up."""
        return self.proxy or self


Way = tuple[Destination, Path]
"""A destination, and the path to one of its addresses."""


def uri_of(place: Destination) -> Uri:
    """The URI of a destination; one without a user is a host's own."""
    named = URI_TRANSPORTS.get(place.transport, place.transport)
    params = () if place.transport == "auto" else (("transport", named),)
    return Uri("sip", place.user or None, None, place.host, place.port, params)


def route_of(place: Destination) -> Pairs:
    """The Route header of requests for a destination behind a proxy (RFC 3261 section 8.1.1.1), else nothing."""
    return () if place.proxy is None else (("Route", f"<{uri_of(place.proxy)};lr>"),)


@dataclass(frozen=True, slots=True)
class NamedAddress:
    """A From header: display name ("" = none) and URI."""

    display_name: str
    address: Destination


@dataclass(frozen=True, slots=True)
class InlineTrunk:
    """LiveKit's SIPOutboundConfig: a trunk that is nowhere declared. `port` None: the transport's own."""

    host: str
    port: int | None = None
    transport: str = "auto"
    username: str = ""
    password: bytes = field(default=b"", repr=False)
    policy: Headers = NO_POLICY
    from_host: str = ""


@dataclass(frozen=True, slots=True)
class DialRequest:
    """Call somebody, and bring the call into a room (LiveKit's CreateSIPParticipantRequest)."""

    call_to: str
    """The number or user that is dialled."""
    room: str
    trunk: str = ""
    """`namespace/name` of a Trunk; "" = `inline`, or the Trunk that `caller` is a number of."""
    inline: InlineTrunk | None = None
    caller: str = ""
    """The From user; "" = one of the trunk's own numbers."""
    to_user: str = ""
    """The user of To where it is another than the one that is dialled."""
    request_uri: Destination | None = None
    """Where the INVITE goes, in place of the trunk's address."""
    from_: NamedAddress | None = None
    display_name: str | None = None
    """Of From: None = the caller's number, "" = none."""
    identity: str = ""
    name: str = ""
    metadata: str = ""
    attributes: Pairs = ()
    dtmf: str = ""
    """Keys to press after the answer; `w` is half a second."""
    dialtone: bool = False
    """The room hears a ringing tone until the answer."""
    hide_number: bool = False
    headers: Pairs = ()
    """On the INVITE, over those of the trunk."""
    include_headers: str | None = None
    """none, x or all, in place of the trunk's."""
    media: Media = NO_WISHES
    ringing_timeout_s: float = RINGING_TIMEOUT_S
    max_call_duration_s: float = CALL_DURATION_S_MAX
    noise_cancellation: bool = False
    country: str = ""
    """Where it is called, two letters: whose ringing tone the room hears. "" = the trunk says."""
    wait_until_answered: bool = False


@dataclass(frozen=True, slots=True)
class TransferRequest:
    """Send a caller on to another number (REFER, RFC 3515)."""

    room: str
    identity: str
    refer_to: str
    """The value of Refer-To: `<sip:…>` or `tel:…`."""
    dialtone: bool = False
    """The phone hears a ringing tone in place of the room."""
    headers: Pairs = ()
    ringing_timeout_s: float = TRANSFER_TIMEOUT_S


class FailureKind(StrEnum):
    """What kind of failure it is, by the names that gRPC and Twirp have for them."""

    INVALID_ARGUMENT = "invalid_argument"
    NOT_FOUND = "not_found"
    FAILED_PRECONDITION = "failed_precondition"
    RESOURCE_EXHAUSTED = "resource_exhausted"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    ABORTED = "aborted"
    CANCELED = "canceled"
    UNAVAILABLE = "unavailable"
    """Nothing was dialled: it may be tried again, elsewhere too."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something was not done, in words. `sip_status` 0: no SIP response said so."""

    kind: FailureKind
    words: str
    sip_status: int = 0
    sip_reason: str = ""


@dataclass(frozen=True, slots=True)
class Dialled:
    """A call of ours that is in its room; answered, where that was waited for."""

    call_id: str
    participant_id: str
    identity: str
    room: str


class TransferReason(StrEnum):
    """LiveKit's SIPTransferReason."""

    COMPLETED = "STR_COMPLETED"
    CALL_ENDED = "STR_CALL_ENDED"
    REJECTED = "STR_REJECTED"
    RINGING_TIMEOUT = "STR_RINGING_TIMEOUT"
    SUBSCRIPTION_TERMINATED = "STR_SUBSCRIPTION_TERMINATED"
    CANCELED = "STR_CANCELED"


@dataclass(frozen=True, slots=True)
class Transferred:
    """How a transfer ended. `failure` None: the other number has the caller now, or the call ended meanwhile."""

    transfer_id: str
    reason: TransferReason
    sip_status: int = 0
    sip_reason: str = ""
    failure: Failure | None = None
