"""Who signs: a certificate chain judged against the authorities that are trusted (RFC 8226, ATIS-1000080).

OpenSSL builds and verifies the chain (signatures, dates, who may issue, path lengths); this adds what telephone numbers
ask for: a key on P-256 that may sign, and a TNAuthList. It is done once for a certificate that was fetched; what may
change from call to call (the time, the number) is asked of the `Signer`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509.oid import NameOID, ObjectIdentifier
from OpenSSL import crypto

from runtime.stir import tn_auth_list
from runtime.stir.limits import CHAIN_MAX
from runtime.stir.tn_auth_list import TnAuthList, TnAuthListError, read_tn_auth_list
from runtime.stir.verdict import Fault, Refusal

NAME_CHARS_MAX: Final = 100
RSA_BITS: Final = range(2048, 4097)
"""Of those who issue: a longer key buys the time of whoever verifies."""

_BROKEN = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
    crypto.Error,
)
"""How `cryptography` and OpenSSL say that something is no certificate."""

_PEM = b"-----BEGIN CERTIFICATE-----"
_TN_AUTH_LIST: Final = ObjectIdentifier(tn_auth_list.OID)


@dataclass(frozen=True, slots=True)
class Authorities:
    """Whom certificates for telephone numbers must come from. Empty: nobody is trusted."""

    certificates: tuple[x509.Certificate, ...] = ()

    @classmethod
    def read(cls, pem: bytes) -> Authorities:
        """Those of a file. ValueError where there are none in it."""
        return cls(tuple(x509.load_pem_x509_certificates(pem)))

    def store(self, now: float) -> crypto.X509Store:
        """The same for OpenSSL, at this time. An authority may itself be one that another has vouched for."""
        store = crypto.X509Store()
        for certificate in self.certificates:
            store.add_cert(crypto.X509.from_cryptography(certificate))
        store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
        store.set_time(datetime.fromtimestamp(now, UTC))
        return store


@dataclass(frozen=True, slots=True)
class Signer:
    """A holder of a certificate that an authority vouches for, between two times (Unix seconds)."""

    key: ec.EllipticCurvePublicKey = field(repr=False)
    valid_from: float
    valid_until: float
    own: TnAuthList
    others: tuple[TnAuthList, ...] = ()
    """Of the certificates above it that have one: a part is never more than the whole (RFC 9060 section 4)."""
    name: str = ""

    @property
    def is_provider(self) -> bool:
        """Whether it is a service provider, which alone may attest for SHAKEN."""
        return bool(self.own.codes)

    def is_valid(self, now: float) -> bool:
        """Whether the whole chain is within its dates."""
        return self.valid_from <= now <= self.valid_until

    def may_sign_for(self, number: str) -> bool:
        """Whether a canonical number is its own."""
        return all(each.covers(number) for each in (self.own, *self.others))

    def has_signed(self, data: bytes, signature: bytes) -> bool:
        """Whether an ES256 signature (RFC 7518 section 3.4) of 64 bytes is of these data and its own."""
        half = len(signature) // 2
        encoded = encode_dss_signature(int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))
        try:
            self.key.verify(encoded, data, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True


def read_signer(data: bytes, authorities: Authorities, now: float) -> Signer | Refusal:
    """The signer whose chain these bytes are (PEM, its own certificate first, or that one alone in DER)."""
    try:
        chain = x509.load_pem_x509_certificates(data) if _PEM in data else [x509.load_der_x509_certificate(data)]
    except _BROKEN:
        return Refusal(Fault.NO_CERTIFICATE, "there is no certificate where the PASSporT says that it is")
    if len(chain) >= CHAIN_MAX:
        return _untrusted(f"its chain has more than {CHAIN_MAX - 1} certificates")
    try:
        return _judged(chain, authorities, now)
    except _BROKEN:  # what a lazy parser finds late
        return _untrusted("it is broken")


def _judged(chain: list[x509.Certificate], authorities: Authorities, now: float) -> Signer | Refusal:
    leaf = chain[0]
    key = leaf.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        return _untrusted("its key is none on P-256")
    if not all(map(_is_bearable, chain[1:])):
        return _untrusted("a key in its chain is of another kind than EC, or RSA of 2048 to 4096 bits")
    if not authorities.certificates:
        hint = "start the bridge with --stir-authorities FILE"
        return Refusal(Fault.UNTRUSTED, "this bridge trusts no authority for telephone numbers", hint)
    verified = _verified(chain, authorities, now)
    if isinstance(verified, str):
        return _untrusted(verified)
    if len(verified) > CHAIN_MAX:
        return _untrusted(f"its chain has more than {CHAIN_MAX} certificates")
    # Not before: 64 KiB of extensions hold up all threads for 10 ms and more, and anybody can make such a certificate.
    if not _may_sign(leaf):
        return _untrusted("its key is not meant for signatures")
    try:
        own, *others = [_tn_auth_list(certificate) for certificate in verified]
    except TnAuthListError as fault:
        return _untrusted(f"its list of telephone numbers cannot be read: {fault}")
    if own is None:
        return _untrusted("it says nothing of telephone numbers (TNAuthList)")
    return Signer(
        key,
        max(certificate.not_valid_before_utc.timestamp() for certificate in verified),
        min(certificate.not_valid_after_utc.timestamp() for certificate in verified),
        own,
        tuple(other for other in others if other is not None),
        _name(leaf),
    )


def _verified(chain: list[x509.Certificate], authorities: Authorities, now: float) -> list[x509.Certificate] | str:
    """The chain up to an authority, or why there is none."""
    leaf, *others = [crypto.X509.from_cryptography(certificate) for certificate in chain]
    try:
        found = crypto.X509StoreContext(authorities.store(now), leaf, others).get_verified_chain()
    except crypto.X509StoreContextError as fault:
        return str(fault.args[0]) if fault.args and isinstance(fault.args[0], str) else str(fault)
    return [certificate.to_cryptography() for certificate in found]


def _tn_auth_list(certificate: x509.Certificate) -> TnAuthList | None:
    try:
        value = certificate.extensions.get_extension_for_oid(_TN_AUTH_LIST).value
    except x509.ExtensionNotFound:
        return None
    assert isinstance(value, x509.UnrecognizedExtension), "cryptography does not know it"
    return read_tn_auth_list(value.value)


def _may_sign(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    except x509.ExtensionNotFound:
        return True


def _is_bearable(certificate: x509.Certificate) -> bool:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size in RSA_BITS
    return isinstance(key, ec.EllipticCurvePublicKey)


def _name(certificate: x509.Certificate) -> str:
    """The subject's common name, as far as it can be shown."""
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = str(found[0].value) if found else ""
    return name[:NAME_CHARS_MAX] if name.isprintable() else ""


def _untrusted(words: str) -> Refusal:
    return Refusal(Fault.UNTRUSTED, f"the certificate of its signer is not taken: {words}")
