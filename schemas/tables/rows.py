"""The rows that calls are answered from: plain frozen values, one per declared object.

`reconciler/model` compiles resources into rows; stores carry them; `lookup` matches calls against them; the bridge
reads the rest of its orders (headers, timeouts, media) from the row that won. Whatever a person left out holds
LiveKit's default here, and the codec leaves defaults out of the bytes. Durations are whole milliseconds, ids are
`namespace/name`, tuples are in declared order unless said otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

Pairs = tuple[tuple[str, str], ...]
"""A string map as sorted pairs, so that equal maps have equal bytes."""


class Kind(StrEnum):
    """The three kinds of row, by the name of what declares them."""

    TRUNK = "Trunk"
    RULE = "DispatchRule"
    NUMBER = "PhoneNumber"


class RoomKind(StrEnum):
    """LiveKit's three kinds of dispatch rule."""

    DIRECT = "direct"
    INDIVIDUAL = "individual"
    CALLEE = "callee"


class Direction(StrEnum):
    """Which calls a PhoneNumber serves."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret's place and its sealed value. `key` (`env:NAME`) tells two apart without knowing either."""

    key: str
    sealed: bytes = b""


@dataclass(frozen=True, slots=True)
class Auth:
    """Digest credentials. `algorithms` by RFC 8760's names, the strongest first; empty = all."""

    username: str
    password: Secret
    realm: str = ""
    algorithms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Headers:
    """Header policy of one direction of a trunk. `include` is none, x or all (LiveKit's SIPHeaderOptions)."""

    fixed: Pairs = ()
    to_attributes: Pairs = ()
    from_attributes: Pairs = ()
    include: str = "none"


@dataclass(frozen=True, slots=True)
class Media:
    """Media wishes of a trunk or a rule; unset fields are None so that the two merge as LiveKit merges (§1.3)."""

    codecs: tuple[str, ...] = ()
    encryption: str | None = None
    room_codec: str | None = None
    dtmf: tuple[str, ...] = ()
    timeout_ms: int | None = None
    keying: tuple[str, ...] = ()
    """How keys of encrypted media come about, `sdes` and `dtls`, the first one offered; empty = both, as they stand."""


NO_WISHES = Media()
"""What most rows hold: nothing said about media."""


@dataclass(frozen=True, slots=True)
class IdentityCheck:
    """How the Identity header is looked at: `verify` is report or require, and whence certificates are."""

    verify: str
    certificate_hosts: tuple[str, ...] = ()
    """`host`, `host:port`, `*.domain` or `*`, in small letters; without a port 443 is meant."""


@dataclass(frozen=True, slots=True)
class Inbound:
    """The inbound half of a trunk. `networks` are canonical CIDRs of allowed packet sources."""

    networks: tuple[str, ...] = ()
    allowed_numbers: tuple[str, ...] = ()
    """Callers, normalised, exact or `prefix*`; empty = any."""
    called_declared_only: bool = False
    auth: Auth | None = None
    headers: Headers = Headers()
    ringing_timeout_ms: int = 180_000
    max_call_duration_ms: int = 86_400_000
    noise_cancellation: bool = False
    trust_identity: bool = False
    """Whether P-Asserted-Identity and Remote-Party-ID are believed."""
    identity: IdentityCheck | None = None
    """None = the caller's number is not verified."""


@dataclass(frozen=True, slots=True)
class OutboundTls:
    """Where the client certificate of an outbound trunk comes from."""

    certificate: Secret
    key: Secret


@dataclass(frozen=True, slots=True)
class Recording:
    """How calls are recorded: wav or opus, and for how long at most."""

    format: str
    max_duration_ms: int = 14_400_000


@dataclass(frozen=True, slots=True)
class Outbound:
    """The outbound half of a trunk."""

    addresses: tuple[str, ...]
    transport: str = "auto"
    from_host: str = ""
    auth: Auth | None = None
    headers: Headers = Headers()
    register_expires_ms: int | None = None
    probe_every_ms: int | None = None
    tls: OutboundTls | None = None
    destination_country: str = ""
    allowed_destinations: tuple[str, ...] = ()
    max_concurrent_calls: int | None = None
    """Of calls that are placed; a trunk's own limit counts both ways."""
    calls_per_second: int | None = None
    max_call_duration_ms: int = 86_400_000
    identity_header: str = "none"
    """The header that vouches for the caller's number on calls: none, P-Asserted-Identity or Remote-Party-ID."""
    caller_form: str = "asGiven"
    """How the caller's number is written on calls: asGiven or +E.164."""
    proxy: str = ""
    """The URI of the proxy that all goes to first: `sip:host[:port][;transport=…];lr`; "" = none."""
    web_socket_path: str = ""
    """What WebSockets are opened on, there or at the addresses; "" = the root."""
    recording: Recording | None = None


