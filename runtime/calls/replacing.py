"""Phones that take another's place by an INVITE with Replaces (RFC 3891): the last step of an attended transfer.

A core; it works on the board. Whoever names a call's dialog, which only its phone and its proxies know, and may call by
the call's trunk (from an address that it names or registers at, and with its password where it has one), gets that
phone's place where the trunk says `acceptRefer`: same room, same participant, same ports. The phone that was there is
hung up on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from runtime.calls.board import Board, Now
from runtime.calls.call import Call, State
from runtime.calls.commands import SetAttributes, StartMedia, TrustSource
from runtime.calls.entrance import Challenge
from runtime.calls.negotiate import describe, early
from runtime.calls.opening import Opening
from runtime.calls.reasons import EndReason
from runtime.calls.reception import Reception
from runtime.calls.verifying import shows_no_more
from runtime.media.config import StreamConfig
from runtime.routing.route import Rejection
from runtime.sip.endpoint import Endpoint
from runtime.sip.errors import SipSyntaxError
from runtime.sip.events import InviteReceived
from runtime.sip.message import Request
from runtime.sip.offer_answer import LocalMedia, NegotiationFailure, OfferAnswer
from runtime.sip.path import Path
from runtime.sip.replaces import read_replaces
from runtime.sip.validate import validate_invite
from schemas.tables.networks import compile_networks, parse_address
from schemas.tables.rows import Pairs, TrunkRow

REPLACED: Final = (("Reason", 'SIP;cause=200;text="Replaced"'),)
UNKNOWN: Final = Rejection(481, EndReason.NOT_REPLACED, "no call here has the dialog that Replaces names", untold=True)


class Replacing:
    """One per bridge."""

    def __init__(self, board: Board, endpoint: Endpoint, opening: Opening, reception: Reception) -> None:
        self._board = board
        self._endpoint = endpoint
        self._opening = opening
        self._reception = reception

    def turns_away(self, request: Request, path: Path, now: float) -> tuple[int, Pairs] | None:
        """What an INVITE that names a dialog gets before anything is kept of it; None: take it.

        Its call's trunk asks for the password, not the one that would take a call to the number that it names.
        """
        try:
            call = self._named(request, path, now)
        except SipSyntaxError:
            call = None
        if call is None:
            return self._reception.turns_away(request, path, now)
        trunk = call.orders.trunk
        return self._reception.asks(trunk, request, path, now) if _asks_for_password(trunk) else None

    def invited(self, event: InviteReceived, now: Now) -> Rejection | Challenge | None:
        """An INVITE that names a dialog; None where it has that phone's place now."""
        call = self._judged(event, now)
        if not isinstance(call, Call):
            return call
        offer_answer = OfferAnswer()
        local = replace(call.local, direction="sendrecv", session_id=call.local.session_id + 1)
        try:
            body, stream = describe(
                offer_answer, event.request.body, local, call.orders.media_timeout_s, self._opening.media_ports
            )
        except NegotiationFailure as fault:
            return Rejection(fault.status, EndReason.MEDIA, f"no common media: {fault.text}")
        self._exchange(call, event, local, offer_answer, body, stream, now)
        return None

    def _named(self, request: Request, path: Path, now: float) -> Call | None:
        """The call that is meant, where its trunk may be called by from there. SipSyntaxError 400."""
        wanted = read_replaces(request.headers)
        assert wanted is not None, "the header is there"
        leg = self._endpoint.leg_of(wanted.call_id, wanted.to_tag, wanted.from_tag)
        call = self._board.of_leg(leg) if leg is not None else None
        if call is None:
            return None
        by_registration = self._reception.registered_on(request, path, now) == call.orders.trunk.id
        return call if by_registration or _allows(call.orders.trunk, path.remote[0]) else None

    def _judged(self, event: InviteReceived, now: Now) -> Call | Rejection | Challenge:
        """The call whose phone is to be replaced, or why none is."""
        try:
            call = self._named(event.request, event.path, now.mono)
        except SipSyntaxError as fault:
            return Rejection(fault.status, EndReason.SYNTAX, fault.reason, untold=True)
        if call is None:
            return UNKNOWN  # who may not ask is not told what there is
        if _asks_for_password(call.orders.trunk):
            source = event.path.remote[0]
            refusal = self._reception.entrance.proves(call.orders.trunk, event.request, source, now.mono)
            if refusal is not None:
                return refusal
            self._board.do(TrustSource(source))
        return self._fit(call, event) or call

    def _fit(self, call: Call, event: InviteReceived) -> Rejection | None:
        """Why somebody who may call by the call's trunk does not get its phone's place."""
        trunk = call.orders.trunk
        unreadable = validate_invite(event.request)
        if unreadable is not None:
            headers = tuple(unreadable.headers)
            return Rejection(unreadable.status, EndReason.BODY, unreadable.reason, trunk=trunk.id, headers=headers)
        if not trunk.accept_refer:
            words = f"Trunk {trunk.id} lets no phone take another's place: it has no acceptRefer"
            return Rejection(403, EndReason.NOT_REPLACED, words, trunk=trunk.id)
        if call.state is not State.ACTIVE:
            return UNKNOWN
        wanted = read_replaces(event.request.headers)
        if wanted is not None and wanted.early_only:
            return Rejection(486, EndReason.NOT_REPLACED, "the call has been answered already", trunk=trunk.id)
        if call.referral is not None and not call.referral.is_over:
            return Rejection(491, EndReason.NOT_REPLACED, "the call is being sent on already", trunk=trunk.id)
        if event.path.local[0] != call.ports.address:
            return Rejection(488, EndReason.MEDIA, "the call's media is at another address", trunk=trunk.id)
        return None

    def _exchange(
        self,
        call: Call,
        event: InviteReceived,
        local: LocalMedia,
        offer_answer: OfferAnswer,
        body: bytes,
        stream: StreamConfig | None,
        now: Now,
    ) -> None:
        old = call.leg
        self._endpoint.set_local_tag(event.leg, call.id)
        self._board.take_leg(call)
        call.leg = event.leg
        self._board.put(call)
        call.local, call.offer_answer = local, offer_answer
        call.proposed, call.wants_hold = None, False
        self._endpoint.respond(event.leg, 200, now.mono, body=body)
        if stream is not None:
            self._board.stream_agreed(call, stream)
        elif call.stream is not None:  # the ACK brings the answer: until then nobody is heard, or hears
            nobody = replace(early(call.stream), send=False, receive=False)
            call.stream = None
            self._board.do(StartMedia(call.id, nobody))
        if old is not None:
            self._endpoint.bye(old, now.mono, REPLACED)
        info = self._endpoint.leg_info(event.leg)
        assert info is not None, "just answered"
        told = (("sip.callIDFull", info.call_id), ("sip.callTag", info.remote_tag), *shows_no_more(call))
        self._board.do(SetAttributes(call.id, told))


def _asks_for_password(trunk: TrunkRow) -> bool:
    return trunk.inbound is not None and trunk.inbound.auth is not None


def _allows(trunk: TrunkRow, source: str) -> bool:
    """Whether a trunk may be called by from this address: one that names none lets any try its password."""
    if trunk.inbound is None:
        return False
    if not trunk.inbound.networks:
        return _asks_for_password(trunk)
    return compile_networks(trunk.inbound.networks).holds(parse_address(source))
