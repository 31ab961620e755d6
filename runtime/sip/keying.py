"""How the media of an m-line is protected, by our wishes and the peer's (RFC 4568, RFC 8643): plain, or by which keys.

`streams` asks for each m-line of an offer, `offer_answer` for the keys that we give. What a call may be is its policy:

* `disable`: plain, whatever is offered.
* `allow`: keys are offered within RTP/AVP, so that who does not know them answers plain (RFC 8643), and who wants
  RTP/SAVP gets that. Of an offer, the m-line with keys is taken before one without.
* `require`: RTP/SAVP is offered, and nothing plain is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from runtime.sip.crypto_lines import SUITES, CryptoLine, InlineKey, read_crypto, write_crypto
from runtime.sip.sdp import Attributes, MediaDescription

PLAIN: Final = "RTP/AVP"
SECURE: Final = "RTP/SAVP"
TAKEN: Final = frozenset({PLAIN, SECURE, "RTP/SAVPF"})
"""What m-lines may name. Of the feedback that SAVPF adds (RFC 5124) nothing has to be sent, and nothing is."""
LINES_MAX: Final = 16
"""`a=crypto` lines of one m-line that are looked at."""

OFFERED: Final = ("AEAD_AES_128_GCM", "AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_80")
"""The suites of our offers, the cheapest first. Tags of 32 bits are taken from whoever offers nothing else."""

Policy = Literal["disable", "allow", "require"]


@dataclass(frozen=True, slots=True)
class Encryption:
    """What a call may agree on; `draw(n)` gives n random bytes for a key."""

    policy: Policy = "disable"
    draw: Callable[[int], bytes] | None = field(default=None, repr=False, compare=False)

    def key(self, suite: str, mki: bytes = b"") -> InlineKey:
        """A new key of ours."""
        assert self.draw is not None, "whoever may be encrypted can draw keys"
        return InlineKey(self.draw(SUITES[suite]), mki)


PLAIN_ALWAYS: Final = Encryption()


@dataclass(frozen=True, slots=True)
class Secured:
    """The keys of a stream: what we send is protected by `ours`, what the peer sends by one of `theirs`."""

    suite: str
    ours: InlineKey
    theirs: tuple[InlineKey, ...]


def crypto_of(media: MediaDescription) -> CryptoLine | None:
    """The first line of the peer's that can be used: it is the one that it likes best (RFC 4568 section 5.1.2)."""
    lines = (read_crypto(text) for text in media.all("crypto")[:LINES_MAX])
    return next((line for line in lines if line is not None), None)


def protection_refusal(media: MediaDescription, policy: Policy) -> str:
    """Why an m-line cannot be as safe, or as plain, as it is to be; "" where it can."""
    protocol = media.protocol.upper()
    if protocol not in TAKEN:
        return f"{media.protocol[:40]} is not served, only {PLAIN} and {SECURE}"
    if policy == "disable":
        return "" if protocol == PLAIN else f"{protocol} is not served: this trunk has no encrypted media, only {PLAIN}"
    if (policy == "allow" and protocol == PLAIN) or crypto_of(media) is not None:
        return ""
    if media.attribute("crypto") is None:
        return f"encrypted media is required, and the {protocol} stream has no keys (a=crypto)"
    return f"no way to encrypt in common: of {protocol} none of the a=crypto lines can be used"


def our_lines(encryption: Encryption) -> tuple[CryptoLine, ...]:
    """The keys of an offer of ours, one for each suite."""
    if encryption.policy == "disable":
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
