"""Our own requests as messages: the header lines that all of them have, in one order (RFC 3261 section 8.1.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from runtime.sip.grammar import write_host_port
from runtime.sip.message import Headers, Request, canonical_name
from runtime.sip.path import SECURE_TRANSPORTS, TRANSPORT_DEFAULT, Path
from runtime.sip.writer import write_message

MAX_FORWARDS = "70"

URI_TRANSPORTS = {"wss": "ws"}
"""How a URI names a transport, where Via has another name for it (RFC 7118 sections 5.2 and 5.3)."""

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request of ours that is ready to go: the message, its bytes, the branch of its Via, its way.

    `challenges_answered` counts how often it was tried again with credentials.
    """

    request: Request
    data: bytes
    branch: str
    path: Path
    challenges_answered: int = 0

    def moved(self, path: Path, host: str) -> Outgoing:
        """The same request by another way: only its own Via changes (RFC 3261 section 18.1.1)."""
        vias = via_of(path, host, self.branch), *self.request.headers.all("Via")[1:]
        request = replace(self.request, headers=self.request.headers.replaced("Via", *vias))
        return replace(self, request=request, data=write_message(request), path=path)


def via_of(path: Path, host: str, branch: str) -> str:
    """Our Via; `rport` asks for the response where the request comes from (RFC 3581 section 3)."""
    sent_by = write_host_port(host, path.local[1])
    return f"SIP/2.0/{path.transport.upper()} {sent_by};branch={branch};rport"


def contact_of(path: Path, host: str, user: str = "", *, secure: bool) -> str:
    """Our Contact: where requests of a dialog are to come, and by which transport where it is not the default one.

    `secure`: the dialog is one of `sips:`, which its Contacts are too (RFC 3261 section 8.1.1.8; RFC 5630 section 3.1).
    """
    is_secure = secure and path.transport in SECURE_TRANSPORTS
    scheme, name = "sips" if is_secure else "sip", URI_TRANSPORTS.get(path.transport, path.transport)
    transport = "" if name == TRANSPORT_DEFAULT or (is_secure and name == "tls") else f";transport={name}"
    return f"<{scheme}:{user and user + '@'}{write_host_port(host, path.local[1])}{transport}>"


def build_request(
    method: str,
    uri: str,
    *,
    via: str,
    routes: Iterable[str],
    from_: str,
    to: str,
    call_id: str,
    cseq: int,
    extra: Iterable[tuple[str, str]],
    body: bytes = b"",
    content_type: str = "",
) -> Request:
    """A request with its mandatory header lines first, `extra` behind them."""
    items = [
        ("Via", via),
        ("Max-Forwards", MAX_FORWARDS),
        *(("Route", route) for route in routes),
        ("From", from_),
        ("To", to),
        ("Call-ID", call_id),
        ("CSeq", f"{cseq} {method}"),
        *((canonical_name(name), value) for name, value in extra),
    ]
    if body and content_type:
        items.append(("Content-Type", content_type))
    return Request(method, uri, Headers.of_canonical(items), body)
