"""A leg's secure RTP over a long call: roll-overs, lost and late packets, new keys, names of keys, forgeries."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.media import native, rtcp, rtp, srtp_cm
from runtime.media.protection import STREAMS_MAX, TRIED_EVERY, Keys, MasterKey, Protection
from runtime.media.srtp import SUITES, Profile

pytestmark = pytest.mark.usefixtures("each_core")

SSRC = 0xCAFEBABE
ALL = pytest.mark.parametrize("profile", SUITES.values(), ids=list(SUITES))
profiles = st.sampled_from(list(SUITES.values()))


def master(profile: Profile, seed: int, mki: bytes = b"") -> MasterKey:
    return MasterKey(Random(seed).randbytes(profile.key_bytes + profile.salt_bytes), mki)


def pair(profile: Profile, mki: bytes = b"") -> tuple[Protection, Protection]:
    ours, theirs = master(profile, 1, mki), master(profile, 2, mki)
    return Protection(Keys(profile, ours, (theirs,))), Protection(Keys(profile, theirs, (ours,)))


def packet(n: int, ssrc: int = SSRC) -> bytes:
    return rtp.header(0, False, n & 0xFFFF, n * 160 & 0xFFFFFFFF, ssrc) + n.to_bytes(4) * 40


def sealed(protection: Protection, data: bytes) -> bytes:
    wire = protection.protect(data)
    assert wire is not None
    return wire


@ALL
@pytest.mark.parametrize("mki", [b"", b"\1", b"\0\0\0\1"])
def test_media_and_reports_go_through_and_are_not_plain_on_the_wire(profile: Profile, mki: bytes) -> None:
    one, other = pair(profile, mki)
    for n in range(65_500, 65_600):
        wire = sealed(one, packet(n))
        assert packet(n)[12:] not in wire
        assert other.unprotect(wire) == packet(n)
        assert other.unprotect(wire) is None, "again"
    report = rtcp.write((rtcp.ReceiverReport(7),))
    for _ in range(3):
        wire = one.protect_rtcp(report)
        assert wire is not None
        assert other.unprotect_rtcp(wire) == report
        assert other.unprotect_rtcp(wire) is None
    assert other.unauthentic == 103


@ALL
def test_a_day_of_packets_goes_through_every_roll_over(profile: Profile) -> None:
    one, other = pair(profile)
    for n in range(0, 70 << 16, 9_973):  # 24 h at 20 ms, a packet of each three minutes
        assert other.unprotect(sealed(one, packet(n))) == packet(n)


@settings(deadline=None, max_examples=60)
@given(profiles, st.randoms(use_true_random=False), st.integers(0, 3))
def test_loss_and_disorder_around_the_wrap(profile: Profile, random: Random, wraps: int) -> None:
    one, other = pair(profile)
    start = (wraps + 1 << 16) - 60
    for n in range(0, start, 20_000):
        other.unprotect(sealed(one, packet(n)))
    other.unprotect(sealed(one, packet(start)))
    wires = {n: sealed(one, packet(n)) for n in range(start + 1, start + 120)}
    sent = [n for n in wires if random.random() < 0.7]
    order = sorted(sent, key=lambda n: n + random.random() * 20)
    for n in order:
        assert other.unprotect(wires[n]) == packet(n)
        assert other.unprotect(wires[random.choice(order[: order.index(n) + 1])]) is None


@ALL
@pytest.mark.parametrize("first", [65_536, 65_600, 90_000])
def test_who_comes_late_finds_the_roll_over(profile: Profile, first: int) -> None:
    """The first packets, before the wrap, were lost."""
    one, other = pair(profile)
    for n in range(65_000, first, 500):
        one.protect(packet(n))
    heard = [other.unprotect(sealed(one, packet(n))) is not None for n in range(first, first + 50)]
    assert all(heard[TRIED_EVERY:])
    assert other.unauthentic <= TRIED_EVERY


@ALL
def test_a_gap_of_more_than_half_of_the_numbers_is_survived(profile: Profile) -> None:
    one, other = pair(profile)
    other.unprotect(sealed(one, packet(100)))
    for n in range(200, 100 + 60_000, 5_000):
        one.protect(packet(n))
    heard = [other.unprotect(sealed(one, packet(n))) is not None for n in range(60_100, 60_150)]
    assert all(heard[TRIED_EVERY:])


@ALL
def test_nothing_old_is_taken_after_a_roll_over_was_found(profile: Profile) -> None:
    one, other = pair(profile)
    old = [sealed(one, packet(n)) for n in range(200)]
    for wire in old[:100]:
        assert other.unprotect(wire) is not None
    for n in range(5_000, 70_000, 5_000):
        one.protect(packet(n))
    for n in range(70_000, 70_050):
        other.unprotect(sealed(one, packet(n)))
    assert all(other.unprotect(wire) is None for wire in old * 3)


@ALL
def test_new_keys_of_both_sides_count_from_zero(profile: Profile) -> None:
    one, other = pair(profile)
    for n in range(0, 3 << 16, 20_000):
        other.unprotect(sealed(one, packet(n)))
    last = sealed(one, packet((3 << 16) + 1))
    fresh = master(profile, 3)
    one.rekey(Keys(profile, fresh, one.keys.receive))
    other.rekey(Keys(profile, other.keys.send, (fresh,)))
    assert other.unprotect(last) is not None, "by the key before"
    assert other.unprotect(sealed(one, packet((3 << 16) + 2))) is not None
    assert other.unprotect(last) is None
    back = sealed(other, packet(5))
    assert one.unprotect(back) == packet(5), "the other way nothing has changed"


@ALL
def test_a_peer_that_counts_on_under_its_new_key_is_found(profile: Profile) -> None:
    """RFC 3711 section 3.3.1; most begin anew."""
    one, other = pair(profile)
    fresh = master(profile, 3)
    peer = Protection(Keys(profile, fresh, (master(profile, 9),)))
    for n in range(0, 3 << 16, 20_000):
        other.unprotect(sealed(one, packet(n)))
        peer.protect(packet(n))
    other.rekey(Keys(profile, other.keys.send, (fresh,)))
    heard = [other.unprotect(sealed(peer, packet(n))) is not None for n in range(3 << 16, (3 << 16) + 50)]
    assert all(heard[TRIED_EVERY:])


@ALL
def test_keys_that_stay_keep_their_roll_over_whatever_else_changes(profile: Profile) -> None:
    one, other = pair(profile)
    for n in range(0, 2 << 16, 20_000):
        other.unprotect(sealed(one, packet(n)))
    other.rekey(Keys(profile, master(profile, 8), other.keys.receive))
    one.rekey(Keys(profile, one.keys.send, one.keys.receive))
    assert other.unprotect(sealed(one, packet(2 << 16))) is not None
    assert other.unauthentic == 0


def test_another_suite_is_another_key() -> None:
    one, other = pair(SUITES["AES_CM_128_HMAC_SHA1_80"])
    assert other.unprotect(sealed(one, packet(1))) is not None
    gcm = SUITES["AEAD_AES_128_GCM"]
    ours, theirs = master(gcm, 5), master(gcm, 6)
    one.rekey(Keys(gcm, ours, (theirs,)))
    other.rekey(Keys(gcm, theirs, (ours,)))
    assert other.unprotect(sealed(one, packet(2))) is not None


@ALL
def test_a_fork_that_answers_after_another_is_heard(profile: Profile) -> None:
    mine = Protection(Keys(profile, master(profile, 1), (master(profile, 2),)))
    early, late = (Protection(Keys(profile, master(profile, n), (master(profile, 1),))) for n in (2, 3))
    assert mine.unprotect(sealed(early, packet(1, 5))) is not None
    mine.rekey(Keys(profile, master(profile, 1), (master(profile, 3),)))
    assert mine.unprotect(sealed(early, packet(2, 5))) is not None, "until the other one is heard"
    assert mine.unprotect(sealed(late, packet(1, 6))) is not None
    assert mine.unprotect(sealed(early, packet(3, 5))) is None
    assert early.unprotect(sealed(mine, packet(1))) is not None
    assert late.unprotect(sealed(mine, packet(2))) is not None


@ALL
def test_packets_name_their_key(profile: Profile) -> None:
    keys = [master(profile, n, bytes([0, n])) for n in (1, 2)]
    receiver = Protection(Keys(profile, master(profile, 9), tuple(keys)))
    for key in keys:
        sender = Protection(Keys(profile, key, (master(profile, 9),)))
        wire = sealed(sender, packet(7))
        assert receiver.unprotect(wire) == packet(7)
        report = rtcp.write((rtcp.ReceiverReport(7),))
        assert receiver.unprotect_rtcp(sender.protect_rtcp(report) or b"") == report
    stranger = Protection(Keys(profile, master(profile, 1, b"\0\7"), (master(profile, 9),)))
    assert receiver.unprotect(sealed(stranger, packet(8))) is None


@ALL
def test_the_streams_of_a_peer_are_bounded(profile: Profile) -> None:
    one, other = pair(profile)
    heard = [other.unprotect(sealed(one, packet(1, ssrc))) is not None for ssrc in range(50)]
    assert heard == [True] * STREAMS_MAX + [False] * (50 - STREAMS_MAX)


@settings(deadline=None)
@given(profiles, st.binary(max_size=1600), st.sampled_from([b"", b"\1", b"\1" * 128]))
def test_no_datagram_raises_or_is_taken(profile: Profile, data: bytes, mki: bytes) -> None:
    one, other = pair(profile, mki)
    assert other.unprotect(data) is None
    assert other.unprotect_rtcp(data) is None
    assert other.unauthentic == 2
    assert one.protect(packet(1)) is not None


@settings(deadline=None, max_examples=200)
@given(profiles, st.integers(0, 200), st.integers(1, 255))
def test_a_packet_with_any_bit_changed_is_none(profile: Profile, at: int, change: int) -> None:
    one, other = pair(profile)
    wire = bytearray(sealed(one, packet(1)))
    wire[at % len(wire)] ^= change
    assert other.unprotect(bytes(wire)) is None
    report = bytearray(one.protect_rtcp(rtcp.write((rtcp.ReceiverReport(7), rtcp.Bye((7,))))) or b"")
    report[at % len(report)] ^= change
    assert other.unprotect_rtcp(bytes(report)) is None


@ALL
def test_reports_without_encryption_are_not_taken(profile: Profile) -> None:
    """The E bit (RFC 3711 section 3.4): nobody has agreed on it."""
    one, other = pair(profile)
    wire = bytearray(one.protect_rtcp(rtcp.write((rtcp.ReceiverReport(7),))) or b"")
    end = len(wire) - profile.rtcp_tail_bytes
    assert wire[end - 4] & 0x80, "ours are encrypted"
    wire[end - 4] &= 0x7F
    assert other.unprotect_rtcp(bytes(wire)) is None


@ALL
def test_a_key_opens_no_more_packets_than_its_sender_gave_it(profile: Profile) -> None:
    """RFC 4568 section 6.1, RFC 3711 section 9.2."""
    ours, few = master(profile, 1), MasterKey(master(profile, 2).key, b"", 4)
    other, one = Protection(Keys(profile, few, (ours,))), Protection(Keys(profile, ours, (few,)))
    report = rtcp.write((rtcp.ReceiverReport(7),))
    for n in range(6):
        assert one.unprotect(sealed(other, packet(n))) == (packet(n) if n < 4 else None)
        wire = other.protect_rtcp(report)
        assert wire is not None
        assert one.unprotect_rtcp(wire) == (report if n < 4 else None)
    assert one.unauthentic == 4
    one.rekey(Keys(profile, ours, (MasterKey(few.key),)))
    assert one.unprotect(sealed(other, packet(6))) is None, "saying the same key again gives it no second life"
    fresh = master(profile, 3)
    other.rekey(Keys(profile, fresh, (ours,)))
    one.rekey(Keys(profile, ours, (fresh,)))
    assert one.unprotect(sealed(other, packet(7))) == packet(7)


def test_what_we_do_ourselves_stops_where_libsrtp_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "core", None)
    monkeypatch.setattr(srtp_cm, "RTCP_INDEX_MAX", 3)
    monkeypatch.setattr(srtp_cm, "INDEX_MAX", 1 << 16)
    one, other = pair(SUITES["AES_256_CM_HMAC_SHA1_80"])
    report = rtcp.write((rtcp.ReceiverReport(7),))
    assert [one.protect_rtcp(report) is not None for _ in range(5)] == [True, True, True, False, False]
    for n in range(65_530, 65_536):
        assert other.unprotect(sealed(one, packet(n))) == packet(n)
    assert one.protect(packet(65_536)) is None
