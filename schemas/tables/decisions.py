"""What is known of a call before it is routed, and the decisions that can come of it.

`lookup.decide` returns these, the bridge acts on them, `explain` renders them. A refusal carries everything that is
needed to answer the peer and to tell a person why: a stable code, a SIP status, a sentence and what to change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from schemas.tables.rows import NumberRow, RuleRow, TrunkRow

OpensPin = Callable[[RuleRow, str], bool]
"""Whether a PIN opens a rule that has one; the caller unseals the rule's secret for it."""


UnknownPin = Callable[[RuleRow], str]
"""Why the PIN of a rule that has one is not known to who explains a call; "" = it is."""


@dataclass(frozen=True, slots=True)
class CallFacts:
    """One call as its INVITE tells it; user parts are as received and are normalised where they are compared."""

    source: str
    """The packet's source address, without a port."""
    called: str
    """The user part of To."""
    caller: str
    """The user part of From."""
    pin: str | None = field(default=None, repr=False)
    """None = not asked yet, "" = the caller pressed # alone, else the digits."""
    region: str = ""
    """The region of the bridge that asks; "" = it has none."""
    authenticated_as: str | None = None
    """The user name whose digest response was verified, if any."""
    registered_on: str = ""
    """The trunk whose registration with its provider the call came by: its source need not be declared; "" = none."""
    asserted: str = ""
    """The user part of P-Asserted-Identity or Remote-Party-ID, which trunks with `trust_identity` take for From's."""

    def caller_by(self, trunk: TrunkRow) -> str:
        """The caller as this trunk has it."""
        trusts = trunk.inbound is not None and trunk.inbound.trust_identity
        return self.asserted if trusts and self.asserted else self.caller


class Reason(StrEnum):
    """Why a call is refused; the codes are stable."""

    NO_TRUNK = "no-trunk"
    SOURCE_NOT_ALLOWED = "source-not-allowed"
    WRONG_REGION = "wrong-region"
    CALLER_NOT_ALLOWED = "caller-not-allowed"
    CALLED_NOT_SERVED = "called-not-served"
    NO_RULE = "no-rule"
    PIN_REQUIRED = "pin-required"
    WRONG_PIN = "wrong-pin"
    NO_CODEC = "no-codec"
    ROOM_NAME = "room-name"


@dataclass(frozen=True, slots=True)
class Admitted:
    """The call goes to this rule's room. `number` is the trunk's PhoneNumber, or the one that points at the rule."""

    trunk: TrunkRow
    rule: RuleRow
    number: NumberRow | None


@dataclass(frozen=True, slots=True)
class PinNeeded:
    """Answer, ask for a PIN, decide again with it. `rule` asks, but another may be the one that the PIN opens."""

    trunk: TrunkRow
    rule: RuleRow
    number: NumberRow | None


@dataclass(frozen=True, slots=True)
class Challenged:
    """Answer 401 with this trunk's realm (RFC 3261 section 22.2), decide again with the verified user name."""

    trunk: TrunkRow


@dataclass(frozen=True, slots=True)
class Refused:
    """No. `trunk` is the one that came nearest, if any allows the source."""

    reason: Reason
    sip_status: int
    trunk: TrunkRow | None
    sentence: str
    hint: str
    """Which manifest field to change."""
    stranger: bool = False
    """No trunk names the source, and it has not authenticated: it may be met with silence."""
    rule: RuleRow | None = None
    """The rule that would have taken the call."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """What became of the call rests on a PIN that is not known here. Only who explains meets this, no bridge."""

    trunk: TrunkRow
    rule: RuleRow
    """One whose PIN would decide it."""
    sentence: str
    hint: str


Decision = Admitted | PinNeeded | Challenged | Refused

STRANGER_STATUS = 403
"""All that a stranger is told, whatever the reason: which numbers are served is not its business."""

ANSWERED_STATUS = 200
"""Whoever is asked for a PIN has been answered: what it enters can end the call, and refuse it no more."""

STATUS = {
    Reason.NO_TRUNK: 403,
    Reason.SOURCE_NOT_ALLOWED: 403,
    Reason.WRONG_REGION: 480,  # RFC 3261 21.4.18; a 503 would make carriers take the whole bridge for broken
    Reason.CALLER_NOT_ALLOWED: 403,
    Reason.CALLED_NOT_SERVED: 404,
    Reason.NO_RULE: 404,
    Reason.PIN_REQUIRED: ANSWERED_STATUS,
    Reason.WRONG_PIN: ANSWERED_STATUS,
    Reason.NO_CODEC: 488,
    Reason.ROOM_NAME: 484,
}


def refused(
    reason: Reason,
    sentence: str,
    hint: str,
    *,
    trunk: TrunkRow | None = None,
    rule: RuleRow | None = None,
    stranger: bool = False,
) -> Refused:
    """A refusal with the status of its reason; a stranger gets the one status of strangers."""
    return Refused(reason, STRANGER_STATUS if stranger else STATUS[reason], trunk, sentence, hint, stranger, rule)
