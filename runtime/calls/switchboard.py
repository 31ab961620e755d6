"""The switchboard: what happens to each call, from its INVITE to its record. A core: events in, commands out.

The worker feeds it the endpoint's events, the fates that rooms report and what media noticed; it answers through the
endpoint and hands out commands (`runtime.calls.commands`). Every call keeps the tables revision that answered it, and
ends in exactly one `EndCall` with a reason in words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from runtime.calls.board import RECORDING, Board, Now
from runtime.calls.call import Call, InboundCall, OutboundCall, State, Step
from runtime.calls.changes import Changes
from runtime.calls.commands import (
    PassDigit,
    Ports,
    SetAttributes,
)
from runtime.calls.dialler import Dialler
from runtime.calls.hunt import Hunter
from runtime.calls.keys import Keys
from runtime.calls.messages import Messages
from runtime.calls.negotiate import Certificate
from runtime.calls.opening import Opening
from runtime.calls.presses import Way
from runtime.calls.reasons import ENDINGS, EndReason
from runtime.calls.reception import Reception, RegisteredOn, by_no_registration
from runtime.calls.record import CallRecord, EndedBy
from runtime.calls.referrals import Referrals
from runtime.calls.replacing import Replacing
from runtime.calls.transfers import Transfers
from runtime.media.events import DigitDue, DigitHeard, DigitReceived, DigitsSent, MediaTimedOut, RemoteBye, SourceLocked
from runtime.routing.dial import Destination, DialRequest, Failure, TransferRequest
from runtime.routing.place import Placement, place
from runtime.routing.route import Rejection
from runtime.sip import events as sip
from runtime.sip.endpoint import Endpoint
from runtime.sip.message import Request
from runtime.sip.path import Path
from runtime.sip.reason import read_reasons
from runtime.stir.signer import Signer
from runtime.stir.verdict import Refusal
from runtime.trunks.circuits import Circuits
from schemas.seal import Unseal, unseals_nothing
from schemas.tables.rows import Pairs
from schemas.tables.tables import Tables

MediaEvent = DigitReceived | DigitHeard | DigitDue | DigitsSent | MediaTimedOut | RemoteBye | SourceLocked
ID_BYTES = 16
OPTIONS_HEADERS = (("Accept", "application/sdp"),)


class Switchboard(Board):
    """All calls of one bridge. `reserve_ports` gives a bound pair for a local address, or says why not.

    `unseal` opens the secrets in the tables, `certificate` is ours for DTLS. `anywhere`: requests may call by trunks
    and hosts of their own.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        reserve_ports: Callable[[str], Ports | str],
        entropy: Callable[[int], bytes],
        region: str = "",
        unseal: Unseal = unseals_nothing,
        *,
        anywhere: bool = False,
        registered_on: RegisteredOn = by_no_registration,
        certificate: Certificate = (),
    ) -> None:
        super().__init__(endpoint, Opening(reserve_ports, entropy, lambda: endpoint.facing, certificate))
        self.reception = Reception(self, endpoint, self._opening, entropy, region, unseal, registered_on)
        self.circuits = Circuits()
        hunter = Hunter(endpoint, self.circuits)
        self._dialler = Dialler(self, endpoint, self._opening, hunter)
        self._transfers = Transfers(self, endpoint)
        self._changes = Changes(self, endpoint, self._opening, entropy, self.reception.hears)
        self._referrals = Referrals(self, endpoint, self._opening, hunter, self._place_now)
        self._replacing = Replacing(self, endpoint, self._opening, self.reception)
        self._messages = Messages(self, endpoint, endpoint.allow_without("MESSAGE"))
        self._keys = Keys(self, endpoint, self._messages, self._pressed)
        self._unseal = unseal
        self._entropy = entropy
        self._region = region
        self._anywhere = anywhere

    # -- what the worker tells -------------------------------------------------------------------------------------

    @property
    def tables(self) -> Tables:
        """What the next call is answered from."""
        return self.reception.tables

    @property
    def revision(self) -> int:
        """The revision that the next call will be answered from."""
        return self.reception.revision

    def use_tables(self, tables: Tables, revision: int) -> None:
        """Answer the next calls from these tables; live calls keep theirs."""
        self.reception.tables, self.reception.revision = tables, revision

    def turns_away(self, request: Request, path: Path, now: float) -> tuple[int, Pairs] | None:
        """What this new INVITE gets before anything is kept of it; None: take it. The endpoint asks."""
        judge = self._replacing if "Replaces" in request.headers else self.reception
        return judge.turns_away(request, path, now)

    def handle_sip(self, event: sip.Event, now: Now) -> None:
        """One event of the endpoint."""
        match event:
            case sip.InviteReceived():
                self._invited(event, now)
            case sip.InviteTurnedAway():
                self.reception.turned_away(event, now)
            case sip.AckReceived():
                self._acknowledged(event, now)
            case sip.RequestReceived():
                self._requested(event, now)
            case sip.ByeReceived() | sip.Cancelled():
                self._hung_up(event, now)
            case sip.InviteExpired() | sip.AckMissing() | sip.PrackMissing() | sip.SessionExpired() | sip.LegEnded():
                self.phone_ended(event.leg, now, *ENDINGS[type(event)])
            case sip.Ringing() | sip.Answered() | sip.Rejected() | sip.InviteTimedOut():
                if not self._referrals.handle(event, now):
                    self._dialler.handle(event, now)
            case sip.RequestAnswered():
                self._transfers.refer_answered(event, now)
            case sip.MessageDropped() | sip.AskAnswered():
                pass  # the worker counts the ones, and the trunks' keeper has asked the others
            case _:
                self._changes.handle(event, now)

    def handle_media(self, call_id: str, event: MediaEvent, now: Now) -> None:
        """Something that a call's packets told."""
        call = self._by_id.get(call_id)
        if call is None:
            return
        match event:
            case DigitReceived():
                self._keys.heard(call, event.digit, Way.EVENT, now)
            case DigitHeard():
                self._keys.heard(call, event.digit, Way.INBAND, now)
            case DigitDue():
                self._keys.send(call, event.digit, event.tone_ms, now)
            case MediaTimedOut():
                words = f"no RTP came for {event.silent_s:.0f} s"
                if event.outside:
                    words += f"; packets of {event.outside} were refused: the Trunk's mediaAddresses do not name it"
                self.hang_up(call_id, now, EndReason.MEDIA_TIMEOUT, words, EndedBy.NETWORK)
            case DigitsSent():
                self._dialler.keys_pressed(call)
            case SourceLocked() | RemoteBye():
                pass  # the session's own business

    def recording_ended(self, call_id: str, *, kept: bool) -> None:
        """A call is not recorded any more, though it goes on; `kept`: there is a file of what was."""
        call = self._by_id.get(call_id)
        if call is not None:
            if not kept:
                call.record = replace(call.record, recording="")
            self.do(SetAttributes(call_id, ((RECORDING, ""),)))

    def prompt_played(self, call_id: str, now: Now) -> None:
        """A prompt is at its end."""
        call = self._by_id.get(call_id)
        if isinstance(call, InboundCall):
            self.reception.prompt_played(call, now)

    def handle_timer(self, now: Now) -> None:
        """End calls that rang or lasted as long as they may; go on with PINs, transfers and holds."""
        self.reception.handle_timer(now)
        self.ring_out(now)
        self._dialler.handle_timer(now)
        self._transfers.handle_timer(now)
        self._referrals.handle_timer(now)
        self._changes.handle_timer(now)
        for call in [c for c in self._by_id.values() if c.ends_at <= now.mono]:
            words = f"the longest allowed {call.longest_s:.0f} s are over"
            self.hang_up(call.id, now, EndReason.MAX_DURATION, words, EndedBy.BRIDGE)

    def end(self, call: Call, now: Now, status: int, reason: str, words: str, by: EndedBy) -> None:
        """Take a call off the board, and out of all that goes on with it."""
        self.reception.forget(call.id)
        self._referrals.ended(call, now)
        super().end(call, now, status, reason, words, by)

    # -- calls of ours ---------------------------------------------------------------------------------------------

    def place(
        self, tables: Tables, revision: int, call_id: str, request: DialRequest, numbers: Sequence[str]
    ) -> Placement | Failure:
        """How a call would be placed by these tables, which it keeps; `numbers` are its trunk's caller ids by them."""
        pick = int.from_bytes(self._entropy(ID_BYTES))
        region, unseal, anywhere = self._region, self._unseal, self._anywhere
        return place(tables, revision, request, region, call_id, numbers, pick, unseal, anywhere=anywhere)

    def dial(
        self, call_id: str, placement: Placement, ways: list[tuple[Destination, Path]], now: Now
    ) -> Failure | None:
        """Place a call by one of these ways, or say why that cannot be begun; else one `DialSettled` follows."""
        return self._dialler.begin(call_id, placement, ways, self._region, now)

    def not_placed(self, call_id: str, request: DialRequest, failure: Failure, now: Now) -> None:
        """A call that was asked for is not made: whoever answers for the bridge wants to see that, too."""
        self.reception.not_placed(CallRecord.not_placed(call_id, request, failure.words, self._region, now.wall))

    def room_entered(self, call_id: str, participant_id: str, now: Now) -> None:
        """A call is in its room, whether or not somebody is there to talk to."""
        call = self._by_id.get(call_id)
        if isinstance(call, OutboundCall):
            self._dialler.entered(call, participant_id, now)

    def transfer(self, request: TransferRequest, now: Now) -> str | Failure:
        """Send a caller on: the transfer's id, whose end is told by one `TransferSettled`; or why not."""
        return self._transfers.begin(request, self._entropy(ID_BYTES), now)

    def cancel_transfer(self, call_id: str) -> Failure | None:
        """Wait no more for a transfer; or why there is none."""
        return self._transfers.cancel(call_id)

    def ways_found(self, call_id: str, ways: Sequence[tuple[Destination, Path]] | Failure, now: Now) -> None:
        """Where a phone may be sent on to: the answer to `FindWays`."""
        self._referrals.ways_found(call_id, ways, now)

    def certificate_found(self, call_id: str, signer: Signer | Refusal, now: Now) -> None:
        """Who signs for a caller's number, or why that is not known: the answer to `FetchCertificate`."""
        self.reception.certificate_found(call_id, signer, now)

    def _place_now(self, call_id: str, request: DialRequest) -> Placement | Failure:
        return self.place(self.tables, self.revision, call_id, request, ())

    def hold(self, call_id: str, now: Now, *, on: bool) -> Failure | None:
        """Put a phone on hold, or take it back: one `HoldSettled` follows; or why that cannot be."""
        return self._changes.hold(call_id, now, on=on)

    # -- a live call -----------------------------------------------------------------------------------------------

    def _pressed(self, call: Call, key: str, now: Now) -> None:
        if isinstance(call, InboundCall) and call.asked is not None:
            self.reception.key(call, key, now)
        else:
            call.record = replace(call.record, digits=call.record.digits + 1)
            self.do(PassDigit(call.id, key))

    def _acknowledged(self, event: sip.AckReceived, now: Now) -> None:
        call = self._by_leg.get(event.leg)
        if call is None:
            return
        if call.state in (State.ANSWERED, State.ASKED):
            call.advance(Step.ACKNOWLEDGE)
            if call.stream is not None:
                # Not before: who forged an INVITE cannot acknowledge, and nobody may be flooded in another's name.
                self.flow(call)
                self.reception.hears(call, call.stream, now)
        if call.offer_answer.awaits_answer:
            self._changes.late_answer(call, event.request.body, now)

    def _invited(self, event: sip.InviteReceived, now: Now) -> None:
        if "Replaces" not in event.request.headers:
            self.reception.invited(event, now)
            return
        refusal = self._replacing.invited(event, now)
        if isinstance(refusal, Rejection):
            self.reception.turns_down(event, refusal, now)
        elif refusal is not None:
            self.reception.challenges(event, refusal, now)

    def _hung_up(self, event: sip.ByeReceived | sip.Cancelled, now: Now) -> None:
        if self._referrals.hangs_up(event.leg):
            return  # somebody else is on the way into its place
        told = read_reasons(event.request.headers)
        self.phone_ended(event.leg, now, *ENDINGS[type(event)], told)

    def _requested(self, event: sip.RequestReceived, now: Now) -> None:
        if event.request.method == "OPTIONS":  # RFC 3261 section 11.2: as an INVITE would be answered
            status = 503 if self.full() else 200
            self._endpoint.respond_request(event.request_id, status, now.mono, headers=OPTIONS_HEADERS)
        elif event.request.method == "UPDATE":
            self._changes.updated(event, now)
        elif event.request.method == "PRACK":
            self._changes.pracked(event, now)
        elif event.request.method == "INFO":
            self._keys.informed(event, now)
        elif event.request.method == "MESSAGE":
            self._messages.written(event, now)
        elif event.request.method == "REFER":
            self._referrals.referred(event, now)
        elif event.request.method == "NOTIFY":
            status = self._transfers.notified(event.leg, event.request, now)
            self._endpoint.respond_request(event.request_id, status, now.mono)
        else:
            self._endpoint.respond_request(event.request_id, 501, now.mono)
