"""INVITE, re-INVITE, the ACK of a 2xx and CANCEL as the one who calls (RFC 3261 sections 9.1, 13.2 and 14.1).

Every 2xx gets its ACK, and the same ACK again whenever it is repeated. A 2xx that nobody wants, from a second fork or
after CANCEL, gets ACK and BYE.
"""

from __future__ import annotations

from functools import partial

from runtime.sip.auth.client import Authorizer, Login, authorization_of
from runtime.sip.config import FORKS_MAX
from runtime.sip.core import Core
from runtime.sip.dialog import Dialog, dialog_of_response, is_secure, rough_dialog
from runtime.sip.errors import SipSyntaxError
from runtime.sip.events import (
    Answered,
    InviteTimedOut,
    ReinviteAnswered,
    ReinviteRejected,
    Rejected,
    Ringing,
)
from runtime.sip.fields import parse_name_addr
from runtime.sip.incoming import IncomingResponse
from runtime.sip.legs import Leg, OwnInvite, allows_update
from runtime.sip.path import Path
from runtime.sip.requests import Outgoing, Pairs, build_request, via_of
from runtime.sip.responses import build_response
from runtime.sip.sessions import SessionTimers
from runtime.sip.transactions.derived import cancel_of
from runtime.sip.uac_auth import again_with, authorised
from runtime.sip.uac_requests import UacRequests, ignore_response, ignore_timeout
from runtime.sip.uas_reliable import OPTION, read_rseq
from runtime.sip.writer import write_message


