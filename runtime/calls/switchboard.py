"""The switchboard: what happens to each call, from its INVITE to its record. A core: events in, commands out.

The worker feeds it the endpoint's events, the fates that rooms report and what media noticed; it answers through the
endpoint and hands out commands (`runtime.calls.commands`). Every call keeps the tables revision that answered it, and
ends in exactly one `EndCall` with a reason in words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from runtime.calls.arrival import read_arrival
from runtime.calls.board import ACTIVE, Board, Now
from runtime.calls.call import Call, InboundCall, OutboundCall, State, Step
from runtime.calls.commands import (
    EndCall,
    JoinRoom,
    OpenLeg,
    PassDigit,
    Ports,
    SetAttributes,
    StartMedia,
    TrustSource,
)
from runtime.calls.dialler import Dialler
from runtime.calls.entrance import Challenge, Entrance, Knock
from runtime.calls.negotiate import agreed, describe
from runtime.calls.opening import Opening
from runtime.calls.prompting import Outcome
from runtime.calls.reasons import ENDINGS, EndReason
from runtime.calls.record import CallRecord, EndedBy
from runtime.calls.refusal import headers_of, record_of, turned_away
from runtime.calls.transfers import Transfers
from runtime.media.session import DigitReceived, DigitsSent, MediaTimedOut, RemoteBye, SourceLocked, StreamConfig
from runtime.routing.dial import Destination, DialRequest, Failure, TransferRequest
from runtime.routing.place import Placement, place
from runtime.routing.route import Admission, PinAsked, Rejection
from runtime.sip import events as sip
from runtime.sip.endpoint import Endpoint
from runtime.sip.errors import SipSyntaxError
from runtime.sip.message import Request
from runtime.sip.offer_answer import NegotiationFailure
from runtime.sip.path import Path
from runtime.sip.validate import validate_invite
from schemas.ids import random_id, random_suffix
from schemas.seal import Unseal, unseals_nothing
from schemas.tables.networks import parse_address
from schemas.tables.rows import Pairs
from schemas.tables.tables import Tables

MediaEvent = DigitReceived | DigitsSent | MediaTimedOut | RemoteBye | SourceLocked
ID_BYTES = 16
OPTIONS_HEADERS = (("Accept", "application/sdp"),)


class Switchboard(Board):
    """All calls of one bridge. `reserve_ports` gives a bound pair for a local address, or says why not.

    `unseal` opens the secrets in the tables.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        reserve_ports: Callable[[str], Ports | str],
        entropy: Callable[[int], bytes],
        region: str = "",
        unseal: Unseal = unseals_nothing,
    ) -> None:
        super().__init__(endpoint, Opening(reserve_ports, entropy))
        self._entrance = Entrance(entropy, unseal)
        self._dialler = Dialler(self, endpoint, self._opening)
        self._transfers = Transfers(self, endpoint)
        self._unseal = unseal
        self._entropy = entropy
        self._region = region
        self._tables = Tables()
        self._revision = 0
        self.refused = 0
        self.challenged = 0
        self.admitted = 0

    # -- what the worker tells -------------------------------------------------------------------------------------

    @property
    def tables(self) -> Tables:
        """What the next call is answered from."""
        return self._tables

    def use_tables(self, tables: Tables, revision: int) -> None:
        """Answer the next calls from these tables; live calls keep theirs."""
        self._tables, self._revision = tables, revision

    def handle_sip(self, event: sip.Event, now: Now) -> None:
        """One event of the endpoint."""
        match event:
            case sip.InviteReceived():
                self._invited(event, now)
            case sip.InviteTurnedAway():
                self._turned_away(event, now)
            case sip.ReinviteReceived():
                self._reinvited(event, now)
            case sip.AckReceived():
                self._acknowledged(event, now)
            case sip.RequestReceived():
                self._requested(event, now)
            case sip.ByeReceived() | sip.Cancelled() | sip.InviteExpired() | sip.AckMissing() | sip.LegEnded():
                self.phone_ended(event.leg, now, *ENDINGS[type(event)])
            case sip.Ringing() | sip.Answered() | sip.Rejected() | sip.InviteTimedOut():
                self._dialler.handle(event, now)
            case sip.RequestAnswered():
                self._transfers.refer_answered(event, now)
            case sip.ReinviteAnswered() | sip.ReinviteRejected() | sip.ReinviteCancelled():
                pass  # no re-INVITE is sent, and one that comes has its answer at once
            case sip.MessageDropped():
                pass  # the worker counts them

    def handle_media(self, call_id: str, event: MediaEvent, now: Now) -> None:
        """Something that a call's packets told."""
        call = self._by_id.get(call_id)
        if call is None:
            return
        match event:
            case DigitReceived() if isinstance(call, InboundCall) and call.asked is not None:
                self._prompted(call, self._prompting.key(call_id, event.digit, now.mono), now)
            case DigitReceived():
                call.record = replace(call.record, digits=call.record.digits + 1)
                self._commands.append(PassDigit(call.id, event.digit))
            case MediaTimedOut():
                words = f"no RTP came for {event.silent_s:.0f} s"
                self.hang_up(call_id, now, EndReason.MEDIA_TIMEOUT, words, EndedBy.NETWORK)
            case DigitsSent():
                self._dialler.keys_pressed(call)
            case SourceLocked() | RemoteBye():
                pass  # the session's own business

    def prompt_played(self, call_id: str, now: Now) -> None:
        """A prompt is at its end."""
        call = self._by_id.get(call_id)
        if isinstance(call, InboundCall):
            self._prompted(call, self._prompting.played(call_id, now.mono), now)

    def handle_timer(self, now: Now) -> None:
        """End calls that rang or lasted as long as they may; go on with PINs and transfers."""
        for call_id, outcome in self._prompting.timer(now.mono):
            call = self._by_id[call_id]
            assert isinstance(call, InboundCall), "only callers are asked for a PIN"
            self._prompted(call, outcome, now)
        self.ring_out(now)
        self._dialler.ring_out(now)
        self._transfers.handle_timer(now)
        for call in [c for c in self._by_id.values() if c.ends_at <= now.mono]:
            limit_s = call.orders.max_call_duration_s
            self.hang_up(
                call.id, now, EndReason.MAX_DURATION, f"the longest allowed {limit_s:.0f} s are over", EndedBy.BRIDGE
            )

    def knows(self, address: str) -> bool:
        """Whether a trunk of the live tables names this source address."""
        return self._tables.source_index.names(parse_address(address))

    def welcomes(self, address: str) -> bool:
        """Whether a trunk of the live tables could take a call from there, known or not."""
        return self._tables.source_index.may_call(parse_address(address))

    def turns_away(self, request: Request, path: Path, now: float) -> tuple[int, Pairs] | None:
        """What this new INVITE gets before anything is kept of it; None: take it.

        That is 401 where it shows no credentials that could be judged, and the refusal of a stranger.

        The endpoint asks before it keeps anything: with a transaction for each challenge, whoever forges the address
        of one trunk filled what all of them share, and had us repeat the 401 at that address.
        """
        if self.full():
            return None
        try:
            arrival = read_arrival(request, path)
        except SipSyntaxError:
            return None
        answer = self._entrance.turns_away(self._tables, request, arrival, self._region, now)
        self.challenged += isinstance(answer, Challenge)
        return (401, answer.headers) if isinstance(answer, Challenge) else None if answer is None else (answer, ())

    def vouches(self, head: bytes, address: str, now: float) -> bool:
        """Whether a message that begins so comes from who was challenged at this address a moment ago."""
        return self._entrance.vouches(head, address, now)

    @property
    def revision(self) -> int:
        """The revision that the next call will be answered from."""
        return self._revision

    # -- calls of ours ---------------------------------------------------------------------------------------------

    def place(self, call_id: str, request: DialRequest, numbers: Sequence[str]) -> Placement | Failure:
        """How a call would be placed by the live tables; `numbers` are its trunk's caller ids."""
        pick = int.from_bytes(self._entropy(ID_BYTES))
        return place(self._tables, request, self._region, call_id, numbers, pick, self._unseal)

    def dial(
        self, call_id: str, placement: Placement, ways: list[tuple[Destination, Path]], now: Now
    ) -> Failure | None:
        """Place a call by one of these ways, or say why that cannot be begun; else one `DialSettled` follows."""
        return self._dialler.begin(call_id, placement, ways, self._revision, self._region, now)

    def room_entered(self, call_id: str, participant_id: str, now: Now) -> None:
        """A call is in its room, whether or not somebody is there to talk to."""
        call = self._by_id.get(call_id)
        if isinstance(call, OutboundCall):
            self._dialler.entered(call, participant_id, now)

    def transfer(self, request: TransferRequest, now: Now) -> str | Failure:
        """Send a caller on: the transfer's id, whose end is told by one `TransferSettled`; or why not."""
        return self._transfers.begin(request, self._entropy(ID_BYTES), now)

    # -- a new call ------------------------------------------------------------------------------------------------

    def _invited(self, event: sip.InviteReceived, now: Now) -> None:
        record = self._new_record(event, now)
        call_id = record.call_id
        self._endpoint.set_local_tag(event.leg, call_id)
        try:
            arrival = read_arrival(event.request, event.path)
        except SipSyntaxError as fault:
            self._refuse(event.leg, record, Rejection(fault.status, EndReason.SYNTAX, fault.reason), now)
            return
        record = replace(record, from_user=arrival.caller, to_user=arrival.called)
        unreadable = validate_invite(event.request)
        if unreadable is not None:
            words = f"the body cannot be taken: {unreadable.reason}"
            headers = tuple(unreadable.headers)
            self._refuse(event.leg, record, Rejection(unreadable.status, EndReason.BODY, words, headers=headers), now)
            return
        full = self.full()
        if full:
            self._refuse(event.leg, record, Rejection(503, EndReason.FULL, full), now)
            return
        suffix = random_suffix(self._entropy(ID_BYTES))
        knock = Knock(event.request, arrival, self._region, call_id, suffix, now.mono)
        verdict, proven = self._entrance.ask(self._tables, knock)
        if proven:
            self._commands.append(TrustSource(arrival.source))
        match verdict:
            case Challenge():
                self.challenged += 1
                self._endpoint.respond(event.leg, 401, now.mono, headers=verdict.headers)
            case Rejection():
                self._refuse(event.leg, record, verdict, now)
            case Admission():
                self._admit(event, record, verdict, None, now)
            case PinAsked():
                locked = self._prompting.refuses(verdict, now.mono)
                if locked is not None:
                    self._refuse(event.leg, record, locked, now)
                else:
                    self._admit(event, record, verdict.admission, verdict, now)

    def _turned_away(self, event: sip.InviteTurnedAway, now: Now) -> None:
        self._count_refused(turned_away(self._tables, event, self._new_record(event, now), now.wall))

    def _new_record(self, event: sip.InviteReceived | sip.InviteTurnedAway, now: Now) -> CallRecord:
        call_id = random_id("SCL", self._entropy(ID_BYTES))
        return CallRecord.begun(call_id, event, self._revision, self._region, now.wall)

    def _admit(
        self, event: sip.InviteReceived, record: CallRecord, admission: Admission, asked: PinAsked | None, now: Now
    ) -> None:
        record = record.admitted(admission, has_room=asked is None)
        call = self._opening.answer(event, record, admission, asked, now.mono)
        if isinstance(call, Rejection):
            self._refuse(event.leg, record, call, now)
            return
        self.put(call)
        law = call.stream.codec if call.stream else admission.codecs[0]
        self._commands.append(OpenLeg(call.id, call.ports, law))
        if asked is None and admission.answer_at_once:
            self._answer(call, now)
            call.advance(Step.ANSWER)
        if asked is None:
            self._join(call)
        else:
            self._answer(call, now)
            call.advance(Step.ASK)

    def _join(self, call: InboundCall) -> None:
        self.admitted += 1
        call.attributes = dict(call.orders.attributes)
        self._commands.append(JoinRoom(call.id, call.orders))
        if call.record.answered_at:
            self._commands.append(SetAttributes(call.id, ACTIVE))

    def _refuse(self, leg: int, record: CallRecord, rejection: Rejection, now: Now) -> None:
        self._endpoint.respond(leg, rejection.sip_status, now.mono, headers=headers_of(rejection))
        self._count_refused(record_of(record, rejection, now.wall))

    def _count_refused(self, record: CallRecord) -> None:
        self.refused += 1
        self._commands.append(EndCall(record, None))

    # -- a live call -----------------------------------------------------------------------------------------------

    def _acknowledged(self, event: sip.AckReceived, now: Now) -> None:
        call = self._by_leg.get(event.leg)
        if call is None:
            return
        if call.state in (State.ANSWERED, State.ASKED):
            call.advance(Step.ACKNOWLEDGE)
            if call.stream is not None:
                # Not before: who forged an INVITE cannot acknowledge, and nobody may be flooded in another's name.
                self._commands.append(StartMedia(call.id, call.stream))
                self._ask(call, call.stream, now)
        if call.offer_answer.awaits_answer:
            self._late_answer(call, event.request.body, now)

    def _late_answer(self, call: Call, body: bytes, now: Now) -> None:
        try:
            negotiated = call.offer_answer.accept(body)
            stream = agreed(negotiated, call.orders.media_timeout_s, self._opening.media_ports)
        except NegotiationFailure as fault:
            call.offer_answer.withdraw()
            if call.stream is None:  # it never had media: there is nothing to go on with
                words = f"no common media in the ACK: {fault.text}"
                self.hang_up(call.id, now, EndReason.MEDIA, words, EndedBy.BRIDGE)
            return
        self._stream_agreed(call, stream, now)

    def _reinvited(self, event: sip.ReinviteReceived, now: Now) -> None:
        call = self._by_leg.get(event.leg)
        if call is None:
            self._endpoint.respond(event.leg, 481, now.mono)
            return
        unreadable = validate_invite(event.request)
        if unreadable is not None:
            self._endpoint.respond(
                event.leg, unreadable.status, now.mono, reason=unreadable.reason, headers=unreadable.headers
            )
            return
        timeout_s = call.orders.media_timeout_s
        try:
            body, stream = describe(
                call.offer_answer, event.request.body, call.local, timeout_s, self._opening.media_ports
            )
        except NegotiationFailure as fault:
            # RFC 3261 section 14.2: a refused re-INVITE leaves the session as it was.
            self._endpoint.respond(
                event.leg, fault.status, now.mono, reason=fault.reason, headers=[("Warning", fault.warning)]
            )
            return
        self._endpoint.respond(event.leg, 200, now.mono, body=body)
        if stream is not None:
            self._stream_agreed(call, stream, now)

    def _stream_agreed(self, call: Call, stream: StreamConfig, now: Now) -> None:
        self.stream_agreed(call, stream)
        self._ask(call, stream, now)

    def _ask(self, call: Call, stream: StreamConfig, now: Now) -> None:
        """A caller that can hear now, and is to be asked for a PIN, is asked."""
        if not isinstance(call, InboundCall) or call.asked is None or call.state is not State.PROMPTING:
            return
        if not self._prompting.asks(call.id):
            self._prompted(call, self._prompting.begin(call.id, call.asked, stream, now.mono), now)

    def _prompted(self, call: InboundCall, outcome: Outcome | None, now: Now) -> None:
        """What came of a key, a played prompt or the time, at a call that is asked for a PIN."""
        match outcome:
            case None:
                pass
            case Admission():
                self._prompting.forget(call.id)
                call.opened(outcome)
                assert call.stream is not None, "keys have come in"
                self._commands.append(StartMedia(call.id, call.stream))
                self._join(call)
            case Rejection():
                call.record = replace(call.record, trail=outcome.trail, hint=outcome.hint)
                self.hang_up(call.id, now, outcome.code, outcome.words, EndedBy.BRIDGE)
            case _:
                self._commands.append(outcome)

    def _requested(self, event: sip.RequestReceived, now: Now) -> None:
        if event.request.method == "OPTIONS":  # RFC 3261 section 11.2: as an INVITE would be answered
            status = 503 if self.full() else 200
            self._endpoint.respond_request(event.request_id, status, now.mono, headers=OPTIONS_HEADERS)
        elif event.request.method == "NOTIFY":
            status = self._transfers.notified(event.leg, event.request, now)
            self._endpoint.respond_request(event.request_id, status, now.mono)
        else:
            self._endpoint.respond_request(event.request_id, 501, now.mono)
