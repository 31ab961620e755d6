"""Sending callers on to another number: REFER, and what its NOTIFYs tell (RFC 3515). A core; it works on the board.

A call has one transfer at a time. A phone that takes the REFER tells by NOTIFY how far it has come, or says at once
that it will not (`Refer-Sub: false`, RFC 4488), or simply hangs up. When the other number has the caller, the phone
gets a second to hang up by itself. A time-out ends the waiting and gives the phone its room back; should the other
number answer later all the same, the call ends then.
"""

from __future__ import annotations

from dataclasses import replace

from runtime.calls.board import Board, Now
from runtime.calls.call import Call, State
from runtime.calls.commands import RingPhone
from runtime.calls.reasons import EndReason
from runtime.calls.record import EndedBy
from runtime.calls.transfer import Transfer
from runtime.routing.dial import Failure, FailureKind, TransferReason, TransferRequest
from runtime.routing.headers import headers_from, merged, settable
from runtime.routing.place import not_allowed
from runtime.routing.refer_to import refer_to
from runtime.sip import events as sip
from runtime.sip.endpoint import Endpoint
from runtime.sip.message import Request, Response
from runtime.sip.replaces import Replaces
from runtime.sip.uri import TelUri, Uri, parse_uri
from schemas.ids import random_id
from schemas.printable import printable
from schemas.tables.rows import Pairs

LEAVES_AFTER_S = 1.0
"""How long the phone may take to hang up by itself, as with LiveKit."""

FRAGMENT_BYTES_MAX = 4_096
"""The body of a NOTIFY that is looked at."""


