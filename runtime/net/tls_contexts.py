"""What TLS is spoken with: certificates and whom to trust, as contexts of OpenSSL, read anew when their files change.

Files may be on a disk that hangs, and a list of authorities takes tens of milliseconds to read: neither is for the
event loop. A thread looks at the files; new contexts are handed to the loop whole, and connections that are there keep
theirs. What cannot be used is told, and what was in force stays.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import BridgeError
from runtime.net.tls_files import Held, Seen, about_to_expire, is_settled, pair_in_memory, read, seen
from runtime.net.tls_shown import front
from runtime.net.tls_stream import TlsError
from runtime.settings import TlsSettings

LOOK_EVERY_S = 1.0
CLIENT_CONTEXTS_MAX = 64
"""Contexts of client certificates that are kept; one that is made anew costs some milliseconds of a thread."""

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

Identities = Callable[[str], tuple[bytes, bytes] | None]
"""The client certificate and key (PEM) of a trunk; None where they cannot be had (any more)."""


def no_identities(_trunk: str) -> None:
    """For who shows no client certificates."""


@dataclass(frozen=True, slots=True)
class Contexts:
    """What is in force: for those who connect to us (None: nobody can), and for whom we connect to.

    The latter is None until it is needed: the machine's own authorities take time and memory. `held` are the pairs of
    the first, `made_of` the digest of everything.
    """

    server: ssl.SSLContext | None
    client: ssl.SSLContext | None
    held: tuple[Held, ...]
    made_of: bytes


class TlsContexts:
    """One per endpoint. `hand_over(call)` has the event loop call something, `log(words)` is told there."""

    def __init__(
        self,
        settings: TlsSettings,
        identities: Identities = no_identities,
        log: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._identities = identities
        self._log = log
        self._now: Contexts | None = None
        self._seen: Seen = ()
        self._by_identity: OrderedDict[bytes, ssl.SSLContext] = OrderedDict()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    # -- on the loop -----------------------------------------------------------------------------------------------

    def load(self) -> None:
        """Read everything for the first time. BridgeError names the file that cannot be used, and why."""
        self._seen = seen(self._settings.files)
        self._take(made(self._settings, [read(pair) for pair in self._settings.pairs]))

    def watch(self, hand_over: Callable[[Callable[[], None]], object]) -> None:
        """Follow the files from now on."""
        if self._settings.files:
            self._thread = threading.Thread(target=self._follow, args=(hand_over,), name="tls-files", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Follow them no more."""
        self._stopping.set()

    @property
    def server(self) -> ssl.SSLContext | None:
        """For a connection that comes in; None: there is no certificate to take it with."""
        return self._in_force.server

    async def client(self, identity: str) -> ssl.SSLContext:
        """For a connection that goes out and shows the client certificate of this trunk ("" = none)."""
        if not identity and self._in_force.client is not None:
            return self._in_force.client
        pair = self._identities(identity) if identity else ()
        if pair is None:
            raise TlsError("No Client Certificate")
        key = hashlib.sha256(b"\0".join(pair)).digest()
        context = self._by_identity.get(key)
        if context is None:
            try:
                context = await asyncio.to_thread(_client, self._settings, pair)
            except BridgeError as fault:
                self._log(f"the client certificate of Trunk {identity} cannot be used: {fault.what}")
                raise TlsError("Client Certificate Cannot Be Used") from fault
            self._by_identity[key] = context
            if len(self._by_identity) > CLIENT_CONTEXTS_MAX:
                self._by_identity.popitem(last=False)
        self._by_identity.move_to_end(key)
        return context

    @property
    def _in_force(self) -> Contexts:
        assert self._now is not None, "loaded before it is used"
        return self._now

    def _take(self, contexts: Contexts) -> None:
        before = self._now.held if self._now is not None else ()
        self._now = contexts
        self._by_identity.clear()
        for held in contexts.held:
            if held not in before:
                self._log(held.pair.words)

    # -- on the thread ---------------------------------------------------------------------------------------------

    def _follow(self, hand_over: Callable[[Callable[[], None]], object]) -> None:
        before, told, faults = self._seen, set[str](), list[str]()
        while not self._stopping.wait(LOOK_EVERY_S):
            found = seen(self._settings.files)
            if is_settled(found, before, self._seen):
                faults = self._read(found, hand_over)
            elif found == self._seen:
                faults = []
            warnings = [about_to_expire(held.pair) for held in self._in_force.held]
            news = {words for words in (*faults, *warnings) if words}
            for words in sorted(news - told):
                hand_over(lambda words=words: self._log(words))  # type: ignore[misc]  # mypy knows no default here
            before, told = found, news

    def _read(self, found: Seen, hand_over: Callable[[Callable[[], None]], object]) -> list[str]:
        """Take up the files that were found; or why not, in words.

        A pair that cannot be used holds up no other. It is read again at each look: who may read a file is repaired
        without a trace in it.
        """
        held, faults = list(self._in_force.held), []
        for place, pair in enumerate(self._settings.pairs):
            try:
                held[place] = read(pair)
            except BridgeError as fault:
                faults.append(fault)
        try:
            if digest(self._settings, held) != self._in_force.made_of:
                contexts = made(self._settings, held)
                hand_over(lambda: self._take(contexts))
        except BridgeError as fault:
            faults.append(fault)
        if not faults:
            self._seen = found
        return [f"{fault.what}; connections go on with the certificates of before" for fault in faults]


