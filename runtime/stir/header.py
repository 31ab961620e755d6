"""The Identity header (RFC 8224 section 4): a PASSporT, in full or compact, and what is said of it beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runtime.sip.grammar import LWS, TOKEN
from runtime.stir.limits import TOKEN_CHARS_MAX, URL_CHARS_MAX

_head = re.compile(r"([A-Za-z0-9\-_]*)\.([A-Za-z0-9\-_]*)\.([A-Za-z0-9\-_]+)")
_param = re.compile(
    rf"{LWS};{LWS}({TOKEN})(?:{LWS}={LWS}(?:<([!#-;=?-~]*+)>|\"([ !#-\[\]-~]*+)\"|([!#-+\--:=?-~]++)))?{LWS}"
)
PARAMS_MAX = 8


@dataclass(frozen=True, slots=True)
class IdentityHeader:
    """One of them. `header` and `payload` are base64url as received, both "" in the compact form.

    `alg` and `ppt` are None where they are not said.
    """

    header: str
    payload: str
    signature: str
    info: str
    alg: str | None = None
    ppt: str | None = None

    @property
    def is_compact(self) -> bool:
        """Whether header and payload are to be made of the message (section 7)."""
        return not self.header and not self.payload


def read_identity_header(value: str) -> IdentityHeader | None:
    """The header in a value; None where it is malformed: one field has one PASSporT, and no parameter comes twice."""
    if len(value) > TOKEN_CHARS_MAX + 2 * URL_CHARS_MAX:
        return None
    head = _head.match(value)
    if head is None or head.end() > TOKEN_CHARS_MAX or bool(head[1]) != bool(head[2]):
        return None
    params = _params(value, head.end())
    if params is None or not params.get("info"):
        return None
    return IdentityHeader(head[1], head[2], head[3], params["info"], params.get("alg"), params.get("ppt"))


def _params(value: str, at: int) -> dict[str, str] | None:
    out: dict[str, str] = {}
    while at < len(value):
        found = _param.match(value, at)
        if found is None or len(out) == PARAMS_MAX:
            return None
        name, *values = found.groups()
        if name.lower() in out:
            return None
        out[name.lower()] = next((each for each in values if each is not None), "")
        at = found.end()
    return out
