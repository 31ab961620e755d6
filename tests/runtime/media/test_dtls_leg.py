"""DTLS-SRTP of a leg in memory: who may shake hands, what strangers can do (nothing), and where media go."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.media import rtcp, rtp
from runtime.media.dtls import Dtls, DtlsError, Fingerprint, new_identity
from runtime.media.dtls_leg import BEGUN_MAX, HANDSHAKE_S, HANDSHAKES_MAX, DtlsLeg, Handshake
from runtime.media.ice_lite import CONSENT_S
from runtime.media.protection import Protection
from runtime.media.source import Address
from tests.runtime.media.test_ice_lite import NAMES, check

pytestmark = pytest.mark.usefixtures("each_core")

NOW = datetime(2026, 1, 1, tzinfo=UTC)
US, PHONE_ID, STRANGER_ID = new_identity(NOW), new_identity(NOW), new_identity(NOW)
PHONE, STRANGER = ("192.0.2.7", 4000), ("192.0.2.66", 4000)
ALERT = b"\x15\xfe\xfd\x00\x00\x00\x00\x00\x00\x00\x07\x00\x02\x02\x28"
"""A fatal alert, in clear: handshake failure."""


def anywhere(_host: str) -> bool:
    return True


def leg(*, client: bool = False, ice: bool = False, may_be: Callable[[str], bool] = anywhere) -> DtlsLeg:
    handshake = Handshake((PHONE_ID.fingerprint,), client, True, NAMES if ice else None)
    return DtlsLeg(US, handshake, PHONE, may_be, 0.0)


class Phone:
    """The other end."""

    def __init__(self, to: DtlsLeg, at: Address = PHONE, *, client: bool = True, identity=PHONE_ID) -> None:
        self.to, self.at = to, at
        self.dtls = Dtls(identity, (US.fingerprint,), client=client)
        self.dtls.start()
        self.protection: Protection | None = None

    def shake(self, now: float = 0.0) -> None:
        """Carry datagrams both ways until all are silent; those for others are lost."""
        moved = True
        while moved:
            moved = False
            for datagram in self.dtls.datagrams_to_send():
                moved = True
                assert self.to.receive(datagram, self.at, now) is None
            while (said := self.to.next_datagram()) is not None:
                if said[1] == self.at and 20 <= said[0][0] <= 63:
                    moved = True
                    try:
                        self.dtls.receive(said[0])
                    except DtlsError:
                        return
        if self.dtls.keys is not None and self.protection is None:
            self.protection = Protection(self.dtls.keys)

    def says(self, n: int, now: float, at: Address | None = None) -> bool:
        assert self.protection is not None
        packet = rtp.header(0, False, n, n * 160, 7) + bytes(160)
        wire = self.protection.protect(packet)
        assert wire is not None
        return self.to.receive(wire, at or self.at, now) == (packet, False)


@pytest.mark.parametrize("client", [False, True])
def test_a_handshake_gives_keys_and_media_goes_both_ways(client: bool) -> None:
    ours = leg(client=client)
    assert ours.protect(bytes(172), 0.0) is None, "nothing before"
    phone = Phone(ours, client=not client)
    phone.shake()
    assert ours.remote == PHONE
    assert phone.says(1, 0.1)
    report = rtcp.write((rtcp.ReceiverReport(7),))
    assert phone.protection is not None
    wire = phone.protection.protect_rtcp(report)
    assert wire is not None
    assert ours.receive(wire, PHONE, 0.1) == (report, True)
    packet = rtp.header(0, False, 1, 160, 9) + bytes(160)
    sealed = ours.protect(packet, 0.1)
    assert sealed is not None
    assert (sealed[1], phone.protection.unprotect(sealed[0])) == (PHONE, packet)


def test_another_certificate_gets_no_keys_and_ends_nothing() -> None:
    ours = leg()
    Phone(ours, identity=STRANGER_ID).shake()
    assert ours.protection is None
    assert "certificate" in ours.fault
    phone = Phone(ours)
    phone.shake()
    assert ours.protection is not None
    assert phone.says(1, 0.1)


@pytest.mark.parametrize("algorithm", ["sha-256", "sha-384", "sha-512"])
def test_a_certificate_may_be_named_by_any_strong_hash(algorithm: str) -> None:
    from runtime.media.dtls import HASHES

    certificate = PHONE_ID.context  # the certificate itself is read from a handshake
    assert certificate is not None
    seen: list[Fingerprint] = []
    client, server = Dtls(PHONE_ID, (US.fingerprint,), client=True), Dtls(US, (PHONE_ID.fingerprint,), client=False)
    client.start()
    for _ in range(6):
        for one, other in ((client, server), (server, client)):
            for datagram in one.datagrams_to_send():
                other.receive(datagram)
    shown = server._connection.get_peer_certificate(as_cryptography=True)
    assert shown is not None
    seen.append(Fingerprint(algorithm, shown.fingerprint(HASHES[algorithm])))
    wrong = Fingerprint("sha-512", bytes(64))
    ours = DtlsLeg(US, Handshake((wrong, *seen), False, True), PHONE, anywhere, 0.0)
    Phone(ours).shake()
    assert ours.protection is not None


def test_a_client_hello_that_comes_first_does_not_stop_the_phone() -> None:
    """CVE-2023-49786."""
    ours = leg()
    stranger = Phone(ours, STRANGER, identity=STRANGER_ID)
    for datagram in stranger.dtls.datagrams_to_send():
        ours.receive(datagram, STRANGER, 0.0)
    phone = Phone(ours)
    phone.shake()
    assert ours.remote == PHONE
    stranger.shake()
    assert (ours.remote, phone.says(1, 0.1)) == (PHONE, True)


@pytest.mark.parametrize("at", [PHONE, STRANGER])
@pytest.mark.parametrize("when", ["before", "during", "after"])
def test_an_alert_ends_nothing_for_good(at: Address, when: str) -> None:
    ours = leg()
    if when == "before":
        ours.receive(ALERT, at, 0.0)
    phone = Phone(ours)
    if when == "during":
        for datagram in phone.dtls.datagrams_to_send():
            ours.receive(datagram, PHONE, 0.0)
        ours.receive(ALERT, at, 0.0)
    phone.shake()
    if when == "after":
        ours.receive(ALERT, at, 0.1)
    assert phone.says(1, 0.2)


def test_our_last_flight_is_sent_again_until_media_come() -> None:
    ours = leg()
    phone = Phone(ours)
    while ours.protection is None:
        for datagram in phone.dtls.datagrams_to_send():
            ours.receive(datagram, PHONE, 0.0)
        while ours.protection is None and (said := ours.next_datagram()) is not None:
            phone.dtls.receive(said[0])
    while ours.next_datagram() is not None:
        pass  # lost
    time.sleep(1.1)  # OpenSSL has a clock of its own
    phone.dtls.handle_timer()
    phone.shake(1.0)
    assert phone.says(1, 1.1)
    assert ours._dtls is None, "what is not needed any more is not kept"


def test_the_goodbye_of_a_phone_ends_no_media() -> None:
    ours = leg()
    phone = Phone(ours)
    phone.shake()
    phone.dtls.close()
    phone.shake()
    assert phone.says(1, 0.1)


def test_handshakes_are_bounded_at_a_time_and_in_all() -> None:
    ours = leg()
    strangers = [Phone(ours, ("192.0.2.66", n), identity=STRANGER_ID) for n in range(50)]
    for stranger in strangers:
        for datagram in stranger.dtls.datagrams_to_send():
            ours.receive(datagram, stranger.at, 0.0)
    assert len(ours._open) == HANDSHAKES_MAX - 1, "one place is the phone's"
    for n in range(50):
        ours.handle_timer(HANDSHAKE_S * (n + 1))
        late = Phone(ours, ("192.0.2.67", n), identity=STRANGER_ID)
        for datagram in late.dtls.datagrams_to_send():
            ours.receive(datagram, late.at, HANDSHAKE_S * (n + 1))
    assert ours._begun == BEGUN_MAX
    phone = Phone(ours)
    phone.shake(HANDSHAKE_S * 60)
    assert ours.remote == PHONE


def test_a_phone_behind_a_nat_is_found_and_followed() -> None:
    ours, real, moved = leg(), ("203.0.113.5", 1234), ("203.0.113.5", 9999)
    phone = Phone(ours, real)
    phone.shake()
    assert ours.remote == real
    assert phone.says(1, 1.0)
    assert phone.says(2, 1.5, moved)
    assert ours.remote == real, "the address before is not silent yet"
    assert phone.says(3, 3.0, moved)
    assert ours.remote == moved


def test_nobody_is_heard_where_the_trunks_media_may_not_be() -> None:
    ours = leg(may_be=lambda host: host == PHONE[0])
    Phone(ours, STRANGER).shake()
    assert ours.protection is None
    phone = Phone(ours)
    phone.shake()
    assert phone.says(1, 0.1)
    assert not phone.says(2, 5.0, STRANGER)


def test_with_ice_nobody_shakes_hands_before_its_check() -> None:
    ours = leg(ice=True)
    Phone(ours).shake()
    assert ours.protection is None
    assert ours.next_datagram() is None
    real = ("203.0.113.5", 1234)
    ours.receive(check(nominates=True), real, 1.0)
    answer = ours.next_datagram()
    assert answer is not None
    assert answer[1] == real
    phone = Phone(ours, real)
    phone.shake(1.0)
    assert ours.remote == real
    assert phone.says(1, 1.1)
    Phone(ours, STRANGER).shake(1.2)
    assert phone.says(2, 1.3)


def test_with_ice_media_follow_the_phones_choice_and_its_consent() -> None:
    ours = leg(ice=True)
    ours.receive(check(nominates=True, priority=1), PHONE, 1.0)
    phone = Phone(ours)
    phone.shake(1.0)
    packet = rtp.header(0, False, 1, 160, 9) + bytes(160)
    assert (ours.protect(packet, 1.0) or (b"", None))[1] == PHONE
    better = ("192.0.2.9", 5)
    ours.receive(check(nominates=True, priority=9), better, 2.0)
    packet = rtp.header(0, False, 2, 320, 9) + bytes(160)
    assert (ours.protect(packet, 2.0) or (b"", None))[1] == better
    assert phone.says(1, 2.0, STRANGER), "authentic is authentic"
    assert ours.remote == better
    assert ours.protect(packet, 2.0 + CONSENT_S) is None, "the phone has stopped checking"


def test_new_names_of_ice_find_a_new_way_and_media_go_by_the_old_one_until_then() -> None:
    ours = leg(ice=True)
    ours.receive(check(nominates=True), PHONE, 1.0)
    phone = Phone(ours)
    phone.shake(1.0)
    names = replace(NAMES, ufrag="new", password="n" * 32, their_ufrag="newer")
    assert ours.renew(Handshake((PHONE_ID.fingerprint,), False, True, names), PHONE, 2.0)
    assert (ours.protect(rtp.header(0, False, 1, 160, 9) + bytes(160), 2.0) or (b"", None))[1] == PHONE
    ours.receive(check(nominates=True), STRANGER, 2.1)
    assert ours.remote == PHONE, "by the names of before"
    moved = ("192.0.2.9", 5)
    ours.receive(check(names, nominates=True), moved, 2.2)
    assert (ours.protect(rtp.header(0, False, 2, 320, 9) + bytes(160), 2.2) or (b"", None))[1] == moved


def test_with_ice_we_begin_where_the_phone_waits() -> None:
    ours = leg(client=True, ice=True)
    assert ours.next_datagram() is None
    phone = Phone(ours, client=False)
    ours.receive(check(nominates=True), PHONE, 1.0)
    phone.shake(1.0)
    assert phone.says(1, 1.1)


def test_signalling_that_agrees_again_keeps_the_handshake_unless_the_certificate_changes() -> None:
    ours = leg()
    phone = Phone(ours)
    phone.shake()
    same = Handshake((PHONE_ID.fingerprint,), False, True)
    assert ours.renew(same, ("192.0.2.7", 5000), 1.0)
    assert ours.remote == ("192.0.2.7", 5000)
    assert phone.says(1, 1.0, ("192.0.2.7", 5000))
    assert not ours.renew(Handshake((STRANGER_ID.fingerprint,), False, True), PHONE, 1.0)


def test_what_gets_lost_is_sent_again() -> None:
    ours = leg(client=True)
    first = ours.next_datagram()
    assert first is not None
    assert first[1] == PHONE
    ours.handle_timer(HANDSHAKE_S + 1)
    again = ours.next_datagram()
    assert again is not None, "a new one, in place of the one that took too long"
    assert "too long" in ours.fault


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=300), st.booleans(), st.booleans())
def test_no_datagram_raises_or_gets_anywhere(data: bytes, ice: bool, client: bool) -> None:
    ours = leg(ice=ice, client=client)
    for at in (PHONE, STRANGER):
        for first in (0, 1, 22, 128, 200):
            assert ours.receive(bytes([first]) + data, at, 0.0) is None
        assert ours.receive(b"\x16\xfe\xfd" + data, at, 0.0) is None
        assert ours.receive(data, at, 0.0) is None
    assert ours.protection is None


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=300))
def test_no_datagram_disturbs_media_that_flow(data: bytes) -> None:
    ours = leg()
    phone = Phone(ours)
    phone.shake()
    for at in (PHONE, STRANGER):
        for head in (b"\x16\xfe\xfd", b"\x15\xfe\xfd", b"\x80", b"\x00", b""):
            assert ours.receive(head + data, at, 0.1) is None
    assert phone.says(1, 0.2)
