"""TLS between the bytes of a connection and its messages, without a socket: bytes in, bytes out (OpenSSL by memory).

A connection has a `TlsStream` where its transport is TLS. Nothing of it waits: a handshake that gets no further is
state like half a message is, so the bounds of connections are those of TLS too.
"""

from __future__ import annotations

import ssl
from typing import Final

READ_BYTES: Final = 65_536

NOT_TRUSTED: Final = "Certificate Not Trusted"


class TlsError(Exception):
    """Why TLS has ended, as a reason phrase. Its words are OpenSSL's own, so there are not many different ones."""


class TlsStream:
    """One side of one connection. `is_over`: the peer has said that it sends no more."""

    __slots__ = ("_incoming", "_outgoing", "_tls", "is_over", "is_ready", "server_side")

    def __init__(self, context: ssl.SSLContext, *, server_side: bool, name: str = "") -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=name or None
        )
        self.server_side = server_side
        self.is_ready = self.is_over = False

    def receive(self, data: bytes) -> None:
        """More of what came; nothing is worked on yet."""
        self._incoming.write(data)

    def shake_hands(self) -> None:
        """As much of the handshake as there is; `is_ready` afterwards tells whether that was all of it."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLError as fault:
            raise TlsError(_words_of(fault)) from fault
        self.is_ready = True

    def read(self) -> bytes:
        """What is here of the stream inside."""
        parts: list[bytes] = []
        try:
            while part := self._tls.read(READ_BYTES):
                parts.append(part)
            self.is_over = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.is_over = True
        except ssl.SSLError as fault:
            raise TlsError(_words_of(fault)) from fault
        return b"".join(parts)

    def write(self, data: bytes) -> None:
        """Encrypt; `taken` has it then."""
        try:
            self._tls.write(data)
        except ssl.SSLError as fault:
            raise TlsError(_words_of(fault)) from fault

    def say_goodbye(self) -> None:
        """We send no more (RFC 5246 section 7.2.1); whether the peer says so too is not waited for."""
        try:
            self._tls.unwrap()
        except ssl.SSLError:
            pass

    def taken(self) -> bytes:
        """What is to be sent to the peer now."""
        return self._outgoing.read()

    @property
    def certificate(self) -> dict[str, object]:
        """The peer's certificate, verified; empty where it has shown none."""
        return dict(self._tls.getpeercert() or {})


def _words_of(fault: ssl.SSLError) -> str:
    if isinstance(fault, ssl.SSLCertVerificationError):
        return f"{NOT_TRUSTED} ({fault.verify_message})"
    reason = (fault.reason or "broken").lower().replace("_", " ")
    return f"TLS Failed ({reason})"
