"""BYE and every other request of the peer beside INVITE (RFC 3261 sections 8.2, 11 and 15.1.2).

BYE is answered here; the rest waits for the user's `respond_request`, at most as long as the peer waits for it.
"""

from __future__ import annotations

from functools import partial

from runtime.sip.config import LEG_REQUESTS_MAX
from runtime.sip.core import Core, PendingRequest
from runtime.sip.dialog import TARGET_REFRESH, Dialog, contact_target
from runtime.sip.events import ByeReceived, PrackReceived, RequestReceived
from runtime.sip.incoming import IncomingRequest
from runtime.sip.legs import Leg
from runtime.sip.requests import Pairs
from runtime.sip.session_timer import Agreed
from runtime.sip.sessions import SessionTimers
from runtime.sip.uas_reliable import UasReliable


class UasRequests:
    """The answering side of everything but INVITE, ACK and CANCEL."""

    def __init__(self, core: Core, sessions: SessionTimers, reliable: UasReliable) -> None:
        self._core = core
        self._sessions = sessions
        self._reliable = reliable
        self._last_id = 0

    def receive_bye(self, leg: Leg, incoming: IncomingRequest, now: float) -> None:
        """The peer hangs up, perhaps before its ACK, perhaps before our answer, perhaps while we do."""
        self._answer(incoming, 200, now)
        if leg.is_leaving:
            # Our BYE is under way as well: its end is the leg's, and nobody is told twice.
            return
        self._core.events.append(ByeReceived(leg.handle, incoming.request))
        self._core.end(leg, now)

    def receive_prack(self, leg: Leg, dialog: Dialog, incoming: IncomingRequest, now: float) -> None:
        """The caller has our reliable response; the user is asked where it says something of media with that."""
        if not self._reliable.receive_prack(leg, incoming):
            self._answer(incoming, 481, now)
            return
        self._core.events.append(PrackReceived(leg.handle))
        if incoming.request.body:
            self.receive_other(leg, dialog, incoming, now)
        else:
            self._answer(incoming, 200, now)
            self._reliable.go_on(leg, now)

    def receive_other(self, leg: Leg | None, dialog: Dialog | None, incoming: IncomingRequest, now: float) -> None:
        """A request for the user. SipSyntaxError where it moves the target to no place."""
        method = incoming.request.method
        if leg is not None and method in TARGET_REFRESH:
            contact_target(incoming.request.headers)
        if leg is not None and len(leg.request_ids) >= LEG_REQUESTS_MAX:
            retry = ("Retry-After", str(self._core.config.limits.retry_after_s))
            self._core.refuse(incoming.request, incoming.response_path, 500, has_tag=True, extra=(retry,))
            return
        self._last_id += 1
        request_id, transaction = self._last_id, self._core.transactions.open_server(incoming)
        deadline = now + self._core.config.timers.give_up_s
        give_up = self._core.alarms.start(deadline, partial(self._give_up, request_id))
        self._core.pending[request_id] = PendingRequest(incoming, transaction, leg, dialog, give_up)
        if leg is not None:
            leg.request_ids.add(request_id)
        handle = None if leg is None else leg.handle
        self._core.events.append(RequestReceived(request_id, handle, incoming.request, incoming.path))

    def respond(
        self,
        request_id: int,
        status: int,
        now: float,
        *,
        reason: str = "",
        headers: Pairs = (),
        body: bytes = b"",
        content_type: str = "",
    ) -> bool:
        """Answer a request; False when it is answered already, or its peer has given up."""
        pending = self._core.pending.get(request_id)
        if pending is None:
            return False
        request, dialog, leg = pending.incoming.request, pending.dialog, pending.leg
        tag = self._core.stateless_tag(request) if pending.incoming.to_tag is None else None
        agreed: Agreed | None = None
        more: Pairs = ()
        if leg is not None and request.method == "UPDATE" and 200 <= status < 300:
            agreed, more = self._sessions.answers(leg, request)
        extra = (*self._own_headers(pending, status), *more, *headers)
        data = self._core.response(
            request, status, to_tag=tag, reason=reason, extra=extra, body=body, content_type=content_type
        )
        pending.transaction.respond(status, data, now)
        if status < 200:
            return True
        self._core.alarms.stop(pending.give_up)
        self._forget(request_id)
        if status < 300 and dialog is not None and request.method in TARGET_REFRESH:
            dialog.refresh_target(request.headers)
        if leg is not None and request.method == "UPDATE" and status < 300:
            leg.allows_update = True
            if leg.is_confirmed:
                self._sessions.agreed(leg, agreed, now)
        if leg is not None and request.method == "PRACK":
            self._reliable.go_on(leg, now)
        return True

    def _answer(self, incoming: IncomingRequest, status: int, now: float) -> None:
        """Answer a request of a dialog at once."""
        transaction = self._core.transactions.open_server(incoming)
        transaction.respond(status, self._core.response(incoming.request, status, to_tag=None), now)

    def _own_headers(self, pending: PendingRequest, status: int) -> list[tuple[str, str]]:
        method = pending.incoming.request.method
        if not 200 <= status < 300:
            return []
        out: list[tuple[str, str]] = []
        if method in TARGET_REFRESH:
            secure = pending.dialog is not None and pending.dialog.secure
            out.append(("Contact", self._core.contact(pending.incoming.path, secure=secure)))
        if method == "OPTIONS":
            out.append(("Allow", self._core.allow))
        if self._core.config.supported and method in ("OPTIONS", "UPDATE"):
            out.append(("Supported", ", ".join(self._core.config.supported)))
        return out

    def _give_up(self, request_id: int, now: float) -> None:
        # The peer's timer F has rung as well: nobody listens for an answer any more.
        self._core.pending[request_id].transaction.abandon()
        self._forget(request_id)

    def _forget(self, request_id: int) -> None:
        pending = self._core.pending.pop(request_id)
        if pending.leg is not None:
            pending.leg.request_ids.discard(request_id)