@dataclass(frozen=True, slots=True)
class TrunkRow:
    """A Trunk. At least one of `inbound` and `outbound` is set."""

    id: str
    inbound: Inbound | None = None
    outbound: Outbound | None = None
    media: Media = NO_WISHES
    regions: tuple[str, ...] = ()
    max_concurrent_calls: int | None = None
    calls_per_second: int | None = None
    metadata: str = ""
    refer_to: str = "asGiven"
    """How a transfer names a number: asGiven, tel or sip."""
    refer_notify: bool = True
    """The carrier tells by NOTIFY how a transfer goes."""
    accept_refer: bool = False
    """Its phones may send their calls on."""
    media_networks: tuple[str, ...] = ()
    """Canonical CIDRs that its media may come from and go to; empty = anywhere."""
    hold_music: str = ""
    """What its phones hear on hold: "" silence, `builtIn`, or a file among the bridge's prompts."""
    claimed_since: int = 0
    """The revision since which this row holds its claim: the incumbent of a clash is the smaller one."""

    def serves(self, region: str) -> bool:
        """Whether a bridge of this region, "" for none, takes and places its calls."""
        return not self.regions or region in self.regions


@dataclass(frozen=True, slots=True)
class Agent:
    """LiveKit's RoomAgentDispatch, as far as a rule may set it."""

    agent_name: str
    metadata: str = ""


@dataclass(frozen=True, slots=True)
class Room:
    """LiveKit's RoomConfiguration, used when the call creates the room. Unset = the server's default."""

    agents: tuple[Agent, ...] = ()
    empty_timeout_ms: int | None = None
    departure_timeout_ms: int | None = None
    max_participants: int | None = None
    metadata: str = ""
    preset: str = ""


ROOM_DEFAULTS = Room()
"""What most rules say of the room: nothing."""


@dataclass(frozen=True, slots=True)
class PinPrompts:
    """What a caller hears who is asked for a PIN: names of files in the bridge's folder; "" = the bridge's own."""

    ask: str = ""
    wrong: str = ""
    goodbye: str = ""


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A DispatchRule. `trunks` None = every declared trunk; a tuple (even an empty one) = just these."""

    id: str
    kind: RoomKind
    room_name: str
    """The room of a direct rule, the prefix of the others (may be empty)."""
    randomize: bool = False
    trunks: tuple[str, ...] | None = None
    to: tuple[str, ...] = ()
    """Called numbers, normalised, exact or `prefix*`; PhoneNumbers that point here are found through their rows."""
    from_: tuple[str, ...] = ()
    """Calling numbers, likewise."""
    priority: int | None = None
    pin: Secret | None = None
    pin_prompts: PinPrompts = PinPrompts()
    room: Room = Room()
    attributes: Pairs = ()
    metadata: str = ""
    hide_phone_number: bool = False
    noise_cancellation: bool = False
    media: Media = NO_WISHES
    answer: str = "whenRoomReady"
    ringback: str = "none"
    """What a caller hears before the answer: none, room, tone, or a country of `schemas/ringing`."""
    hold_music: str = ""
    """As on a trunk; "" = the trunk's."""
    recording: Recording | None = None
    messages: str = "none"
    """Where a phone's MESSAGE and INFO go: none or room."""
    fallback_sip_code: int = 480
    claimed_since: int = 0


@dataclass(frozen=True, slots=True)
class NumberRow:
    """A PhoneNumber with a number. `trunk` "" = a number of the server's own, which needs no trunk."""

    id: str
    number: str
    trunk: str = ""
    rule: str = ""
    """The rule it points at; "" = the rules' own match decides."""
    direction: Direction = Direction.BOTH
    claimed_since: int = 0


Row = TrunkRow | RuleRow | NumberRow


@dataclass(frozen=True, slots=True)
class Rows:
    """One whole desired or live state, by id."""

    trunks: dict[str, TrunkRow] = field(default_factory=dict)
    rules: dict[str, RuleRow] = field(default_factory=dict)
    numbers: dict[str, NumberRow] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delta:
    """What one publish changes: rows to put, and (kind, id) of rows to delete."""

    put: tuple[Row, ...] = ()
    delete: tuple[tuple[Kind, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.put or self.delete)


def kind_of(row: Row) -> Kind:
    """Which kind a row is."""
    if isinstance(row, TrunkRow):
        return Kind.TRUNK
    return Kind.RULE if isinstance(row, RuleRow) else Kind.NUMBER
