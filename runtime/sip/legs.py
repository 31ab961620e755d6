"""A leg: one call of ours with one peer, from its INVITE to the end of its dialog; and the table of all legs.

Shared by `uas` and `uac`: a leg begins as one or the other, and once it is confirmed both sides of it can be asked for
something. Handles are numbers that are never used twice.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from runtime.sip.auth.client import Authorizer
from runtime.sip.dialog import Dialog, DialogId
from runtime.sip.fields import parse_name_addr
from runtime.sip.incoming import IncomingRequest
from runtime.sip.message import Headers
from runtime.sip.path import Path
from runtime.sip.requests import Outgoing, Pairs
from runtime.sip.session_timer import Agreed
from runtime.sip.timers import Alarm
from runtime.sip.transactions.transaction import ClientTransaction, ServerTransaction


@dataclass(frozen=True, slots=True)
class LegInfo:
    """What a leg is, for those who write it down. URIs are text; `remote_target` is where its requests go."""

    call_id: str
    local_tag: str
    remote_tag: str
    local_uri: str
    remote_uri: str
    remote_target: str
    path: Path


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as the user gives it."""

    status: int
    reason: str
    headers: Pairs
    body: bytes
    content_type: str


@dataclass(slots=True)
class Unpracked:
    """A reliable provisional response of ours that waits for its PRACK (RFC 3262 section 3)."""

    rseq: int
    data: bytes
    has_body: bool
    wait_s: float
    repeat: Alarm
    give_up: Alarm


@dataclass(slots=True)
class OpenInvite:
    """An INVITE or re-INVITE of the peer without a final response.

    `takes_reliable`, `wants_reliable`: its 100rel, in Supported or in Require. `rseq` is the number of the last
    reliable response, 0 before the first. `queued` wait for the PRACK of `unpracked`, and `held` is a 2xx that does;
    `has_agreed`: offer and answer were exchanged by then, and the 2xx does not repeat them.
    """

    incoming: IncomingRequest
    transaction: ServerTransaction
    is_reinvite: bool
    takes_reliable: bool = False
    wants_reliable: bool = False
    rseq: int = 0
    unpracked: Unpracked | None = None
    queued: deque[Answer] = field(default_factory=deque)
    held: Answer | None = None
    has_agreed: bool = False
    expiry: Alarm | None = None


@dataclass(slots=True)
class Unacked:
    """A 2xx of ours that waits for its ACK (RFC 3261 section 13.3.1.4). `has_offer`: the ACK brings the answer."""

    data: bytes
    transaction: ServerTransaction
    has_offer: bool
    wait_s: float
    repeat: Alarm
    give_up: Alarm


@dataclass(slots=True)
class OwnInvite:
    """An INVITE or re-INVITE of ours. `acks` are the ACKs of its 2xx by the tag of who sent it (bytes, path).

    `rseqs`: the last reliable provisional response of each who sent one, likewise. `cancel_headers` go on the CANCEL.
    """

    outgoing: Outgoing
    cseq: int
    is_reinvite: bool
    transaction: ClientTransaction | None = None
    has_provisional: bool = False
    is_final: bool = False
    cancel_wanted: bool = False
    cancel_headers: Pairs = ()
    give_up: Alarm | None = None
    acks: dict[str, tuple[bytes, Path]] = field(default_factory=dict)
    rseqs: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class SessionClock:
    """The session timer of a call that is up: what was agreed on, and when something is due."""

    agreed: Agreed
    refresh: Alarm | None
    expiry: Alarm


