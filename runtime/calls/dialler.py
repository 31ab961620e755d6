"""Calls of ours: from the request to the answer, and why there was none. A core; it works on the board.

A call is in its room before its phone rings, as with LiveKit: whoever is there sees `sip.callStatus` go from `dialing`
over `ringing` to `active`. Where a trunk has several addresses the next one is tried when one says nothing at all, is
not reached, or says 503 before it rang (RFC 3263 section 4.3), with the same Call-ID and From tag: who gets the INVITE
by two ways sees that it is one (482, RFC 3261 section 8.2.2.2). One that says anything later is cancelled at once. A
phone that rang, is busy or declines is not called by another way.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from runtime.calls.board import ACTIVE, STATUS, Board, Now
from runtime.calls.call import UNDER_WAY, Call, OutboundCall, State, Step
from runtime.calls.commands import DialSettled, ExpectAnswers, JoinRoom, OpenLeg, PressKeys, SetAttributes, ShowHeaders
from runtime.calls.negotiate import agreed
from runtime.calls.opening import Opening
from runtime.calls.reasons import EndReason, refusal_reason
from runtime.calls.record import CallRecord, EndedBy
from runtime.calls.redirects import Redirect, redirect_of
from runtime.media.session import StreamConfig
from runtime.routing.dial import Dialled, Failure, FailureKind, NamedAddress, Way, route_of, uri_of
from runtime.routing.headers import attributes_from, headers_from, merged, readable, remote_headers
from runtime.routing.orders import IDS
from runtime.routing.place import Placement
from runtime.sip import events as sip
from runtime.sip.endpoint import Endpoint
from runtime.sip.fields import NameAddr, parse_seconds
from runtime.sip.locating import Hop, hop_of
from runtime.sip.message import Response
from runtime.sip.offer_answer import NegotiationFailure
from runtime.sip.reason import read_reasons
from runtime.sip.responses import made_here
from runtime.sip.uri import Uri
from runtime.trunks.circuits import Circuits
from schemas.tables.rows import Headers, Pairs

TELLING_STATUSES: Final = frozenset({400, 404, 480, 486, 488})
"""Refusals of which the carrier's own text says more than the reason phrase."""

SILENCE_S: Final = 4.0
"""How long an address may say nothing, not even 100, before the next one is tried. RFC 3263 would wait for 32 s."""

HUNT_S: Final = 32.0
"""How long addresses are tried in all; the last one that was begun may take its own time."""

TOLD_CHARS_MAX: Final = 256
"""How much of such a text is kept."""

_RINGING_NOTHING: Final = Headers()


