"""Secure RTP and RTCP of one peer (RFC 3711, AES-GCM by RFC 7714): packets in and out, libsrtp underneath.

Called by whoever agreed on keys: rooms by DTLS (RFC 5764), phones by SDES (RFC 4568). It promises that no packet of a
stranger raises: what is not authentic, or was seen before, is None. Sending needs no state of ours beside the keys;
libsrtp counts the roll-overs of every SSRC on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pylibsrtp


@dataclass(frozen=True, slots=True)
class Profile:
    """One way to protect packets. Lengths are bytes."""

    name: str
    """As DTLS names it (RFC 5764 section 4.1.2, RFC 7714 section 14.2)."""
    key_bytes: int
    salt_bytes: int
    number: int
    """libsrtp's."""


PROFILES: Final = {
    profile.name: profile
    for profile in (
        Profile("SRTP_AEAD_AES_128_GCM", 16, 12, pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM),
        Profile("SRTP_AES128_CM_SHA1_80", 16, 14, pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80),
    )
}
"""The ways that both our DTLS and LiveKit know, the cheaper one first."""


class SrtpSession:
    """Both directions with one peer. A key is the master key with the master salt behind it."""

    __slots__ = ("_receiving", "_sending")

    def __init__(self, profile: Profile, send_key: bytes, receive_key: bytes) -> None:
        assert len(send_key) == len(receive_key) == profile.key_bytes + profile.salt_bytes
        outbound, inbound = pylibsrtp.Policy.SSRC_ANY_OUTBOUND, pylibsrtp.Policy.SSRC_ANY_INBOUND
        self._sending = pylibsrtp.Session(pylibsrtp.Policy(send_key, outbound, srtp_profile=profile.number))
        self._receiving = pylibsrtp.Session(pylibsrtp.Policy(receive_key, inbound, srtp_profile=profile.number))

    def protect(self, packet: bytes) -> bytes:
        """An RTP packet, ready to be sent."""
        return self._sending.protect(packet)

    def protect_rtcp(self, compound: bytes) -> bytes:
        """An RTCP compound, ready to be sent."""
        return self._sending.protect_rtcp(compound)

    def unprotect(self, data: bytes) -> bytes | None:
        """The RTP packet in a datagram; None when it is not authentic, or a repetition."""
        try:
            return self._receiving.unprotect(data)
        except (pylibsrtp.Error, ValueError, TypeError):
            return None

    def unprotect_rtcp(self, data: bytes) -> bytes | None:
        """The RTCP compound in a datagram; None likewise."""
        try:
            return self._receiving.unprotect_rtcp(data)
        except (pylibsrtp.Error, ValueError, TypeError):
            return None
