"""The Reason field (RFC 3326): why somebody hangs up or takes a call back, for those who write it down.

Read from BYE and CANCEL, where a peer may write anything: what cannot be read says nothing, and never refuses a BYE.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from runtime.sip.errors import SipSyntaxError
from runtime.sip.grammar import LWS, TOKEN, elements, find_param, parse_params
from runtime.sip.message import Headers
from schemas.printable import printable

REASONS_MAX = 4
"""Reasons of one message that are looked at."""

TEXT_CHARS_MAX = 200
"""How much of a text is kept."""

Q850_NORMAL = frozenset({16, 31})
"""ITU-T Q.850: normal call clearing, and normal, unspecified."""

_reason = re.compile(rf"({TOKEN}){LWS}((?:;.*)?)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: `protocol` as received (`SIP`, `Q.850`, …), its cause, its text in printable characters."""

    protocol: str
    cause: int | None
    text: str

    @property
    def is_normal(self) -> bool:
        """Whether it says no more than that the call is over."""
        if self.protocol.upper() == "Q.850":
            return self.cause in Q850_NORMAL
        return self.cause in (None, 0, 200)

    def __str__(self) -> str:
        cause = "" if self.cause is None else f" {self.cause}"
        return f"{self.protocol}{cause}" + (f" {self.text}" if self.text else "")


def read_reasons(headers: Headers) -> tuple[Reason, ...]:
    """The reasons of a message, in order; those that cannot be read are left out."""
    try:
        texts = elements(headers.all("Reason"))
    except SipSyntaxError:
        return ()
    found = (_read(text) for text in texts[:REASONS_MAX])
    return tuple(reason for reason in found if reason is not None)


def _read(text: str) -> Reason | None:
    found = _reason.fullmatch(text)
    if found is None:
        return None
    try:
        params = parse_params(found[2])
    except SipSyntaxError:
        return None
    cause = find_param(params, "cause") or ""
    number = int(cause) if cause.isascii() and cause.isdigit() and len(cause) <= 5 else None
    words = (find_param(params, "text") or "")[:TEXT_CHARS_MAX]
    return Reason(found[1][:32], number, printable(words))