class Transfers:
    """One per bridge."""

    def __init__(self, board: Board, endpoint: Endpoint) -> None:
        self._board = board
        self._endpoint = endpoint

    def begin(self, request: TransferRequest, entropy: bytes, now: Now) -> str | Failure:
        """Begin a transfer, or join the one to the same number: its id, whose end is told by one `TransferSettled`."""
        call = self._find(request)
        if isinstance(call, Failure):
            return call
        under_way = call.transfer
        if under_way is not None and (under_way.is_open or under_way.done):
            if under_way.is_open and under_way.request.refer_to == request.refer_to:
                return under_way.id
            words = f"the call is being transferred to {under_way.request.refer_to} already"
            return Failure(FailureKind.INVALID_ARGUMENT, words)
        if call.leg is None:
            return Failure(FailureKind.FAILED_PRECONDITION, "the phone has hung up, and another is being called")
        target = self._target(call, request.refer_to)
        if isinstance(target, Failure):
            return target
        policy = call.orders.policy
        headers = merged(target, headers_from(call.attributes, policy), settable(request.headers))
        cseq = self._endpoint.request(call.leg, "REFER", now.mono, headers)
        if not cseq:
            return Failure(FailureKind.FAILED_PRECONDITION, "the call is being hung up")
        deadline = now.mono + request.ringing_timeout_s
        call.transfer = Transfer(random_id("STR", entropy), request, deadline, cseq)
        if request.dialtone:
            self._board.do(RingPhone(call.id, call.orders.sound.ringing))
        return call.transfer.id

    def cancel(self, call_id: str) -> Failure | None:
        """Wait no more for a transfer: the phone hears its room again.

        A REFER cannot be taken back: should the other number answer later all the same, the call ends then.
        """
        call = self._board.get(call_id)
        if call is None:
            return Failure(FailureKind.NOT_FOUND, f"there is no call {call_id}")
        if call.transfer is None or not call.transfer.is_open:
            return Failure(FailureKind.FAILED_PRECONDITION, "the call is not being transferred")
        words = f"the transfer to {call.transfer.request.refer_to} was called off"
        self._fail(call, call.transfer, TransferReason.CANCELED, FailureKind.CANCELED, words)
        return None

    def refer_answered(self, event: sip.RequestAnswered, now: Now) -> None:
        """The phone took the REFER, or not."""
        call = self._board.of_leg(event.leg)
        if call is None or call.transfer is None or event.cseq != call.transfer.cseq or call.transfer.accepted:
            return
        transfer, response = call.transfer, event.response
        if response is None:
            words = "the phone did not answer the REFER"
            self._fail(call, transfer, TransferReason.RINGING_TIMEOUT, FailureKind.DEADLINE_EXCEEDED, words)
        elif response.status >= 300:
            self._refused(call, transfer, response.status, response.reason)
        else:
            transfer.accepted = True
            if _is_without_news(response) or not call.orders.trunk.refer_notify:
                self._done(call, transfer, response.status, response.reason, now)

    def notified(self, leg: int | None, request: Request, now: Now) -> int:
        """A NOTIFY; the status to answer it with."""
        call = self._board.of_leg(leg) if leg is not None else None
        package, _, params = (request.headers.first("Event") or "").partition(";")
        if package.strip().lower() != "refer":
            return 489
        if call is None or call.transfer is None or _is_of_older(params, call.transfer.cseq):
            return 481
        transfer = call.transfer
        transfer.accepted = True  # it may overtake the 202
        told = fragment(request.body)
        if told is not None and told[0] >= 200:
            status, reason = told
            if status < 300:
                self._done(call, transfer, status, reason, now)
            else:
                self._refused(call, transfer, status, reason)
        elif _is_over(request):
            words = "the phone tells no more of the transfer"
            over = TransferReason.SUBSCRIPTION_TERMINATED
            self._fail(call, transfer, over, FailureKind.ABORTED, words)
        return 200

    def handle_timer(self, now: Now) -> None:
        """End what has waited long enough."""
        for call in self._board.live_calls():
            transfer = call.transfer
            if transfer is None:
                continue
            if transfer.leaves_at <= now.mono:
                words = f"the call went to {transfer.request.refer_to}"
                self._board.hang_up(call.id, now, EndReason.TRANSFERRED, words, EndedBy.BRIDGE)
            elif transfer.is_open and transfer.deadline <= now.mono:
                words = f"{transfer.request.refer_to} did not answer for {transfer.request.ringing_timeout_s:.0f} s"
                late = TransferReason.RINGING_TIMEOUT
                self._fail(call, transfer, late, FailureKind.DEADLINE_EXCEEDED, words)

    # -- parts -----------------------------------------------------------------------------------------------------

    def _find(self, request: TransferRequest) -> Call | Failure:
        wanted = request.room, request.identity
        found = [call for call in self._board.live_calls() if (call.record.room, call.record.identity) == wanted]
        active = [call for call in found if call.state is State.ACTIVE]
        if len(active) > 1:
            words = f"{len(active)} calls of {request.identity} are in room {request.room}: give them identities"
            return Failure(FailureKind.FAILED_PRECONDITION, words)
        if not found:
            words = f"no SIP session associated with participant: this bridge has no call of {request.identity} "
            return Failure(FailureKind.NOT_FOUND, f"{words}in room {request.room}")
        if not active:
            return Failure(FailureKind.FAILED_PRECONDITION, "the call has not been answered yet")
        return active[0]

    def _target(self, call: Call, asked: str) -> Pairs | Failure:
        """The headers that say where to: Refer-To, and with another call's phone who refers."""
        uri = parse_uri(asked.removeprefix("<").removesuffix(">"))
        other = self._board.get(uri.user or "")
        if other is not None:
            return self._consulted(call, other)
        if _does_more(uri):
            words = f"{asked} asks for more than a call: leave out its headers and its method"
            return Failure(FailureKind.INVALID_ARGUMENT, words)
        refusal = _not_allowed(call, uri, asked)
        if refusal:
            return Failure(FailureKind.FAILED_PRECONDITION, refusal)
        return (("Refer-To", refer_to(call.orders.trunk, asked)),)

    def _consulted(self, call: Call, other: Call) -> Pairs | Failure:
        """Have one phone take our place in the call with another (RFC 3891), and say who refers (RFC 3892)."""
        if other is call or other.state is not State.ACTIVE or other.leg is None:
            return Failure(FailureKind.FAILED_PRECONDITION, f"{other.id} is no other call that has been answered")
        if other.orders.trunk.id != call.orders.trunk.id:
            words = f"{other.id} is on Trunk {other.orders.trunk.id}: only phones of one trunk reach each other"
            return Failure(FailureKind.FAILED_PRECONDITION, words)
        assert call.leg is not None, "an active call has one"
        ours, theirs = self._endpoint.leg_info(call.leg), self._endpoint.leg_info(other.leg)
        if ours is None or theirs is None:
            return Failure(FailureKind.FAILED_PRECONDITION, "one of the calls is being hung up")
        uri = parse_uri(theirs.remote_target)
        if isinstance(uri, TelUri):
            return Failure(FailureKind.FAILED_PRECONDITION, f"the phone of {other.id} has no SIP address")
        dialog = Replaces(theirs.call_id, theirs.remote_tag, theirs.local_tag)
        target = replace(uri, headers=(("Replaces", str(dialog)),))
        return ("Refer-To", f"<{target}>"), ("Referred-By", f"<{ours.local_uri}>")

    def _done(self, call: Call, transfer: Transfer, status: int, reason: str, now: Now) -> None:
        if transfer.done:
            return
        transfer.done = True
        transfer.leaves_at = now.mono + LEAVES_AFTER_S
        self._board.do(*transfer.settle(TransferReason.COMPLETED, status, reason))

    def _refused(self, call: Call, transfer: Transfer, status: int, reason: str) -> None:
        words = f"{transfer.request.refer_to} was not reached: SIP {status} {reason}"
        failure = Failure(FailureKind.FAILED_PRECONDITION, words, status, reason or "(no reason)")
        self._give_back(call, transfer)
        self._board.do(*transfer.settle(TransferReason.REJECTED, status, reason, failure))

    def _fail(self, call: Call, transfer: Transfer, why: TransferReason, kind: FailureKind, words: str) -> None:
        self._give_back(call, transfer)
        self._board.do(*transfer.settle(why, failure=Failure(kind, words)))

    def _give_back(self, call: Call, transfer: Transfer) -> None:
        """The phone hears its room again."""
        if transfer.is_open and transfer.request.dialtone:
            self._board.do(RingPhone(call.id, ""))


