"""The door: what becomes of a message before a call sees it.

The order is RFC 3261's: transactions absorb repetitions (section 17), then broken and unserved requests are answered
without keeping anything of them (8.2), then the request finds its dialog or begins one (12.2.2). What can be neither
used nor answered is told as `MessageDropped`. Every datagram has exactly one `Fate`, and each is counted.
"""

from __future__ import annotations

from runtime.sip.core import Core
from runtime.sip.dialog import TARGET_REFRESH, check_dialog_fields
from runtime.sip.errors import Fault, SipSyntaxError
from runtime.sip.events import InviteTurnedAway
from runtime.sip.fate import Fate
from runtime.sip.incoming import IncomingRequest, answerable, read_request, read_response
from runtime.sip.message import Request, Response
from runtime.sip.parser import parse_message
from runtime.sip.path import Path
from runtime.sip.requests import Pairs
from runtime.sip.session_timer import MIN_SE_S
from runtime.sip.sessions import SessionTimers
from runtime.sip.transactions.tables import Input, State
from runtime.sip.uas_invite import UasInvite
from runtime.sip.uas_requests import UasRequests
from runtime.sip.validate import validate_request

KEEP_ALIVE = b"\r\n\x00"
"""Datagrams of nothing but these keep a NAT binding open (RFC 5626 section 3.5.1, and NULs from phones)."""

CHALLENGE = 401
"""No refusal, and no news: the caller is expected to call again at once."""

TOO_SMALL = (("Min-SE", str(MIN_SE_S)),)
"""What a 422 says: the least that we take (RFC 4028 section 9)."""

METHODS_IN_DIALOG = frozenset({"BYE", "INFO", "PRACK", "REFER", "UPDATE", "NOTIFY"})
"""These mean nothing to us outside a dialog: 481."""

MESSAGE = "MESSAGE"
"""Means much outside a dialog, to others: 405 there."""

METHODS_KNOWN = METHODS_IN_DIALOG | {
    "INVITE",
    "ACK",
    "CANCEL",
    "OPTIONS",
    "REGISTER",
    "SUBSCRIBE",
    MESSAGE,
    "PUBLISH",
}
"""Registered methods: 405 where we do not serve them, 501 for all others (sections 21.4.6 and 21.5.2)."""


