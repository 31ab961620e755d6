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
from collections.abc import Callable
from dataclasses import dataclass

from runtime.errors import BridgeError
from runtime.net.tls_files import Pair, Seen, about_to_expire, is_settled, loaded, pair_in_memory, seen
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

    The latter is None until it is needed: the machine's own authorities take time and memory.
    """

    server: ssl.SSLContext | None
    client: ssl.SSLContext | None
    pair: Pair | None


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
        self._take(made(self._settings))

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
        self._now = contexts
        self._by_identity.clear()
        if contexts.pair is not None:
            self._log(contexts.pair.words)

    # -- on the thread ---------------------------------------------------------------------------------------------

    def _follow(self, hand_over: Callable[[Callable[[], None]], object]) -> None:
        before, warned, refused = self._seen, "", ""
        while not self._stopping.wait(LOOK_EVERY_S):
            found = seen(self._settings.files)
            fault = self._read(found, hand_over) if is_settled(found, before, self._seen) else ""
            if fault and fault != refused:
                hand_over(lambda words=fault: self._log(words))  # type: ignore[misc]  # mypy knows no default here
            before, refused = found, fault
            pair = self._now.pair if self._now is not None else None
            warning = about_to_expire(pair) if pair is not None else ""
            if warning and warning != warned:
                hand_over(lambda words=warning: self._log(words))  # type: ignore[misc]  # mypy knows no default here
            warned = warning

    def _read(self, found: Seen, hand_over: Callable[[Callable[[], None]], object]) -> str:
        """Take up the files that were found; or why not, in words.

        What cannot be used is read again at each look: who may read a file is repaired without a trace in it.
        """
        try:
            contexts = made(self._settings)
        except BridgeError as fault:
            return f"{fault.what}; connections go on with the certificates of before"
        self._seen = found
        hand_over(lambda: self._take(contexts))
        return ""


def made(settings: TlsSettings) -> Contexts:
    """Contexts by what the files hold now. BridgeError where one of them cannot be used."""
    server = pair = None
    if settings.certificate is not None:
        server = _context(settings, ssl.PROTOCOL_TLS_SERVER)
        pair = loaded(server, settings.certificate, settings.key or settings.certificate)
        if settings.client_authorities is not None:
            _trust(server, str(settings.client_authorities), "--tls-client-ca")
            server.verify_mode = ssl.CERT_REQUIRED
    client = _client(settings, ()) if settings.authorities is not None else None
    return Contexts(server, client, pair)


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
