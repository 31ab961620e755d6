"""DTLS with one peer, without sockets or clocks (RFC 6347): the handshake, SRTP's keys (RFC 5764), and data.

Called for phones by `dtls_leg` and for rooms on a LiveKit server: datagrams in by `receive`, out by
`datagrams_to_send`, `handle_timer` for what got lost on the way. It promises that nobody whose certificate is not the
one that signalling named gets a key: the fingerprint is compared before the handshake counts as done (RFC 8122). All
calls of a bridge share one `Identity`.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import SSL, crypto

from runtime.media.protection import Keys, MasterKey
from runtime.media.srtp import PROFILES

DATAGRAM_BYTES_MAX: Final = 1_200
"""Of ours, so that it fits through any network."""
_RECORD_BYTES_MAX: Final = 16_384
_RSA_BITS_MAX: Final = 4_096
_RSA_EXPONENT_BITS_MAX: Final = 32
_LIFE: Final = timedelta(days=365)
_EXPORTER: Final = b"EXTRACTOR-dtls_srtp"
_CIPHERS: Final = b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305"


HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "sha-256": hashes.SHA256(),
    "sha-384": hashes.SHA384(),
    "sha-512": hashes.SHA512(),
}
"""How a certificate may be named; SHA-1 and MD5 are not enough."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A certificate by its hash; `algorithm` is a key of `HASHES`."""

    algorithm: str
    digest: bytes

    def __str__(self) -> str:
        return self.digest.hex(":").upper()

    def fits(self, certificate: x509.Certificate) -> bool:
        """Whether it is that one."""
        return hmac.compare_digest(certificate.fingerprint(HASHES[self.algorithm]), self.digest)


class DtlsError(Exception):
    """The handshake failed; the text says why."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Our certificate, made once per bridge, and the OpenSSL context around it."""

    context: SSL.Context
    fingerprint: Fingerprint
    """By SHA-256."""


def new_identity(now: datetime) -> Identity:
    """A self-signed certificate on P-256: who we are is said by signalling, not by a name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "dialplane")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _LIFE)
        .sign(key, hashes.SHA256())
    )
    context = SSL.Context(SSL.DTLS_METHOD)
    # OpenSSL's own verdict on a self-signed certificate means nothing; ours is the fingerprint.
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _is_bearable)
    context.set_verify_depth(0)
    context.use_certificate(certificate)
    context.use_privatekey(key)
    context.set_cipher_list(_CIPHERS)
    context.set_options(SSL.OP_NO_RENEGOTIATION)
    context.set_tlsext_use_srtp(":".join(PROFILES).encode())
    return Identity(context, Fingerprint("sha-256", certificate.fingerprint(hashes.SHA256())))


def _is_bearable(_connection: SSL.Connection, certificate: crypto.X509, _error: int, _depth: int, _fits: int) -> bool:
    """Whether a certificate of the other side's may be worked with: OpenSSL verifies signatures by the keys in it.

    One by an RSA key with a long exponent takes 25 ms, and a chain of sixty such certificates 1.6 s.
    """
    try:
        key = certificate.to_cryptography().public_key()
    except (ValueError, UnsupportedAlgorithm):
        return False
    return not isinstance(key, rsa.RSAPublicKey) or (
        key.key_size <= _RSA_BITS_MAX and key.public_numbers().e.bit_length() <= _RSA_EXPONENT_BITS_MAX
    )


class Dtls:
    """One handshake and what follows it. The peer must show a certificate of one of these `fingerprints`."""

    def __init__(self, identity: Identity, fingerprints: Collection[Fingerprint], *, client: bool) -> None:
        self._connection = SSL.Connection(identity.context, None)
        self._fingerprints = fingerprints
        self._client = client
        self.keys: Keys | None = None
        """The keys for media, once the handshake is done."""
        self.closed = False
        """Whether the peer said goodbye."""
        (self._connection.set_connect_state if client else self._connection.set_accept_state)()
        self._connection.set_ciphertext_mtu(DATAGRAM_BYTES_MAX)

    def start(self) -> None:
        """Send the first flight, if it is ours."""
        if self._client:
            self._handshake()

    def receive(self, data: bytes) -> list[bytes]:
        """A datagram whose first byte says DTLS; gives the data records in it. DtlsError when the handshake fails."""
        try:
            self._connection.bio_write(data)
        except SSL.Error:
            return []
        if self.keys is None:
            self._handshake()
        return self._records() if self.keys is not None else []

    def send(self, data: bytes) -> None:
        """Send data beside media (SCTP)."""
        assert self.keys is not None
        try:
            self._connection.send(data)
        except SSL.Error:
            self.closed = True

    def datagrams_to_send(self) -> list[bytes]:
        """What is to go out now."""
        found = []
        while True:
            try:
                found.append(self._connection.bio_read(2 * DATAGRAM_BYTES_MAX))
            except SSL.WantReadError:
                return found

    def handle_timer(self) -> None:
        """Repeat a flight that was not answered in time; cheap when nothing is due."""
        if self.keys is None:
            try:
                self._connection.DTLSv1_handle_timeout()
            except SSL.Error as fault:
                raise DtlsError("the other side did not answer the DTLS handshake") from fault

    def close(self) -> None:
        """Say goodbye."""
        try:
            self._connection.shutdown()
        except SSL.Error:
            pass  # there was no session to end

    def _handshake(self) -> None:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return
        except SSL.Error as fault:
            raise DtlsError("the DTLS handshake with the other side failed") from fault
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        if certificate is None or not any(named.fits(certificate) for named in self._fingerprints):
            raise DtlsError("the certificate of the other side is not the one that signalling named")
        self._derive()

    def _derive(self) -> None:
        """RFC 5764 section 4.2: client key, server key, client salt, server salt."""
        profile = PROFILES.get(self._connection.get_selected_srtp_profile().decode())
        if profile is None:
            raise DtlsError("the other side agreed on no way to protect media")
        keys, salts = profile.key_bytes, profile.salt_bytes
        material = self._connection.export_keying_material(_EXPORTER, 2 * (keys + salts))
        client = material[:keys] + material[2 * keys : 2 * keys + salts]
        server = material[keys : 2 * keys] + material[2 * keys + salts :]
        ours, theirs = (client, server) if self._client else (server, client)
        self.keys = Keys(profile, MasterKey(ours), (MasterKey(theirs),))

    def _records(self) -> list[bytes]:
        found = []
        while True:
            try:
                found.append(self._connection.recv(_RECORD_BYTES_MAX))
            except SSL.WantReadError:
                return found
            except SSL.Error:
                self.closed = True
                return found
