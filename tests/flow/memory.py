"""A bridge and its callers in memory and in virtual time: cores and embedded rooms, without a socket or a clock.

Time moves only by `step`; every datagram arrives at once. Callers are the same SIP and media cores as a phone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from random import Random

from runtime.calls.board import Now
from runtime.calls.commands import (
    Command,
    DialSettled,
    EndCall,
    ExpectAnswers,
    FetchCertificate,
    FindWays,
    HoldSettled,
    HushPrompt,
    JoinRoom,
    OpenLeg,
    PassDigit,
    PassMessage,
    PlayMusic,
    PlayPrompt,
    PressKeys,
    RingPhone,
    SetAttributes,
    ShowHeaders,
    StartMedia,
    StartRecording,
    TransferSettled,
    TrustSource,
)
from runtime.calls.negotiate import stream_of
from runtime.calls.pin_dialogue import Prompt
from runtime.calls.reception import RegisteredOn, by_no_registration
from runtime.calls.record import CallRecord
from runtime.calls.switchboard import Switchboard
from runtime.media.codecs import g711
from runtime.media.codecs.codec import Codec
from runtime.media.config import StreamConfig
from runtime.media.events import DigitHeard, DigitReceived
from runtime.media.frame import Frame
from runtime.media.protection import Protection
from runtime.media.session import MediaSession
from runtime.media.shield import BySignalling, Shield, shielded
from runtime.media.sound import Sound
from runtime.rooms.adapter import participant_of
from runtime.rooms.booth import Booth, Fetch
from runtime.rooms.embedded import EmbeddedRooms
from runtime.routing.dial import Destination, Dialled, DialRequest, Failure, Transferred, TransferRequest, Way
from runtime.routing.place import caller_ids
from runtime.sip import events as sip
from runtime.sip.auth.client import Login
from runtime.sip.endpoint import Endpoint, EndpointConfig
from runtime.sip.keying import Encryption, Policy
from runtime.sip.message import Request, Response
from runtime.sip.offer_answer import LocalMedia, Negotiated, OfferAnswer
from runtime.sip.path import Path
from runtime.stir.signer import Signer
from runtime.stir.verdict import Refusal
from runtime.workers.worker import ALLOWED, SUPPORTED
from schemas.seal import Unseal, unseals_nothing
from schemas.tables.rows import Pairs, Recording
from schemas.tables.tables import Tables
from tests.frames import coded, frame

TICK_S = 0.02
BRIDGE = ("192.0.2.1", 5060)
WALL_S = 1_800_000_000.0
PROMPT_TICKS = 100
PROMPTS: dict[Prompt, Sound] = {
    prompt: Sound({8000: g711.decode("pcmu", bytes([0x31 + n])) * 160 * PROMPT_TICKS})
    for n, prompt in enumerate(Prompt)
}
"""Two seconds of a sound for each prompt."""


def way_to(place: Destination) -> Way:
    """The way to a destination whose host is an address, or to its proxy."""
    hop = place.first_hop
    return place, Path("udp", BRIDGE, (hop.host, hop.port or 5060))


@dataclass
class MemoryPorts:
    """A port pair without sockets."""

    address: str
    port: int
    closed: bool = False

    def close(self) -> None:
        self.closed = True


class MemoryLeg:
    """The phone side of one call; datagrams wait in `outbox`."""

    def __init__(self, ports: MemoryPorts, codec: Codec, *, rings: str = "") -> None:
        self.ports = ports
        self.rings = rings
        self.phone_rings = ""
        self.music = ""
        self._codec = codec
        self.session: MediaSession | None = None
        self.shield: Shield | None = None
        self.outbox: list[tuple[bytes, tuple[str, int]]] = []

    @property
    def codec(self) -> Codec:
        return self.session.codec if self.session else self._codec

    def pull(self, now: float) -> Frame | None:
        return self.session.pull(now) if self.session else None

    def push(self, frame: Frame | None, now: float) -> None:
        if self.session:
            self.outbox += protected(self.shield, self.session.push(frame, now))

    @property
    def protection(self) -> Protection | None:
        return self.shield.protection if isinstance(self.shield, BySignalling) else None

    def send_digits(self, digits: str, now: float) -> None:
        if self.session:
            self.session.send_digits(digits, now)


def protected(
    shield: Shield | None, packets: list[tuple[bytes, tuple[str, int]]]
) -> list[tuple[bytes, tuple[str, int]]]:
    """As a leg sends them."""
    if shield is None:
        return packets
    sealed = [shield.seal(packet, address, 0.0, rtcp=False) for packet, address in packets]
    return [(each.data, each.address) for each in sealed if each is not None]


def opened(shield: Shield | None, wire: bytes) -> bytes | None:
    """As it takes them in."""
    taken = None if shield is None else shield.take(wire, ("", 0), 0.0, rtcp=False)
    return wire if shield is None else taken and taken.packet


class World:
    """One bridge, its callers, the time, and a seed for everything that is random."""

    def __init__(
        self,
        tables: Tables,
        revision: int = 1,
        region: str = "",
        seed: int = 0,
        unseal: Unseal = unseals_nothing,
        *,
        anywhere: bool = False,
        registered_on: RegisteredOn = by_no_registration,
    ) -> None:
        self.random = Random(seed)
        self.now = 100.0
        self._port = count(10000, 2)
        self.endpoint = Endpoint(
            EndpointConfig(user_agent="test", allow=ALLOWED, supported=SUPPORTED),
            self.random.randbytes,
            welcomes=self._welcomes,
            turns_away=self._turns_away,
        )
        self.switchboard = Switchboard(
            self.endpoint,
            self._reserve,
            self.random.randbytes,
            region,
            unseal,
            anywhere=anywhere,
            registered_on=registered_on,
        )
        self.switchboard.use_tables(tables, revision)
        self.rooms = EmbeddedRooms(self)
        self.booth = Booth(lambda call_id: self.switchboard.prompt_played(call_id, self.moment))
        self.prompts: list[tuple[Prompt, str]] = []
        self.legs: dict[str, MemoryLeg] = {}
        self.records: list[CallRecord] = []
        self.entries: dict[str, str] = {}
        self.trusted: list[str] = []
        self.messages: list[tuple[str, str, bytes]] = []
        self.expected: list[str] = []
        self.dialled: dict[str, Dialled | Failure] = {}
        self.transferred: list[Transferred] = []
        self.held: list[tuple[str, bool, Failure | None]] = []
        self.shown_headers: dict[str, dict[str, str]] = {}
        self.recordings: list[tuple[str, str, Recording]] = []
        self.ports: list[MemoryPorts] = []
        self.callers: list[Caller] = []
        self.registrars: set[str] = set()
        self.signers: dict[str, Signer | Refusal] = {}
        self.fetching: list[tuple[str, str]] = []
        self.wire: list[bytes] = []
        """Packets of media that phones were sent."""

    # RoomEvents
    def joined(self, call_id: str) -> None:
        self.switchboard.room_joined(call_id, self.moment)

    def entered(self, call_id: str, participant_id: str) -> None:
        self.entries[call_id] = participant_id
        self.switchboard.room_entered(call_id, participant_id, self.moment)

    def refused(self, call_id: str, sip_status: int, reason: str, words: str) -> None:
        self.switchboard.room_refused(call_id, sip_status, reason, words, self.moment)

    @property
    def moment(self) -> Now:
        return Now(self.now, WALL_S + self.now)

    def caller(self, address: str = "198.51.100.7", number: str = "+15550101111", **more: object) -> Caller:
        """A new caller at this address; `more` are fields of a `Caller`."""
        made = Caller(self, (address, 5060 + len(self.callers)), number, **more)  # type: ignore[arg-type]
        self.callers.append(made)
        return made

    def callee(
        self,
        address: str = "198.51.100.9",
        number: str = "+15550109999",
        port: int | None = None,
        **more: object,
    ) -> Callee:
        """A phone that waits to be called at this address, port 5060 where none is given; `more` as with callers."""
        made = Callee(self, (address, port or 5060), number, **more)  # type: ignore[arg-type]
        self.callers.append(made)
        return made

    def place(self, call_id: str = "SCL_ours", **request: object) -> Failure | None:
        """Have the bridge call somebody; what became of it is in `dialled`, by the call's id."""
        wanted = DialRequest(**{"call_to": "+15550109999", "room": "lobby", "trunk": "default/out", **request})  # type: ignore[arg-type]
        placement = self.switchboard.place(
            self.switchboard.tables,
            self.switchboard.revision,
            call_id,
            wanted,
            caller_ids(self.switchboard.tables, wanted.trunk),
        )
        if isinstance(placement, Failure):
            return placement
        ways = [way_to(place) for place in placement.destinations]
        failure = self.switchboard.dial(call_id, placement, ways, self.moment)
        self.settle()
        return failure

    def transfer(self, refer_to: str = "tel:+15550105555", identity: str = "", **request: object) -> str | Failure:
        """Have the bridge send somebody in the lobby on."""
        wanted = TransferRequest("lobby", identity or "sip_+15550109999", refer_to, **request)  # type: ignore[arg-type]
        begun = self.switchboard.transfer(wanted, self.moment)
        self.settle()
        return begun

    def step(self, seconds: float = TICK_S) -> None:
        """Let time go by, tick by tick."""
        for _ in range(max(1, round(seconds / TICK_S))):
            self.now += TICK_S
            self.endpoint.handle_timer(self.now)
            self.settle()
            self._tick()
            for caller in self.callers:
                caller.tick()
            self.settle()

    def settle(self) -> None:
        """Carry everything that is under way to where it goes."""
        moved = True
        while moved:
            moved = self._drain()
            for caller in self.callers:
                moved = caller.drain() or moved

    def _tick(self) -> None:
        for call_id, leg in list(self.legs.items()):
            if leg.session is None:
                continue
            leg.session.check(self.now)
            while (event := leg.session.next_event()) is not None:
                self.switchboard.handle_media(call_id, event, self.moment)
        self.switchboard.handle_timer(self.moment)
        self.rooms.tick(self.now)
        self.booth.tick(self.now)
        for leg in self.legs.values():
            for data, address in leg.outbox:
                for caller in self.callers:
                    if caller.media_address == address and caller.session is not None:
                        self.wire.append(data)
                        packet = opened(caller.shield, data)
                        if packet is not None:
                            caller.session.receive_rtp(packet, (leg.ports.address, leg.ports.port), self.now)
            leg.outbox.clear()

    def _drain(self) -> bool:
        moved = False
        while True:
            event = self.endpoint.next_event()
            if event is not None:
                moved = True
                if not isinstance(event, sip.MessageDropped):
                    self.switchboard.handle_sip(event, self.moment)
                continue
            command = self.switchboard.next_command()
            if command is None:
                break
            moved = True
            self._carry_out(command)
        for data, path in self.endpoint.datagrams_to_send():
            moved = True
            for caller in self.callers:
                if caller.address == path.remote:
                    self.now, caller.think_s = self.now + caller.think_s, 0.0
                    caller.endpoint.receive_datagram(data, Path("udp", path.remote, path.local), self.now)
        return moved

    def _carry_out(self, command: Command) -> None:
        match command:
            case OpenLeg():
                assert isinstance(command.ports, MemoryPorts)
                self.legs[command.call_id] = MemoryLeg(command.ports, command.codec, rings=command.rings)
            case PlayPrompt():
                self.prompts.append((command.prompt, command.file))
                self.booth.play(
                    command.call_id, self.legs[command.call_id], Fetch(PROMPTS[command.prompt], PROMPTS[command.prompt])
                )
            case HushPrompt():
                self.booth.hush(command.call_id)
            case JoinRoom():
                leg = self.legs[command.call_id]
                self.booth.leave(command.call_id)
                self.rooms.join(command.orders.room, participant_of(command), leg, self.now)
            case StartMedia():
                leg = self.legs[command.call_id]
                leg.shield = shielded(leg.shield, command.stream, None, self.now)
                if leg.session is None:
                    leg.session = self.session(command.stream)
                else:
                    leg.session.reconfigure(command.stream, self.now)
            case PassDigit():
                self.rooms.digit(command.call_id, command.digit, self.now)
            case PassMessage():
                self.messages.append((command.method, command.content_type, command.body))
            case TrustSource():
                self.trusted.append(command.address)
            case ExpectAnswers():
                self.expected.append(command.address)
            case PressKeys():
                self.legs[command.call_id].send_digits(command.digits, self.now)
            case RingPhone():
                self.legs[command.call_id].phone_rings = command.tone
            case PlayMusic():
                self.legs[command.call_id].music = command.music
            case StartRecording():
                self.recordings.append((command.call_id, command.file, command.recording))
            case ShowHeaders():
                self.shown_headers[command.call_id] = dict(command.headers)
            case FindWays():
                ways = [way_to(place) for place in command.placement.destinations]
                self.switchboard.ways_found(command.call_id, ways, self.moment)
            case FetchCertificate():
                self.fetching.append((command.call_id, command.place.url))
                if command.place.url in self.signers:
                    self.fetched(command.place.url, self.signers[command.place.url])
            case HoldSettled():
                self.held.append((command.call_id, command.held, command.failure))
            case DialSettled():
                self.dialled[command.call_id] = command.outcome
            case TransferSettled():
                self.transferred.append(command.outcome)
            case SetAttributes():
                self.rooms.set_attributes(command.call_id, command.changes)
            case EndCall():
                self.rooms.leave(command.record.call_id, command.record.reason)
                self.booth.leave(command.record.call_id)
                self.legs.pop(command.record.call_id, None)
                if command.ports is not None:
                    command.ports.close()
                self.records.append(command.record)

    def fetched(self, url: str, signer: Signer | Refusal) -> None:
        """Those who wait for this certificate have it now."""
        waiting = [call_id for call_id, wanted in self.fetching if wanted == url]
        self.fetching = [each for each in self.fetching if each[1] != url]
        for call_id in waiting:
            self.switchboard.certificate_found(call_id, signer, self.moment)

    def session(self, stream: StreamConfig) -> MediaSession:
        """A media session with random starts."""
        return MediaSession(
            stream, ssrc=self.random.getrandbits(32), sequence=self.random.getrandbits(16),
            timestamp=self.random.getrandbits(32), cname="test", entropy=self.random.randbytes, now=self.now,
        )  # fmt: skip

    def _welcomes(self, address: str) -> bool:
        return self.switchboard.reception.welcomes(address) or address in self.registrars

    def _turns_away(self, request: Request, path: Path, now: float) -> tuple[int, Pairs] | None:
        return self.switchboard.turns_away(request, path, now)

    def _reserve(self, address: str) -> MemoryPorts:
        ports = MemoryPorts(address, next(self._port))
        self.ports.append(ports)
        return ports


