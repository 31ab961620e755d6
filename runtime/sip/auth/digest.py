"""The arithmetic of Digest: hashes by their names in the algorithm parameter, and the response (RFC 7616 section 3.4).

`MD5`, `SHA-256` and `SHA-512-256`, each also as `-sess`; qop `auth` or none. RFC 7616's own example of SHA-512-256
(section 3.9.2) was computed with another function, SHA-512 cut short (erratum 4897); ours is the one it names.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from cryptography.hazmat.primitives.hashes import SHA512_256, Hash

_SESSION = "-sess"


class Algorithm(StrEnum):
    """The hash functions by their registered names (RFC 8760 section 2.1), the strongest first."""

    SHA_512_256 = "SHA-512-256"
    SHA_256 = "SHA-256"
    MD5 = "MD5"

    def hash(self, data: bytes) -> str:
        """The hash of `data` in small hexadecimal digits."""
        if self is Algorithm.MD5:
            return hashlib.md5(data, usedforsecurity=False).hexdigest()
        if self is Algorithm.SHA_256:
            return hashlib.sha256(data).hexdigest()
        digest = Hash(SHA512_256())  # hashlib has it only where OpenSSL was built so
        digest.update(data)
        return digest.finalize().hex()


ALGORITHMS = tuple(Algorithm)
"""The strongest first."""

_BY_NAME = {str(algorithm).lower(): algorithm for algorithm in ALGORITHMS}


@dataclass(frozen=True, slots=True)
class Exchange:
    """What both sides of one challenge know, beside the password. `qop` None: without `nc` and `cnonce` (RFC 2069)."""

    method: str
    uri: str
    realm: str
    nonce: str
    qop: str | None = None
    nc: str = ""
    cnonce: str = ""


def read_algorithm(name: str) -> tuple[Algorithm, bool] | None:
    """(algorithm, whether by session) of an algorithm parameter in any case; None for one that nobody here knows."""
    folded = name.lower()
    found = _BY_NAME.get(folded.removesuffix(_SESSION))
    return None if found is None else (found, folded.endswith(_SESSION))


def response(
    algorithm: Algorithm, exchange: Exchange, username: str, password: bytes, *, by_session: bool = False
) -> str:
    """The response parameter for these credentials."""
    secret = algorithm.hash(f"{username}:{exchange.realm}:".encode() + password)
    if by_session:
        secret = algorithm.hash(f"{secret}:{exchange.nonce}:{exchange.cnonce}".encode())
    asked = algorithm.hash(f"{exchange.method}:{exchange.uri}".encode())
    if exchange.qop is None:
        return algorithm.hash(f"{secret}:{exchange.nonce}:{asked}".encode())
    counted = f"{exchange.nonce}:{exchange.nc}:{exchange.cnonce}:{exchange.qop}"
    return algorithm.hash(f"{secret}:{counted}:{asked}".encode())
