"""Calls of ours: from the request to the answer, and why there was none. A core; it works on the board.

A call is in its room before its phone rings, as with LiveKit: whoever is there sees `sip.callStatus` go from `dialing`
over `ringing` to `active`. Which of the trunk's addresses is tried when is `hunt`'s.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from runtime.calls.board import ACTIVE, STATUS, Board, Now
from runtime.calls.call import UNDER_WAY, Call, OutboundCall, State, Step
from runtime.calls.commands import DialSettled, ExpectAnswers, JoinRoom, OpenLeg, PressKeys, SetAttributes, ShowHeaders
from runtime.calls.hunt import Hunter
from runtime.calls.negotiate import answered_with, answers_early, is_sdp
from runtime.calls.opening import Opening
from runtime.calls.reasons import EndReason, refusal_reason
from runtime.calls.record import CallRecord, EndedBy
from runtime.media.config import StreamConfig
from runtime.routing.dial import Dialled, Failure, FailureKind, Way
from runtime.routing.headers import attributes_from, headers_from, readable, remote_headers
from runtime.routing.orders import IDS
from runtime.routing.place import Placement
from runtime.sip import events as sip
from runtime.sip.endpoint import Endpoint
from runtime.sip.message import Response
from runtime.sip.offer_answer import NegotiationFailure
from runtime.sip.reason import read_reasons
from schemas.printable import printable
from schemas.tables.rows import Headers, Pairs

TELLING_STATUSES: Final = frozenset({400, 404, 480, 486, 488})
"""Refusals of which the carrier's own text says more than the reason phrase."""

TOLD_CHARS_MAX: Final = 256
"""How much of such a text is kept."""

_RINGING_NOTHING: Final = Headers()