@dataclass
class Caller:
    """A phone in memory. `says` is the frame that it sends on every tick; `heard` what came back."""

    world: World
    address: tuple[str, int]
    number: str
    says: bytes | None = None
    think_s: float = 0.0
    """How long it takes over the next datagram that comes to it."""
    status: int = 0
    warning: str = ""
    phrase: str = ""
    why: str = ""
    """The Reason of a refusal."""
    bye_reason: str = ""
    bye_headers: dict[str, str] = field(default_factory=dict)
    ended: bool = False
    heard: list[bytes | None] = field(default_factory=list)
    digits: str = ""
    session: MediaSession | None = None
    shield: Shield | None = None
    encryption: Policy = "disable"
    supported: tuple[str, ...] = ()
    allow: tuple[str, ...] = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "REFER", "UPDATE", "PRACK")
    session_expires_s: object = 1_800
    """What it asks for; a text names the refresher, too."""
    refuses: int = 0
    """What a re-INVITE gets; 0: it is taken."""
    wants: str = "sendrecv"
    """The direction that it answers with."""
    reinvites: list[Request] = field(default_factory=list)
    provisional: list[Response] = field(default_factory=list)

    def __post_init__(self) -> None:
        config = EndpointConfig(
            "phone",
            allow=self.allow,
            supported=self.supported,
            session_expires_s=self.session_expires_s,  # type: ignore[arg-type]
        )
        self.endpoint = Endpoint(config, self.world.random.randbytes)
        self.media_address = (self.address[0], 30000 + 2 * len(self.world.callers))
        self.offer_answer = OfferAnswer()
        self.local = self.media()
        self.leg = 0

    def media(self, codecs: tuple[str, ...] = ("pcmu", "pcma"), *, dtmf: bool = True) -> LocalMedia:
        """What it brings into a call."""
        encryption = Encryption(self.encryption, self.world.random.randbytes)
        return LocalMedia(*self.media_address, codecs, dtmf=dtmf, session_id=1, encryption=encryption)

    def dial(
        self,
        called: str,
        codecs: tuple[str, ...] = ("pcmu", "pcma"),
        *,
        body: bytes | None = None,
        headers: Sequence[tuple[str, str]] = (),
        login: Login | None = None,
        to: str | None = None,
        user: str | None = None,
    ) -> Caller:
        """Call a number, and let the answer come. `to`: the To field names another; `user`: the Request-URI does."""
        self.local = self.media(codecs)
        self.leg = self.endpoint.invite(
            f"sip:{user or called}@{BRIDGE[0]}", Path("udp", self.address, BRIDGE), self.world.now,
            from_=f"<sip:{self.number}@{self.address[0]}>", to=f"<sip:{called if to is None else to}@{BRIDGE[0]}>",
            body=self.offer_answer.offer(self.local) if body is None else body, headers=headers, login=login,
        )  # fmt: skip
        self.world.settle()
        return self

    def change(self, direction: str = "sendrecv", codecs: tuple[str, ...] = ("pcmu", "pcma")) -> int:
        """A re-INVITE; the status of its answer."""
        self.local = replace(self.media(codecs), direction=direction)
        self.status = 0
        self.endpoint.reinvite(self.leg, self.world.now, self.offer_answer.offer(self.local))
        self.world.settle()
        return self.status

    def update(self, direction: str = "sendrecv", codecs: tuple[str, ...] = ("pcmu", "pcma")) -> int:
        """An UPDATE with an offer; the status of its answer."""
        self.local = replace(self.media(codecs), direction=direction)
        self.status = 0
        offer = self.offer_answer.offer(self.local)
        self.endpoint.request(self.leg, "UPDATE", self.world.now, body=offer, content_type="application/sdp")
        self.world.settle()
        return self.status

    def hang_up(self, headers: Sequence[tuple[str, str]] = ()) -> None:
        """BYE."""
        self.endpoint.bye(self.leg, self.world.now, headers)
        self.world.settle()

    def tick(self) -> None:
        """One frame each way."""
        self.endpoint.handle_timer(self.world.now)
        if self.session is None or self.ended:
            return
        law = self.session.codec.law
        assert law is not None
        self.heard.append(coded(self.session.pull(self.world.now), law))
        while (event := self.session.next_event()) is not None:
            if isinstance(event, DigitReceived | DigitHeard):
                self.digits += event.digit
        for data, address in protected(self.shield, self.session.push(frame(self.says, law), self.world.now)):
            for leg in self.world.legs.values():
                if (leg.ports.address, leg.ports.port) == address and leg.session is not None:
                    packet = opened(leg.shield, data)
                    if packet is not None:
                        leg.session.receive_rtp(packet, self.media_address, self.world.now)

    def drain(self) -> bool:
        """Handle what came, send what is due."""
        moved = False
        while (event := self.endpoint.next_event()) is not None:
            moved = True
            self._handle(event)
        for data, path in self.endpoint.datagrams_to_send():
            moved = True
            if path.remote == BRIDGE:
                self.world.endpoint.receive_datagram(data, Path("udp", path.remote, path.local), self.world.now)
        return moved

    def _handle(self, event: sip.Event) -> None:
        match event:
            case sip.Answered() | sip.ReinviteAnswered():
                self.status = event.response.status
                if event.response.body or self.session is None:
                    self._hear(self.offer_answer.accept(event.response.body))
            case sip.Ringing():
                self.provisional.append(event.response)
                if event.response.body:
                    self._hear(self.offer_answer.accept(event.response.body))
            case sip.RequestAnswered(method="UPDATE") if event.response is not None:
                self.status = event.response.status
                if self.status == 200 and event.response.body:
                    self._hear(self.offer_answer.accept(event.response.body))
                elif self.status >= 300:
                    self.offer_answer.withdraw()
            case sip.ReinviteReceived():
                self._reinvited(event)
            case sip.RequestReceived() if event.request.method == "UPDATE":
                self.endpoint.respond_request(event.request_id, 200, self.world.now)
            case sip.Rejected():
                self.status = event.response.status
                self.warning = event.response.headers.first("Warning") or ""
                self.why, self.phrase = event.response.headers.first("Reason") or "", event.response.reason
            case sip.ReinviteRejected():
                self.status = event.response.status if event.response else 408
                self.offer_answer.withdraw()
            case sip.ByeReceived():
                self.ended = True
                self.bye_reason = event.request.headers.first("Reason") or ""
                self.bye_headers = dict(event.request.headers.items())
            case sip.LegEnded():
                self.ended = True
            case _:
                pass

    def _reinvited(self, event: sip.ReinviteReceived) -> None:
        self.reinvites.append(event.request)
        if self.refuses:
            self.endpoint.respond(event.leg, self.refuses, self.world.now)
            return
        self.local = replace(self.local, direction=self.wants)
        body, negotiated = self.offer_answer.answer(event.request.body, self.local)
        self.endpoint.respond(event.leg, 200, self.world.now, body=body)
        self._hear(negotiated)

    def _hear(self, negotiated: Negotiated) -> None:
        stream = stream_of(negotiated, 3600.0)
        self.shield = shielded(self.shield, stream, None, self.world.now)
        if self.session is None:
            self.session = self.world.session(stream)
        else:
            self.session.reconfigure(stream, self.world.now)


