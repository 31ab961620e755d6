"""Verifying a caller's number by the Identity header, where its trunk asks for that (`inbound.identity`). A core.

It comes after routing and the trunk's limits: a stranger has nothing fetched. Where a certificate is not known yet the
call waits on the board, unanswered, with its place on the trunk: CANCEL, the end of the bridge and everything else find
it there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from runtime.calls.board import Board, Now
from runtime.calls.call import Call, InboundCall, State, Step
from runtime.calls.commands import FetchCertificate
from runtime.calls.reasons import stir_reason
from runtime.calls.record import EndedBy
from runtime.calls.refusal import warning
from runtime.routing.route import Arrival
from runtime.sip.endpoint import Endpoint
from runtime.stir.signer import Signer
from runtime.stir.verdict import Refusal, Verdict, Verified, Verstat
from runtime.stir.verification import Claimed, Inquiry, begin
from schemas.ids import VERIFIED_ATTRIBUTES
from schemas.tables.rows import IdentityCheck, Inbound, Pairs

REQUIRE: Final = "require"
LET_IN_HINT: Final = "inbound.identity.verify: report lets such calls in, and shows what is wrong with them"


def shows_no_more(call: Call) -> Pairs:
    """What takes back what was verified: somebody else is on the phone now."""
    return tuple((name, "") for name in sorted(VERIFIED_ATTRIBUTES & call.attributes.keys()))


class Verifying:
    """One per bridge. `go_on(call, now)` is told of each call that may come in."""

    def __init__(self, board: Board, endpoint: Endpoint, go_on: Callable[[InboundCall, Now], None]) -> None:
        self._board = board
        self._endpoint = endpoint
        self._go_on = go_on
        self.refused = 0

    def begin(self, call: InboundCall, arrival: Arrival, now: Now) -> None:
        """A call was opened: look at what it shows, where its trunk asks for that."""
        inbound = _inbound(call)
        if inbound.identity is None:
            self._go_on(call, now)
            return
        call.state = State.VERIFYING
        self._went(call, begin(_claimed(arrival, inbound), inbound.identity.certificate_hosts, now.wall), now)

    def found(self, call_id: str, signer: Signer | Refusal, now: Now) -> None:
        """The certificate that a call waits for, or why there is none. The call may be gone."""
        call = self._board.get(call_id)
        if isinstance(call, InboundCall) and call.inquiry is not None:
            self._went(call, call.inquiry.found(signer, now.wall), now)

    def _went(self, call: InboundCall, step: Verdict | Inquiry, now: Now) -> None:
        if isinstance(step, Inquiry):
            call.inquiry = step
            self._board.do(FetchCertificate(call.id, step.place))
            return
        call.inquiry = None
        _note(call, step)
        check = _inbound(call).identity
        assert check is not None, "nobody else is verified"
        if isinstance(step, Refusal) and check.verify == REQUIRE:
            self._turn_away(call, step, check, now)
            return
        call.advance(Step.VERIFY)
        self._go_on(call, now)

    def _turn_away(self, call: InboundCall, refusal: Refusal, check: IdentityCheck, now: Now) -> None:
        status, phrase = refusal.answer
        told = [warning(refusal.words), ("Reason", stir_reason(status, refusal.words))]
        self._endpoint.respond(call.leg, status, now.mono, reason=phrase, headers=told)
        call.record = replace(call.record, hint=refusal.hint or LET_IN_HINT)
        self.refused += 1
        self._board.end(call, now, status, refusal.fault, refusal.words, EndedBy.BRIDGE)


def _inbound(call: InboundCall) -> Inbound:
    inbound = call.orders.trunk.inbound
    assert inbound is not None, "only inbound trunks match calls"
    return inbound


def _claimed(arrival: Arrival, inbound: Inbound) -> Claimed:
    """The number that is verified is the one that the call is shown with."""
    headers = [(name.lower(), value) for name, value in arrival.headers]
    return Claimed(
        identities=[value for name, value in headers if name == "identity"],
        date=next((value for name, value in headers if name == "date"), ""),
        caller=arrival.as_believed(inbound).caller,
        called=arrival.called,
        asserted="" if inbound.trust_identity else arrival.asserted,
    )


def _note(call: InboundCall, verdict: Verdict) -> None:
    """Write down what came of it, for the room and for the record."""
    shown = {"sip.verstat": str(verdict.verstat if isinstance(verdict, Refusal) else Verstat.PASSED)}
    if isinstance(verdict, Verified):
        words = f"signed by {verdict.signer or 'a nameless certificate'}"
        attestation, origid = verdict.attestation, "" if call.orders.hides_number else verdict.origid
        shown |= {"sip.attestation": attestation, "sip.origID": origid}
    else:
        words, attestation, origid = verdict.words, "", ""
    call.verified = tuple(sorted((name, value) for name, value in shown.items() if value))
    call.record = replace(
        call.record, verstat=shown["sip.verstat"], attestation=attestation, origid=origid, verstat_words=words
    )
