"""Phones that send their call on themselves: an incoming REFER (RFC 3515), where their trunk says `acceptRefer`.

A core; it works on the board. The number is called by the same trunk, held to the same guards as a request of ours
(and never without `allowedDestinations`, or any phone could dial anything), and by the same ways (`hunt`). It rings
beside the old phone; when it answers it takes the old one's place in the call: same room, same participant, same ports.
The old phone is told by NOTIFY how it goes, and has a second to hang up after the last one. One that hangs up at once,
as many do, leaves the room waiting for the other, and hearing what its network plays. When the number is not reached
the call goes on with the old phone, if that is still there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from runtime.calls.board import Board, Now
from runtime.calls.call import Call, InboundCall, OutboundCall, State
from runtime.calls.commands import ExpectAnswers, FindWays, SetAttributes, StartMedia
from runtime.calls.hunt import Hunt, Hunter
from runtime.calls.negotiate import answered_with, answers_early, early
from runtime.calls.opening import Opening
from runtime.calls.reasons import EndReason
from runtime.calls.record import EndedBy
from runtime.calls.referral import Referral
from runtime.calls.refusal import warning
from runtime.calls.verifying import shows_no_more
from runtime.media.config import StreamConfig
from runtime.routing.dial import DialRequest, Failure, Way
from runtime.routing.headers import headers_from, merged
from runtime.routing.place import Placement
from runtime.sip import events as sip
from runtime.sip.endpoint import Endpoint
from runtime.sip.errors import SipSyntaxError
from runtime.sip.fields import parse_addresses, parse_cseq
from runtime.sip.message import Headers, Request, Response
from runtime.sip.offer_answer import NegotiationFailure
from runtime.sip.replaces import read_replaces
from runtime.sip.uri import TelUri, parse_uri
from schemas.printable import printable

RINGS_S: Final = 60.0
"""How long the number may ring."""
LEAVES_AFTER_S: Final = 1.0
REFERRED_BY_CHARS_MAX: Final = 1_024
REASON_CHARS_MAX: Final = 120
SIPFRAG: Final = "message/sipfrag;version=2.0"
OVER: Final = "terminated;reason=noresource"

Places = Callable[[str, DialRequest], Placement | Failure]
"""How a call of this id would be placed by the tables of the moment."""
NewLeg = sip.Ringing | sip.Answered | sip.Rejected | sip.InviteTimedOut


class Referrals:
    """One per bridge."""

    def __init__(self, board: Board, endpoint: Endpoint, opening: Opening, hunter: Hunter, places: Places) -> None:
        self._board = board
        self._endpoint = endpoint
        self._opening = opening
        self._hunter = hunter
        self._places = places
        self._by_leg: dict[int, Call] = {}

    # -- what the phone asks ---------------------------------------------------------------------------------------

    def referred(self, event: sip.RequestReceived, now: Now) -> None:
        """A REFER."""
        call = self._board.of_leg(event.leg) if event.leg is not None else None
        outcome = self._judge(call, event.request)
        if isinstance(outcome, tuple):
            status, words = outcome
            self._endpoint.respond_request(event.request_id, status, now.mono, headers=[warning(words)])
            return
        assert call is not None, "only a call's phone is judged well"
        tells = (event.request.headers.first("Refer-Sub") or "").strip().lower() != "false"
        said = () if tells else (("Refer-Sub", "false"),)
        self._endpoint.respond_request(event.request_id, 202, now.mono, headers=said)
        cseq = parse_cseq(event.request.headers).number
        before, call.referral = call.referral, Referral(cseq, tells, outcome, now.mono + RINGS_S)
        if before is not None:
            self._leaves(before, now)
            call.referral.held = before.placement.trunk if before.has_place else before.held
        self._tell(call, call.referral, "SIP/2.0 100 Trying", now)
        self._board.do(FindWays(call.id, outcome))

    def ways_found(self, call_id: str, ways: Sequence[Way] | Failure, now: Now) -> None:
        """Where the number may be called."""
        call = self._board.get(call_id)
        referral = call.referral if call is not None else None
        if call is None or referral is None or referral.is_over or referral.hunt is not None:
            return
        ordered = [] if isinstance(ways, Failure) else self._hunter.order(ways, now.mono)
        usable = [way for way in ordered if way[1].local[0] == call.ports.address]
        limited = self._opening.lend(referral.placement.trunk, now.mono) if usable else "no way leads there"
        if limited:
            self._failed(call, referral, 503, limited, now)
            return
        referral.has_place = True
        referral.hunt = self._hunt(call, referral, usable)
        self._hunter.begin(referral.hunt, now.mono)
        self._is_called(call, referral.hunt)

    def hangs_up(self, leg: int) -> bool:
        """A phone says goodbye: True where its call goes on without it, because somebody else is on the way."""
        call = self._board.of_leg(leg)
        referral = call.referral if call is not None else None
        if call is None or referral is None or referral.is_over:
            return False
        self._board.take_leg(call)
        assert call.stream is not None, "it was answered"
        if referral.stream is not None:
            self._hear(call, referral.stream)
        else:  # nobody is missed meanwhile
            self._board.do(StartMedia(call.id, replace(early(call.stream), send=False)))
        return True

    # -- the other phone -------------------------------------------------------------------------------------------

    def handle(self, event: NewLeg, now: Now) -> bool:
        """What became of an INVITE; False where it is none of these."""
        call = self._by_leg.get(event.leg)
        if call is None or call.referral is None:
            return False
        referral = call.referral
        assert referral.hunt is not None, "it is called"
        match event:
            case sip.Ringing():
                self._ringing(call, referral, referral.hunt, event.response, now)
            case sip.Answered():
                self._hunter.heard(referral.hunt, event.response, now.mono)
                self._answered(call, referral, event, now)
            case sip.Rejected():
                del self._by_leg[event.leg]
                if self._hunter.rejected(referral.hunt, event.response, now.mono) is None:
                    self._is_called(call, referral.hunt)
                else:
                    self._failed(call, referral, event.response.status, event.response.reason, now)
            case sip.InviteTimedOut():
                del self._by_leg[event.leg]
                if self._hunter.timed_out(referral.hunt, now.mono):
                    self._is_called(call, referral.hunt)
                else:
                    self._failed(call, referral, 408, "Request Timeout", now)
        return True

    def handle_timer(self, now: Now) -> None:
        """Give up what rings too long or says nothing, and hang up on phones that have been sent on."""
        for call in self._board.live_calls():
            referral = call.referral
            if referral is None:
                continue
            if referral.leaves_at <= now.mono:
                self._leaves(referral, now)
            elif not referral.is_over and referral.deadline <= now.mono:
                self._failed(call, referral, 408, "Request Timeout", now)
            elif referral.hunt is not None:
                silent = referral.hunt.leg
                if self._hunter.moves_on(referral.hunt, now.mono):
                    self._by_leg.pop(silent or 0, None)
                    self._is_called(call, referral.hunt)

    def ended(self, call: Call, now: Now) -> None:
        """The call is over, and with it whatever was on the way."""
        referral = call.referral
        if referral is None:
            return
        self._forget(referral, now)
        self._leaves(referral, now)
        if referral.has_place:
            self._opening.give_back(referral.placement.trunk)
        self._lets_go(referral)

    # -- parts -----------------------------------------------------------------------------------------------------

    def _judge(self, call: Call | None, request: Request) -> Placement | tuple[int, str]:
        if call is None or call.leg is None:
            return 403, "only the phone of a call may ask for that"
        trunk = call.orders.trunk
        if not trunk.accept_refer:
            return 403, f"Trunk {trunk.id} takes no REFER: it has no acceptRefer"
        if call.state is not State.ACTIVE or call.stream is None:
            return 403, "the call has not been answered yet"
        under_way = call.referral is not None and not call.referral.is_over
        if under_way or (call.transfer is not None and call.transfer.is_open):
            return 491, "the call is being sent on already"
        if trunk.outbound is None or not trunk.outbound.allowed_destinations:
            return 403, f"Trunk {trunk.id} has no outbound.allowedDestinations, so its phones may dial nothing"
        target = referred(request.headers)
        if target is None:
            return 400, "Refer-To names no plain number"
        wanted = DialRequest(call_to=target.number, room=call.record.room, trunk=trunk.id, caller=_own_number(call))
        placed = self._places(call.id, wanted)
        if isinstance(placed, Failure):
            return 403, placed.words
        passed_on = _passed_on(target, request.headers)
        return replace(placed, invite_headers=merged(placed.invite_headers, passed_on))

    def _hunt(self, call: Call, referral: Referral, ways: list[Way]) -> Hunt:
        placement = referral.placement
        told = self._endpoint.facing.media_host(ways[0][1])
        local = replace(call.local, address=told, direction="sendrecv", session_id=call.local.session_id + 1)
        referral.local = local
        return Hunt(
            tag=call.id,
            placement=placement,
            offer=referral.offer_answer.offer(local),
            ways=list(ways),
            known_ways=ways,
            user=placement.user,
            insist=referral.offer_answer.insist,
            headers=headers_from(call.attributes, placement.policy),
        )

    def _is_called(self, call: Call, hunt: Hunt) -> None:
        """An INVITE has gone out, by the first way or another one."""
        assert hunt.leg is not None, "and has a leg"
        assert hunt.last is not None, "by some way"
        self._by_leg[hunt.leg] = call
        self._board.do(ExpectAnswers(hunt.last[1].remote[0]))

    def _ringing(self, call: Call, referral: Referral, hunt: Hunt, response: Response, now: Now) -> None:
        self._hunter.heard(hunt, response, now.mono)
        if response.status >= 180 and response.status not in referral.told:
            referral.told.add(response.status)
            self._tell(call, referral, f"SIP/2.0 {response.status} {_line(response.reason)}", now)
        if not answers_early(referral.offer_answer, response):
            return
        try:
            referral.stream = self._agreed(call, referral, response.body)
        except NegotiationFailure:
            return  # the answer itself will tell
        if call.leg is None:
            self._hear(call, referral.stream)

    def _hear(self, call: Call, stream: StreamConfig) -> None:
        """The phone that was sent on is gone: the room hears what the other one's network plays."""
        self._board.do(StartMedia(call.id, early(stream, silent=True)))

    def _agreed(self, call: Call, referral: Referral, body: bytes) -> StreamConfig:
        assert referral.local is not None, "an offer went out"
        timeout_s, own = call.orders.media_timeout_s, self._opening.media_ports
        return answered_with(referral.offer_answer, body, referral.stream, referral.local, timeout_s, own)

    def _answered(self, call: Call, referral: Referral, event: sip.Answered, now: Now) -> None:
        try:
            stream = self._agreed(call, referral, event.response.body)
        except NegotiationFailure as fault:
            self._endpoint.bye(event.leg, now.mono)
            self._failed(call, referral, 488, fault.text, now)
            return
        assert referral.local is not None, "an offer went out"
        self._by_leg.pop(event.leg, None)
        referral.is_over, referral.hunt = True, None
        self._lets_go(referral)
        self._tell(call, referral, "SIP/2.0 200 OK", now, OVER)
        referral.old_leg, referral.leaves_at = call.leg, now.mono + LEAVES_AFTER_S
        self._board.take_leg(call)
        call.leg = event.leg
        self._board.put(call)
        call.local, call.offer_answer = referral.local, referral.offer_answer
        call.proposed, call.wants_hold = None, False
        call.lasts(referral.placement.max_call_duration_s, now.mono)
        self._board.stream_agreed(call, stream)
        self._board.do(SetAttributes(call.id, self._shown(call, referral)))

    def _shown(self, call: Call, referral: Referral) -> tuple[tuple[str, str], ...]:
        assert call.leg is not None, "it was answered"
        info = self._endpoint.leg_info(call.leg)
        shown = {"sip.callIDFull": info.call_id, "sip.callTag": info.remote_tag} if info is not None else {}
        if not call.orders.hides_number:
            shown["sip.phoneNumber"] = referral.placement.called
        return tuple(sorted({**shown, **dict(shows_no_more(call))}.items()))

    def _failed(self, call: Call, referral: Referral, status: int, reason: str, now: Now) -> None:
        """The number is not reached: the call goes on as it was, if anybody is left."""
        referral.is_over = True
        self._forget(referral, now)
        if referral.has_place:
            referral.has_place = False
            self._opening.give_back(referral.placement.trunk)
        line = _line(reason)
        self._tell(call, referral, f"SIP/2.0 {status} {line}", now, OVER)
        if call.leg is None:
            words = f"the phone sent its call on to {referral.placement.called} and hung up: SIP {status} {line}"
            self._board.end(call, now, 200, EndReason.HANGUP, words, EndedBy.CALLER)

    def _leaves(self, referral: Referral, now: Now) -> None:
        """The phone that was sent on is hung up on, if it has not hung up and was not."""
        if referral.old_leg is not None and referral.leaves_at < float("inf"):
            self._endpoint.bye(referral.old_leg, now.mono)
        referral.leaves_at = float("inf")

    def _lets_go(self, referral: Referral) -> None:
        """The phone that asked is out of the call, and had been called by a trunk, too: that has its place back."""
        held, referral.held = referral.held, None
        if held is not None:
            self._opening.give_back(held)

    def _forget(self, referral: Referral, now: Now) -> None:
        """Whatever still rings is cancelled."""
        hunt, referral.hunt = referral.hunt, None
        if hunt is not None and hunt.leg is not None:
            self._endpoint.cancel(hunt.leg, now.mono)
            self._by_leg.pop(hunt.leg, None)

    def _tell(self, call: Call, referral: Referral, line: str, now: Now, state: str = "") -> None:
        if not referral.tells or call.leg is None:
            return
        state = state or f"active;expires={max(1, round(referral.deadline - now.mono))}"
        headers = [("Event", f"refer;id={referral.cseq}"), ("Subscription-State", state)]
        self._endpoint.request(call.leg, "NOTIFY", now.mono, headers, f"{line}\r\n".encode(), SIPFRAG)


