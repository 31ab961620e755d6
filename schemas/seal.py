"""Secrets in the tables: sealed by the reconciler, unsealed by the bridge, readable by nobody else.

Both houses use it with one key (`secret_key` finds that). The seal is AES-SIV (RFC 5297): deterministic, so that equal
declarations make equal tables, and bound to its place (which field of which object), so that a sealed value that
somebody moves to another row opens nothing. What shows is the length of a secret, and that one has changed.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from schemas.tables.rows import Kind, RuleRow

KEY_BYTES = 64
"""Two AES-256 keys, as AES-SIV takes them."""

SECRET_BYTES_MAX = 65_536
"""The longest secret: a chain of certificates."""

INBOUND_PASSWORD = "inbound.auth.passwordFrom"  # noqa: S105 - the name of a field
OUTBOUND_PASSWORD = "outbound.auth.passwordFrom"  # noqa: S105 - the name of a field
CLIENT_CERTIFICATE = "outbound.tls.certificateFrom"
CLIENT_KEY = "outbound.tls.keyFrom"
PIN = "pinFrom"

_PURPOSE = b"dialplane.dev/sealed/1"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value belongs: a field (its path below `spec`) of one object."""

    kind: Kind
    id: str
    field: str


Unseal = Callable[[Place, bytes], bytes | None]
"""The secret in a sealed value; None: another key or place sealed it, or it was damaged, or it was never sealed."""


class Sealer:
    """Seals and unseals with one key of `KEY_BYTES` bytes, which nothing shows."""

    __slots__ = ("_cipher", "_key")

    def __init__(self, key: bytes) -> None:
        assert len(key) == KEY_BYTES, "whoever read the key has looked at its length"
        self._key = key
        self._cipher = AESSIV(key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sealer) and hmac.compare_digest(self._key, other._key)

    def __hash__(self) -> int:
        return hash(self._key)

    def seal(self, place: Place, secret: bytes) -> bytes:
        """The sealed value of a secret that is not empty: the same for the same secret at the same place."""
        assert 0 < len(secret) <= SECRET_BYTES_MAX, "whoever read the secret has looked at its length"
        return self._cipher.encrypt(secret, _bound_to(place))

    def unseal(self, place: Place, sealed: bytes) -> bytes | None:
        """See `Unseal`."""
        try:
            return self._cipher.decrypt(sealed, _bound_to(place))
        except (InvalidTag, ValueError):
            return None


def opens_pin(unseal: Unseal, rule: RuleRow, entered: str) -> bool:
    """Whether the digits that a caller entered are the PIN of a rule. How long that takes tells nothing of the PIN.

    False too for a rule without a PIN and for one whose PIN cannot be unsealed (`unseal` tells the two apart).
    """
    if rule.pin is None:
        return False
    pin = unseal(Place(Kind.RULE, rule.id, PIN), rule.pin.sealed)
    if pin is None:
        return False
    # Hashed, because comparing texts of different lengths takes a different time.
    return hmac.compare_digest(hashlib.sha256(pin).digest(), hashlib.sha256(entered.encode()).digest())


def keyed_hash(key: bytes, purpose: str, data: bytes) -> str:
    """64 hex digits that tell whether data is the same to whoever has the key, and nothing to anybody else.

    Each `purpose` has a key of its own, so that no hash of one can stand for a hash of another.
    """
    own = hmac.digest(key, f"dialplane.dev/{purpose}/1".encode(), "sha256")
    return hmac.digest(own, data, "sha256").hex()


def unseals_nothing(_place: Place, _sealed: bytes) -> bytes | None:
    """An `Unseal` without a key."""
    return None


def _bound_to(place: Place) -> list[bytes]:
    return [_PURPOSE, str(place.kind).encode(), place.id.encode(), place.field.encode()]