class Dialler:
    """One per bridge."""

    def __init__(self, board: Board, endpoint: Endpoint, opening: Opening, hunter: Hunter) -> None:
        self._board = board
        self._endpoint = endpoint
        self._opening = opening
        self._hunter = hunter

    def begin(
        self,
        call_id: str,
        placement: Placement,
        ways: list[Way],
        region: str,
        now: Now,
    ) -> Failure | None:
        """Begin a call, or say why it cannot be begun. What becomes of it is told by one `DialSettled`."""
        assert ways, "whoever looked the hops up has found one"
        ways = self._hunter.order(ways, now.mono)
        full = self._board.full()
        if full:
            return Failure(FailureKind.UNAVAILABLE, full)
        record = CallRecord.placed(call_id, placement, region, now.wall)
        call = self._opening.offer(record, placement, ways, now.mono)
        if isinstance(call, Failure):
            return call
        self._board.put(call)
        self._board.do(
            OpenLeg(
                call.id, call.ports, placement.codecs[0], rings=placement.sound.ringing if placement.dialtone else ""
            ),
            JoinRoom(call.id, placement),
        )
        return None

    def entered(self, call: OutboundCall, participant_id: str, now: Now) -> None:
        """The call is in its room: now the phone is called."""
        if call.state is not State.ENTERING:
            return
        call.participant_id = participant_id
        call.rings_until = now.mono + call.orders.ringing_timeout_s
        call.hunt.headers = headers_from(call.attributes, call.orders.policy)
        self._hunter.begin(call.hunt, now.mono)
        self._is_called(call)
        if not call.orders.waits:
            self._settle(call)

    def handle(self, event: sip.Ringing | sip.Answered | sip.Rejected | sip.InviteTimedOut, now: Now) -> None:
        """What became of an INVITE of ours."""
        call = self._board.of_leg(event.leg)
        if not isinstance(call, OutboundCall) or call.state not in UNDER_WAY:
            return
        match event:
            case sip.Ringing():
                self._ringing(call, event.response, now)
                self._hears_early(call, event.response)
            case sip.Answered():
                self._answered(call, event.response, now)
            case sip.Rejected():
                self._rejected(call, event.response, now)
            case sip.InviteTimedOut():
                self._board.take_leg(call)
                if self._hunter.timed_out(call.hunt, now.mono):
                    self._is_called(call)
                else:
                    self._end(call, 408, "", EndReason.UNREACHABLE, _silence(call), now)

    def keys_pressed(self, call: Call) -> None:
        """The keys of the request have been pressed: now the call is as any other."""
        if isinstance(call, OutboundCall) and call.state is State.AUTOMATION:
            call.advance(Step.ANSWER)
            self._active(call)

    def handle_timer(self, now: Now) -> None:
        """Give up the phones that have rung long enough, and the addresses of which nothing is heard."""
        for call in self._board.live_calls():
            if not isinstance(call, OutboundCall) or call.state not in UNDER_WAY:
                continue
            assert call.leg is not None, "an INVITE is out"
            if call.rings_until <= now.mono:
                self._give_up(call, self._endpoint.is_heard(call.leg), now)
            elif self._hunter.moves_on(call.hunt, now.mono):
                self._board.take_leg(call)
                self._is_called(call)

    # -- the phone is called ---------------------------------------------------------------------------------------

    def _is_called(self, call: OutboundCall) -> None:
        """An INVITE has gone out, by the first way or another one."""
        hunt = call.hunt
        assert hunt.last is not None, "by some way"
        address = hunt.last[1].remote[0]
        call.leg = hunt.leg
        call.advance(Step.DIAL)
        self._board.put(call)
        call.record = replace(call.record, sip_call_id=hunt.sip_call_id, source=address)
        self._board.do(
            # At a stranger's rate the answers to ten calls would be lost.
            ExpectAnswers(address),
            SetAttributes(call.id, (("sip.callIDFull", hunt.sip_call_id),)),
        )

    def _ringing(self, call: OutboundCall, response: Response, now: Now) -> None:
        self._hunter.heard(call.hunt, response, now.mono)
        changes = attributes_from(readable(response.headers.items(), hide_caller=True), _RINGING_NOTHING)
        if response.status >= 180 and call.state is State.DIALLING:
            changes[STATUS] = "ringing"
            call.advance(Step.RING)
        if changes:
            self._board.do(SetAttributes(call.id, tuple(sorted(changes.items()))))

    def _answered(self, call: OutboundCall, response: Response, now: Now) -> None:
        placement = call.orders
        self._hunter.heard(call.hunt, response, now.mono)
        self._board.answered(call, now)
        call.record = replace(call.record, status=response.status)
        try:
            stream = self._agreed(call, response)
        except NegotiationFailure as fault:
            call.advance(Step.ANSWER)
            words = f"no common media in the answer: {fault.text}"
            self._board.hang_up(call.id, now, EndReason.MEDIA, words, EndedBy.BRIDGE)
            return
        self._board.stream_agreed(call, stream)
        self._board.record_from_here(call, now)
        headers = readable(response.headers.items(), hide_caller=placement.hides_number)
        self._board.do(ShowHeaders(call.id, remote_headers(headers)), SetAttributes(call.id, self._told(call, headers)))
        if placement.digits and stream.takes_digits:
            call.advance(Step.PRESS)
            self._board.do(SetAttributes(call.id, ((STATUS, "automation"),)), PressKeys(call.id, placement.digits))
        else:
            call.advance(Step.ANSWER)
            self._active(call)

    def _hears_early(self, call: OutboundCall, response: Response) -> None:
        """What its network plays before the phone is answered is heard in the room (RFC 3960)."""
        if not answers_early(call.offer_answer, response):
            return
        try:
            stream = self._agreed(call, response)
        except NegotiationFailure:
            return  # the answer itself will tell
        self._board.stream_agreed(call, stream)

    def _agreed(self, call: OutboundCall, response: Response) -> StreamConfig:
        timeout_s = call.orders.media_timeout_s
        own = self._opening.media_ports
        return answered_with(call.offer_answer, response.body, call.stream, call.local, timeout_s, own)

    def _told(self, call: OutboundCall, headers: Pairs) -> Pairs:
        """The attributes that the answer brings."""
        found = attributes_from(headers, call.orders.policy)
        told = {name: value for name, value in found.items() if name not in IDS}
        assert call.leg is not None, "it was answered"
        info = self._endpoint.leg_info(call.leg)
        if info is not None:
            told["sip.callTag"] = info.remote_tag
        return tuple(sorted(told.items()))

    def _active(self, call: OutboundCall) -> None:
        self._board.do(SetAttributes(call.id, ACTIVE))
        if not call.settled:
            self._settle(call)

    def _settle(self, call: OutboundCall) -> None:
        call.settled = True
        placement = call.orders
        self._board.do(DialSettled(call.id, Dialled(call.id, call.participant_id, placement.identity, placement.room)))

    # -- the phone is not answered ---------------------------------------------------------------------------------

    def _rejected(self, call: OutboundCall, response: Response, now: Now) -> None:
        self._board.take_leg(call)
        lost = self._hunter.rejected(call.hunt, response, now.mono)
        if lost is None:
            self._is_called(call)
            return
        status, reason = response.status, _reason_of(response)
        if lost.unreached:
            words = f"{call.hunt.hop} cannot be reached: {reason}"
            self._end(call, status, "", EndReason.UNREACHABLE, words, now)
        else:
            words = f"{call.orders.called} was not reached: SIP {status} {reason}"
            words += f"; {lost.redirect}" if lost.redirect else ""
            call.record = replace(call.record, peer_reason="; ".join(map(str, read_reasons(response.headers))))
            self._end(call, status, reason, refusal_reason(status), words, now)

    def _give_up(self, call: OutboundCall, heard: bool, now: Now) -> None:
        reason, words = EndReason.UNREACHABLE, _silence(call)
        if heard:
            reason = EndReason.NO_ANSWER
            words = f"sip request timed out: {call.orders.called} did not answer for "
            words += f"{call.orders.ringing_timeout_s:.0f} s"
        self._board.hang_up(call.id, now, reason, words, EndedBy.BRIDGE, sip_status=0)

    def _end(self, call: OutboundCall, status: int, sip_reason: str, reason: EndReason, words: str, now: Now) -> None:
        call.record = replace(call.record, sip_reason=sip_reason)
        by = EndedBy.CALLEE if sip_reason else EndedBy.NETWORK
        self._board.end(call, now, status, reason, words, by)


def _silence(call: OutboundCall) -> str:
    return f"nobody answers SIP at {call.hunt.hop}"


def _reason_of(response: Response) -> str:
    """The reason phrase, or what a carrier says in its place; one printable line."""
    told = response.reason
    if response.status in TELLING_STATUSES:
        body = response.body.decode("utf-8", "replace") if not is_sdp(response) else ""
        told = body.strip() or response.headers.first("X-Twilio-Error") or told
    line = " ".join(told.split())[:TOLD_CHARS_MAX]
    return printable(line) or "(no reason)"