@dataclass(frozen=True, slots=True)
class Target:
    """Who is to be called, and which dialog of theirs the call takes the place of ("" = none)."""

    number: str
    replaces: str = ""


def referred(headers: Headers) -> Target | None:
    """What Refer-To names, None where it is not one plain number, with a Replaces (RFC 3891 section 6.1) or nothing."""
    try:
        targets = parse_addresses(headers, "Refer-To")
        uri = parse_uri(targets[0].uri) if len(targets) == 1 else None
        if isinstance(uri, TelUri):
            return Target(uri.user) if not uri.params else None
        if uri is None or uri.password is not None or uri.param("method") is not None:
            return None
        if any(name.lower() != "replaces" for name, _ in uri.headers):
            return None
        replaces = read_replaces(Headers([("Replaces", value) for _, value in uri.headers]))
    except SipSyntaxError:
        return None
    user = uri.user or ""
    if not user or not user.isprintable() or ";" in user:
        return None
    return Target(user, str(replaces) if replaces is not None else "")


def _passed_on(target: Target, headers: Headers) -> tuple[tuple[str, str], ...]:
    """What of a REFER goes on the INVITE that it asks for: the dialog, and who asked (RFC 3892)."""
    by = headers.first("Referred-By") or ""
    told = [("Replaces", target.replaces)] if target.replaces else []
    if by and len(by) <= REFERRED_BY_CHARS_MAX:
        told.append(("Referred-By", by))
    return tuple(told)


def _line(reason: str) -> str:
    """A reason phrase as it may stand in a NOTIFY, whatever a phone wrote."""
    return printable(reason[:REASON_CHARS_MAX])


def _own_number(call: Call) -> str:
    """Who the other phone sees calling: the number of ours that the call is about."""
    if isinstance(call, OutboundCall):
        return call.orders.caller
    assert isinstance(call, InboundCall), "there are two kinds"
    return call.record.to_user
