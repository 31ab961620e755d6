"""Certificates and keys as files: whether they changed, whether they go together, whom they are for, until when."""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from runtime.errors import BridgeError
from runtime.settings import TlsPair

EXPIRES_SOON = timedelta(days=14)
NAMES_SHOWN = 4

_domain = re.compile(r"(?:sips?:)?((?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?", re.IGNORECASE)

Seen = tuple[tuple[int, int, int] | None, ...]
"""What tells a file from what it was before: inode, size and time, of each; None: it is not there."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate in force, as far as people are told of it."""

    file: Path
    names: tuple[str, ...]
    valid_from: datetime
    valid_until: datetime

    @property
    def words(self) -> str:
        """For the log."""
        names = ", ".join(self.names[:NAMES_SHOWN]) + (", ..." if len(self.names) > NAMES_SHOWN else "")
        told = f"TLS certificate for {names or 'no name'}, valid until {self.valid_until:%Y-%m-%d} ({self.file})"
        now = datetime.now(UTC)
        if self.valid_until < now:
            return f"{told}: IT HAS EXPIRED, peers will refuse it"
        return f"{told}: it is not valid before {self.valid_from:%Y-%m-%d}" if self.valid_from > now else told


@dataclass(frozen=True, slots=True)
class Held:
    """A pair as it was read (PEM), whatever becomes of its files."""

    certificate: bytes
    key: bytes = field(repr=False)
    pair: Pair

    @property
    def domains(self) -> tuple[str, ...]:
        """What may be asked for by SNI to be shown it, in small letters: names of hosts, and `sip:` URIs' domains."""
        found = (_domain.fullmatch(name) for name in self.pair.names if not _is_address(name))
        return tuple(dict.fromkeys(name[1].lower() for name in found if name is not None))


def seen(files: tuple[Path, ...]) -> Seen:
    """How the files are now; links are followed, so a link that is turned to another folder is a change."""
    return tuple(_seen(file) for file in files)


def is_settled(found: Seen, before: Seen, in_force: Seen) -> bool:
    """Whether the files are others than those in force and have been so for a look: both of a pair are there then."""
    return found != in_force and found == before


def read(files: TlsPair) -> Held:
    """A pair that goes together. BridgeError where it cannot be used."""
    try:
        certificate, key = files.certificate.read_bytes(), files.key.read_bytes()
    except OSError as fault:
        raise BridgeError(
            f"TLS cannot read {fault.filename}: {fault.strerror}", "name files that this user may read"
        ) from fault
    named = " and ".join(dict.fromkeys((str(files.certificate), str(files.key))))
    pair_in_memory(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificate, key, named)
    found = x509.load_pem_x509_certificates(certificate)[0]
    return Held(
        certificate,
        key,
        Pair(files.certificate, _names(found), found.not_valid_before_utc, found.not_valid_after_utc),
    )


def pair_in_memory(context: ssl.SSLContext, certificate: bytes, key: bytes, named: str = "it") -> None:
    """Have a context show a pair (PEM) that may be in no file, as secrets are. BridgeError says why it cannot."""
    with _unnamed(certificate + b"\n" + key) as path:
        try:
            context.load_cert_chain(path, path, password=_no_password)
        except ssl.SSLError as fault:
            why = {
                "KEY_VALUES_MISMATCH": "the key is not that of the certificate",
                "NO_START_LINE": "no certificate or no key (PEM) in it",
            }.get(fault.reason or "", (fault.reason or "not PEM").lower().replace("_", " "))
            hint = "give --tls-cert and --tls-key a pair in PEM; of several pairs, keys in the order of certificates"
            raise BridgeError(f"TLS cannot use {named}: {why}", hint) from fault


def about_to_expire(pair: Pair) -> str:
    """A warning where a certificate has not long to go, "" otherwise."""
    left = pair.valid_until - datetime.now(UTC)
    if left > EXPIRES_SOON:
        return ""
    when = "has expired" if left < timedelta(0) else f"expires on {pair.valid_until:%Y-%m-%d}"
    return f"the TLS certificate in {pair.file} {when}: put a new one in its place, no restart is needed"


def _seen(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _no_password() -> str:
    """OpenSSL would ask the terminal."""
    raise BridgeError("the TLS key is encrypted", "store it without a password: openssl pkey -in KEY -out PLAIN")


@contextmanager
def _unnamed(data: bytes) -> Iterator[str]:
    """A path to bytes that are on no disk; where the system has no such thing, a file of this user's for a moment."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("tls", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, data)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
    else:
        with tempfile.NamedTemporaryFile() as file:  # its mode is 0600
            file.write(data)
            file.flush()
            yield file.name


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return tuple(str(attribute.value) for attribute in found)
    uris = extension.get_values_for_type(x509.UniformResourceIdentifier)
    addresses = extension.get_values_for_type(x509.IPAddress)
    return (*uris, *extension.get_values_for_type(x509.DNSName), *map(str, addresses))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
