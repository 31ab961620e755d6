"""How the media of an m-line is protected, by our wishes and the peer's (RFC 4568, RFC 5763, RFC 8643).

`streams` asks for each m-line of an offer, `offer_answer` for what we say of ourselves. What a call may be is a policy:

* `disable`: plain, whatever is offered.
* `allow`: encrypted where the peer can, plain where it cannot. Of an offer, an m-line that is encrypted is taken before
  one that is not. Keys are offered within RTP/AVP, so that who does not know them answers plain (RFC 8643).
* `require`: nothing plain is offered or taken.

Keys travel in SDP (`sdes`), or are made by a handshake beside media, of which SDP has the certificate's fingerprint
(`dtls`). Both are taken where they are offered; the first of a call's ways is what we offer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from runtime.sip import dtls_terms
from runtime.sip.crypto_lines import SUITES, CryptoLine, InlineKey, read_crypto, write_crypto
from runtime.sip.dtls_terms import DtlsTerms, IceLogin, read_dtls, write_dtls
from runtime.sip.sdp import Attributes, MediaDescription, SessionDescription

PLAIN: Final = "RTP/AVP"
SECURE: Final = "RTP/SAVP"
BY_KEYS: Final = frozenset({SECURE, "RTP/SAVPF"})
"""What m-lines may name beside. Of the feedback that SAVPF adds (RFC 5124) nothing has to be sent, and nothing is."""
LINES_MAX: Final = 16
"""`a=crypto` lines of one m-line that are looked at."""
UFRAG_BYTES, PASSWORD_BYTES = 4, 16

OFFERED: Final = ("AEAD_AES_128_GCM", "AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_80")
"""The suites of our offers, the cheapest first. Tags of 32 bits are taken from whoever offers nothing else."""

Policy = Literal["disable", "allow", "require"]
Way = Literal["sdes", "dtls"]
WAYS: Final[tuple[Way, ...]] = ("sdes", "dtls")
"""The ways of a call that says nothing about them."""


@dataclass(frozen=True, slots=True)
class Encryption:
    """What a call may agree on, by `ways`, of which the first is offered; `draw(n)` gives n random bytes.

    `certificate`: ours, as (algorithm, digest); without one there is no DTLS.
    """

    policy: Policy = "disable"
    draw: Callable[[int], bytes] | None = field(default=None, repr=False, compare=False)
    ways: tuple[Way, ...] = WAYS
    certificate: tuple[tuple[str, bytes], ...] = ()

    def key(self, suite: str, mki: bytes = b"") -> InlineKey:
        """A new key of ours."""
        return InlineKey(self._drawn(SUITES[suite]), mki)

    def login(self) -> IceLogin:
        """New names for ICE."""
        return IceLogin(self._drawn(UFRAG_BYTES).hex(), self._drawn(PASSWORD_BYTES).hex())

    def takes(self, way: Way) -> bool:
        """Whether a call may be encrypted by this."""
        return self.policy != "disable" and way in self.ways and (way == "sdes" or bool(self.certificate))

    @property
    def offers_dtls(self) -> bool:
        """Whether our offers are of DTLS."""
        return self.policy != "disable" and self.ways[0] == "dtls" and self.takes("dtls")

    def _drawn(self, count: int) -> bytes:
        assert self.draw is not None, "whoever may be encrypted can draw keys"
        return self.draw(count)


PLAIN_ALWAYS: Final = Encryption()


@dataclass(frozen=True, slots=True)
class Secured:
    """The keys of a stream: what we send is protected by `ours`, what the peer sends by one of `theirs`."""

    suite: str
    ours: InlineKey
    theirs: tuple[InlineKey, ...]


@dataclass(frozen=True, slots=True)
class Shaken:
    """A stream whose keys are made by DTLS: what either side says of itself. `ice` is ours, None without ICE."""

    ours: DtlsTerms
    theirs: DtlsTerms
    ice: IceLogin | None

    @property
    def client(self) -> bool:
        """Whether we begin the handshake."""
        return self.theirs.setup == "passive"


def crypto_of(media: MediaDescription, encryption: Encryption) -> CryptoLine | None:
    """The first line of the peer's that can be used: it is the one that it likes best (RFC 4568 section 5.1.2)."""
    if not encryption.takes("sdes") or media.protocol.upper() not in (PLAIN, *BY_KEYS):
        return None
    lines = (read_crypto(text) for text in media.all("crypto")[:LINES_MAX])
    return next((line for line in lines if line is not None), None)


def dtls_of(description: SessionDescription, media: MediaDescription, encryption: Encryption) -> DtlsTerms | None:
    """The peer's terms, where this m-line is encrypted by DTLS."""
    if not encryption.takes("dtls") or media.protocol.upper() not in dtls_terms.PROTOCOLS:
        return None
    return read_dtls(description, media)


