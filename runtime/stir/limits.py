"""Bounds of what a stranger can have verified, each with its unit."""

from __future__ import annotations

from typing import Final

HEADERS_READ_MAX: Final = 8
"""Identity headers of one INVITE that are looked at; those beyond are as if they were not there."""

PASSPORTS_TRIED_MAX: Final = 2
"""Of those, PASSporTs whose certificates are asked for: one may be unusable beside a good one."""

TOKEN_CHARS_MAX: Final = 8_192
"""Of one PASSporT, header, payload and signature together."""

URL_CHARS_MAX: Final = 512
"""Of the place of a certificate."""

DESTINATIONS_MAX: Final = 64
"""Called numbers of one PASSporT."""

ORIGID_CHARS_MAX: Final = 128
"""A UUID has 36."""

TN_DIGITS_MAX: Final = 15
"""Of a telephone number (E.164, RFC 8226 section 9)."""

FRESH_S: Final = 60
"""How far `iat` may be from now, and Date from `iat` (RFC 8224 section 6.2, step 4)."""

CHAIN_MAX: Final = 5
"""Certificates from the signer's to an authority's, both counted."""

CERTIFICATE_BYTES_MAX: Final = 64 << 10
"""Of what is found at the place of a certificate: a chain of four takes some 4 KiB."""

TN_ENTRIES_MAX: Final = 1_000
"""Entries of one TNAuthList."""
