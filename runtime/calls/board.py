"""The board of all live calls: what their rooms tell of them, and how each of them ends. A core.

The switchboard stands on it and adds what leads to a call. Every call that is taken off the board leaves exactly one
`EndCall`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

from runtime.calls.call import Call, State, Step
from runtime.calls.commands import Command, EndCall, SetAttributes
from runtime.calls.opening import Opening
from runtime.calls.prompting import Prompting
from runtime.calls.reasons import EndReason, reason_header
from runtime.calls.record import EndedBy
from runtime.calls.refusal import warning
from runtime.routing.headers import answer_headers, bye_headers
from runtime.sip.endpoint import Endpoint
from schemas.tables.rows import Pairs

ACTIVE = (("sip.callStatus", "active"),)
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
        self._prompting = Prompting()
        self._by_leg: dict[int, Call] = {}
        self._by_id: dict[str, Call] = {}
        self._commands: deque[Command] = deque()
        self._draining = False

    # -- what rooms tell -------------------------------------------------------------------------------------------

    def room_waits(self, call_id: str, now: Now) -> None:
        """The room takes its time: the phone rings."""
        call = self._by_id.get(call_id)
        if call is not None and call.state is State.ROUTED:
            call.rings_until = now.mono + call.admission.ringing_timeout_s
            self._endpoint.respond(call.leg, 180, now.mono)

    def room_entered(self, call_id: str, participant_id: str, now: Now) -> None:
        """The participant is in its room. A caller rings on until somebody is there to talk to."""

    def room_moved(self, call_id: str, room: str) -> None:
        """The participant is in another room now: the record follows."""
        call = self._by_id.get(call_id)
        if call is not None:
            call.record = replace(call.record, room=room)

    def room_joined(self, call_id: str, now: Now) -> bool:
        """The room is ready: answer the phone. False when that was done, or the caller gave up meanwhile."""
        call = self._by_id.get(call_id)
        if call is None or call.state not in (State.ROUTED, State.JOINING):
            return False
        if call.state is State.ROUTED:
            self._answer(call, now)
            self._commands.append(SetAttributes(call.id, ACTIVE))
        call.advance(Step.ANSWER)
        call.asked = None
        return True

    def room_refused(self, call_id: str, sip_status: int, reason: str, words: str, now: Now) -> None:
        """The room cannot be had: the caller gets this status."""
        self.hang_up(call_id, now, reason, words, EndedBy.ROOM, sip_status=sip_status)

    def room_left(self, call_id: str, reason: str, words: str, now: Now) -> None:
        """The call has no room, or has it no more: the caller gets what the rule says, or is hung up on."""
        call = self._by_id.get(call_id)
        if call is not None:
            self.hang_up(call_id, now, reason, words, EndedBy.ROOM, sip_status=call.admission.fallback_sip_code)

    def room_shows(self, call_id: str, attributes: Pairs) -> None:
        """The attributes of the call's participant, all of them, as the room has them now."""
        call = self._by_id.get(call_id)
        if call is not None:
            call.attributes = dict(attributes)

    def ring_out(self, now: Now) -> None:
        """Give up the calls that have rung long enough."""
        for call in [c for c in self._by_id.values() if c.rings_until <= now.mono and c.state is State.ROUTED]:
            words = f"nobody was in the room to talk to for {call.admission.ringing_timeout_s:.0f} s"
            self.room_left(call.id, EndReason.RINGING_TIMEOUT, words, now)

    def _answer(self, call: Call, now: Now) -> None:
        headers = answer_headers(call.admission.trunk, call.attributes)
        self._endpoint.respond(call.leg, 200, now.mono, headers=headers, body=call.body)
        call.ends_at = now.mono + call.admission.max_call_duration_s
        call.record = replace(call.record, answered_at=now.wall)

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
        """End one call from our side: with this status while it has no answer, then with a BYE that has `headers`."""
        call = self._by_id.get(call_id)
        if call is None:
            return
        if call.state is State.ROUTED:
            self._endpoint.respond(call.leg, sip_status, now.mono, headers=[warning(words)])
            self._end(call.leg, now, sip_status, reason, words, by)
        else:
            said = bye_headers(call.admission.trunk, call.attributes, headers, reason_header(reason, words))
            self._endpoint.bye(call.leg, now.mono, said)
            self._end(call.leg, now, 200, reason, words, by)

    def drain(self) -> None:
        """Refuse new calls from now on; those that are up go on."""
        self._draining = True

    def stop(self, now: Now) -> None:
        """Hang up every call and refuse new ones: the bridge is going away."""
        self.drain()
        for call_id in list(self._by_id):
            self.hang_up(call_id, now, EndReason.SHUTDOWN, "the bridge is stopping", EndedBy.BRIDGE)

    def next_command(self) -> Command | None:
        """The next thing to do, in order."""
        return self._commands.popleft() if self._commands else None

    def live_calls(self) -> list[Call]:
        """The calls of this moment, the oldest first."""
        return list(self._by_id.values())

    @property
    def stopping(self) -> bool:
        """Whether new calls are refused because the bridge is going away."""
        return self._draining

    def _end(self, leg: int, now: Now, status: int, reason: str, words: str, by: EndedBy) -> None:
        call = self._by_leg.pop(leg, None)
        if call is None:
            return
        del self._by_id[call.id]
        self._prompting.forget(call.id)
        call.advance(Step.END)
        self._opening.left(call.record.trunk, call.ports)
        self._commands.append(EndCall(call.record.ended(now.wall, status, reason, words, by), call.ports))