def protection_refusal(description: SessionDescription, media: MediaDescription, encryption: Encryption) -> str:
    """Why an m-line cannot be as safe, or as plain, as it is to be; "" where it can."""
    protocol, policy = media.protocol.upper(), encryption.policy
    if protocol not in (PLAIN, *BY_KEYS, *dtls_terms.PROTOCOLS):
        return f"{media.protocol[:40]} is not served, only {PLAIN}, {SECURE} and {dtls_terms.OFFERED}"
    if policy == "disable":
        return "" if protocol == PLAIN else f"{protocol} is not served: this trunk has no encrypted media, only {PLAIN}"
    if protocol in dtls_terms.PROTOCOLS:
        if not encryption.takes("dtls"):
            return f"{protocol} is not served: this trunk takes keys by {' and '.join(encryption.ways).upper()} alone"
        named = dtls_of(description, media, encryption) is not None
        return "" if named else f"the {protocol} stream names no certificate that can be used (a=fingerprint, a=setup)"
    if (policy == "allow" and protocol == PLAIN) or crypto_of(media, encryption) is not None:
        return ""
    if not encryption.takes("sdes"):
        return f"encrypted media by DTLS is required, and the stream is {protocol}"
    if media.attribute("crypto") is None:
        return f"encrypted media is required, and the {protocol} stream has no keys (a=crypto)"
    return f"no way to encrypt in common: of {protocol} none of the a=crypto lines can be used"


def our_lines(encryption: Encryption) -> tuple[CryptoLine, ...]:
    """The keys of an offer of ours, one for each suite."""
    if encryption.policy == "disable" or encryption.offers_dtls or not encryption.takes("sdes"):
        return ()
    return tuple(CryptoLine(tag, suite, (encryption.key(suite),)) for tag, suite in enumerate(OFFERED, 1))


def our_answer(theirs: CryptoLine, before: Secured | None, encryption: Encryption, *, moved: bool) -> CryptoLine:
    """Our line for the one of theirs that is taken. The key that we have stays while it can.

    `moved`: the peer's media is at another address than before. Where its keys are new as well there may be another
    device, which cannot know how often our numbers have rolled over (RFC 4568 section 7.1.4).
    """
    # Who names its keys is answered with a named one.
    mki = b"" if not theirs.keys[0].mki else (1).to_bytes(len(theirs.keys[0].mki))
    stays = (
        before is not None
        and (before.suite, before.ours.mki) == (theirs.suite, mki)
        and (before.theirs == theirs.keys or not moved)
    )
    key = before.ours if before is not None and stays else encryption.key(theirs.suite, mki)
    return CryptoLine(theirs.tag, theirs.suite, (key,))


def settled(answer: MediaDescription, offered: Sequence[CryptoLine]) -> Secured | None:
    """What the answer to an offer of ours comes to; None where it has no usable key of that offer."""
    texts = answer.all("crypto")
    line = read_crypto(texts[0]) if len(texts) == 1 else None  # RFC 4568 section 5.1.3: exactly one
    if line is None:
        return None
    ours = next((each for each in offered if (each.tag, each.suite) == (line.tag, line.suite)), None)
    return None if ours is None else Secured(line.suite, ours.keys[0], line.keys)


def attributes(lines: Sequence[CryptoLine]) -> Attributes:
    """The lines as attributes of an m-line."""
    return tuple(("crypto", write_crypto(line)) for line in lines)


def our_terms(encryption: Encryption, before: Shaken | None) -> Shaken:
    """What an offer of DTLS says of us; the peer's part is still ours. Who answers chooses who begins (RFC 5763)."""
    ours = DtlsTerms(encryption.certificate, "actpass", mux=True)
    if before is not None:
        ours = replace(ours, mux=before.ours.mux, mid=before.ours.mid)
    return Shaken(ours, ours, before.ice if before is not None and before.ice is not None else encryption.login())


def shaken_by_answer(offered: Shaken, theirs: DtlsTerms) -> Shaken | None:
    """What the answer to such an offer comes to; None where both would begin, or neither."""
    if theirs.setup == "actpass":
        return None
    return Shaken(replace(offered.ours, mux=theirs.mux), theirs, offered.ice if theirs.ufrag else None)


def shaken_with(theirs: DtlsTerms, before: Shaken | None, encryption: Encryption) -> Shaken:
    """Our answer to an offer of DTLS. We wait where we may: a phone behind a NAT has to speak first.

    In a call that is up, roles stay where the other side leaves them to us, and so do the names of ICE until it has new
    ones (RFC 8842 section 5.3, RFC 8839 section 4.4.3.1).
    """
    setup = "active" if theirs.setup == "passive" else "passive"
    ice = None
    if before is not None and theirs.setup == "actpass" and before.client:
        setup, theirs = "active", replace(theirs, setup="passive")
    if theirs.ufrag:
        stays = before is not None and before.theirs.ufrag == theirs.ufrag
        ice = before.ice if before is not None and stays else encryption.login()
    return Shaken(DtlsTerms(encryption.certificate, setup, theirs.mux, mid=theirs.mid), theirs, ice)


def dtls_attributes(shaken: Shaken, address: str, port: int) -> Attributes:
    """What is said of it in our m-line, which is at this address and port."""
    return write_dtls(shaken.ours, shaken.ice, address, port)


def answered(
    theirs: SessionDescription,
    answer: MediaDescription,
    offered: str,
    lines: Sequence[CryptoLine],
    dtls: Shaken | None,
) -> tuple[Secured | None, Shaken | None] | str:
    """What an answer settles, to an offer of this protocol with these keys or this certificate; or why it cannot be."""
    if answer.protocol.upper() != offered:
        return f"the answer is {answer.protocol[:20]}, and the offer was {offered}"
    if dtls is not None:
        terms = read_dtls(theirs, answer)
        shaken = shaken_by_answer(dtls, terms) if terms is not None else None
        return (None, shaken) if shaken else "the answer names no certificate, or not who begins the handshake"
    if not lines or (offered == PLAIN and answer.attribute("crypto") is None):
        return None, None
    keys = settled(answer, lines)
    return (keys, None) if keys else "the a=crypto of the answer is none of those that were offered"
