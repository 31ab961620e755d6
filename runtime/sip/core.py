"""What `uas`, `uac` and `endpoint` share: configuration, entropy, alarms, transactions, legs, and both ways out.

One object per endpoint, made by it. Nothing here decides about a call; the end of a leg is here because both sides
reach it.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from runtime.sip.config import DROPPED_HEAD_BYTES, EndpointConfig
from runtime.sip.dialog import Dialog
from runtime.sip.events import Event, LegEnded, MessageDropped
from runtime.sip.facing import Facing
from runtime.sip.fate import Fate
from runtime.sip.incoming import IncomingRequest, IncomingResponse
from runtime.sip.legs import Leg, Legs, OpenInvite
from runtime.sip.limits import UDP_REQUEST_BYTES_MAX
from runtime.sip.message import Request
from runtime.sip.path import Path
from runtime.sip.requests import Outgoing, Pairs, contact_of
from runtime.sip.responses import build_response
from runtime.sip.timers import Alarm, Alarms
from runtime.sip.transactions.layer import TransactionLayer
from runtime.sip.transactions.matching import MAGIC_COOKIE
from runtime.sip.transactions.transaction import ClientTransaction, ServerTransaction
from runtime.sip.ways import SameWay, Ways, current
from runtime.sip.writer import write_message

Entropy = Callable[[int], bytes]
TurnsAway = Callable[[Request, Path, float], tuple[int, Pairs] | None]

TAG_BYTES = 8
BRANCH_BYTES = 12
CALL_ID_BYTES = 16


def takes_everybody(_request: Request, _path: Path, _now: float) -> tuple[int, Pairs] | None:
    """For who takes every call as it is."""
    return None


@dataclass(slots=True)
class Counts:
    """What became of every datagram, and how many requests got 503 for want of room."""

    fates: Counter[Fate] = field(default_factory=Counter)
    refused_full: int = 0


@dataclass(slots=True)
class PendingRequest:
    """A non-INVITE request that waits for the user's response; `leg` None outside a dialog."""

    incoming: IncomingRequest
    transaction: ServerTransaction
    leg: Leg | None
    dialog: Dialog | None
    give_up: Alarm


