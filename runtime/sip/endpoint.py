"""The SIP endpoint: messages and time go in, events and messages come out; no socket, clock or entropy of its own.

The facade of this package. Its user calls one method, then drains `datagrams_to_send` and `next_event`, and calls
`handle_timer` at `next_deadline`. Commands return False where the call has moved on meanwhile (the peer hung up or
cancelled): that is an outcome and not a fault. `intake` is the way of a message in, `uas_*` and `uac_*` are the two
sides of a call, `core` is what they share.
"""

from __future__ import annotations

from collections.abc import Callable

from runtime.sip.auth.client import Authorizer, Login
from runtime.sip.config import EndpointConfig, EndpointLimits
from runtime.sip.core import Core, Counts, Entropy, TurnsAway, takes_everybody
from runtime.sip.errors import Fault
from runtime.sip.events import Event
from runtime.sip.facing import Facing
from runtime.sip.intake import Intake
from runtime.sip.legs import LegInfo, info_of
from runtime.sip.path import Path
from runtime.sip.requests import Pairs
from runtime.sip.sessions import SessionTimers
from runtime.sip.uac_asking import UacAsking
from runtime.sip.uac_invite import UacInvite
from runtime.sip.uac_requests import UacRequests
from runtime.sip.uas_invite import UasInvite
from runtime.sip.uas_requests import UasRequests
from runtime.sip.ways import SameWay, Ways

__all__ = ["Endpoint", "EndpointConfig", "EndpointLimits", "LegInfo", "Path"]