def made(settings: TlsSettings, held: Sequence[Held]) -> Contexts:
    """Contexts by these pairs, and by what the other files hold now. BridgeError where they cannot be used."""
    server = front(held, lambda: _server(settings))
    client = _client(settings, ()) if settings.authorities is not None else None
    return Contexts(server, client, tuple(held), digest(settings, held))


def digest(settings: TlsSettings, held: Sequence[Held]) -> bytes:
    """Of all that contexts are made of. BridgeError where a file cannot be read."""
    parts = [part for each in held for part in (each.certificate, each.key)]
    parts += [_bytes(file) for file in settings.authority_files]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()


def _server(settings: TlsSettings) -> ssl.SSLContext:
    context = _context(settings, ssl.PROTOCOL_TLS_SERVER)
    if settings.client_authorities is not None:
        _trust(context, str(settings.client_authorities), "--tls-client-ca")
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _client(settings: TlsSettings, pair: tuple[bytes, bytes] | tuple[()]) -> ssl.SSLContext:
    context = _context(settings, ssl.PROTOCOL_TLS_CLIENT)
    # Which names are right is RFC 5922's to say, and is looked at when the handshake is done.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    if settings.authorities is not None:
        _trust(context, str(settings.authorities), "--tls-ca")
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if pair:
        pair_in_memory(context, *pair)
    return context


def _context(settings: TlsSettings, protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = VERSIONS[settings.version_min]
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    if settings.alpn:
        context.set_alpn_protocols(list(settings.alpn))
    if settings.ciphers:
        try:
            context.set_ciphers(settings.ciphers)
        except ssl.SSLError as fault:
            hint = "write a list as OpenSSL knows it, e.g. ECDHE+AESGCM:ECDHE+CHACHA20"
            raise BridgeError(f"--tls-ciphers {settings.ciphers}: no such ciphers", hint) from fault
    return context


def _trust(context: ssl.SSLContext, file: str, option: str) -> None:
    try:
        context.load_verify_locations(cafile=file)
    except (OSError, ssl.SSLError) as fault:
        why = "no certificates (PEM) in it" if isinstance(fault, ssl.SSLError) else fault.strerror
        raise BridgeError(f"{option} {file}: {why}", "name a file of certificates in PEM") from fault


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as fault:
        raise BridgeError(f"TLS cannot read {file}: {fault.strerror}", "name a file that this user may read") from fault
