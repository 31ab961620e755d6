"""The verification of a caller's number, step by step (RFC 8224 section 6.2, ATIS-1000074 section 5.3).

`begin` looks at everything that needs no certificate, so that nothing is fetched for a PASSporT that does not hold
anyway. Where one could hold it hands out an `Inquiry`: which certificate is wanted. Its `found` goes on with what came.
One PASSporT that holds is enough; where none does the first one's fault is told.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from runtime.stir.header import IdentityHeader, read_identity_header
from runtime.stir.limits import FRESH_S, HEADERS_READ_MAX, PASSPORTS_TRIED_MAX
from runtime.stir.numbers import canonical_number
from runtime.stir.passport import SHAKEN, Passport, PassportError, expand_passport, read_passport
from runtime.stir.place import Place, is_allowed, read_place
from runtime.stir.signer import Signer
from runtime.stir.verdict import Fault, Refusal, Verdict, Verified

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_date = re.compile(r"[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT")


@dataclass(frozen=True, slots=True)
class Claimed:
    """What an INVITE says: its Identity and Date headers, the caller as it will be shown, and whom it calls."""

    identities: Sequence[str]
    date: str
    caller: str
    called: str
    asserted: str = ""
    """The caller by another header, which is not the one that is shown."""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """The certificate at `place` is wanted to go on; `found` is told of it."""

    place: Place
    _passport: Passport = field(repr=False)
    _others: tuple[tuple[Passport, Place], ...] = field(default=(), repr=False)
    _fault: Refusal | None = field(default=None, repr=False)

    def found(self, signer: Signer | Refusal, now: float) -> Verdict | Inquiry:
        """What comes of it, or which certificate is wanted next. `now` is Unix seconds."""
        verdict = signer if isinstance(signer, Refusal) else _judge(self._passport, signer, now)
        if isinstance(verdict, Verified):
            return verdict
        fault = self._fault or verdict
        if not self._others:
            return fault
        (passport, place), *others = self._others
        return Inquiry(place, passport, tuple(others), fault)


def begin(claimed: Claimed, hosts: Sequence[str], now: float) -> Refusal | Inquiry:
    """What a first look says. `hosts` are those where certificates may be, `now` is Unix seconds."""
    faults: list[Refusal] = []
    candidates: list[tuple[Passport, Place]] = []
    for value in claimed.identities[:HEADERS_READ_MAX]:
        found = _candidate(value, claimed, hosts, now)
        if isinstance(found, Refusal):
            faults.append(found)
        elif found is not None:
            candidates.append(found)
    if candidates:
        (passport, place), *others = sorted(candidates, key=lambda each: not each[0].is_shaken)[:PASSPORTS_TRIED_MAX]
        return Inquiry(place, passport, tuple(others))
    if faults:
        return faults[0]
    what = "it has an Identity header of kinds alone that are not known here (ppt)" if claimed.identities else ""
    return Refusal(Fault.MISSING, what or "it has no Identity header")


def date_of(text: str) -> int | None:
    """A Date header (RFC 3261 section 20.17) as Unix seconds; None where it is none."""
    found = _date.fullmatch(text)
    if found is None or found[2] not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(found[part]) for part in (1, 3, 4, 5, 6))
    try:
        moment = datetime(year, _MONTHS.index(found[2]) + 1, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return calendar.timegm(moment.timetuple())


def _candidate(
    value: str, claimed: Claimed, hosts: Sequence[str], now: float
) -> tuple[Passport, Place] | Refusal | None:
    """A PASSporT that could hold, and where its certificate is; None where it is of a kind that is not known."""
    header = read_identity_header(value)
    if header is None:
        return Refusal(Fault.INVALID, "its Identity header cannot be read")
    if header.ppt not in (None, SHAKEN):
        return None
    date = date_of(claimed.date)
    try:
        passport = _read(header, claimed, date)
    except PassportError as fault:
        return Refusal(Fault.INVALID, f"the PASSporT {fault.words}")
    place = read_place(passport.url)
    if isinstance(place, str):
        return Refusal(Fault.NO_CERTIFICATE, f"nothing is fetched: {place}")
    stale = _stale(passport, date, now)
    if stale is not None:
        return stale
    mismatch = _mismatch(passport, claimed)
    if mismatch is not None:
        return mismatch
    if not is_allowed(place, hosts):
        words = f"nothing is fetched: its certificate is at {_at(place)}, which the trunk does not name"
        return Refusal(Fault.NO_CERTIFICATE, words, "add it to inbound.identity.certificateHosts of the trunk")
    return passport, place


def _read(header: IdentityHeader, claimed: Claimed, date: int | None) -> Passport:
    if not header.is_compact:
        return read_passport(header)
    return expand_passport(header, canonical_number(claimed.caller), canonical_number(claimed.called), date)


def _stale(passport: Passport, date: int | None, now: float) -> Refusal | None:
    if abs(now - passport.iat) > FRESH_S:
        ago = round(now - passport.iat)
        when = f"{ago} s ago" if ago > 0 else f"{-ago} s from now"
        hint = "is the clock of this machine right?"
        return Refusal(Fault.STALE, f"the PASSporT was issued {when}, and holds for {FRESH_S} s", hint)
    if date is not None and abs(date - passport.iat) > FRESH_S:
        return Refusal(Fault.STALE, f"the Date of the call is more than {FRESH_S} s from when the PASSporT was issued")
    return None


def _mismatch(passport: Passport, claimed: Claimed) -> Refusal | None:
    if passport.caller != canonical_number(claimed.caller):
        by_other = bool(claimed.asserted) and passport.caller == canonical_number(claimed.asserted)
        hint = "it is for the one in P-Asserted-Identity: set inbound.trustIdentity, if the carrier checks that"
        refusal = Refusal(Fault.INVALID, "the PASSporT is for another caller than the call shows")
        return replace(refusal, hint=hint) if by_other else refusal
    if canonical_number(claimed.called) not in passport.called:
        return Refusal(Fault.INVALID, "the PASSporT is for a call to another number")
    return None


def _judge(passport: Passport, signer: Signer, now: float) -> Verdict:
    if not signer.is_valid(now):
        return Refusal(Fault.UNTRUSTED, "the certificate of its signer has expired, or is not valid yet")
    if not signer.has_signed(passport.signed, passport.signature):
        return Refusal(Fault.INVALID, "the signature of the PASSporT is not that of its certificate")
    if passport.is_shaken and not signer.is_provider:
        return Refusal(Fault.UNTRUSTED, "the certificate of its signer is none of a service provider (SPC)")
    if not signer.may_sign_for(passport.caller):
        return Refusal(Fault.UNTRUSTED, "the certificate of its signer is not for the caller's number (TNAuthList)")
    return Verified(passport.attestation, passport.origid, signer.name)


def _at(place: Place) -> str:
    host = f"[{place.host}]" if ":" in place.host else place.host
    return f"{host}:{place.port}"
