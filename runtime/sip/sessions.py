"""The session timer of each call (RFC 4028): refreshed in time by whoever agreed to, and hung up when nobody did.

Both sides of a leg tell it what a 2xx has agreed on. A refresh of ours is an UPDATE, which needs no session
description; where the peer takes none the user is told, who sends a re-INVITE. A refresh that fails for a moment is
tried again until the time is over; one that shows that the peer is gone ends the call.
"""

from __future__ import annotations

from functools import partial

from runtime.sip.core import Core
from runtime.sip.dialog import Dialog
from runtime.sip.events import RefreshDue, SessionExpired, SessionRefreshed
from runtime.sip.incoming import IncomingResponse
from runtime.sip.legs import Leg, SessionClock
from runtime.sip.message import Headers, Request
from runtime.sip.requests import Outgoing, Pairs
from runtime.sip.session_timer import (
    OPTION,
    Agreed,
    agreed_by_them,
    agreed_by_us,
    headers_of_answer,
    is_too_small,
    widened,
)
from runtime.sip.uac_requests import UacRequests

RETRY_S = 10.0
"""How long after a refresh that came to nothing the next one is tried."""

DIALOG_GONE = frozenset({408, 481})
"""RFC 3261 section 12.2.1.2: the peer does not know the call any more, or does not answer."""

NOT_TAKEN = frozenset({405, 501})
"""The peer has no UPDATE, whatever its Allow said."""

EXPIRED = ("Reason", 'SIP;cause=408;text="the session timer is over"')


class SessionTimers:
    """One per endpoint."""

    def __init__(self, core: Core, requests: UacRequests) -> None:
        self._core = core
        self._requests = requests
        self._is_on = OPTION in core.config.supported

    # -- headers ---------------------------------------------------------------------------------------------------

    def refuses(self, headers: Headers) -> bool:
        """Whether an INVITE or UPDATE is answered 422. SipSyntaxError where its Session-Expires cannot be read."""
        return self._is_on and "Session-Expires" in headers and is_too_small(headers)

    def asks(self, leg: Leg | None = None) -> Pairs:
        """The headers of an INVITE or UPDATE of ours."""
        if not self._is_on:
            return ()
        if leg is None:
            return (("Session-Expires", str(self._core.config.session_expires_s)),)
        return () if leg.session is None else (leg.session.agreed.asked_again(),)

    def answers(self, leg: Leg, request: Request) -> tuple[Agreed | None, Pairs]:
        """What our 2xx to this INVITE or UPDATE agrees on, and its headers."""
        if not self._is_on or (leg.session is None and "Session-Expires" not in request.headers):
            return None, ()
        agreed = agreed_by_us(request.headers, leg.session.agreed if leg.session else None)
        return agreed, () if agreed is None else headers_of_answer(agreed)

    def again(self, request: Request, incoming: IncomingResponse) -> Pairs | None:
        """The headers with which a request of ours that was found too hasty is sent once more; None: it is not."""
        return widened(request, incoming.response.headers) if self._is_on and incoming.status == 422 else None

    # -- the clock -------------------------------------------------------------------------------------------------

    def accepted(self, leg: Leg, incoming: IncomingResponse, now: float) -> None:
        """A 2xx to an INVITE or UPDATE of ours."""
        if self._is_on:
            self.agreed(leg, agreed_by_them(incoming.response.headers), now)

    def agreed(self, leg: Leg, agreed: Agreed | None, now: float) -> None:
        """A 2xx has been sent or received: the time begins anew, or there is none any more."""
        was_on = leg.session is not None
        self._core.stop_session(leg)
        if agreed is None or leg.is_leaving:
            return
        alarms = self._core.alarms
        refresh = alarms.start(now + agreed.refresh_after_s, partial(self._refresh, leg)) if agreed.ours else None
        expiry = alarms.start(now + agreed.expires_after_s, partial(self._expired, leg))
        leg.session = SessionClock(agreed, refresh, expiry)
        if was_on:
            self._core.events.append(SessionRefreshed(leg.handle))

    # -- parts -----------------------------------------------------------------------------------------------------

    def _refresh(self, leg: Leg, now: float) -> None:
        session, dialog = leg.session, leg.dialog
        assert session is not None, "the alarm is stopped with the timer"
        assert dialog is not None, "a call that is up has a dialog"
        session.refresh = None
        if leg.held_bye is not None:
            return
        if not leg.allows_update:
            self._ask_user(leg, session, now)
            return
        cseq = dialog.next_cseq()
        self._send(leg, dialog, self._requests.build(dialog, "UPDATE", cseq, headers=self.asks(leg)), now)

    def _send(self, leg: Leg, dialog: Dialog, outgoing: Outgoing, now: float) -> None:
        self._core.ask(
            outgoing,
            now,
            on_response=partial(self._answered, leg, dialog, outgoing),
            on_timeout=partial(self._gone, leg),
        )

    def _answered(self, leg: Leg, dialog: Dialog, outgoing: Outgoing, incoming: IncomingResponse, now: float) -> None:
        status = incoming.status
        if status < 200 or leg.is_leaving or leg.session is None:
            return
        again = self._requests.challenged(leg, dialog, outgoing, incoming)
        if again is not None:
            self._send(leg, dialog, again, now)
        elif status < 300:
            dialog.refresh_target(incoming.response.headers)
            self.accepted(leg, incoming, now)
        elif status in DIALOG_GONE:
            self._gone(leg, now)
        elif status in NOT_TAKEN:
            leg.allows_update = False
            self._ask_user(leg, leg.session, now)
        else:
            self._again(leg, dialog, outgoing, incoming, now)

    def _again(self, leg: Leg, dialog: Dialog, outgoing: Outgoing, incoming: IncomingResponse, now: float) -> None:
        """A refresh that came to nothing: with a longer interval at once where that is why, else later."""
        assert leg.session is not None, "it is refreshed"
        wider = self.again(outgoing.request, incoming)
        if wider is not None:
            cseq = dialog.next_cseq()
            self._send(leg, dialog, self._requests.build(dialog, "UPDATE", cseq, headers=wider), now)
        else:
            self._try_later(leg, leg.session, now)

    def _ask_user(self, leg: Leg, session: SessionClock, now: float) -> None:
        self._core.events.append(RefreshDue(leg.handle))
        self._try_later(leg, session, now)

    def _try_later(self, leg: Leg, session: SessionClock, now: float) -> None:
        if session.refresh is None:
            session.refresh = self._core.alarms.start(now + RETRY_S, partial(self._refresh, leg))

    def _expired(self, leg: Leg, now: float) -> None:
        self._gone(leg, now)

    def _gone(self, leg: Leg, now: float) -> None:
        if leg.is_leaving or leg.session is None:
            return
        self._core.stop_session(leg)
        self._core.stop_unacked(leg)
        self._core.events.append(SessionExpired(leg.handle))
        self._requests.leave(leg, now, (EXPIRED,))