@dataclass(slots=True)
class Leg:
    """One call with one peer. `dialog` is the confirmed one, or the first early one; None before there is any."""

    handle: int
    path: Path
    dialog: Dialog | None = None
    dialogs: dict[DialogId, Dialog] = field(default_factory=dict)
    is_confirmed: bool = False
    is_leaving: bool = False
    is_ended: bool = False
    open_invite: OpenInvite | None = None
    own_invite: OwnInvite | None = None
    unacked: dict[int, Unacked] = field(default_factory=dict)
    held_bye: Outgoing | None = None
    authorizer: Authorizer | None = None
    """Answers challenges on a leg that we have begun with a login; a leg that somebody else began never has one."""
    session: SessionClock | None = None
    allows_update: bool = False
    """Whether the peer's Allow names UPDATE."""
    request_ids: set[int] = field(default_factory=set)


def allows_update(headers: Headers) -> bool | None:
    """Whether the Allow of a message names UPDATE; None where it has none."""
    lines = headers.all("Allow")
    return any("UPDATE" in line for line in lines) if lines else None


def info_of(leg: Leg) -> LegInfo:
    """The facts of a leg; one of our own that nobody has answered yet is described by its INVITE."""
    dialog = leg.dialog
    if dialog is None:
        assert leg.own_invite is not None, "a leg without a dialog is one that we have begun"
        request = leg.own_invite.outgoing.request
        headers = request.headers
        local, remote = (parse_name_addr(headers.first(name) or "") for name in ("From", "To"))
        call_id = headers.first("Call-ID") or ""
        return LegInfo(call_id, local.tag or "", "", local.uri, remote.uri, request.uri, leg.path)
    return LegInfo(
        dialog.call_id,
        dialog.local_tag,
        dialog.remote_tag,
        parse_name_addr(dialog.local).uri,
        parse_name_addr(dialog.remote).uri,
        dialog.remote_target,
        leg.path,
    )


class Legs:
    """All legs, by handle and by dialog."""

    def __init__(self) -> None:
        self._by_handle: dict[int, Leg] = {}
        self._by_dialog: dict[DialogId, Leg] = {}
        self._last_handle = 0

    def __len__(self) -> int:
        return len(self._by_handle)

    def open(self, path: Path) -> Leg:
        """A new leg with a handle of its own."""
        self._last_handle += 1
        leg = self._by_handle[self._last_handle] = Leg(self._last_handle, path)
        return leg

    def get(self, handle: int) -> Leg | None:
        """The leg of a handle, None once it has ended."""
        return self._by_handle.get(handle)

    def find(self, dialog_id: DialogId) -> tuple[Leg, Dialog] | None:
        """The leg and the dialog that a request belongs to."""
        leg = self._by_dialog.get(dialog_id)
        return None if leg is None else (leg, leg.dialogs[dialog_id])

    def connections(self) -> set[Path]:
        """The connections by which the peers of live calls are reached."""
        peers = (leg.path if leg.dialog is None else leg.dialog.peer for leg in self._by_handle.values())
        return {peer for peer in peers if peer.reliable}

    def add_dialog(self, leg: Leg, dialog: Dialog) -> None:
        """From now on requests of this dialog find the leg."""
        leg.dialogs[dialog.id] = dialog
        self._by_dialog[dialog.id] = leg

    def keep_dialog(self, leg: Leg, dialog: Dialog) -> None:
        """This one is the leg's; its other early dialogs are forgotten."""
        self._drop_dialogs(leg)
        self.add_dialog(leg, dialog)
        leg.dialog = dialog

    def drop_dialogs(self, leg: Leg) -> None:
        """Forget the early dialogs of an INVITE that is tried again (RFC 3261 section 12.3)."""
        self._drop_dialogs(leg)
        leg.dialog = None

    def close(self, leg: Leg) -> None:
        """Forget a leg and its dialogs."""
        del self._by_handle[leg.handle]
        self._drop_dialogs(leg)

    def _drop_dialogs(self, leg: Leg) -> None:
        for dialog_id in leg.dialogs:
            # A caller that tries again may be given the tag of its last attempt: the later leg keeps the id.
            if self._by_dialog.get(dialog_id) is leg:
                del self._by_dialog[dialog_id]
        leg.dialogs.clear()
