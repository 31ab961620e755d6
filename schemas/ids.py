"""Grammars of names and numbers, and the ids that are derived from them.

Sources: RFC 1123 labels as Kubernetes uses them; E.164; LiveKit's number normalisation and id shapes
(`<PREFIX>_` and 12 characters of an alphabet without look-alikes).
"""

from __future__ import annotations

import hashlib
import re

NAME_CHARS_MAX = 253
PIN_CHARS_MAX = 16
ID_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
ID_CHARS = 12
VERIFIED_ATTRIBUTES = frozenset({"sip.verstat", "sip.attestation", "sip.origID", "sip.carrierVerstat"})
"""What a participant shows of whether the caller's number is its own: no header may claim to be one of these."""

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_E164 = re.compile(r"\+[1-9][0-9]{1,14}")
_PIN = re.compile(r"[0-9*A-D]+")
_COUNTRY = re.compile(r"[A-Z]{2}")
_NUMBER_LIKE = re.compile(r"\+?[ \-()]*[0-9][0-9 \-()]*")
_SEPARATORS = str.maketrans("", "", " -()")


def is_name(text: str) -> bool:
    """Whether `text` is a Kubernetes object name (RFC 1123 subdomain)."""
    return len(text) <= NAME_CHARS_MAX and _NAME.fullmatch(text) is not None


def is_namespace(text: str) -> bool:
    """Whether `text` is a Kubernetes namespace (RFC 1123 label)."""
    return _NAMESPACE.fullmatch(text) is not None


def is_e164(text: str) -> bool:
    """Whether `text` is `+` and 2 to 15 digits that do not start with 0 (grammar only, no numbering plan)."""
    return _E164.fullmatch(text) is not None


def is_pin(text: str) -> bool:
    """Whether a caller can enter `text`: keys of a phone, `#` excepted, which ends it."""
    return len(text) <= PIN_CHARS_MAX and _PIN.fullmatch(text) is not None


def is_country(text: str) -> bool:
    """Whether `text` is two capital letters, as ISO 3166-1 alpha-2 has them (the grammar, not the list)."""
    return _COUNTRY.fullmatch(text) is not None


def normalise_number(text: str) -> str:
    """One form for a number: `+` and digits where it consists of digits and separators, else `text` unchanged.

    LiveKit's rule: `19793169351`, `+1 979-316-9351` and `+1 (979) 3169351` are one number; `0044…` is not `+44…`;
    anything with letters, dots or `*` stays untouched.
    """
    if not _NUMBER_LIKE.fullmatch(text):
        return text
    digits = text.translate(_SEPARATORS)
    return digits if digits.startswith("+") else "+" + digits


def normalise_pattern(text: str) -> str:
    """The one form of a number or of a prefix pattern: `+1 415*` becomes `+1415*`, `*` stays `*`."""
    if text.endswith("*"):
        return normalise_number(text[:-1]) + "*"
    return normalise_number(text)


def derived_id(prefix: str, namespace: str, name: str) -> str:
    """A LiveKit-shaped id (`ST_…`, `SDR_…`) that is always the same for one namespace/name."""
    number = int.from_bytes(hashlib.sha256(f"{prefix}/{namespace}/{name}".encode()).digest()[:16])
    return f"{prefix}_{_letters(number)}"


def random_id(prefix: str, entropy: bytes) -> str:
    """A LiveKit-shaped id (`SCL_…`) from at least 12 random bytes."""
    assert len(entropy) >= ID_CHARS
    return f"{prefix}_{_letters(int.from_bytes(entropy))}"


def random_suffix(entropy: bytes) -> str:
    """The 12 characters that LiveKit puts behind a randomised room name, from at least 12 random bytes."""
    assert len(entropy) >= ID_CHARS
    return _letters(int.from_bytes(entropy))


def _letters(number: int) -> str:
    out = []
    for _ in range(ID_CHARS):
        number, rest = divmod(number, len(ID_ALPHABET))
        out.append(ID_ALPHABET[rest])
    return "".join(out)
