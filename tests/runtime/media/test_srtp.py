"""Protected packets: what is not authentic, or came before, is None."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.media import rtcp, rtp
from runtime.media.srtp import PROFILES, Profile, SrtpSession

pytestmark = pytest.mark.usefixtures("each_core")


def pair(profile: Profile) -> tuple[SrtpSession, SrtpSession]:
    size = profile.key_bytes + profile.salt_bytes
    ours, theirs = bytes(range(size)), bytes(range(1, size + 1))
    return SrtpSession(profile, ours, theirs), SrtpSession(profile, theirs, ours)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
def test_packets_go_through_and_differ_on_the_wire(profile: Profile) -> None:
    one, other = pair(profile)
    for n in range(65_500, 65_600):  # over the roll-over of the sequence
        packet = rtp.header(0, False, n & 0xFFFF, n * 160, 7) + bytes(160)
        wire = one.protect(packet)
        assert wire[12:172] != packet[12:]
        assert other.unprotect(wire) == packet
        assert other.unprotect(wire) is None
    report = rtcp.write((rtcp.ReceiverReport(7),))
    assert other.unprotect_rtcp(one.protect_rtcp(report)) == report


@given(st.sampled_from(list(PROFILES.values())), st.binary(max_size=200))
def test_no_datagram_raises(profile: Profile, data: bytes) -> None:
    session, _ = pair(profile)
    assert session.unprotect(data) is None
    assert session.unprotect_rtcp(data) is None
