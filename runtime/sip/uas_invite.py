"""INVITE, re-INVITE, ACK and CANCEL as the one who is called (RFC 3261 sections 9.2, 13.3 and 14.2).

`endpoint` hands in requests that belong to no running transaction; the user answers through `respond`. A 2xx is
repeated until its ACK comes, and the call is hung up when none does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from runtime.sip.config import REINVITE_RETRY_S_MAX, UNACKED_MAX
from runtime.sip.core import Core
from runtime.sip.dialog import Dialog, contact_target, dialog_of_request
from runtime.sip.events import (
    AckMissing,
    AckReceived,
    Cancelled,
    InviteExpired,
    InviteReceived,
    ReinviteCancelled,
    ReinviteReceived,
)
from runtime.sip.grammar import is_token
from runtime.sip.incoming import IncomingRequest
from runtime.sip.legs import Answer, Leg, OpenInvite, Unacked, allows_update
from runtime.sip.message import Request
from runtime.sip.requests import Pairs
from runtime.sip.session_timer import Agreed
from runtime.sip.sessions import SessionTimers
from runtime.sip.transactions.transaction import ServerTransaction
from runtime.sip.uas_reliable import UasReliable

EXPIRES_DIGITS_MAX = 10
CHALLENGES = frozenset({401, 407})


class UasInvite:
    """The called side of INVITE. `send_bye(leg, now)` hangs up a confirmed leg."""

    def __init__(self, core: Core, sessions: SessionTimers, send_bye: Callable[[Leg, float], None]) -> None:
        self._core = core
        self._sessions = sessions
        self._send_bye = send_bye
        self.reliable = UasReliable(core, self._send, self._finally)

    # What the peer sends

    def receive_invite(self, incoming: IncomingRequest, now: float) -> None:
        """A new call: 100 at once, and the user is told. SipSyntaxError where it names no place to call back."""
        dialog = dialog_of_request(incoming)
        leg = self._core.legs.open(incoming.path)
        leg.dialog = dialog
        self._open(leg, incoming, now, is_reinvite=False)
        self._core.events.append(InviteReceived(leg.handle, incoming.request, incoming.path))

    def receive_reinvite(self, leg: Leg, dialog: Dialog, incoming: IncomingRequest, now: float) -> None:
        """An INVITE within a dialog (section 14.2). SipSyntaxError where its Contact is none."""
        contact_target(incoming.request.headers)
        if leg.open_invite is not None:
            wait_s = self._core.entropy(1)[0] % (REINVITE_RETRY_S_MAX + 1)
            self._refuse(incoming, 500, now, (("Retry-After", str(wait_s)),), "Overlapping Requests")
        elif incoming.cseq in leg.unacked:
            # An ACK is told by its CSeq number alone (section 13.2.2.4): it could be for either of the two.
            self._refuse(incoming, 500, now, reason="CSeq Out Of Order")
        elif leg.own_invite is not None or leg.held_bye is not None or self._waits_for_answer(leg):
            # Section 14.2: ours is under way (or our BYE will be, soon). And RFC 5407 section 3.1.4: the last offer
            # has no answer yet.
            self._refuse(incoming, 491, now)
        else:
            leg.dialog = dialog
            self._open(leg, incoming, now, is_reinvite=True)
            self._core.events.append(ReinviteReceived(leg.handle, incoming.request))

    def receive_ack(self, incoming: IncomingRequest, now: float) -> bool:
        """An ACK that belongs to no non-2xx. False where it belongs to no dialog either."""
        found = self._core.legs.find((incoming.call_id, incoming.to_tag or "", incoming.from_tag))
        if found is None:
            return False
        leg, dialog = found
        dialog.follow(incoming.path, self._core.ways)
        unacked = leg.unacked.pop(incoming.cseq, None)
        if unacked is None:
            return True
        self._core.alarms.stop(unacked.repeat)
        self._core.alarms.stop(unacked.give_up)
        self._core.events.append(AckReceived(leg.handle, incoming.request))
        if leg.held_bye is not None and not leg.unacked:
            self._send_bye(leg, now)
        return True

    def receive_cancel(self, incoming: IncomingRequest, invite: ServerTransaction, now: float) -> None:
        """A CANCEL of an INVITE that we know; after a final response it changes nothing (section 9.2)."""
        leg = self._core.legs.get(invite.leg) if invite.leg is not None else None
        opened = leg.open_invite if leg is not None else None
        if leg is None or opened is None or opened.transaction is not invite:
            self._answer_cancel(incoming, invite.to_tag, now)
            return
        # Section 9.2: both responses have the same To tag.
        self._answer_cancel(incoming, self._tag_for(leg, opened), now)
        told = ReinviteCancelled if opened.is_reinvite else Cancelled
        self._core.events.append(told(leg.handle, incoming.request))
        self.respond(leg, 487, now)

    # What the user says

    def set_local_tag(self, leg: Leg, tag: str) -> bool:
        """Choose our To tag. False when a response has carried one already."""
        assert is_token(tag), "a tag is a token"
        if leg.dialog is None or leg.dialog.local_tag or leg.open_invite is None:
            return False
        leg.dialog.name_local(tag)
        return True

    def respond(
        self,
        leg: Leg,
        status: int,
        now: float,
        *,
        reason: str = "",
        headers: Pairs = (),
        body: bytes = b"",
        content_type: str = "",
    ) -> bool:
        """Answer the open INVITE or re-INVITE; False when there is none (any more)."""
        opened, dialog = leg.open_invite, leg.dialog
        if opened is None or dialog is None:
            return False
        answer = Answer(status, reason, headers, body, content_type)
        if 100 < status < 200 and self.reliable.takes(opened, has_body=bool(body)):
            return self.reliable.send(leg, opened, answer, now)
        if status >= 200:
            return self._finally(leg, answer, now)
        self._send(leg, opened, answer, (), now)
        return True

    # How it is done

    def _finally(self, leg: Leg, answer: Answer, now: float) -> bool:
        """The final response; a 2xx may have to wait for a PRACK."""
        opened, dialog, status = leg.open_invite, leg.dialog, answer.status
        assert opened is not None, "an INVITE is answered once"
        assert dialog is not None, "an open INVITE has a dialog"
        if status < 300 and self.reliable.holds(opened, answer):
            return True
        agreed: Agreed | None = None
        more: Pairs = ()
        if status < 300:
            if opened.has_agreed:  # by a reliable response: section 5 of RFC 3262 has no offer or answer left to give
                answer = replace(answer, body=b"")
            agreed, more = self._sessions.answers(leg, opened.incoming.request)
        data = self._send(leg, opened, answer, more, now)
        self._close(leg, opened)
        if status in CHALLENGES:
            self._core.transactions.allow_again(opened.transaction)
        if status < 300:
            self._accepted(leg, dialog, opened, data, has_body=bool(answer.body), now=now)
            self._sessions.agreed(leg, agreed, now)
        elif not opened.is_reinvite:
            self._core.end(leg, now)
        return True

    def _send(self, leg: Leg, opened: OpenInvite, answer: Answer, more: Pairs, now: float) -> bytes:
        """Put a response on its way, with `more` headers; its bytes."""
        assert leg.dialog is not None, "an open INVITE has a dialog"
        status, request = answer.status, opened.incoming.request
        tag = self._tag_for(leg, opened) if status > 100 else None
        if 100 < status < 300 and not opened.is_reinvite:
            self._core.legs.add_dialog(leg, leg.dialog)
        data = self._core.response(
            request,
            status,
            to_tag=None if opened.is_reinvite else tag,
            reason=answer.reason,
            extra=(*self._own_headers(request, leg, status), *more, *answer.headers),
            body=answer.body,
            content_type=answer.content_type,
        )
        opened.transaction.respond(status, data, now)
        return data

    def _open(self, leg: Leg, incoming: IncomingRequest, now: float, *, is_reinvite: bool) -> None:
        transaction = self._core.transactions.open_server(incoming)
        transaction.leg = leg.handle
        opened = leg.open_invite = OpenInvite(incoming, transaction, is_reinvite)
        self.reliable.opened(opened)
        leg.allows_update = allows_update(incoming.request.headers) or leg.allows_update
        transaction.respond(100, self._core.response(incoming.request, 100, to_tag=None), now)
        expires_s = _expires_s(incoming.request)
        if expires_s is not None:
            opened.expiry = self._core.alarms.start(now + expires_s, partial(self._expired, leg))

    def _expired(self, leg: Leg, now: float) -> None:
        self._core.events.append(InviteExpired(leg.handle))
        self.respond(leg, 487, now)

    def _close(self, leg: Leg, opened: OpenInvite) -> None:
        leg.open_invite = None
        self._core.stop_reliable(opened)
        if opened.expiry is not None:
            self._core.alarms.stop(opened.expiry)

    def _accepted(
        self, leg: Leg, dialog: Dialog, opened: OpenInvite, data: bytes, *, has_body: bool, now: float
    ) -> None:
        leg.is_confirmed = True
        request = opened.incoming.request
        if opened.is_reinvite:
            dialog.refresh_target(request.headers)
        cseq, timers = opened.incoming.cseq, self._core.config.timers
        leg.unacked[cseq] = Unacked(
            data,
            opened.transaction,
            has_offer=has_body and not request.body,
            wait_s=timers.t1_s,
            repeat=self._core.alarms.start(now + timers.t1_s, partial(self._repeat, leg, cseq)),
            give_up=self._core.alarms.start(now + timers.give_up_s, partial(self._ack_missing, leg)),
        )

    def _repeat(self, leg: Leg, cseq: int, now: float) -> None:
        unacked = leg.unacked[cseq]
        unacked.transaction.respond(200, unacked.data, now)
        unacked.wait_s = min(2 * unacked.wait_s, self._core.config.timers.t2_s)
        unacked.repeat = self._core.alarms.start(now + unacked.wait_s, partial(self._repeat, leg, cseq))

    def _ack_missing(self, leg: Leg, now: float) -> None:
        self._core.stop_unacked(leg)
        self._core.events.append(AckMissing(leg.handle))
        self._send_bye(leg, now)

    def _tag_for(self, leg: Leg, opened: OpenInvite) -> str:
        dialog = leg.dialog
        assert dialog is not None, "an open INVITE has a dialog"
        if not dialog.local_tag:
            dialog.name_local(self._core.new_tag())
        opened.transaction.to_tag = dialog.local_tag
        return dialog.local_tag

    def _own_headers(self, request: Request, leg: Leg, status: int) -> list[tuple[str, str]]:
        if not 100 < status < 300:
            return []
        out = [("Record-Route", value) for value in request.headers.all("Record-Route")]
        out.append(("Contact", self._core.contact(leg.path, secure=leg.dialog is not None and leg.dialog.secure)))
        if status >= 200:
            out.append(("Allow", self._core.allow))
            if self._core.config.supported:
                out.append(("Supported", ", ".join(self._core.config.supported)))
        return out

    def _waits_for_answer(self, leg: Leg) -> bool:
        return len(leg.unacked) >= UNACKED_MAX or any(unacked.has_offer for unacked in leg.unacked.values())

    def _refuse(
        self,
        incoming: IncomingRequest,
        status: int,
        now: float,
        extra: tuple[tuple[str, str], ...] = (),
        reason: str = "",
    ) -> None:
        # With a transaction: a repetition must get the same answer, even when the reason for it has gone.
        transaction = self._core.transactions.open_server(incoming)
        data = self._core.response(incoming.request, status, to_tag=None, reason=reason, extra=extra)
        transaction.respond(status, data, now)

    def _answer_cancel(self, incoming: IncomingRequest, tag: str | None, now: float) -> None:
        transaction = self._core.transactions.open_server(incoming)
        to_tag = None if incoming.to_tag else tag
        transaction.respond(200, self._core.response(incoming.request, 200, to_tag=to_tag), now)


def _expires_s(request: Request) -> int | None:
    text = request.headers.first("Expires") or ""
    if not (text.isascii() and text.isdigit()) or len(text) > EXPIRES_DIGITS_MAX:
        return None
    return int(text)
