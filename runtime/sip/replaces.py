"""The Replaces header: which dialog an INVITE takes the place of (RFC 3891)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runtime.sip.errors import SipSyntaxError
from runtime.sip.grammar import find_param, parse_params
from runtime.sip.limits import CALL_ID_CHARS_MAX, TAG_CHARS_MAX
from runtime.sip.message import Headers

# Printable ASCII that ends nothing: what is read here is written again, into the INVITE that a REFER asks for.
_WORD = r"[!#-+\--:<-?A-~]++"
_call_id = re.compile(rf"({_WORD}(?:@{_WORD})?)[ \t]*+(;.*)?", re.DOTALL)
_tag = re.compile(r"[!#-+\--:=?-~]++")


@dataclass(frozen=True, slots=True)
class Replaces:
    """A dialog, as its other side knows it: `to_tag` is our tag. `early_only`: only while it is not answered."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    def __str__(self) -> str:
        early = ";early-only" if self.early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{early}"


def read_replaces(headers: Headers) -> Replaces | None:
    """The dialog that is named, None without the header. SipSyntaxError 400 where it names none, or several."""
    lines = headers.all("Replaces")
    if not lines:
        return None
    found = _call_id.fullmatch(lines[0].strip()) if len(lines) == 1 else None
    if found is None:
        raise SipSyntaxError(400, "Malformed Replaces")
    params = parse_params(found[2] or "")
    to_tag, from_tag = find_param(params, "to-tag") or "", find_param(params, "from-tag") or ""
    if not _tag.fullmatch(to_tag) or not _tag.fullmatch(from_tag):
        raise SipSyntaxError(400, "Malformed Replaces")
    if len(found[1]) > CALL_ID_CHARS_MAX or max(len(to_tag), len(from_tag)) > TAG_CHARS_MAX:
        raise SipSyntaxError(400, "Malformed Replaces")
    return Replaces(found[1], to_tag, from_tag, find_param(params, "early-only") is not None)