class Dialler:
    """One per bridge."""

    def __init__(self, board: Board, endpoint: Endpoint, opening: Opening, circuits: Circuits) -> None:
        self._board = board
        self._endpoint = endpoint
        self._opening = opening
        self._circuits = circuits

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
        ways = self._circuits.order(ways, lambda way: hop_of(way[1]), now.mono)
        full = self._board.full()
        if full:
            return Failure(FailureKind.UNAVAILABLE, full)
        record = CallRecord.placed(call_id, placement, region, now.wall)
        call = self._opening.offer(record, placement, ways, now.mono)
        if isinstance(call, Failure):
            return call
        self._board.put(call)
        self._board.do(
            OpenLeg(call.id, call.ports, placement.codecs[0], rings=placement.dialtone), JoinRoom(call.id, placement)
        )
        return None

    def entered(self, call: OutboundCall, participant_id: str, now: Now) -> None:
        """The call is in its room: now the phone is called."""
        if call.state is not State.ENTERING:
            return
        call.participant_id = participant_id
        call.rings_until = now.mono + call.orders.ringing_timeout_s
        call.hunts_until = now.mono + HUNT_S
        self._call_next(call, now)
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
                self._circuits.failed(call.hop, "no answer", now.mono)
                if not self._tried_next(call, now):
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
            heard = self._endpoint.is_heard(call.leg)
            if call.rings_until <= now.mono:
                self._give_up(call, heard, now)
            elif call.ways and not heard and call.tried_until <= now.mono < call.hunts_until:
                self._circuits.failed(call.hop, "no answer", now.mono)
                self._endpoint.cancel(call.leg, now.mono)
                self._board.take_leg(call)
                self._call_next(call, now)

    # -- the phone is called ---------------------------------------------------------------------------------------

    def _call_next(self, call: OutboundCall, now: Now) -> None:
        self._call_by(call, call.ways.pop(0), now)

    def _call_by(self, call: OutboundCall, way: Way, now: Now) -> None:
        hop, path = call.last = way
        call.dialled |= {Redirect(call.user, way)}
        call.hop = hop_of(path)
        self._circuits.trying(call.hop, now.mono)
        placement = call.orders
        call.leg = self._endpoint.invite(
            str(uri_of(replace(hop, user=call.user))),
            path,
            now.mono,
            from_=_name_addr(placement.from_, self._endpoint.facing.host(path)),
            to=str(NameAddr("", str(Uri("sip", placement.to_user, None, hop.host)))),
            headers=merged(
                route_of(hop),
                _vouching(placement, path.local[0]),
                headers_from(call.attributes, placement.policy),
                placement.invite_headers,
            ),
            body=call.offer,
            local_tag=call.id,
            # To whom sends a call on it is another one: the same again could be a merged request there (482).
            call_id="" if call.redirects else call.record.sip_call_id,
            login=placement.login,
        )
        call.advance(Step.DIAL)
        call.tried_until = now.mono + SILENCE_S
        self._board.put(call)
        info = self._endpoint.leg_info(call.leg)
        assert info is not None, "just begun"
        call.record = replace(call.record, sip_call_id=info.call_id, source=path.remote[0])
        call.at = str(call.hop)
        self._board.do(
            # At a stranger's rate the answers to ten calls would be lost.
            ExpectAnswers(path.remote[0]),
            SetAttributes(call.id, (("sip.callIDFull", info.call_id),)),
        )

    def _ringing(self, call: OutboundCall, response: Response, now: Now) -> None:
        self._circuits.answered(call.hop, response.status, now.mono)
        changes = attributes_from(readable(response.headers.items(), hide_caller=True), _RINGING_NOTHING)
        if response.status >= 180 and call.state is State.DIALLING:
            changes[STATUS] = "ringing"
            call.advance(Step.RING)
        if changes:
            self._board.do(SetAttributes(call.id, tuple(sorted(changes.items()))))

    def _answered(self, call: OutboundCall, response: Response, now: Now) -> None:
        placement = call.orders
        self._circuits.answered(call.hop, response.status, now.mono)
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
        if not response.body or not _is_sdp(response) or not call.offer_answer.has_offer:
            return
        try:
            stream = self._agreed(call, response)
        except NegotiationFailure:
            return  # the answer itself will tell
        self._board.stream_agreed(call, stream)

    def _agreed(self, call: OutboundCall, response: Response) -> StreamConfig:
        """What the answer to our offer means. One that came early and reliably need not come again (RFC 6337)."""
        is_agreed = not call.offer_answer.awaits_answer
        if call.stream is not None and is_agreed and not (response.body and call.offer_answer.has_offer):
            return call.stream
        negotiated = call.offer_answer.accept(response.body)
        return agreed(negotiated, call.local, call.orders.media_timeout_s, self._opening.media_ports)

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
        status, reason = response.status, _reason_of(response)
        unreached = made_here(response)
        self._note(call.hop, response, unreached=unreached, now=now)
        refused = self._redirected(call, response, now) if 300 <= status < 400 else ""
        if call.leg is not None:
            return
        if status == 503 and call.state is State.DIALLING and self._tried_next(call, now):
            return
        if unreached:
            words = f"{call.at} cannot be reached: {reason}"
            self._end(call, status, "", EndReason.UNREACHABLE, words, now)
        else:
            words = f"{call.orders.called} was not reached: SIP {status} {reason}" + (f"; {refused}" if refused else "")
            call.record = replace(call.record, peer_reason="; ".join(map(str, read_reasons(response.headers))))
            self._end(call, status, reason, refusal_reason(status), words, now)

    def _note(self, hop: Hop, response: Response, *, unreached: bool, now: Now) -> None:
        """What a refusal says of the address that it came from."""
        rest_s = parse_seconds(response.headers.first("Retry-After"))
        if unreached:
            self._circuits.failed(hop, response.reason, now.mono)
        elif response.status == 503 and rest_s:
            self._circuits.rests(hop, rest_s, now.mono)
        else:
            self._circuits.answered(hop, response.status, now.mono)

    def _redirected(self, call: OutboundCall, response: Response, now: Now) -> str:
        """Dial where the phone sends the call on; or why not, in words."""
        outbound = call.orders.trunk.outbound
        assert outbound is not None, "only such trunks place calls"
        assert call.last is not None, "it was dialled"
        found = redirect_of(response, outbound, call.known_ways, call.last, call.dialled, call.redirects)
        if isinstance(found, str):
            return found
        call.redirects += 1
        call.user = found.user
        self._call_by(call, found.way, now)
        return ""

    def _tried_next(self, call: OutboundCall, now: Now) -> bool:
        """Whether there is another way, which is tried then."""
        if call.ways and now.mono < call.hunts_until:
            self._call_next(call, now)
        return call.leg is not None

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
    return f"nobody answers SIP at {call.at}"


def _name_addr(named: NamedAddress, own_host: str) -> str:
    uri = uri_of(replace(named.address, host=named.address.host or own_host))
    return str(NameAddr(named.display_name, str(uri)))


def _vouching(placement: Placement, own_host: str) -> Pairs:
    """The header by which the trunk vouches for the caller's number (RFC 3325 section 9.1)."""
    if placement.identity_header == "none" or not placement.vouched:
        return ()
    uri = Uri("sip", placement.vouched, None, placement.from_.address.host or own_host)
    screened = ";party=calling;screen=yes;privacy=off" if placement.identity_header == "Remote-Party-ID" else ""
    return ((placement.identity_header, f"<{uri}>{screened}"),)


def _reason_of(response: Response) -> str:
    """The reason phrase, or what a carrier says in its place; one printable line."""
    told = response.reason
    if response.status in TELLING_STATUSES:
        body = response.body.decode("utf-8", "replace") if not _is_sdp(response) else ""
        told = body.strip() or response.headers.first("X-Twilio-Error") or told
    line = " ".join(told.split())[:TOLD_CHARS_MAX]
    return "".join(c for c in line if c.isprintable()) or "(no reason)"


def _is_sdp(response: Response) -> bool:
    return (response.headers.first("Content-Type") or "").lower().startswith("application/sdp")
