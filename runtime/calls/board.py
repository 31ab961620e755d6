"""The board of all live calls: what their rooms tell of them, and how each of them ends. A core.

The switchboard stands on it and adds what leads to a call; `dialler` and `transfers` work on it. Every call that is
taken off the board leaves exactly one `EndCall`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from runtime.calls.call import UNANSWERED, UNDER_WAY, Call, InboundCall, OutboundCall, State, Step, hung_up_by
from runtime.calls.commands import (
    Command,
    EndCall,
    PlayMusic,
    RingPhone,
    SetAttributes,
    StartMedia,
    StartRecording,
)
from runtime.calls.negotiate import media_peer
from runtime.calls.opening import Opening
from runtime.calls.reasons import EndReason, reason_header
from runtime.calls.record import EndedBy
from runtime.calls.refusal import warning
from runtime.limits import CALLS_MAX
from runtime.media.config import StreamConfig
from runtime.routing.dial import Failure, FailureKind
from runtime.routing.headers import bye_headers, own_headers
from runtime.routing.route import RINGBACK_NONE
from runtime.sip.endpoint import Endpoint
from runtime.sip.reason import Reason
from schemas.ringing import RINGING
from schemas.tables.networks import compile_networks, parse_address
from schemas.tables.rows import Pairs

STATUS = "sip.callStatus"
HOLD = "sip.hold"
"""Who has a call on hold; it is not there while nobody has."""
RECORDING = "sip.recording"
"""The file that a call is being recorded in; it is not there while none is."""

ACTIVE = ((STATUS, "active"),)
"""What a participant shows from the answer on."""


@dataclass(frozen=True, slots=True)
class Now:
    """The two clocks of one moment: monotonic for timers, wall (Unix) for records. Seconds."""

    mono: float
    wall: float


class Board:
    """The calls of one bridge, by leg and by id, and the commands that they wait to give."""

    def __init__(self, endpoint: Endpoint, opening: Opening) -> None:
        self._endpoint = endpoint
        self._opening = opening
        self._by_leg: dict[int, Call] = {}
        self._by_id: dict[str, Call] = {}
        self._commands: deque[Command] = deque()
        self._draining = False

    # -- the calls -------------------------------------------------------------------------------------------------

    def put(self, call: Call) -> None:
        """Take a call onto the board, or note the leg that it has now."""
        self._by_id[call.id] = call
        if call.leg is not None:
            self._by_leg[call.leg] = call

    def take_leg(self, call: Call) -> None:
        """The call has lost its leg: what the endpoint still says of that is nobody's business."""
        if call.leg is not None:
            self._by_leg.pop(call.leg, None)
            call.leg = None

    def get(self, call_id: str) -> Call | None:
        """A live call."""
        return self._by_id.get(call_id)

    def of_leg(self, leg: int) -> Call | None:
        """The live call that has this leg."""
        return self._by_leg.get(leg)

    def live_calls(self) -> list[Call]:
        """The calls of this moment, the oldest first."""
        return list(self._by_id.values())

    def do(self, *commands: Command) -> None:
        """Have this done."""
        self._commands.extend(commands)

    def next_command(self) -> Command | None:
        """The next thing to do, in order."""
        return self._commands.popleft() if self._commands else None

    def full(self) -> str:
        """Why there can be no further call now; "" when there can."""
        if self._draining:
            return "the bridge is stopping"
        if len(self._by_id) >= CALLS_MAX:
            return f"the bridge has all the {CALLS_MAX} calls that it takes"
        return ""

    # -- what rooms tell -------------------------------------------------------------------------------------------

    def room_waits(self, call_id: str, now: Now) -> None:
        """The room takes its time: the phone rings."""
        call = self._by_id.get(call_id)
        if isinstance(call, InboundCall) and call.state is State.ROUTED:
            self.ring(call, now)

    def room_moved(self, call_id: str, room: str) -> None:
        """The participant is in another room now: the record follows."""
        call = self._by_id.get(call_id)
        if call is not None:
            call.record = replace(call.record, room=room)

    def room_joined(self, call_id: str, now: Now) -> bool:
        """The room is ready: answer the phone. False when that was done, or the caller gave up meanwhile.

        A rule may leave it to somebody in the room: then the phone rings on.
        """
        call = self._by_id.get(call_id)
        if not isinstance(call, InboundCall) or call.state not in (State.ROUTED, State.JOINING):
            return False
        if call.state is State.ROUTED and call.orders.answers_on_request:
            if call.rings_until == float("inf"):
                self.ring(call, now)
            return False
        return self._pick_up(call, now)

    def answer_asked(self, call_id: str, now: Now) -> Failure | None:
        """Somebody wants a phone that rings to be answered now, whatever its rule says; or why it cannot be."""
        call = self._by_id.get(call_id)
        if call is None:
            return Failure(FailureKind.NOT_FOUND, f"there is no call {call_id}")
        if not isinstance(call, InboundCall) or call.state is not State.ROUTED:
            return Failure(FailureKind.FAILED_PRECONDITION, "the call does not wait for an answer")
        self._pick_up(call, now)
        return None

    def _pick_up(self, call: InboundCall, now: Now) -> bool:
        if call.state is State.ROUTED:
            self.answer(call, now)
            self.do(SetAttributes(call.id, ACTIVE))
        call.advance(Step.ANSWER)
        call.asked = None
        self.record_from_here(call, now)
        return True

    def record_from_here(self, call: Call, now: Now) -> None:
        """Record an answered call from now on, where its rule, or the trunk that it is placed by, says so."""
        wanted = call.orders.sound.recording
        if wanted is None:
            return
        stamp = datetime.fromtimestamp(now.wall, UTC).strftime("%Y%m%dT%H%M%SZ")
        file = f"{stamp}-{call.id}.{wanted.format}"
        call.record = replace(call.record, recording=file)
        self.do(StartRecording(call.id, file, wanted), SetAttributes(call.id, ((RECORDING, file),)))

    def room_refused(self, call_id: str, sip_status: int, reason: str, words: str, now: Now) -> None:
        """The room cannot be had: the caller gets this status."""
        self.hang_up(call_id, now, reason, words, EndedBy.ROOM, sip_status=sip_status)

    def room_left(self, call_id: str, reason: str, words: str, now: Now) -> None:
        """The call has no room, or has it no more: the caller gets what the rule says, or is hung up on."""
        call = self._by_id.get(call_id)
        if call is not None:
            status = call.orders.fallback_sip_code if isinstance(call, InboundCall) else 0
            self.hang_up(call_id, now, reason, words, EndedBy.ROOM, sip_status=status)

    def room_shows(self, call_id: str, attributes: Pairs) -> None:
        """The attributes of the call's participant, all of them, as the room has them now."""
        call = self._by_id.get(call_id)
        if call is not None:
            call.attributes = dict(attributes)

    def ring_out(self, now: Now) -> None:
        """Give up the callers that have waited long enough for somebody in their room."""
        for call in [c for c in self._by_id.values() if c.rings_until <= now.mono and c.state is State.ROUTED]:
            words = f"nobody was in the room to talk to for {call.orders.ringing_timeout_s:.0f} s"
            self.room_left(call.id, EndReason.RINGING_TIMEOUT, words, now)

    def ring(self, call: InboundCall, now: Now) -> None:
        """Let the phone ring; where the rule says so it hears the bridge, or its room, before the answer."""
        call.rings_until = now.mono + call.orders.ringing_timeout_s
        if call.orders.ringback == RINGBACK_NONE or not self._can_hear(call):
            self._endpoint.respond(call.leg, 180, now.mono)
            return
        self._endpoint.respond(call.leg, 183, now.mono, body=call.body)
        call.waits = not self._is_proven(call)
        if call.stream is not None:  # else the PRACK brings the answer
            self.flow(call)
        if call.orders.ringback in RINGING:
            self.do(RingPhone(call.id, call.orders.sound.ringing))

    def _can_hear(self, call: InboundCall) -> bool:
        """An offer of ours is answered before the answer to the call only where the phone knows how (PRACK)."""
        return call.stream is not None or self._endpoint.takes_reliable(call.leg)

    def _is_proven(self, call: InboundCall) -> bool:
        """Whether media may go out before anybody has acknowledged anything, and cannot hit a stranger.

        A connection was made from there, or the trunk itself names the address that is sent to.
        """
        info, inbound = self._endpoint.leg_info(call.leg), call.orders.trunk.inbound
        assert inbound is not None, "only inbound trunks match calls"
        if call.stream is None or (info is not None and info.path.reliable):
            return True
        return compile_networks(inbound.networks).holds(parse_address(call.stream.remote[0]))

    def early_acknowledged(self, leg: int) -> None:
        """The phone has our provisional response: it is there, and media may flow to it."""
        call = self._by_leg.get(leg)
        if isinstance(call, InboundCall) and call.state is State.ROUTED:
            call.has_answered, call.waits = True, False
            if call.stream is not None:
                self.flow(call)

    def answer(self, call: InboundCall, now: Now) -> None:
        """Pick up: 200, with what its trunk says."""
        if call.orders.ringback in RINGING:
            self.do(RingPhone(call.id, ""))
        headers = own_headers(call.orders.policy, call.attributes)
        self._endpoint.respond(call.leg, 200, now.mono, headers=headers, body=call.body)
        self.answered(call, now)

    def answered(self, call: Call, now: Now) -> None:
        """From now on the call lasts."""
        call.lasts(call.orders.max_call_duration_s, now.mono)
        call.record = replace(call.record, answered_at=now.wall)

    def stream_agreed(self, call: Call, stream: StreamConfig) -> None:
        """Packets flow by this, from now on."""
        call.stream = stream
        call.record = call.record.agreed(stream)
        self.flow(call)

    def flow(self, call: Call) -> None:
        """Let packets flow by what was agreed on; hold shows from the answer on."""
        assert call.stream is not None, "it was agreed on"
        call.stream = replace(call.stream, peer=media_peer(call.orders.trunk, call.record.source))
        if not call.record.answered_at:
            self.do(StartMedia(call.id, call.before_answer(call.stream)))
            return
        self.do(StartMedia(call.id, call.stream))
        music = call.orders.sound.hold_music if call.holds else ""
        if music != call.music:
            call.music = music
            self.do(PlayMusic(call.id, music))
        if call.hold != call.shown_hold:
            call.shown_hold = call.hold
            self.do(SetAttributes(call.id, ((HOLD, call.hold),)))

    # -- ends ------------------------------------------------------------------------------------------------------

    def hang_up(
        self,
        call_id: str,
        now: Now,
        reason: str,
        words: str,
        by: EndedBy,
        headers: Iterable[tuple[str, str]] = (),
        sip_status: int = 480,
    ) -> None:
        """End one call from our side: with this status or CANCEL before its answer, then with a BYE with `headers`."""
        call = self._by_id.get(call_id)
        if call is None:
            return
        status = 200 if call.record.answered_at else sip_status
        if call.leg is not None and call.state in UNANSWERED:
            self._endpoint.respond(call.leg, sip_status, now.mono, headers=[warning(words)])
        elif call.leg is not None and call.state in UNDER_WAY:
            self._endpoint.cancel(call.leg, now.mono, [("Reason", reason_header(reason, words))])
        elif call.leg is not None:
            said = bye_headers(call.orders.policy, call.attributes, headers, reason_header(reason, words))
            self._endpoint.bye(call.leg, now.mono, said)
        self.end(call, now, status, reason, words, by)

    def drain(self) -> None:
        """Refuse new calls from now on; those that are up go on."""
        self._draining = True

    def stop(self, now: Now) -> None:
        """Hang up every call and refuse new ones: the bridge is going away."""
        self.drain()
        for call_id in list(self._by_id):
            self.hang_up(call_id, now, EndReason.SHUTDOWN, "the bridge is stopping", EndedBy.BRIDGE)

    @property
    def stopping(self) -> bool:
        """Whether new calls are refused because the bridge is going away."""
        return self._draining

    def phone_ended(
        self, leg: int, now: Now, status: int, reason: str, words: str, by: EndedBy, told: Sequence[Reason] = ()
    ) -> None:
        """The endpoint says that a call is over; `told` is what the phone says about why."""
        call = self._by_leg.get(leg)
        if call is None:
            return
        if by is EndedBy.CALLER:
            by = hung_up_by(call)
        if call.transfer is not None and call.transfer.done:
            reason, words = EndReason.TRANSFERRED, f"the call went to {call.transfer.request.refer_to}"
        words = words.format(who=by.value)
        if told:
            call.record = replace(call.record, peer_reason="; ".join(map(str, told)))
            unusual = [str(each) for each in told if not each.is_normal]
            words += f" ({'; '.join(unusual)})" if unusual else ""
        self.end(call, now, status, reason, words, by)

    def end(self, call: Call, now: Now, status: int, reason: str, words: str, by: EndedBy) -> None:
        """Take a call off the board; its phone knows already."""
        del self._by_id[call.id]
        self.take_leg(call)
        call.advance(Step.END)
        self._opening.left(call.record.trunk, call.ports, placed=isinstance(call, OutboundCall))
        record = call.record.ended(now.wall, status, reason, words, by)
        self.do(*call.last_words(record), EndCall(record, call.ports))
