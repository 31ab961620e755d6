"""Two ends of DTLS in memory: keys that fit, and nobody gets one with another's certificate."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from math import gcd

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from runtime.media import rtp
from runtime.media.dtls import Dtls, DtlsError, Fingerprint, Identity, new_identity
from runtime.media.protection import Protection

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CLIENT, SERVER = new_identity(NOW), new_identity(NOW)


def shake(client: Dtls, server: Dtls, lose: int = 0) -> list[bytes]:
    """Carry datagrams until both are silent; the data that arrived. The first `lose` ones get lost."""
    client.start()
    arrived: list[bytes] = []
    moved = True
    while moved:
        moved = False
        for one, other in ((client, server), (server, client)):
            for datagram in one.datagrams_to_send():
                moved = True
                if lose:
                    lose -= 1
                else:
                    arrived += other.receive(datagram)
    return arrived


def pair(
    shown_to_client: Fingerprint = SERVER.fingerprint, shown_to_server: Fingerprint = CLIENT.fingerprint
) -> tuple[Dtls, Dtls]:
    return Dtls(CLIENT, (shown_to_client,), client=True), Dtls(SERVER, (shown_to_server,), client=False)


def test_media_goes_both_ways_and_only_once() -> None:
    client, server = pair()
    shake(client, server)
    assert client.keys is not None
    assert server.keys is not None
    ends = Protection(client.keys), Protection(server.keys)
    for one, other in (ends, ends[::-1]):
        packet = rtp.header(0, True, 1, 2, 3) + bytes(160)
        protected = one.protect(packet)
        assert protected is not None
        assert other.unprotect(protected) == packet
        assert other.unprotect(protected) is None, "a repetition"
        assert other.unprotect(protected[:-1] + bytes([protected[-1] ^ 1])) is None
        assert other.unprotect(b"") is None
        assert other.unprotect_rtcp(bytes(40)) is None


def test_data_travels_beside_media() -> None:
    client, server = pair()
    shake(client, server)
    client.send(b"hello")
    assert shake(client, server) == [b"hello"]


@pytest.mark.parametrize("side", ["client", "server"])
def test_another_certificate_than_the_one_in_the_answer_ends_the_handshake(side: str) -> None:
    stranger = new_identity(NOW).fingerprint
    client, server = pair(**{f"shown_to_{side}": stranger})
    with pytest.raises(DtlsError, match="certificate"):
        shake(client, server)
    assert (client if side == "client" else server).keys is None


def by_rsa(exponent_bits: int) -> Identity:
    """Somebody with an RSA key whose public exponent is so long."""
    key = rsa.generate_private_key(65_537, 2_048)
    if exponent_bits > 17:
        numbers = key.private_numbers()
        order = (numbers.p - 1) * (numbers.q - 1)
        exponent = next(e for e in count(1 << exponent_bits - 1 | 1, 2) if gcd(e, order) == 1)
        secret = pow(exponent, -1, order)
        public = rsa.RSAPublicNumbers(exponent, numbers.public_numbers.n)
        parts = secret % (numbers.p - 1), secret % (numbers.q - 1), numbers.iqmp
        made = rsa.RSAPrivateNumbers(numbers.p, numbers.q, secret, *parts, public)
        key = made.private_key(unsafe_skip_rsa_key_validation=True)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "phone")])
    certificate = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + timedelta(days=9)).sign(
        key, hashes.SHA256()
    )
    context = new_identity(NOW).context
    context.use_certificate(certificate)
    context.use_privatekey(key)
    return Identity(context, Fingerprint("sha-256", certificate.fingerprint(hashes.SHA256())))


@pytest.mark.parametrize(("exponent_bits", "is_taken"), [(17, True), (2_000, False)])
def test_a_key_that_takes_long_to_verify_with_is_not_tried(exponent_bits: int, is_taken: bool) -> None:
    phone = by_rsa(exponent_bits)
    client, server = Dtls(phone, (SERVER.fingerprint,), client=True), Dtls(SERVER, (phone.fingerprint,), client=False)
    if is_taken:
        shake(client, server)
        assert server.keys is not None
    else:
        with pytest.raises(DtlsError, match="failed"):
            shake(client, server)
        assert server.keys is None


def test_no_chain_of_certificates_is_followed() -> None:
    assert SERVER.context.get_verify_depth() == 0


def test_noise_is_no_handshake() -> None:
    _, server = pair()
    for noise in (b"\x16", b"\x16\xfe\xff" + bytes(30), bytes([22]) * 2000):
        try:
            server.receive(noise)
        except DtlsError:
            pass
    assert server.keys is None


def test_a_goodbye_is_heard() -> None:
    client, server = pair()
    shake(client, server)
    client.close()
    shake(client, server)
    assert server.closed
