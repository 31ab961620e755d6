"""DTLS-SRTP and ICE in an m-line, read and written (RFC 5763, RFC 8122, RFC 8839): who somebody is, and who begins.

`keying` decides about them. What cannot be used is as if it were not there; everything is bounded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from runtime.sip.sdp import Attributes, MediaDescription, SessionDescription

PROTOCOLS: Final = frozenset({"UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP"})
OFFERED: Final = "UDP/TLS/RTP/SAVPF"
"""What browsers want to read (RFC 8827 section 6.5), and everybody else who speaks DTLS takes."""
HASH_BYTES: Final = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
FINGERPRINTS_MAX: Final = 8
HOST_PRIORITY: Final = 126 << 24 | 65_535 << 8
"""RFC 8445 section 5.1.2.1: a host candidate, our one address; less the component's number comes to it."""

_fingerprint = re.compile(r"([A-Za-z0-9-]{1,16}) +((?:[0-9A-Fa-f]{2}:)+[0-9A-Fa-f]{2}) *")
_ufrag = re.compile(r"[A-Za-z0-9+/]{4,256}")
_password = re.compile(r"[A-Za-z0-9+/]{22,256}")
_mid = re.compile(r"[A-Za-z0-9._~+-]{1,64}")


@dataclass(frozen=True, slots=True)
class DtlsTerms:
    """What one side says. `setup` is actpass, active or passive; `ufrag` "" where it does no ICE, or only answers.

    `mid` is the name of the m-line, "" for none; `hashes` are (algorithm, digest).
    """

    hashes: tuple[tuple[str, bytes], ...]
    setup: str
    mux: bool
    ufrag: str = ""
    mid: str = ""


@dataclass(frozen=True, slots=True)
class IceLogin:
    """Our user fragment and password, which the peer's checks must show."""

    ufrag: str
    password: str

    def __repr__(self) -> str:
        return f"IceLogin({self.ufrag!r})"


def read_dtls(description: SessionDescription, media: MediaDescription) -> DtlsTerms | None:
    """The peer's terms; None where nothing says by which certificate it is known."""
    texts = media.all("fingerprint") or tuple(
        value or "" for name, value in description.attributes if name == "fingerprint"
    )
    hashes = tuple(found for text in texts[:FINGERPRINTS_MAX] if (found := _read_hash(text)) is not None)
    setup = (_either(description, media, "setup") or "active").strip().lower()  # RFC 4145 section 4.1
    if not hashes or setup not in ("actpass", "active", "passive"):
        return None
    ufrag = (_either(description, media, "ice-ufrag") or "").strip()
    password = (_either(description, media, "ice-pwd") or "").strip()
    # Two that only answer check nothing (RFC 8445 section 6.1.1): then it is as without ICE.
    lite = any(name == "ice-lite" for name, _ in description.attributes)
    does_ice = not lite and _ufrag.fullmatch(ufrag) is not None and _password.fullmatch(password) is not None
    mid = (media.attribute("mid") or "").strip()
    return DtlsTerms(
        hashes,
        setup,
        mux=media.attribute("rtcp-mux") is not None,
        ufrag=ufrag if does_ice else "",
        mid=mid if _mid.fullmatch(mid) else "",
    )


def write_dtls(terms: DtlsTerms, ice: IceLogin | None, address: str, port: int) -> Attributes:
    """Our attributes of an m-line; where there is `ice`, with our one candidate, or two where RTCP has its own port."""
    said: list[tuple[str, str | None]] = [
        ("fingerprint", f"{algorithm} {digest.hex(':').upper()}") for algorithm, digest in terms.hashes
    ]
    said.append(("setup", terms.setup))
    if terms.mid:
        said.append(("mid", terms.mid))
    if terms.mux:
        said.append(("rtcp-mux", None))
    if ice is not None:
        said += [("ice-ufrag", ice.ufrag), ("ice-pwd", ice.password)]
        for component in (1,) if terms.mux else (1, 2):
            priority, at = HOST_PRIORITY + 256 - component, port + component - 1
            said.append(("candidate", f"1 {component} udp {priority} {address} {at} typ host"))
    return tuple(said)


def _either(description: SessionDescription, media: MediaDescription, name: str) -> str | None:
    """The attribute of the m-line, else of the session."""
    own = media.attribute(name)
    return own if own is not None else next((value for known, value in description.attributes if known == name), None)


def _read_hash(text: str) -> tuple[str, bytes] | None:
    found = _fingerprint.fullmatch(text) if len(text) <= 256 else None
    if found is None:
        return None
    algorithm, digest = found[1].lower(), bytes.fromhex(found[2].replace(":", ""))
    return (algorithm, digest) if len(digest) == HASH_BYTES.get(algorithm) else None
