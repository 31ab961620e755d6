"""CORE. What the test phone does in a call, whichever side began it: one call, and what the peer may ask for in it.

`calling` and `answering` add how a call begins. The edge (`line`) hands in events and time, and asks `is_over`.

A phone that is sent on (REFER, RFC 3515) takes it, says by NOTIFY that the other number was reached, and hangs up. It
calls nobody: what is tried out is whoever sends it on, and for that the other number has always answered.
"""

from __future__ import annotations

from typing import Protocol

from runtime.calls.negotiate import describe, stream_of
from runtime.media.config import StreamConfig
from runtime.phone.outcome import Outcome, Referral
from runtime.sip import events as sip
from runtime.sip.endpoint import Endpoint
from runtime.sip.errors import SipSyntaxError
from runtime.sip.fields import parse_name_addr
from runtime.sip.message import Request
from runtime.sip.offer_answer import LocalMedia, NegotiationFailure, OfferAnswer
from runtime.sip.uri import parse_uri

MEDIA_TIMEOUT_S = 3600.0
"""A test call ends by its script: silence does not end it."""

SUCCESS = b"SIP/2.0 200 OK\r\n"
NEWS = (("Event", "refer"), ("Subscription-State", "terminated;reason=noresource"))
"""The first NOTIFY is the last one, too (RFC 3515 section 2.4.7)."""


class Media(Protocol):
    """The edge's part: sockets, and the clock of what is said and heard."""

    def open(self, address: str) -> LocalMedia | str:
        """Bind media ports on an address of ours; in words why there are none."""

    def start(self, stream: StreamConfig, now: float) -> None:
        """Speak and listen from now on; or, where that has begun, go on by this."""


class OneCall:
    """See the module. `takes_transfers`: whether it lets itself be sent on."""

    def __init__(self, endpoint: Endpoint, media: Media, outcome: Outcome, *, takes_transfers: bool = True) -> None:
        self._endpoint = endpoint
        self._media = media
        self._outcome = outcome
        self._takes_transfers = takes_transfers
        self._offer_answer = OfferAnswer()
        self._leg = 0
        self._local: LocalMedia | None = None
        self._stream: StreamConfig | None = None
        """What was agreed on last; None: nothing yet."""
        self.is_over = False

    def handle(self, event: sip.Event, now: float) -> None:
        """What the endpoint tells."""
        match event:
            case sip.ByeReceived():
                self._outcome.ended_by_peer = True
            case sip.LegEnded():
                self.is_over = True
            case sip.ReinviteReceived():
                self._reinvited(event, now)
            case sip.AckReceived():
                self._acknowledged(event.request, now)
            case sip.RequestReceived():
                self._asked(event, now)
            case sip.RequestAnswered(method="NOTIFY"):
                self._endpoint.bye(event.leg, now)
            case _:
                pass  # the rest changes nothing for a test call

    def hang_up(self, now: float) -> None:
        """End the call, however far it has come."""
        raise AssertionError("how depends on who began it")

    def reached(self) -> None:
        """Somebody has sent something."""

    def not_reached(self, words: str) -> None:
        """No connection to the peer could be made."""

    def handle_timer(self, now: float) -> None:
        """Do what is due."""

    def next_deadline(self) -> float | None:
        """When `handle_timer` has something to do."""
        return None

    # -- what the session is ---------------------------------------------------------------------------------------

    def _reinvited(self, event: sip.ReinviteReceived, now: float) -> None:
        """Hold, resume, another codec: answered truly (RFC 3261 section 14.2)."""
        assert self._local is not None, "a call that is up has media"
        try:
            body, stream = describe(self._offer_answer, event.request.body, self._local, MEDIA_TIMEOUT_S, ())
        except NegotiationFailure as fault:
            self._endpoint.respond(event.leg, fault.status, now, headers=[("Warning", fault.warning)])
            return
        self._endpoint.respond(event.leg, 200, now, body=body)
        if stream is not None:
            self._stream = stream
            self._media.start(stream, now)

    def _acknowledged(self, request: Request, now: float) -> None:
        """Media flows from the ACK on; that may bring the answer to an offer of ours."""
        try:
            if self._offer_answer.awaits_answer:
                self._stream = stream_of(self._offer_answer.accept(request.body), MEDIA_TIMEOUT_S)
        except NegotiationFailure as fault:
            self._outcome.reason = f"the SDP of the ACK cannot be used: {fault.text}"
            self._endpoint.bye(self._leg, now)
            return
        if self._stream is not None:
            self._media.start(self._stream, now)

    # -- what the peer asks for ------------------------------------------------------------------------------------

    def _asked(self, event: sip.RequestReceived, now: float) -> None:
        method = event.request.method
        if method == "REFER" and event.leg is not None and self._outcome.answered:
            status = self._referred(event.request)
            self._endpoint.respond_request(event.request_id, status, now)
            if status < 300:
                # Not sent where we are hanging up already, which says the same.
                self._endpoint.request(event.leg, "NOTIFY", now, NEWS, SUCCESS, "message/sipfrag;version=2.0")
        else:
            self._endpoint.respond_request(event.request_id, 200 if method == "OPTIONS" else 501, now)

    def _referred(self, request: Request) -> int:
        """The answer to a REFER, which is noted down where it is one."""
        targets = request.headers.all("Refer-To")
        if len(targets) != 1:
            return 400  # RFC 3515 section 2.4.2
        try:
            target = parse_name_addr(targets[0], "Refer-To").uri
            parse_uri(target)
        except SipSyntaxError as fault:
            return fault.status
        if self._outcome.referral is not None and self._outcome.referral.accepted:
            return 603  # it is on its way already
        self._outcome.referral = Referral(target, self._takes_transfers)
        return 202 if self._takes_transfers else 603