@dataclass
class Callee(Caller):
    """A phone that is called: it rings, answers or declines as it is told."""

    invites: list[Request] = field(default_factory=list)
    refers: list[Request] = field(default_factory=list)
    refer_id: int = 0
    cancelled: bool = False

    def ring(self, status: int = 180, headers: Sequence[tuple[str, str]] = (), *, early: bool = False) -> None:
        """A provisional response; `early`: with its answer to our offer, and media from now on."""
        body = b""
        if early:
            body, negotiated = self.offer_answer.answer(self.invites[-1].body, self.local)
            self._hear(negotiated)
        self.endpoint.respond(self.leg, status, self.world.now, headers=headers, body=body)
        self.world.settle()

    def answer(self, headers: Sequence[tuple[str, str]] = (), body: bytes | None = None, *, dtmf: bool = True) -> None:
        """Pick up."""
        self.local = self.media(dtmf=dtmf)
        answer, negotiated = self.offer_answer.answer(self.invites[-1].body, self.local)
        self._hear(negotiated)
        self.endpoint.respond(self.leg, 200, self.world.now, headers=headers, body=answer if body is None else body)
        self.world.settle()

    def decline(self, status: int, reason: str = "", **more: object) -> None:
        """Do not."""
        self.endpoint.respond(self.leg, status, self.world.now, reason=reason, **more)  # type: ignore[arg-type]
        self.world.settle()

    def take_refer(self, status: int = 202, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Answer a REFER."""
        self.endpoint.respond_request(self.refer_id, status, self.world.now, headers=headers)
        self.world.settle()

    def notify(self, line: str, state: str = "active", event: str = "refer") -> None:
        """Tell how far the transfer has come."""
        headers = [("Event", event), ("Subscription-State", state)]
        self.endpoint.request(self.leg, "NOTIFY", self.world.now, headers, line.encode(), "message/sipfrag;version=2.0")
        self.world.settle()

    def _handle(self, event: sip.Event) -> None:
        match event:
            case sip.InviteReceived():
                self.leg = event.leg
                self.invites.append(event.request)
                self.offer_answer = OfferAnswer()
            case sip.RequestReceived() if event.request.method == "REFER":
                self.refers.append(event.request)
                self.refer_id = event.request_id
            case sip.RequestAnswered():
                self.status = event.response.status if event.response else 408
            case sip.Cancelled():
                self.cancelled = self.ended = True
            case _:
                super()._handle(event)
