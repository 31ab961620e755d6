"""Whose certificate a peer has shown: the SIP domains that it is for, and whether one of them was dialled (RFC 5922).

`net/connection` asks once TLS has verified the chain; the certificate comes as `ssl.SSLSocket.getpeercert` tells it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

NAMES_SHOWN: Final = 3
NAME_CHARS_SHOWN: Final = 80

Certificate = Mapping[str, Any]

_sip_domain = re.compile(r"sips?:([A-Za-z0-9.-]+)", re.IGNORECASE)
_shown = re.compile(r"[^A-Za-z0-9.*:_-]")


def domains_of(certificate: Certificate) -> tuple[str, ...]:
    """The domains that a certificate is for, in small letters (RFC 5922 section 7.1).

    `sip:` URIs among its alternative names, else its DNS names; the common name only where it has no alternative name.
    """
    alternatives: tuple[tuple[str, str], ...] = tuple(certificate.get("subjectAltName", ()))
    uris = [_sip_domain.fullmatch(value) for kind, value in alternatives if kind == "URI"]
    found = [uri[1] for uri in uris if uri is not None]
    if not found:
        found = [value for kind, value in alternatives if kind == "DNS"]
    if not alternatives:
        pairs = (pair for parts in certificate.get("subject", ()) for pair in parts)
        found = [value for kind, value in pairs if kind == "commonName"]
    return tuple(dict.fromkeys(name.rstrip(".").lower() for name in found))


def is_for(certificate: Certificate, name: str) -> bool:
    """Whether a certificate is for the domain that was dialled.

    RFC 5922 section 7.2 takes no wildcard, and some carriers have no other certificates: one that stands for the whole
    first label is taken, as RFC 9525 section 6.3 has it.
    """
    wanted = name.rstrip(".").lower()
    _, dot, parent = wanted.partition(".")
    wildcard = f"*.{parent}" if dot and "." in parent else None
    return any(found in (wanted, wildcard) for found in domains_of(certificate))


def shown(certificate: Certificate) -> str:
    """Some of its domains, for a message: short, and without what could steer a terminal or a header."""
    names = [_shown.sub("?", name)[:NAME_CHARS_SHOWN] for name in domains_of(certificate)[: NAMES_SHOWN + 1]]
    more = ", ..." if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more if names else "no domain"