def _not_allowed(call: Call, uri: Uri | TelUri, refer_to: str) -> str:
    """Why a trunk that is guarded against toll fraud may not send a call there; "" where it may.

    The phone dials it at the carrier's expense or ours: the guard is the same as for calls.
    """
    outbound = call.orders.trunk.outbound
    if outbound is None or not outbound.allowed_destinations:
        return ""
    words = not_allowed(outbound, uri.number if isinstance(uri, TelUri) else uri.user or "")
    if not words and uri.params:
        words = f"{refer_to}: parameters may mean another number"
    return f"Trunk {call.orders.trunk.id} may not refer to {words}" if words else ""


def _does_more(uri: Uri | TelUri) -> bool:
    """Whether a target would have the phone do something else than call it: replace a call, send another request."""
    return not isinstance(uri, TelUri) and (bool(uri.headers) or uri.param("method") is not None)


def fragment(body: bytes) -> tuple[int, str] | None:
    """The status line of a `message/sipfrag` (RFC 3420); None where there is none."""
    if len(body) > FRAGMENT_BYTES_MAX:
        return None
    line = body.decode("utf-8", "replace").strip().partition("\n")[0].strip()
    version, _, rest = line.partition(" ")
    code, _, reason = rest.strip().partition(" ")
    if version.upper() != "SIP/2.0" or len(code) != 3 or not (code.isascii() and code.isdigit()):
        return None
    return int(code), printable(reason.strip())


def _is_of_older(params: str, cseq: int) -> bool:
    """Whether an `id` names a REFER before this one (RFC 3515 section 2.4.6); one that was challenged counts on."""
    found = (param.partition("=") for param in params.split(";"))
    named = [value.strip() for name, _, value in found if name.strip().lower() == "id"]
    return bool(named) and named[0].isascii() and named[0].isdecimal() and int(named[0][:10]) < cseq


def _is_over(request: Request) -> bool:
    state = request.headers.first("Subscription-State") or ""
    return state.partition(";")[0].strip().lower() == "terminated"


def _is_without_news(response: Response) -> bool:
    """No NOTIFY will come (RFC 4488)."""
    return (response.headers.first("Refer-Sub") or "").partition(";")[0].strip().lower() == "false"
