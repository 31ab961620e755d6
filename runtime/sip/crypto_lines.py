"""`a=crypto` lines: keys for media that travel by signalling (SDES, RFC 4568), read and written.

    a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4

`keying` chooses among them. A line that is no such line, names a suite that we do not speak, or wants what we do not do
is None: it is passed over, as section 5.1.2 asks. Whoever offers keys without encryption or without authentication is
refused in that way too. No key is ever shown.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Final

SUITES: Final = {
    "AEAD_AES_128_GCM": 28,
    "AEAD_AES_256_GCM": 44,
    "AES_256_CM_HMAC_SHA1_80": 46,
    "AES_256_CM_HMAC_SHA1_32": 46,
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_CM_128_HMAC_SHA1_32": 30,
}
"""The bytes of key and salt of each suite (RFC 4568 section 6.2, RFC 6188 section 4, RFC 7714 section 14.1)."""

KEYS_MAX: Final = 4
"""Keys of one line."""
MKI_BYTES_MAX: Final = 128
"""RFC 4568 section 9.2."""
LIFETIME_MAX: Final = 1 << 48
"""Packets by one key (RFC 3711 section 9.2)."""
_LINE_CHARS_MAX: Final = 1_024

_line = re.compile(r"([1-9][0-9]{0,8}|0) +([A-Za-z0-9_]{1,64}) +(\S+)((?: +\S+)*) *")
_inline = re.compile(r"inline:([A-Za-z0-9+/]{1,128}={0,2})(?:\|(2\^)?([0-9]{1,15}))?(?:\|([0-9]{1,20}):([0-9]{1,3}))?")
_window = re.compile("WSH=[0-9]{2,4}")


@dataclass(frozen=True, slots=True)
class InlineKey:
    """A master key with its salt behind it, and its identifier (MKI) as it stands in packets; b"" for none.

    `lifetime`: how many packets its sender protects by it, at most.
    """

    key: bytes = field(repr=False)
    mki: bytes = b""
    lifetime: int = field(default=LIFETIME_MAX, compare=False)


@dataclass(frozen=True, slots=True)
class CryptoLine:
    """One line: its sender protects what it sends by the first of `keys`, or by whichever one a packet names."""

    tag: int
    suite: str
    keys: tuple[InlineKey, ...]


def read_crypto(text: str) -> CryptoLine | None:
    """The value of an `a=crypto`; None where it is not to be used."""
    found = _line.fullmatch(text) if len(text) <= _LINE_CHARS_MAX else None
    if found is None:
        return None
    suite = found[2].upper()
    if suite not in SUITES or not all(_is_harmless(parameter) for parameter in found[4].split()):
        return None
    keys = [_read_key(part, SUITES[suite]) for part in found[3].split(";")[: KEYS_MAX + 1]]
    known = tuple(key for key in keys if key is not None)
    if len(known) != len(keys) or len(keys) > KEYS_MAX or not _can_be_told_apart(known):
        return None
    return CryptoLine(int(found[1]), suite, known)


def write_crypto(line: CryptoLine) -> str:
    """The value of an `a=crypto`."""
    return f"{line.tag} {line.suite} {';'.join(_written(key) for key in line.keys)}"


def _is_harmless(parameter: str) -> bool:
    """Session parameters that change nothing (section 6.3): a hint for the replay window, and marked extensions.

    KDR, FEC_ORDER, FEC_KEY, UNENCRYPTED_SRTP, UNENCRYPTED_SRTCP and UNAUTHENTICATED_SRTP would, and so may others.
    """
    return parameter.startswith("-") or _window.fullmatch(parameter) is not None


def _read_key(text: str, size: int) -> InlineKey | None:
    found = _inline.fullmatch(text)
    if found is None:
        return None
    try:
        # Some leave the padding out, which RFC 4568 section 6.1 does not allow but which is not ambiguous.
        key = base64.b64decode(found[1].rstrip("=") + "=" * (-len(found[1].rstrip("=")) % 4), validate=True)
    except binascii.Error:
        return None
    lifetime = LIFETIME_MAX if found[3] is None else _number(int(found[3]), power=found[2] is not None)
    if len(key) != size or not 1 <= lifetime <= LIFETIME_MAX:
        return None
    if found[4] is None:
        return InlineKey(key, b"", lifetime)
    length = int(found[5])
    if not 1 <= length <= MKI_BYTES_MAX or int(found[4]) >> (8 * length):
        return None
    return InlineKey(key, int(found[4]).to_bytes(length), lifetime)


def _number(value: int, *, power: bool) -> int:
    if power:
        return 1 << value if value <= 48 else LIFETIME_MAX + 1
    return value


def _can_be_told_apart(keys: tuple[InlineKey, ...]) -> bool:
    """Several keys need identifiers of one length (section 6.1)."""
    if len(keys) == 1:
        return True
    names = {key.mki for key in keys}
    return b"" not in names and len(names) == len(keys) and len({len(name) for name in names}) == 1


def _written(key: InlineKey) -> str:
    text = f"inline:{base64.b64encode(key.key).decode()}"
    return f"{text}|{int.from_bytes(key.mki)}:{len(key.mki)}" if key.mki else text
