"""Secure RTP and RTCP of one peer (RFC 3711, AES-GCM by RFC 7714): packets in and out, libsrtp underneath.

Called by whoever agreed on keys: rooms and phones by DTLS (RFC 5764), phones by SDES (RFC 4568; see `protection`). It
promises that no packet of a stranger raises: what is not authentic, or was seen before, is None. Sending needs no state
of ours beside the keys; libsrtp counts the roll-overs of every SSRC on both sides. The native core does all of it in
its place, for the keys of any profile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pylibsrtp
from pylibsrtp._binding import ffi, lib

from runtime.media import native, srtp_cm
from runtime.media.srtp_cm import Step


@dataclass(frozen=True, slots=True)
class Profile:
    """One way to protect packets. Lengths are bytes."""

    name: str
    """As DTLS names it (RFC 5764 section 4.1.2, RFC 7714 section 14.2)."""
    suite: str
    """As SDP names it (RFC 4568 section 6.2, RFC 7714 section 14.1)."""
    key_bytes: int
    salt_bytes: int
    number: int | None
    """libsrtp's; None where it does not know it, and we do that ourselves (`srtp_cm`)."""
    tail_bytes: int
    rtcp_tail_bytes: int
    """What stands behind the place of a key's identifier (MKI): the tag, and nothing where the cipher has it inside."""

    @property
    def shape(self) -> tuple[bool, int, int]:
        """For the native core: whether it is AES-GCM, the length of the key, that of the tag."""
        return self.suite.startswith("AEAD_"), self.key_bytes, self.tail_bytes


PROFILES: Final = {
    profile.name: profile
    for profile in (
        Profile(
            "SRTP_AEAD_AES_128_GCM", "AEAD_AES_128_GCM", 16, 12, pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 0, 0
        ),
        Profile(
            "SRTP_AEAD_AES_256_GCM", "AEAD_AES_256_GCM", 32, 12, pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 0, 0
        ),
        Profile(
            "SRTP_AES128_CM_SHA1_80",
            "AES_CM_128_HMAC_SHA1_80",
            16,
            14,
            pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
            10,
            10,
        ),
        # Only packets of media have the short tag (RFC 5764 section 4.1.2).
        Profile(
            "SRTP_AES128_CM_SHA1_32",
            "AES_CM_128_HMAC_SHA1_32",
            16,
            14,
            pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
            4,
            10,
        ),
    )
}
"""The ways that DTLS can agree on, the cheapest first and the short tag last."""

_OURS: Final = (
    Profile("", "AES_256_CM_HMAC_SHA1_80", 32, 14, None, 10, 10),
    Profile("", "AES_256_CM_HMAC_SHA1_32", 32, 14, None, 4, 10),
)
"""Those of RFC 6188, which DTLS has no names for."""

SUITES: Final = {profile.suite: profile for profile in (*PROFILES.values(), *_OURS)}
"""The ways that signalling can agree on."""

PACKET_BYTES_MAX: Final = 1_500
"""As much as pylibsrtp's buffer takes; Ethernet carries no more."""
_TRAILER_BYTES_MAX: Final = 148
"""What libsrtp may add: the tag, a key's identifier, and the index of SRTCP."""

INDEX_MAX: Final = 256 << 16
"""Four days of packets: a stream is not looked for beyond."""
_STRIDE: Final = 0x7000
"""Less than half of the sequence numbers, so that it is clear that they went on."""


class _Direction(pylibsrtp.Session):
    """The packets of one direction."""

    def __init__(self, profile: Profile, key: bytes, ssrc: int) -> None:
        assert profile.number is not None
        super().__init__(pylibsrtp.Policy(key, ssrc, srtp_profile=profile.number))

    def step(self, work: Callable[[Any, Any, Any], int], size_max: int) -> Step:
        """A function that hands packets to `work` of libsrtp; None for those that it refuses.

        It keeps the session alive. pylibsrtp's own methods make a cell for the length and four calls more per packet:
        1.4 µs, here 0.8 µs.
        """
        context, memory, buffer, length = self._srtp[0], self._cdata, self._buffer, ffi.new("int *")

        def run(packet: bytes, _kept: object = self._srtp) -> bytes | None:
            size = len(packet)
            if size > size_max:
                return None
            buffer[0:size] = packet
            length[0] = size
            if work(context, memory, length):
                return None
            made: bytes = buffer[0 : length[0]]
            return made

        return run


class SrtpSession:
    """Both directions with one peer. A key is the master key with the master salt behind it.

    `protect` and `protect_rtcp` take a packet or compound of ours, as large as networks carry, and make it ready to be
    sent. `unprotect` and `unprotect_rtcp` give what is in a datagram; None when it is not authentic, or a repetition.
    `opener`: the native core's, by which sockets can open packets themselves.
    """

    __slots__ = ("opener", "protect", "protect_rtcp", "unprotect", "unprotect_rtcp")

    def __init__(self, profile: Profile, send_key: bytes, receive_key: bytes) -> None:
        self.protect, self.protect_rtcp = sealer(profile, send_key)
        self.opener: Any = None
        if native.core is None:
            self.unprotect, self.unprotect_rtcp = opener(profile, receive_key)
        else:
            self.opener = native.core.Opener(*profile.shape, receive_key)
            self.unprotect, self.unprotect_rtcp = self.opener.rtp, self.opener.rtcp


def sealer(profile: Profile, key: bytes) -> tuple[Step, Step]:
    """Two functions that protect our packets of media and our RTCP; None for what is too long, or was sent before."""
    assert len(key) == profile.key_bytes + profile.salt_bytes
    if native.core is not None:
        made = native.core.Sealer(*profile.shape, key)
        return made.rtp, made.rtcp
    if profile.number is None:
        return srtp_cm.sealer(key, profile.tail_bytes)
    direction = _Direction(profile, key, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
    plain_max = PACKET_BYTES_MAX - _TRAILER_BYTES_MAX
    return direction.step(lib.srtp_protect, plain_max), direction.step(lib.srtp_protect_rtcp, plain_max)


def opener(profile: Profile, key: bytes) -> tuple[Step, Step]:
    """Two functions that open the peer's packets of media and its RTCP; None for what it did not send, or again."""
    assert len(key) == profile.key_bytes + profile.salt_bytes
    if native.core is not None:
        made = native.core.Opener(*profile.shape, key)
        return made.rtp, made.rtcp
    if profile.number is None:
        return srtp_cm.opener(key, profile.tail_bytes)
    direction = _Direction(profile, key, pylibsrtp.Policy.SSRC_ANY_INBOUND)
    size_max = PACKET_BYTES_MAX
    return direction.step(lib.srtp_unprotect, size_max), direction.step(lib.srtp_unprotect_rtcp, size_max)


def opener_from(profile: Profile, key: bytes, ssrc: bytes, index: int) -> Step:
    """The first of both, for a stream whose next packet has this index (RFC 3711 section 3.3.1).

    libsrtp cannot be told; but it can be led there by packets of our own, which nobody else sees.
    """
    assert 0 < index < INDEX_MAX
    if native.core is not None:
        step: Step = native.core.Opener(*profile.shape, key, int.from_bytes(ssrc), index).rtp
        return step
    if profile.number is None:
        return srtp_cm.opener(key, profile.tail_bytes, ssrc, index)[0]
    seal, take = sealer(profile, key)[0], opener(profile, key)[0]
    for at in (*range(0, index - 1, _STRIDE), index - 1):
        led = seal(b"\x80\x00" + (at & 0xFFFF).to_bytes(2) + bytes(4) + ssrc)
        assert led is not None
        take(led)
    return take