class UacInvite:
    """The calling side of INVITE."""

    def __init__(self, core: Core, sessions: SessionTimers, requests: UacRequests) -> None:
        self._core = core
        self._sessions = sessions
        self._requests = requests

    # What the user says

    def invite(
        self,
        target: str,
        path: Path,
        now: float,
        *,
        from_: str,
        to: str,
        headers: Pairs,
        body: bytes,
        content_type: str,
        local_tag: str,
        call_id: str,
        login: Login | None,
    ) -> Leg:
        """Call `target` along `path`. `from_` and `to` are a URI or a name-addr, without tag."""
        core = self._core
        branch, cseq = core.new_branch(), 1
        extra = [("Contact", core.contact(path, secure=is_secure(target))), ("Allow", core.allow)]
        if core.config.supported:
            extra.append(("Supported", ", ".join(core.config.supported)))
        request = build_request(
            "INVITE",
            target,
            via=via_of(path, core.facing.host(path), branch),
            routes=[value for name, value in headers if name.lower() == "route"],
            from_=str(parse_name_addr(from_, "From").with_param("tag", local_tag or core.new_tag())),
            to=str(parse_name_addr(to, "To")),
            call_id=call_id or core.new_call_id(),
            cseq=cseq,
            extra=[
                *extra,
                *self._sessions.asks(),
                ("User-Agent", core.config.user_agent),
                *(pair for pair in headers if pair[0].lower() != "route"),
            ],
            body=body,
            content_type=content_type,
        )
        outgoing = Outgoing(request, write_message(request), branch, path)
        leg = core.legs.open(path)
        leg.authorizer = Authorizer(login, core.entropy) if login is not None else None
        self._start(leg, OwnInvite(outgoing, cseq, is_reinvite=False), now)
        return leg

    def may_reinvite(self, leg: Leg) -> bool:
        """Not while any INVITE of this dialog is under way, either way (section 14.1)."""
        under_way = leg.own_invite is not None or leg.open_invite is not None or bool(leg.unacked)
        return leg.is_confirmed and not leg.is_leaving and leg.held_bye is None and not under_way

    def reinvite(self, leg: Leg, now: float, *, headers: Pairs, body: bytes, content_type: str) -> bool:
        """Ask for another session."""
        dialog = leg.dialog
        if dialog is None or not self.may_reinvite(leg):
            return False
        cseq = dialog.next_cseq()
        headers = (*self._sessions.asks(leg), *headers)
        outgoing = self._requests.build(dialog, "INVITE", cseq, headers=headers, body=body, content_type=content_type)
        self._start(leg, OwnInvite(outgoing, cseq, is_reinvite=True), now)
        return True

    def cancel(self, leg: Leg, now: float, headers: Pairs) -> bool:
        """Take back our INVITE or re-INVITE; CANCEL goes out once a provisional response is here (section 9.1)."""
        own = leg.own_invite
        if own is None or own.cancel_wanted:
            return False
        own.cancel_wanted, own.cancel_headers = True, headers
        if own.has_provisional:
            self._send_cancel(leg, own, now)
        return True

    # What the peer answers

    def _answered(self, leg: Leg, own: OwnInvite, incoming: IncomingResponse, now: float) -> None:
        if incoming.status < 200:
            self._provisional(leg, own, incoming, now)
        elif incoming.status < 300:
            self._success(leg, own, incoming, now)
        else:
            self._failure(leg, own, incoming, now)

    def _provisional(self, leg: Leg, own: OwnInvite, incoming: IncomingResponse, now: float) -> None:
        own.has_provisional = True
        if leg.is_ended:
            return
        if own.cancel_wanted:
            self._send_cancel(leg, own, now)
            return
        if incoming.status == 100:
            return
        if not own.is_reinvite and incoming.to_tag:
            self._early(leg, own, incoming)
        leg.allows_update = allows_update(incoming.response.headers) or leg.allows_update
        if self._is_acknowledged(leg, own, incoming, now):
            self._core.events.append(Ringing(leg.handle, incoming.response))

    def _is_acknowledged(self, leg: Leg, own: OwnInvite, incoming: IncomingResponse, now: float) -> bool:
        """Whether a provisional response counts: any that is not reliable, and of the others the next in order.

        That one gets its PRACK. One that repeats what came before or leaves one out says nothing (RFC 3262 section 4).
        """
        rseq = read_rseq(incoming.response.headers) if OPTION in self._core.config.supported else None
        if rseq is None:
            return True
        dialog = leg.dialogs.get((incoming.call_id, incoming.from_tag, incoming.to_tag))
        last = own.rseqs.get(incoming.to_tag)
        if dialog is None or (last is not None and rseq != last + 1):
            return False
        own.rseqs[incoming.to_tag] = rseq
        self._requests.prack(leg, dialog, rseq, own.cseq, now)
        return True

    def _early(self, leg: Leg, own: OwnInvite, incoming: IncomingResponse) -> None:
        dialog_id = (incoming.call_id, incoming.from_tag, incoming.to_tag)
        if dialog_id in leg.dialogs or len(leg.dialogs) >= FORKS_MAX:
            return
        dialog = dialog_of_response(own.outgoing.request, own.cseq, incoming, leg.path)
        self._core.legs.add_dialog(leg, dialog)
        if leg.dialog is None:
            leg.dialog = dialog

    def _success(self, leg: Leg, own: OwnInvite, incoming: IncomingResponse, now: float) -> None:
        ack = own.acks.get(incoming.to_tag)
        if ack is not None:
            self._core.send(*ack)
        elif len(own.acks) >= FORKS_MAX:
            return
        elif own.is_reinvite:
            self._reinvite_answered(leg, own, incoming, now)
        else:
            self._invite_answered(leg, own, incoming, now)

    def _invite_answered(self, leg: Leg, own: OwnInvite, incoming: IncomingResponse, now: float) -> None:
        # Section 13.2.2.4: the route set is that of the 2xx, whatever an early dialog had.
        is_readable = True
        try:
            dialog = dialog_of_response(own.outgoing.request, own.cseq, incoming, leg.path)
        except SipSyntaxError:
            dialog, is_readable = rough_dialog(own.outgoing.request, own.cseq, incoming, leg.path), False
        known = leg.dialogs.get(dialog.id)
        if known is not None:
            dialog.local_cseq, dialog.remote_cseq = known.local_cseq, known.remote_cseq
        is_first = not own.acks
        self._ack(dialog, own, incoming)
        if not is_first or leg.is_ended:
            self._requests.hang_up_fork(dialog, now)
            return
        self._final(leg, own)
        self._core.legs.keep_dialog(leg, dialog)
        leg.is_confirmed = True
        if own.cancel_wanted:
            # CANCEL and 2xx have crossed (section 9.1): the call is up, and is hung up.
            self._requests.send_bye(leg, now)
        elif not is_readable:
            failure = build_response(own.outgoing.request, 502, to_tag=None, reason="Unreadable Answer")
            self._core.events.append(Rejected(leg.handle, failure))
            self._requests.send_bye(leg, now)
        else:
            leg.allows_update = allows_update(incoming.response.headers) or leg.allows_update
            self._sessions.accepted(leg, incoming, now)
            self._core.events.append(Answered(leg.handle, incoming.response))

    def _reinvite_answered(self, leg: Leg, own: OwnInvite, incoming: IncomingResponse, now: float) -> None:
        dialog = leg.dialog
        assert dialog is not None, "a re-INVITE has a dialog"
        dialog.refresh_target(incoming.response.headers)
        self._ack(dialog, own, incoming)
        if not own.is_final:
            self._final(leg, own)
            if not leg.is_leaving:
                self._sessions.accepted(leg, incoming, now)
                self._core.events.append(ReinviteAnswered(leg.handle, incoming.response))

    def _failure(self, leg: Leg, own: OwnInvite, incoming: IncomingResponse, now: float) -> None:
        self._final(leg, own)
        if self._try_again(leg, own, incoming, now):
            return
        if leg.is_ended:
            return
        if own.is_reinvite:
            self._core.events.append(ReinviteRejected(leg.handle, incoming.response))
        else:
            self._core.events.append(Rejected(leg.handle, incoming.response))
            self._core.end(leg, now)

    def _try_again(self, leg: Leg, own: OwnInvite, incoming: IncomingResponse, now: float) -> bool:
        """Whether this failure was a challenge that is answered now, or a session timer that is made longer."""
        if own.cancel_wanted or leg.is_leaving:
            return False
        cseq = own.cseq + 1
        dialog = leg.dialog if own.is_reinvite else None
        if dialog is not None:
            cseq = dialog.local_cseq + 1
        again = authorised(self._core, leg, own.outgoing, incoming, cseq)
        wider = self._sessions.again(own.outgoing.request, incoming)
        if again is None and wider is not None:
            again = again_with(self._core, own.outgoing, wider, cseq)
        if again is None:
            return False
        if dialog is not None:
            dialog.local_cseq = cseq
        else:
            self._core.legs.drop_dialogs(leg)
        self._start(leg, OwnInvite(again, cseq, own.is_reinvite), now)
        return True

    def _timed_out(self, leg: Leg, own: OwnInvite, now: float) -> None:
        self._final(leg, own)
        if leg.is_ended:
            return
        if own.is_reinvite:
            self._core.events.append(ReinviteRejected(leg.handle, None))
        else:
            self._core.events.append(InviteTimedOut(leg.handle))
            self._core.end(leg, now)

    # How it is done

    def _start(self, leg: Leg, own: OwnInvite, now: float) -> None:
        leg.own_invite = own
        own.transaction = self._core.ask(
            own.outgoing,
            now,
            on_response=partial(self._answered, leg, own),
            on_timeout=partial(self._timed_out, leg, own),
        )

    def _final(self, leg: Leg, own: OwnInvite) -> None:
        own.is_final = True
        if leg.own_invite is own:
            leg.own_invite = None
        if own.give_up is not None:
            self._core.alarms.stop(own.give_up)

    def _ack(self, dialog: Dialog, own: OwnInvite, incoming: IncomingResponse) -> None:
        credentials = authorization_of(own.outgoing.request)
        ack = self._requests.build(dialog, "ACK", own.cseq, headers=credentials)
        own.acks[incoming.to_tag] = ack.data, ack.path
        self._core.send(ack.data, ack.path)

    def _send_cancel(self, leg: Leg, own: OwnInvite, now: float) -> None:
        if own.give_up is not None or own.transaction is None:
            return
        # Section 9.1: to where the INVITE has gone, with the Via that it had there.
        cancel = cancel_of(own.transaction.request, own.cancel_headers)
        outgoing = Outgoing(cancel, write_message(cancel), own.outgoing.branch, own.transaction.path)
        self._core.transactions.open_client(outgoing, now, on_response=ignore_response, on_timeout=ignore_timeout)
        # Section 9.1: without a final response by then the INVITE counts as cancelled.
        deadline = now + self._core.config.timers.give_up_s
        own.give_up = self._core.alarms.start(deadline, partial(self._give_up, leg, own))

    def _give_up(self, leg: Leg, own: OwnInvite, now: float) -> None:
        assert own.transaction is not None, "what was cancelled was sent"
        own.transaction.abandon()
        self._timed_out(leg, own, now)