@dataclass(slots=True)
class Core:
    """The shared state of one endpoint."""

    config: EndpointConfig
    entropy: Entropy
    ways: Ways = field(default_factory=SameWay)
    welcomes: Callable[[str], bool] = lambda _: True
    turns_away: TurnsAway = takes_everybody
    alarms: Alarms = field(default_factory=Alarms)
    legs: Legs = field(default_factory=Legs)
    events: deque[Event] = field(default_factory=deque)
    outbox: list[tuple[bytes, Path]] = field(default_factory=list)
    pending: dict[int, PendingRequest] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    transactions: TransactionLayer = field(init=False)
    allow: str = field(init=False)
    facing: Facing = field(init=False)
    _tag_key: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.transactions = TransactionLayer(self.alarms, self.config.timers, self.send)
        self.allow = ", ".join(self.config.allow)
        self.facing = self.config.facing
        self._tag_key = self.entropy(16)

    def allow_without(self, method: str) -> str:
        """The value of Allow where this method is not taken."""
        return ", ".join(name for name in self.config.allow if name != method)

    def send(self, data: bytes, path: Path) -> None:
        """Put a message into the outbox: along its path, or to where its peer is reached when that is gone."""
        self.outbox.append((data, current(path, self.ways)))

    def ask(
        self,
        outgoing: Outgoing,
        now: float,
        *,
        on_response: Callable[[IncomingResponse, float], None],
        on_timeout: Callable[[float], None],
    ) -> ClientTransaction:
        """Send a request of ours. One that is too large for UDP goes by TCP, and by UDP where the peer has no TCP."""
        first, second = outgoing, None
        path = outgoing.path
        if path.transport == "udp" and len(outgoing.data) > UDP_REQUEST_BYTES_MAX:
            local = self.ways.local_for("tcp", path.remote)
            if local is not None:
                moved = Path("tcp", local, path.remote)
                first = outgoing.moved(moved, self.facing.host(moved))
                second = outgoing
        return self.transactions.open_client(first, now, on_response=on_response, on_timeout=on_timeout, second=second)

    def connections(self) -> set[Path]:
        """The connections that somebody still needs: live calls, and transactions that are running."""
        return self.legs.connections() | self.transactions.connections()

    def new_tag(self) -> str:
        """A dialog tag of ours (RFC 3261 section 19.3: at least 32 random bits)."""
        return self.entropy(TAG_BYTES).hex()

    def new_branch(self) -> str:
        """A branch of ours, never used twice (section 8.1.1.7)."""
        return MAGIC_COOKIE + self.entropy(BRANCH_BYTES).hex()

    def new_call_id(self) -> str:
        """A Call-ID of ours (section 8.1.1.4)."""
        return self.entropy(CALL_ID_BYTES).hex()

    def contact(self, path: Path, user: str = "", *, secure: bool = False) -> str:
        """Our Contact for what goes along this path; `secure` in a dialog of `sips:`."""
        return contact_of(path, self.facing.host(path), user, secure=secure)

    def is_full_for(self, address: str) -> bool:
        """Whether new calls and requests outside dialogs that come from there are turned away."""
        limits, transactions = self.config.limits, self.transactions
        count, size = transactions.shares.of(address)
        return (
            count >= limits.transactions_max - len(transactions)
            or size >= limits.transaction_bytes_max - transactions.bytes_kept
            or len(self.legs) >= limits.legs_max
            or len(self.events) >= limits.events_max
        )

    @property
    def is_overfull(self) -> bool:
        """Whether not even a request of a call that is up can be taken."""
        limits = self.config.limits
        return (
            len(self.transactions) >= 2 * limits.transactions_max
            or self.transactions.bytes_kept >= 2 * limits.transaction_bytes_max
            or len(self.events) >= 2 * limits.events_max
        )

    def drop(self, path: Path, why: str, data: bytes) -> Fate:
        """Tell of a datagram that was good for nothing, as long as somebody reads such news."""
        if len(self.events) >= self.config.limits.events_max:
            return Fate.DROPPED_FULL
        self.events.append(MessageDropped(path, why, data[:DROPPED_HEAD_BYTES]))
        return Fate.DROPPED

    def stateless_tag(self, request: Request) -> str:
        """A To tag for a response without a transaction: the same for every repetition (section 8.2.7)."""
        headers = request.headers
        text = "\n".join(headers.first(name) or "" for name in ("Call-ID", "From"))
        return hashlib.blake2s(text.encode(), key=self._tag_key, digest_size=TAG_BYTES).hexdigest()

    def refuse(
        self,
        request: Request,
        path: Path,
        status: int,
        *,
        has_tag: bool,
        reason: str = "",
        extra: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Answer a request without keeping anything of it; `path` is the response's, `has_tag` whether To has one."""
        tag = None if has_tag else self.stateless_tag(request)
        self.send(self.response(request, status, to_tag=tag, reason=reason, extra=extra), path)

    def response(
        self,
        request: Request,
        status: int,
        *,
        to_tag: str | None,
        reason: str = "",
        extra: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str = "",
    ) -> bytes:
        """A response of ours on its way to the wire; see `build_response`."""
        named = (*extra, ("Server", self.config.user_agent))
        return write_message(
            build_response(
                request, status, to_tag=to_tag, reason=reason, extra=named, body=body, content_type=content_type
            )
        )

    def stop_unacked(self, leg: Leg) -> None:
        """No 2xx of this leg is repeated any more."""
        for unacked in leg.unacked.values():
            self.alarms.stop(unacked.repeat)
            self.alarms.stop(unacked.give_up)
        leg.unacked.clear()

    def stop_reliable(self, opened: OpenInvite) -> None:
        """No provisional response to this INVITE is repeated or waits any more."""
        if opened.unpracked is not None:
            self.alarms.stop(opened.unpracked.repeat)
            self.alarms.stop(opened.unpracked.give_up)
        opened.unpracked = opened.held = None
        opened.queued.clear()

    def stop_session(self, leg: Leg) -> None:
        """This leg has no session timer (any more)."""
        session, leg.session = leg.session, None
        if session is None:
            return
        self.alarms.stop(session.expiry)
        if session.refresh is not None:
            self.alarms.stop(session.refresh)

    def terminate_open(self, leg: Leg, now: float) -> None:
        """The INVITE or re-INVITE that still waits for an answer, if any, gets 487: the call it is about is over."""
        opened = leg.open_invite
        if opened is None:
            return
        leg.open_invite = None
        self.stop_reliable(opened)
        if opened.expiry is not None:
            self.alarms.stop(opened.expiry)
        tag = None if opened.is_reinvite else opened.transaction.to_tag
        opened.transaction.respond(487, self.response(opened.incoming.request, 487, to_tag=tag), now)

    def end(self, leg: Leg, now: float) -> None:
        """The dialog is over: free all of it, and let what is still on its way run out by itself.

        Requests that nobody answered get 487, as section 15.1.2 recommends.
        """
        assert not leg.is_ended, "a leg ends once"
        leg.is_ended = leg.is_leaving = True
        self.stop_unacked(leg)
        self.stop_session(leg)
        self.terminate_open(leg, now)
        for request_id in leg.request_ids:
            pending = self.pending.pop(request_id)
            self.alarms.stop(pending.give_up)
            pending.transaction.respond(487, self.response(pending.incoming.request, 487, to_tag=None), now)
        leg.request_ids.clear()
        own = leg.own_invite
        if own is not None and own.transaction is not None:
            # A ringing INVITE has no timer of its own (figure 5): without this it could outlive its call for ever.
            abandon = own.transaction.abandon
            self.alarms.start(now + self.config.timers.give_up_s, lambda _: abandon())
        self.legs.close(leg)
        self.events.append(LegEnded(leg.handle))