class Intake:
    """Takes every message of one endpoint."""

    def __init__(self, core: Core, sessions: SessionTimers, invites: UasInvite, requests: UasRequests) -> None:
        self._core = core
        self._sessions = sessions
        self._invites = invites
        self._requests = requests

    def receive(self, data: bytes, path: Path, now: float, framing_fault: Fault | None) -> None:
        """One datagram, or one message of a stream. Never raises.

        `framing_fault` is why a stream ends with this message: it is answered as far as it can be, and never used.
        """
        self._core.counts.fates[self._fate(data, path, now, framing_fault)] += 1

    def _fate(self, data: bytes, path: Path, now: float, framing_fault: Fault | None) -> Fate:
        if not data.strip(KEEP_ALIVE):
            return Fate.KEEP_ALIVE
        try:
            message = parse_message(data)
            if framing_fault is not None:
                raise SipSyntaxError(*framing_fault, message if isinstance(message, Request) else None)
        except SipSyntaxError as error:
            status, reason = framing_fault or (error.status, error.reason)
            if error.partial is None:
                return self._core.drop(path, reason, data)
            return self._reject(error.partial, path, status, reason, data)
        if isinstance(message, Response):
            return self._receive_response(message, path, data, now)
        return self._receive_request(message, path, data, now)

    def _receive_response(self, response: Response, path: Path, data: bytes, now: float) -> Fate:
        try:
            incoming = read_response(response, path)
            # A 2xx is acknowledged whatever its Contact is: who answered would else repeat it, and wait.
            if 100 < response.status < 200 and incoming.cseq.method in TARGET_REFRESH:
                check_dialog_fields(response.headers)
        except SipSyntaxError as fault:
            return self._core.drop(path, f"broken response: {fault.reason}", data)
        transaction = self._core.transactions.find_client(incoming)
        if transaction is None or not transaction.is_answered_by(incoming):
            return self._core.drop(path, "response to no request of ours", data)
        if self._core.is_overfull:
            return Fate.DROPPED_FULL
        transaction.receive(incoming, now)
        return Fate.TAKEN

    def _receive_request(self, request: Request, path: Path, data: bytes, now: float) -> Fate:
        try:
            incoming = read_request(request, path)
        except SipSyntaxError as fault:
            return self._reject(request, path, fault.status, fault.reason, data)
        if self._absorbed(incoming, now):
            return Fate.REPEATED
        rejection = validate_request(incoming.request, self._core.config.supported)
        if rejection is not None:
            return self._reject(request, path, rejection.status, rejection.reason, data, rejection.headers)
        if request.method == "ACK":
            if self._invites.receive_ack(incoming, now) or self._is_stateless_ack(incoming):
                return Fate.TAKEN
            return self._core.drop(path, "ACK of no call", data)
        try:
            return self._serve(incoming, now)
        except SipSyntaxError as fault:
            return self._refuse(incoming, fault.status, reason=fault.reason)

    def _absorbed(self, incoming: IncomingRequest, now: float) -> bool:
        """Whether a transaction that is running has taken the request."""
        method = incoming.request.method
        transaction = self._core.transactions.find_server(incoming, method)
        if transaction is None:
            return False
        if method != "ACK":
            transaction.feed(Input.REQUEST, now)
            return True
        # The ACK of a 2xx is the dialog's, even where an old peer gives it the branch of its INVITE (RFC 6026).
        taken = transaction.feed(Input.ACK, now)
        return not (taken and transaction.state is State.ACCEPTED)

    def _serve(self, incoming: IncomingRequest, now: float) -> Fate:
        """A new, sound request that is not ACK."""
        method = incoming.request.method
        if self._core.is_overfull:
            return Fate.DROPPED_FULL
        if method == "CANCEL":
            return self._cancel(incoming, now)
        if method not in self._core.config.allow:
            return self._refuse(incoming, 405 if method in METHODS_KNOWN else 501, (("Allow", self._core.allow),))
        if incoming.to_tag is not None:
            return self._serve_in_dialog(incoming, now)
        if (refused := self._without_dialog(incoming)) is not None:
            return refused
        if method == "INVITE" and not self._core.welcomes(incoming.path.remote[0]):
            # Section 8.2.7: without a transaction, addresses that anybody can forge cost no memory.
            return self._turn_away(incoming, 403, ())
        if self._core.transactions.is_merged(incoming):
            return self._refuse(incoming, 482)
        if self._core.is_full_for(incoming.path.remote[0]):
            self._core.counts.refused_full += 1
            return self._refuse(incoming, 503, (("Retry-After", str(self._core.config.limits.retry_after_s)),))
        if method == "INVITE":
            answer = self._core.turns_away(incoming.request, incoming.path, now)
            if answer is not None:
                # Section 8.2.7 once more: an address that calls come from can be forged as well.
                return self._turn_away(incoming, *answer)
            if self._sessions.refuses(incoming.request.headers):
                return self._refuse(incoming, 422, TOO_SMALL)
            self._invites.receive_invite(incoming, now)
        else:
            self._requests.receive_other(None, None, incoming, now)
        return Fate.TAKEN

    def _without_dialog(self, incoming: IncomingRequest) -> Fate | None:
        """The end of a request outside a dialog that we only take within one."""
        if incoming.request.method == MESSAGE:
            return self._refuse(incoming, 405, (("Allow", self._core.allow_without(MESSAGE)),))
        return self._refuse(incoming, 481) if incoming.request.method in METHODS_IN_DIALOG else None

    def _turn_away(self, incoming: IncomingRequest, status: int, headers: Pairs) -> Fate:
        if status != CHALLENGE:
            self._core.events.append(InviteTurnedAway(incoming.request, incoming.path, status))
        return self._refuse(incoming, status, tuple(headers))

    def _serve_in_dialog(self, incoming: IncomingRequest, now: float) -> Fate:
        method = incoming.request.method
        found = self._core.legs.find((incoming.call_id, incoming.to_tag or "", incoming.from_tag))
        if found is None or (found[0].is_leaving and method != "BYE"):
            return self._refuse(incoming, 481)
        leg, dialog = found
        # Section 12.2.2 has 500 for a number below the last one. A BYE is taken all the same: somebody who has read the
        # tags off the wire may have used up the numbers, and nobody is served by a call that its peer cannot end.
        if not dialog.is_in_order(incoming.cseq) and method != "BYE":
            return self._refuse(incoming, 500, reason="CSeq Out Of Order")
        dialog.follow(incoming.path, self._core.ways)
        if method in ("INVITE", "UPDATE") and self._sessions.refuses(incoming.request.headers):
            return self._refuse(incoming, 422, TOO_SMALL)
        if method == "INVITE":
            self._invites.receive_reinvite(leg, dialog, incoming, now)
        elif method == "BYE":
            self._requests.receive_bye(leg, incoming, now)
        elif method == "PRACK":
            self._requests.receive_prack(leg, dialog, incoming, now)
        else:
            self._requests.receive_other(leg, dialog, incoming, now)
        return Fate.TAKEN

    def _cancel(self, incoming: IncomingRequest, now: float) -> Fate:
        invite = self._core.transactions.find_server(incoming, "INVITE")
        if invite is None:
            return self._refuse(incoming, 481)
        self._invites.receive_cancel(incoming, invite, now)
        return Fate.TAKEN

    def _refuse(
        self, incoming: IncomingRequest, status: int, extra: tuple[tuple[str, str], ...] = (), reason: str = ""
    ) -> Fate:
        has_tag = incoming.to_tag is not None
        self._core.refuse(incoming.request, incoming.response_path, status, has_tag=has_tag, reason=reason, extra=extra)
        return Fate.REFUSED

    def _reject(
        self,
        request: Request,
        path: Path,
        status: int,
        reason: str,
        data: bytes,
        extra: tuple[tuple[str, str], ...] = (),
    ) -> Fate:
        """Answer a request that has a fault, as far as it can be answered. An ACK never is (section 17)."""
        back = answerable(request, path)
        if request.method == "ACK" or back is None:
            return self._core.drop(path, reason, data)
        stamped, response_path, has_tag = back
        self._core.refuse(stamped, response_path, status, has_tag=has_tag, reason=reason, extra=extra)
        return Fate.REFUSED

    def _is_stateless_ack(self, incoming: IncomingRequest) -> bool:
        """Whether an ACK answers a refusal that we kept nothing of."""
        return incoming.to_tag == self._core.stateless_tag(incoming.request)
