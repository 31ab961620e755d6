"""What comes of a verification: the field's three words for it, and where it failed the answer to give and why.

The statuses are those of RFC 8224 section 6.2.2. `No-TN-Validation` says that nobody could look (no PASSporT, no
certificate to be had), `TN-Validation-Failed` that there was something to look at and it does not hold
(ATIS-1000074, 3GPP TS 24.229 section 7.2A.20).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Verstat(StrEnum):
    """What a participant shows."""

    PASSED = "TN-Validation-Passed"
    FAILED = "TN-Validation-Failed"
    NONE = "No-TN-Validation"


class Fault(StrEnum):
    """Why a caller's number is not verified; the codes are stable."""

    MISSING = "identity-missing"
    STALE = "identity-stale"
    NO_CERTIFICATE = "identity-no-certificate"
    UNTRUSTED = "identity-untrusted"
    INVALID = "identity-invalid"


ANSWERS: Final[dict[Fault, tuple[int, str]]] = {
    Fault.MISSING: (428, "Use Identity Header"),
    Fault.STALE: (403, "Stale Date"),
    Fault.NO_CERTIFICATE: (436, "Bad Identity Info"),
    Fault.UNTRUSTED: (437, "Unsupported Credential"),
    Fault.INVALID: (438, "Invalid Identity Header"),
}
"""Status and reason phrase for each."""

_NOT_LOOKED_AT: Final = frozenset({Fault.MISSING, Fault.NO_CERTIFICATE})


@dataclass(frozen=True, slots=True)
class Refusal:
    """One thing that does not hold, in words that name no number: `hint` says what its owner may do."""

    fault: Fault
    words: str
    hint: str = ""

    @property
    def verstat(self) -> Verstat:
        """What the participant shows of it."""
        return Verstat.NONE if self.fault in _NOT_LOOKED_AT else Verstat.FAILED

    @property
    def answer(self) -> tuple[int, str]:
        """Status and reason phrase, where it is to refuse the call."""
        return ANSWERS[self.fault]


@dataclass(frozen=True, slots=True)
class Verified:
    """The number is its caller's, as somebody says whom an authority vouches for.

    `attestation` is A, B or C and `origid` an opaque id of where the call began, of a SHAKEN PASSporT; "" of others.
    """

    attestation: str = ""
    origid: str = ""
    signer: str = ""
    """The subject of the certificate, for people."""


Verdict = Verified | Refusal
