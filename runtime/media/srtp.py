"""Secure RTP and RTCP of one peer (RFC 3711, AES-GCM by RFC 7714): packets in and out, libsrtp underneath.

Called by whoever agreed on keys: rooms by DTLS (RFC 5764), phones by SDES (RFC 4568). It promises that no packet of a
stranger raises: what is not authentic, or was seen before, is None. Sending needs no state of ours beside the keys;
libsrtp counts the roll-overs of every SSRC on both sides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pylibsrtp
from pylibsrtp._binding import ffi, lib


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


PACKET_BYTES_MAX: Final = 1_500
"""As much as pylibsrtp's buffer takes; Ethernet carries no more."""
_TRAILER_BYTES_MAX: Final = 148
"""What libsrtp may add: the tag, a key's identifier, and the index of SRTCP."""

_Step = Callable[[bytes], bytes | None]


class _Direction(pylibsrtp.Session):
    """The packets of one direction."""

    def __init__(self, profile: Profile, key: bytes, ssrc: int) -> None:
        super().__init__(pylibsrtp.Policy(key, ssrc, srtp_profile=profile.number))

    def step(self, work: Callable[[Any, Any, Any], int], size_max: int) -> _Step:
        """A function that hands packets to `work` of libsrtp; None for those that it refuses.

        pylibsrtp's own methods make a cell for the length and four calls more per packet: 1.4 µs, here 0.8 µs.
        """
        context, memory, buffer, length = self._srtp[0], self._cdata, self._buffer, ffi.new("int *")

        def run(packet: bytes) -> bytes | None:
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
    """

    __slots__ = ("_receiving", "_sending", "protect", "protect_rtcp", "unprotect", "unprotect_rtcp")

    def __init__(self, profile: Profile, send_key: bytes, receive_key: bytes) -> None:
        assert len(send_key) == len(receive_key) == profile.key_bytes + profile.salt_bytes
        self._sending = sending = _Direction(profile, send_key, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        self._receiving = receiving = _Direction(profile, receive_key, pylibsrtp.Policy.SSRC_ANY_INBOUND)
        plain_max = PACKET_BYTES_MAX - _TRAILER_BYTES_MAX
        self.protect = sending.step(lib.srtp_protect, plain_max)
        self.protect_rtcp = sending.step(lib.srtp_protect_rtcp, plain_max)
        self.unprotect = receiving.step(lib.srtp_unprotect, PACKET_BYTES_MAX)
        self.unprotect_rtcp = receiving.step(lib.srtp_unprotect_rtcp, PACKET_BYTES_MAX)
