"""Callers that come in: from the INVITE to the answer, by way of a password and a PIN. A core; it works on the board.

It decides by the tables of the moment, which the call keeps. Who may not come in gets a refusal with its reason, and
leaves a record.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from runtime.calls.arrival import read_arrival, request_user
from runtime.calls.board import ACTIVE, Board, Now
from runtime.calls.call import Call, InboundCall, State, Step
from runtime.calls.commands import EndCall, JoinRoom, OpenLeg, SetAttributes, TrustSource
from runtime.calls.entrance import Challenge, Entrance, Knock
from runtime.calls.opening import Opening
from runtime.calls.prompting import Outcome, Prompting
from runtime.calls.reasons import EndReason
from runtime.calls.record import CallRecord, EndedBy
from runtime.calls.refusal import headers_of, record_of, turned_away
from runtime.calls.verifying import Verifying
from runtime.media.config import StreamConfig
from runtime.routing.route import Admission, Arrival, PinAsked, Rejection
from runtime.sip import events as sip
from runtime.sip.endpoint import Endpoint
from runtime.sip.errors import SipSyntaxError
from runtime.sip.message import Request
from runtime.sip.path import Path
from runtime.sip.validate import validate_invite
from runtime.stir.signer import Signer
from runtime.stir.verdict import Refusal
from schemas.ids import random_id, random_suffix
from schemas.seal import Unseal
from schemas.tables.networks import parse_address
from schemas.tables.rows import Pairs, TrunkRow
from schemas.tables.tables import Tables

ID_BYTES = 16

RegisteredOn = Callable[[str, str, float], str]
"""(user of the Request-URI, source address, now) -> the trunk by whose registration such a call comes; "" = by none."""


def by_no_registration(_user: str, _source: str, _now: float) -> str:
    """For a bridge that registers nowhere."""
    return ""


class Reception:
    """One per bridge. `unseal` opens the secrets in the tables, `registered_on` knows our registrations."""

    def __init__(
        self,
        board: Board,
        endpoint: Endpoint,
        opening: Opening,
        entropy: Callable[[int], bytes],
        region: str,
        unseal: Unseal,
        registered_on: RegisteredOn,
    ) -> None:
        self._board = board
        self._endpoint = endpoint
        self._opening = opening
        self.entrance = Entrance(entropy, unseal)
        self._prompting = Prompting()
        self._entropy = entropy
        self._region = region
        self._registered_on = registered_on
        self.tables = Tables()
        self.revision = 0
        self._verifying = Verifying(board, endpoint, self._go_on)
        self._refused = 0
        self.challenged = 0
        self.admitted = 0

    # -- before anything is kept -----------------------------------------------------------------------------------

    def knows(self, address: str) -> bool:
        """Whether a trunk of the live tables names this source address."""
        return self.tables.source_index.names(parse_address(address))

    def welcomes(self, address: str) -> bool:
        """Whether a trunk of the live tables could take a call from there, known or not."""
        return self.tables.source_index.may_call(parse_address(address))

    def turns_away(self, request: Request, path: Path, now: float) -> tuple[int, Pairs] | None:
        """What this new INVITE gets before anything is kept of it; None: take it.

        That is 401 where it shows no credentials that could be judged, and the refusal of a stranger.

        The endpoint asks before it keeps anything: with a transaction for each challenge, whoever forges the address
        of one trunk filled what all of them share, and had us repeat the 401 at that address.
        """
        if self._board.full():
            return None
        try:
            arrival = self._arrival(request, path, now)
        except SipSyntaxError:
            return None
        answer = self.entrance.turns_away(self.tables, request, arrival, self._region, now)
        return (answer, ()) if isinstance(answer, int) else self._asked(answer)

    def asks(self, trunk: TrunkRow, request: Request, path: Path, now: float) -> tuple[int, Pairs] | None:
        """The same for an INVITE that is about a call of this trunk, whatever number it names."""
        return self._asked(self.entrance.asks(trunk, request, path.remote[0], now))

    def _asked(self, challenge: Challenge | None) -> tuple[int, Pairs] | None:
        self.challenged += challenge is not None
        return None if challenge is None else (401, challenge.headers)

    def vouches(self, head: bytes, address: str, now: float) -> bool:
        """Whether a message that begins so comes from who was challenged at this address a moment ago."""
        return self.entrance.vouches(head, address, now)

    # -- a new call ------------------------------------------------------------------------------------------------

    def invited(self, event: sip.InviteReceived, now: Now) -> None:
        """Somebody calls."""
        record = self._new_record(event, now)
        call_id = record.call_id
        self._endpoint.set_local_tag(event.leg, call_id)
        try:
            arrival = self._arrival(event.request, event.path, now.mono)
        except SipSyntaxError as fault:
            self._refuse(event.leg, record, Rejection(fault.status, EndReason.SYNTAX, fault.reason), now)
            return
        record = replace(record, from_user=arrival.shown_caller, to_user=arrival.called)
        unreadable = validate_invite(event.request)
        if unreadable is not None:
            words = f"the body cannot be taken: {unreadable.reason}"
            headers = tuple(unreadable.headers)
            self._refuse(event.leg, record, Rejection(unreadable.status, EndReason.BODY, words, headers=headers), now)
            return
        full = self._board.full()
        if full:
            self._refuse(event.leg, record, Rejection(503, EndReason.FULL, full), now)
            return
        suffix = random_suffix(self._entropy(ID_BYTES))
        knock = Knock(event.request, arrival, self._region, call_id, suffix, now.mono)
        verdict, proven = self.entrance.ask(self.tables, knock)
        if proven:
            self._board.do(TrustSource(arrival.source))
        match verdict:
            case Challenge():
                self.challenges(event, verdict, now)
            case Rejection():
                self._refuse(event.leg, record, verdict, now)
            case Admission():
                self._admit(event, record, arrival, verdict, None, now)
            case PinAsked():
                locked = self._prompting.refuses(verdict, now.mono)
                if locked is not None:
                    self._refuse(event.leg, record, locked, now)
                else:
                    self._admit(event, record, arrival, verdict.admission, verdict, now)

    def challenges(self, event: sip.InviteReceived, challenge: Challenge, now: Now) -> None:
        """Somebody calls, and is asked for a password first."""
        self.challenged += 1
        self._endpoint.respond(event.leg, 401, now.mono, headers=challenge.headers)

    def turns_down(self, event: sip.InviteReceived, rejection: Rejection, now: Now) -> None:
        """Somebody calls, and may not for a reason that no table has."""
        self._refuse(event.leg, self._new_record(event, now), rejection, now)

    def turned_away(self, event: sip.InviteTurnedAway, now: Now) -> None:
        """A stranger has been answered already, and leaves a record."""
        self._count_refused(turned_away(self.tables, event, self._new_record(event, now), now.wall))

    def registered_on(self, request: Request, path: Path, now: float) -> str:
        """The trunk by whose registration an INVITE comes; "" = by none."""
        return self._registered_on(request_user(request), path.remote[0], now)

    def _arrival(self, request: Request, path: Path, now: float) -> Arrival:
        return replace(read_arrival(request, path), registered_on=self.registered_on(request, path, now))

    def _new_record(self, event: sip.InviteReceived | sip.InviteTurnedAway, now: Now) -> CallRecord:
        call_id = random_id("SCL", self._entropy(ID_BYTES))
        return CallRecord.begun(call_id, event, self.revision, self._region, now.wall)

    def certificate_found(self, call_id: str, signer: Signer | Refusal, now: Now) -> None:
        """What a call that is being verified waits for."""
        self._verifying.found(call_id, signer, now)

    def _admit(
        self,
        event: sip.InviteReceived,
        record: CallRecord,
        arrival: Arrival,
        admission: Admission,
        asked: PinAsked | None,
        now: Now,
    ) -> None:
        record = record.admitted(admission, has_room=asked is None)
        call = self._opening.answer(event, record, admission, asked, now.mono)
        if isinstance(call, Rejection):
            self._refuse(event.leg, record, call, now)
            return
        self._board.put(call)
        self._verifying.begin(call, arrival, now)

    def _go_on(self, call: InboundCall, now: Now) -> None:
        """A call that may come in is read, answered or let ring, and joins its room or is asked for a PIN."""
        codec = call.stream.codec if call.stream else call.orders.codecs[0]
        self._board.do(OpenLeg(call.id, call.ports, codec))
        if call.asked is None and call.orders.answer_at_once:
            self._board.answer(call, now)
            call.advance(Step.ANSWER)
        if call.asked is None:
            self._join(call)
            if call.record.answered_at:
                self._board.record_from_here(call, now)
        else:
            self._board.answer(call, now)
            call.advance(Step.ASK)

    def _join(self, call: InboundCall) -> None:
        self.admitted += 1
        call.attributes = {**dict(call.orders.attributes), **dict(call.verified)}
        call.orders = replace(call.orders, attributes=tuple(sorted(call.attributes.items())))
        self._board.do(JoinRoom(call.id, call.orders))
        if call.record.answered_at:
            self._board.do(SetAttributes(call.id, ACTIVE))

    def _refuse(self, leg: int, record: CallRecord, rejection: Rejection, now: Now) -> None:
        self._endpoint.respond(leg, rejection.sip_status, now.mono, headers=headers_of(rejection))
        self._count_refused(record_of(record, rejection, now.wall))

    @property
    def refused(self) -> int:
        """How many calls were not let in."""
        return self._refused + self._verifying.refused

    def not_placed(self, record: CallRecord) -> None:
        """A call of ours was asked for, and is not made: that counts, too."""
        self._count_refused(record)

    def _count_refused(self, record: CallRecord) -> None:
        self._refused += 1
        self._board.do(EndCall(record, None))

    # -- the PIN ---------------------------------------------------------------------------------------------------

    def hears(self, call: Call, stream: StreamConfig, now: Now) -> None:
        """A caller that can hear now, and is to be asked for a PIN, is asked."""
        if not isinstance(call, InboundCall) or call.asked is None or call.state is not State.PROMPTING:
            return
        if not self._prompting.asks(call.id):
            self._prompted(call, self._prompting.begin(call.id, call.asked, stream, now.mono), now)

    def key(self, call: InboundCall, digit: str, now: Now) -> None:
        """A key of a caller that is asked."""
        self._prompted(call, self._prompting.key(call.id, digit, now.mono), now)

    def prompt_played(self, call: InboundCall, now: Now) -> None:
        """A prompt is at its end."""
        self._prompted(call, self._prompting.played(call.id, now.mono), now)

    def handle_timer(self, now: Now) -> None:
        """Go on with those that take their time."""
        for call_id, outcome in self._prompting.timer(now.mono):
            call = self._board.get(call_id)
            assert isinstance(call, InboundCall), "only callers are asked for a PIN"
            self._prompted(call, outcome, now)

    def forget(self, call_id: str) -> None:
        """The call is over."""
        self._prompting.forget(call_id)

    def _prompted(self, call: InboundCall, outcome: Outcome | None, now: Now) -> None:
        """What came of a key, a played prompt or the time, at a call that is asked for a PIN."""
        match outcome:
            case None:
                pass
            case Admission():
                self._prompting.forget(call.id)
                call.opened(outcome)
                assert call.stream is not None, "keys have come in"
                self._board.flow(call)
                self._join(call)
            case Rejection():
                call.record = replace(call.record, trail=outcome.trail, hint=outcome.hint)
                self._board.hang_up(call.id, now, outcome.code, outcome.words, EndedBy.BRIDGE)
            case _:
                self._board.do(outcome)
