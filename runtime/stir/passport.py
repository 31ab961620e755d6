"""PASSporTs (RFC 8225), plain and of SHAKEN (RFC 8588): the token of an Identity header as what it claims.

JSON of a stranger is read as strictly as its signature is: no name twice, no number beyond its type, no form that two
readers could take differently. What is not understood beside the claims is left alone (RFC 8225 section 5.3).
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any, Final

from runtime.stir.header import IdentityHeader
from runtime.stir.limits import DESTINATIONS_MAX, ORIGID_CHARS_MAX
from runtime.stir.numbers import canonical_number

SHAKEN: Final = "shaken"
ALGORITHM: Final = "ES256"
SIGNATURE_BYTES: Final = 64
SECONDS_MAX: Final = 1 << 40

ATTESTATIONS: Final = frozenset("ABC")


class PassportError(Exception):
    """No PASSporT that could be verified. `words` say what is wrong with it, after "the PASSporT"."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


@dataclass(frozen=True, slots=True)
class Passport:
    """What is claimed, unverified. Numbers are canonical; `iat` is Unix seconds."""

    signed: bytes
    """What the signature is of (RFC 7515 section 5.1)."""
    signature: bytes
    url: str
    iat: int
    caller: str
    called: tuple[str, ...]
    attestation: str = ""
    origid: str = ""

    @property
    def is_shaken(self) -> bool:
        """Whether it is one of SHAKEN."""
        return bool(self.attestation)


def read_passport(header: IdentityHeader) -> Passport:
    """The PASSporT in full form. PassportError where it is none, or the parameters beside it say something else."""
    head, claims = _object(header.header, "header"), _object(header.payload, "payload")
    if head.get("typ") != "passport":
        raise PassportError("is of another type")
    _check_algorithm(head.get("alg"), header.alg)
    if head.get("ppt") != header.ppt:
        raise PassportError("is of another kind (ppt) than its header says")
    if head.get("x5u") != header.info:
        raise PassportError("has its certificate elsewhere (x5u) than its header says (info)")
    if "crit" in head:
        raise PassportError("asks for an extension that is not known (crit)")
    attestation, origid = _shaken(claims) if header.ppt == SHAKEN else ("", "")
    return Passport(
        signed=f"{header.header}.{header.payload}".encode(),
        signature=_signature(header.signature),
        url=header.info,
        iat=_seconds(claims.get("iat")),
        caller=_caller(claims.get("orig")),
        called=_called(claims.get("dest")),
        attestation=attestation,
        origid=origid,
    )


def expand_passport(header: IdentityHeader, caller: str, called: str, iat: int | None) -> Passport:
    """The PASSporT of a compact form: what the message says, written as its signer must have (RFC 8224 section 7).

    `caller` and `called` are canonical, `iat` is of the Date header. PassportError where one is missing, and for
    SHAKEN, whose claims no message has.
    """
    _check_algorithm(ALGORITHM, header.alg)
    if header.ppt is not None:
        raise PassportError("of SHAKEN cannot be in compact form")
    if iat is None or not caller or not called:
        raise PassportError("is in compact form, and the message has no Date, or no number to put into it")
    head = {"alg": ALGORITHM, "typ": "passport", "x5u": header.info}
    claims = {"dest": {"tn": [called]}, "iat": iat, "orig": {"tn": caller}}
    signed = f"{_written(head)}.{_written(claims)}".encode()
    return Passport(signed, _signature(header.signature), header.info, iat, caller, (called,))


def _check_algorithm(inside: object, beside: str | None) -> None:
    if inside != ALGORITHM or (beside is not None and beside != ALGORITHM):
        raise PassportError(f"is signed by another algorithm than {ALGORITHM}")


def _written(value: dict[str, Any]) -> str:
    """RFC 8225 section 9: keys in order, no white space."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise PassportError("is not base64url") from None
    if base64.urlsafe_b64encode(data).decode().rstrip("=") != text:
        raise PassportError("is not base64url")
    return data


def _signature(text: str) -> bytes:
    data = _decoded(text)
    if len(data) != SIGNATURE_BYTES:
        raise PassportError(f"has a signature that is none of {ALGORITHM}")
    return data


def _object(text: str, part: str) -> dict[str, Any]:
    try:
        value = json.loads(_decoded(text).decode(), object_pairs_hook=_unrepeated, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise PassportError(f"has no JSON in its {part}") from None
    if not isinstance(value, dict):
        raise PassportError(f"has no JSON object in its {part}")
    return value


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name that comes twice")
    return found


def _no_constant(text: str) -> None:
    raise ValueError(text)


def _seconds(value: object) -> int:
    if type(value) is not int or not 0 <= value <= SECONDS_MAX:
        raise PassportError("has no time of issue (iat)")
    return value


def _caller(value: object) -> str:
    number = value.get("tn") if isinstance(value, dict) else None
    found = canonical_number(number) if isinstance(number, str) else ""
    if not found:
        raise PassportError("is for no telephone number (orig)")
    return found


def _called(value: object) -> tuple[str, ...]:
    numbers = value.get("tn") if isinstance(value, dict) else None
    if not isinstance(numbers, list) or not 0 < len(numbers) <= DESTINATIONS_MAX:
        raise PassportError("is for a call to no telephone number (dest)")
    found = tuple(canonical_number(number) if isinstance(number, str) else "" for number in numbers)
    if not all(found):
        raise PassportError("is for a call to no telephone number (dest)")
    return found


def _shaken(claims: dict[str, Any]) -> tuple[str, str]:
    attestation, origid = claims.get("attest"), claims.get("origid")
    if not isinstance(attestation, str) or attestation not in ATTESTATIONS:
        raise PassportError("attests to nothing (attest)")
    if not isinstance(origid, str) or not _is_shown(origid):
        raise PassportError("does not say where the call began (origid)")
    return attestation, origid


def _is_shown(text: str) -> bool:
    return 0 < len(text) <= ORIGID_CHARS_MAX and text.isascii() and text.isprintable()
