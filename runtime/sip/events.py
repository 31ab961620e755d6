"""What the endpoint tells its user: one frozen value per event, read with `Endpoint.next_event()`.

`leg` is the handle of one INVITE dialog, early or confirmed; `LegEnded` is the last event of each. Requests and
responses are as received (the top Via carries `received` and `rport`). Everything that RFC 3261 settles without the
user (ACK, 487, 481, retransmissions) has been done already when its event is read.
"""

from __future__ import annotations

from dataclasses import dataclass

from runtime.sip.message import Request, Response
from runtime.sip.path import Path


@dataclass(frozen=True, slots=True)
class InviteReceived:
    """Somebody calls. 100 is sent; answer with `respond(leg, …)`."""

    leg: int
    request: Request
    path: Path


@dataclass(frozen=True, slots=True)
class InviteTurnedAway:
    """An INVITE from an address that nobody takes calls from: it was answered with `status`, and nothing is kept."""

    request: Request
    path: Path
    status: int


@dataclass(frozen=True, slots=True)
class ReinviteReceived:
    """The peer wants to change the session (RFC 3261 section 14.2). 100 is sent; answer with `respond(leg, …)`."""

    leg: int
    request: Request


@dataclass(frozen=True, slots=True)
class ReinviteCancelled:
    """The peer took its re-INVITE back before it was answered: 487 is sent, the session stays as it was."""

    leg: int
    request: Request


@dataclass(frozen=True, slots=True)
class AckReceived:
    """The first ACK of a 2xx of ours; its body is the SDP answer when the INVITE came without an offer."""

    leg: int
    request: Request


@dataclass(frozen=True, slots=True)
class AckMissing:
    """No ACK for our 2xx within 64*T1 (RFC 3261 section 13.3.1.4); the endpoint sends BYE itself."""

    leg: int


@dataclass(frozen=True, slots=True)
class PrackReceived:
    """The caller has a reliable provisional response of ours; 200 is sent, or the user is asked with its body."""

    leg: int


@dataclass(frozen=True, slots=True)
class PrackMissing:
    """No PRACK for a reliable provisional response of ours within 64*T1 (RFC 3262 section 3): 504 is sent.

    `LegEnded` follows.
    """

    leg: int


@dataclass(frozen=True, slots=True)
class RefreshDue:
    """The session timer wants a refresh, and the peer takes no UPDATE: send a re-INVITE that changes nothing."""

    leg: int


@dataclass(frozen=True, slots=True)
class SessionRefreshed:
    """Somebody has refreshed the session in time: the peer is there."""

    leg: int


@dataclass(frozen=True, slots=True)
class SessionExpired:
    """Nobody has refreshed the session in time, or the peer does not know it any more: BYE is sent (RFC 4028)."""

    leg: int


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The caller gave up: 200 to the CANCEL (`request`) and 487 to the INVITE are sent. `LegEnded` follows."""

    leg: int
    request: Request


@dataclass(frozen=True, slots=True)
class InviteExpired:
    """The INVITE's own Expires ran out before a final response (RFC 3261 section 13.3.1): 487 is sent."""

    leg: int


@dataclass(frozen=True, slots=True)
class ByeReceived:
    """The peer hung up; 200 is sent. `LegEnded` follows."""

    leg: int
    request: Request


@dataclass(frozen=True, slots=True)
class RequestReceived:
    """Any other request of a method we allow: answer with `respond_request(request_id, …)`.

    `leg` is None outside a dialog (OPTIONS, MESSAGE, …).
    """

    request_id: int
    leg: int | None
    request: Request
    path: Path


@dataclass(frozen=True, slots=True)
class Ringing:
    """A provisional response 101 to 199 to our INVITE or re-INVITE."""

    leg: int
    response: Response


@dataclass(frozen=True, slots=True)
class Answered:
    """The first 2xx to our INVITE; ACK is sent. Never after `cancel`: a 2xx that crosses it gets ACK and BYE."""

    leg: int
    response: Response


@dataclass(frozen=True, slots=True)
class Rejected:
    """A final response 300 to 699 to our INVITE; ACK is sent. `LegEnded` follows.

    A 503 may be of our own making: the connection could not be made, or closed (section 8.1.3.1); so with the others.
    So may a 502: the phone was answered by a 2xx that makes no dialog, which got ACK and BYE.
    """

    leg: int
    response: Response


@dataclass(frozen=True, slots=True)
class InviteTimedOut:
    """No response to our INVITE, or no final one after CANCEL, within 64*T1. `LegEnded` follows."""

    leg: int


@dataclass(frozen=True, slots=True)
class ReinviteAnswered:
    """A 2xx to our re-INVITE; ACK is sent."""

    leg: int
    response: Response


@dataclass(frozen=True, slots=True)
class ReinviteRejected:
    """Our re-INVITE failed and the session stays as it was. 491 is glare (RFC 3261 section 14.1: try again later).

    `response` is None when none came within 64*T1. 408, 481 and None mean that the dialog is gone: hang up.
    """

    leg: int
    response: Response | None


@dataclass(frozen=True, slots=True)
class RequestAnswered:
    """The final response to `request(leg, method, …)`, which gave this CSeq; None when none came within 64*T1."""

    leg: int
    method: str
    response: Response | None
    cseq: int


@dataclass(frozen=True, slots=True)
class AskAnswered:
    """The final response to `ask(…)`, which gave this handle; None when none came in time. `cseq`: the last one used.

    A 503 may be of our own making (`responses.made_here`): the connection could not be made, or closed.
    """

    ask: int
    response: Response | None
    cseq: int


@dataclass(frozen=True, slots=True)
class LegEnded:
    """The dialog is over and its handle is invalid: the last event of every leg."""

    leg: int


@dataclass(frozen=True, slots=True)
class MessageDropped:
    """A message that could be neither used nor answered. `head` is its first bytes (64 at most)."""

    path: Path
    why: str
    head: bytes


Event = (
    InviteReceived
    | InviteTurnedAway
    | ReinviteReceived
    | ReinviteCancelled
    | AckReceived
    | AckMissing
    | PrackReceived
    | PrackMissing
    | RefreshDue
    | SessionRefreshed
    | SessionExpired
    | Cancelled
    | InviteExpired
    | ByeReceived
    | RequestReceived
    | Ringing
    | Answered
    | Rejected
    | InviteTimedOut
    | ReinviteAnswered
    | ReinviteRejected
    | RequestAnswered
    | AskAnswered
    | LegEnded
    | MessageDropped
)