class Endpoint:
    """One SIP user agent, called and calling. `entropy(n)` gives n unpredictable bytes; `now` is monotonic seconds.

    `ways` says which transports and connections there are; None: one transport, without connections. `welcomes` says
    whether calls from an address are taken at all: where not, an INVITE gets 403 and nothing of it is kept.
    `turns_away(request, path, now)` gives the status and headers that a new INVITE gets in the same way; None: take it.
    """

    def __init__(
        self,
        config: EndpointConfig,
        entropy: Entropy,
        ways: Ways | None = None,
        welcomes: Callable[[str], bool] = lambda _: True,
        turns_away: TurnsAway = takes_everybody,
    ) -> None:
        self._core = Core(config, entropy, ways or SameWay(), welcomes, turns_away)
        self._uac_requests = UacRequests(self._core)
        self._uac_asking = UacAsking(self._core)
        sessions = SessionTimers(self._core, self._uac_requests)
        self._uac_invite = UacInvite(self._core, sessions, self._uac_requests)
        self._uas_invite = UasInvite(self._core, sessions, self._uac_requests.send_bye)
        self._uas_requests = UasRequests(self._core, sessions, self._uas_invite.reliable)
        self._intake = Intake(self._core, sessions, self._uas_invite, self._uas_requests)

    # In and out

    def receive_datagram(self, data: bytes, path: Path, now: float, framing_fault: Fault | None = None) -> None:
        """Take one datagram, or one message of a stream. Never raises, whatever is in it.

        `framing_fault`: the message is where its stream ends, it gets this answer and no other attention.
        """
        self._intake.receive(data, path, now, framing_fault)

    def connection_failed(self, path: Path, why: str, now: float) -> None:
        """A connection could not be made, or has closed; `why` is the reason phrase that its requests end with.

        Requests of ours on it are answered with a 503 of our own making (RFC 3261 section 8.1.3.1). No call ends by
        it: the next request or response of a call makes a new connection.
        """
        self._core.transactions.fail(path, why, now)

    def handle_timer(self, now: float) -> None:
        """Do what is due by `now`, some hundred things at most; `next_deadline` tells whether there is more."""
        self._core.alarms.ring(now)

    def next_deadline(self) -> float | None:
        """When `handle_timer` has something to do; None: not before something else happens."""
        return self._core.alarms.next_deadline()

    def next_event(self) -> Event | None:
        """The oldest event that was not read yet."""
        return self._core.events.popleft() if self._core.events else None

    def datagrams_to_send(self) -> list[tuple[bytes, Path]]:
        """What is to be sent now, in order, each by its path; the caller has it from here on."""
        out, self._core.outbox = self._core.outbox, []
        return out

    # As the one who is called

    def set_local_tag(self, leg: int, tag: str) -> bool:
        """Choose the To tag of a call. False once a response has carried one."""
        found = self._core.legs.get(leg)
        return found is not None and self._uas_invite.set_local_tag(found, tag)

    def respond(
        self,
        leg: int,
        status: int,
        now: float,
        *,
        reason: str = "",
        headers: Pairs = (),
        body: bytes = b"",
        content_type: str = "application/sdp",
    ) -> bool:
        """Answer the open INVITE or re-INVITE of a leg. A 2xx is repeated until ACK; 3xx to 6xx end a call.

        A 1xx is repeated until its PRACK where the caller insists, or knows how and it has a body; what comes after it
        may then wait for that, and a 2xx after a body that has its PRACK goes out without one.
        """
        found = self._core.legs.get(leg)
        return found is not None and self._uas_invite.respond(
            found, status, now, reason=reason, headers=headers, body=body, content_type=content_type
        )

    def respond_request(
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
        """Answer a `RequestReceived`."""
        return self._uas_requests.respond(
            request_id, status, now, reason=reason, headers=headers, body=body, content_type=content_type
        )

    # As the one who calls

    def invite(
        self,
        target: str,
        path: Path,
        now: float,
        *,
        from_: str,
        to: str,
        headers: Pairs = (),
        body: bytes = b"",
        content_type: str = "application/sdp",
        local_tag: str = "",
        call_id: str = "",
        login: Login | None = None,
    ) -> int:
        """Call `target` along `path`; the new leg. `from_` and `to`: URI or name-addr. `Route` headers are a proxy's.

        `local_tag` is the From tag and `call_id` the Call-ID, made here when empty: a call that is tried by another way
        keeps both (RFC 3263 section 4.3). `login` answers challenges (401, 407) of this leg's requests, as long as they
        go to where `path` leads. SipSyntaxError where `from_` or `to` is no address,
        ValueError for line breaks in any text.
        """
        return self._uac_invite.invite(
            target,
            path,
            now,
            from_=from_,
            to=to,
            headers=headers,
            body=body,
            content_type=content_type,
            local_tag=local_tag,
            call_id=call_id,
            login=login,
        ).handle

    def cancel(self, leg: int, now: float, headers: Pairs = ()) -> bool:
        """Take back an INVITE or re-INVITE of ours that has no final response; CANCEL waits for a provisional one."""
        found = self._core.legs.get(leg)
        return found is not None and self._uac_invite.cancel(found, now, headers)

    def bye(self, leg: int, now: float, headers: Pairs = ()) -> bool:
        """Hang up an answered call. Where our 2xx has no ACK yet, BYE waits for it (RFC 3261 section 15)."""
        found = self._core.legs.get(leg)
        return found is not None and self._uac_requests.bye(found, now, headers)

    def takes_reliable(self, leg: int) -> bool:
        """Whether a provisional response with a body would be acknowledged (100rel)."""
        found = self._core.legs.get(leg)
        opened = None if found is None else found.open_invite
        return opened is not None and self._uas_invite.reliable.takes(opened, has_body=True)

    def may_reinvite(self, leg: int) -> bool:
        """Whether `reinvite` would send something now."""
        found = self._core.legs.get(leg)
        return found is not None and self._uac_invite.may_reinvite(found)

    def reinvite(
        self,
        leg: int,
        now: float,
        body: bytes,
        headers: Pairs = (),
        content_type: str = "application/sdp",
    ) -> bool:
        """Offer another session. False while an INVITE of this dialog is under way either way."""
        found = self._core.legs.get(leg)
        return found is not None and self._uac_invite.reinvite(
            found, now, headers=headers, body=body, content_type=content_type
        )

    def request(
        self,
        leg: int,
        method: str,
        now: float,
        headers: Pairs = (),
        body: bytes = b"",
        content_type: str = "",
    ) -> int:
        """Send INFO, UPDATE, OPTIONS, … within the dialog: its CSeq, which `RequestAnswered` names; 0 where none is."""
        found = self._core.legs.get(leg)
        return 0 if found is None else self._uac_requests.request(found, method, now, headers, body, content_type)

    def ask(
        self,
        method: str,
        target: str,
        path: Path,
        now: float,
        *,
        from_: str,
        to: str,
        within_s: float,
        call_id: str = "",
        cseq: int = 1,
        headers: Pairs = (),
        authorizer: Authorizer | None = None,
    ) -> int:
        """Ask `target` something outside of calls (OPTIONS, REGISTER): a handle, which one `AskAnswered` will name."""
        return self._uac_asking.ask(
            method,
            target,
            path,
            now,
            from_=from_,
            to=to,
            call_id=call_id,
            cseq=cseq,
            headers=headers,
            authorizer=authorizer,
            within_s=within_s,
        )

    def contact(self, path: Path, user: str) -> str:
        """Our Contact as whoever is at the end of this path reaches it, with this user part."""
        return self._core.contact(path, user)

    def is_heard(self, leg: int) -> bool:
        """Whether anything was said to an INVITE of ours, 100 at least."""
        found = self._core.legs.get(leg)
        own = None if found is None else found.own_invite
        return own is None or own.has_provisional

    def face(self, facing: Facing) -> None:
        """From now on peers are told these addresses of ours; what was said before stays said."""
        self._core.facing = facing

    # What is known

    @property
    def facing(self) -> Facing:
        """Which addresses of ours peers are told."""
        return self._core.facing

    def connections(self) -> set[Path]:
        """The connections that live calls and transactions need; any other may be closed when it is idle."""
        return self._core.connections()

    def leg_info(self, leg: int) -> LegInfo | None:
        """Who talks to whom on a leg; None once it has ended."""
        found = self._core.legs.get(leg)
        return None if found is None else info_of(found)

    def allow_without(self, method: str) -> str:
        """The value of Allow where this method is not taken."""
        return self._core.allow_without(method)

    def leg_of(self, call_id: str, local_tag: str, remote_tag: str) -> int | None:
        """The leg that has this dialog; None where no live one has."""
        found = self._core.legs.find((call_id, local_tag, remote_tag))
        return found[0].handle if found is not None and not found[0].is_leaving else None

    @property
    def leg_count(self) -> int:
        """Calls that are being set up, up, or being torn down."""
        return len(self._core.legs)

    @property
    def transaction_count(self) -> int:
        """Live transactions, those included that only wait for repetitions."""
        return len(self._core.transactions)

    @property
    def alarm_count(self) -> int:
        """Timers that are running."""
        return len(self._core.alarms)

    @property
    def counts(self) -> Counts:
        """What became of every datagram, by fate, and what was turned away for want of room."""
        return self._core.counts
