"""A dialog: who talks to whom, by which route, at which sequence numbers (RFC 3261 section 12).

Made by `uas` from an INVITE and by `uac` from the response to one; both build their further requests with it. Only the
target and the two sequence numbers ever change (target refresh, sections 12.2.1.2 and 12.2.2).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, replace

from runtime.sip.errors import SipSyntaxError
from runtime.sip.fields import NameAddr, parse_addresses, parse_name_addr
from runtime.sip.incoming import IncomingRequest, IncomingResponse
from runtime.sip.message import Headers, Request
from runtime.sip.path import FLOW_TRANSPORTS, Address, Path, default_port
from runtime.sip.requests import build_request
from runtime.sip.uri import Uri, parse_uri
from runtime.sip.ways import Ways, current

DialogId = tuple[str, str, str]
"""Call-ID, our tag, the peer's tag ("" from an RFC 2543 peer)."""

TARGET_REFRESH = frozenset({"INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"})
"""Methods whose Contact moves the remote target once they are accepted (RFC 3261, 3311, 6665, 3515)."""


@dataclass(slots=True)
class Dialog:
    """The state of one dialog. `local` and `remote` are From and To as text, with their tags once these are known.

    `nat_host` is an address in the peer's Contact that is only its own: what goes there is sent to `peer`, where its
    messages really come from. On a stream `peer` is a connection, and what goes to the peer goes along it while it is
    open (as RFC 5923 has it, but for this dialog alone: what came by it has shown to whom it belongs).
    """

    call_id: str
    local_tag: str
    remote_tag: str
    local: str
    remote: str
    remote_target: str
    route_set: tuple[NameAddr, ...]
    local_cseq: int
    remote_cseq: int | None
    peer: Path
    nat_host: str | None = None
    secure: bool = False
    """It was begun by a `sips:` URI (section 12.1): our Contacts are such, too."""

    @property
    def id(self) -> DialogId:
        """What the requests of this dialog are found by."""
        return self.call_id, self.local_tag, self.remote_tag

    def name_local(self, tag: str) -> None:
        """Give the dialog our tag, once, before the first response that carries it."""
        assert not self.local_tag, "a dialog keeps its tag"
        self.local_tag = tag
        self.local = f"{self.local};tag={tag}"

    def is_in_order(self, cseq: int) -> bool:
        """Whether a request of the peer is not older than the last one (section 12.2.2); takes its number if so."""
        if self.remote_cseq is not None and cseq < self.remote_cseq:
            return False
        self.remote_cseq = cseq
        return True

    def refresh_target(self, headers: Headers) -> None:
        """Take the Contact of a target refresh request or of its 2xx; none, or one that is no SIP URI, changes nothing.

        Requests are refused before for such a Contact; a 2xx has to be acknowledged whatever is in it.
        """
        try:
            target = contact_target(headers)
        except SipSyntaxError:
            return
        if target is not None:
            self.remote_target = target

    def next_cseq(self) -> int:
        """The number of our next request."""
        self.local_cseq += 1
        return self.local_cseq

    def request(
        self,
        method: str,
        cseq: int,
        *,
        via: str,
        extra: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str = "",
    ) -> Request:
        """A request within this dialog, routed as section 12.2.1.1 says: loosely, or strictly for old proxies."""
        uri, routes = self.remote_target, [str(route) for route in self.route_set]
        if self.route_set and not _is_loose(self.route_set[0]):
            # The first proxy wants itself in the Request-URI, and the target as the last Route.
            uri, routes = _as_request_uri(self.route_set[0].uri), [*routes[1:], f"<{self.remote_target}>"]
        return build_request(
            method,
            uri,
            via=via,
            routes=routes,
            from_=self.local,
            to=self.remote,
            call_id=self.call_id,
            cseq=cseq,
            extra=extra,
            body=body,
            content_type=content_type,
        )

    def next_path(self, ways: Ways) -> Path:
        """Where the next request goes: the first Route or the target, where that is an IP address and not behind NAT.

        A host name, an address that the peer's network hides, and a transport that we do not speak are reached the way
        its own messages came. Without a transport in the URI it is the one of the call: a peer that has come by a
        stream is not left for UDP (RFC 3263 section 4.1 would, and firewalls punish it). What came by a WebSocket goes
        along it, whatever its Contact says.
        """
        peer = current(self.peer, ways)
        if peer.transport in FLOW_TRANSPORTS:
            return peer
        uri = _sip_uri(self.route_set[0].uri if self.route_set else self.remote_target)
        transport = peer.transport if uri is None else transport_of(uri) or peer.transport
        address = None if uri is None else _address_of(uri, transport)
        if uri is None or address is None or address[0] == self.nat_host:
            return peer
        if not _is_reachable(address[0], peer.local[0]):
            return peer
        if transport == peer.transport:
            return peer if address == self.peer.again else replace(peer, remote=address, again=None)
        local = ways.local_for(transport, address)
        return peer if local is None else Path(transport, local, address)

    def follow(self, path: Path, ways: Ways) -> None:
        """The peer has come by this way: where its old connection is gone, it is reached by the new one from now on."""
        if path.reliable and not ways.is_open(self.peer):
            self.peer = path


def dialog_of_request(incoming: IncomingRequest) -> Dialog:
    """The dialog that an INVITE asks for (section 12.1.1), without our tag yet. SipSyntaxError for an unusable Contact.

    RFC 2543 peers may send no Contact: their From is where they are then.
    """
    headers = incoming.request.headers
    remote = headers.first("From") or ""
    local = headers.first("To") or ""
    via_host, source = incoming.via.host.lower(), incoming.path.remote[0]
    return Dialog(
        call_id=incoming.call_id,
        local_tag="",
        remote_tag=incoming.from_tag,
        local=local,
        remote=remote,
        remote_target=contact_target(headers) or parse_name_addr(remote, "From").uri,
        route_set=tuple(parse_addresses(headers, "Record-Route")),
        local_cseq=0,
        remote_cseq=incoming.cseq,
        peer=incoming.path,
        nat_host=via_host if via_host != source.lower() else None,
        secure=is_secure(incoming.request.uri),
    )


def dialog_of_response(request: Request, cseq: int, incoming: IncomingResponse, path: Path) -> Dialog:
    """The dialog that a response to our INVITE makes (section 12.1.2); the route set is the recorded one, reversed."""
    headers = incoming.response.headers
    return Dialog(
        call_id=incoming.call_id,
        local_tag=incoming.from_tag,
        remote_tag=incoming.to_tag,
        local=request.headers.first("From") or "",
        remote=headers.first("To") or "",
        remote_target=contact_target(headers) or request.uri,
        route_set=tuple(reversed(parse_addresses(headers, "Record-Route"))),
        local_cseq=cseq,
        remote_cseq=None,
        peer=path,
        secure=is_secure(request.uri),
    )


def is_secure(uri: str) -> bool:
    """Whether a URI is a `sips:` one."""
    return uri[:5].lower() == "sips:"


def rough_dialog(request: Request, cseq: int, incoming: IncomingResponse, path: Path) -> Dialog:
    """That of a 2xx which `dialog_of_response` cannot read: good for an ACK and a BYE, to where the INVITE went."""
    headers = incoming.response.headers
    return Dialog(
        call_id=incoming.call_id,
        local_tag=incoming.from_tag,
        remote_tag=incoming.to_tag,
        local=request.headers.first("From") or "",
        remote=headers.first("To") or "",
        remote_target=request.uri,
        route_set=(),
        local_cseq=cseq,
        remote_cseq=None,
        peer=path,
        secure=is_secure(request.uri),
    )


def contact_target(headers: Headers) -> str | None:
    """The URI of the Contact, None where there is no Contact. SipSyntaxError where it is no SIP address."""
    if "Contact" not in headers:
        return None
    contacts = parse_addresses(headers, "Contact")
    if len(contacts) != 1 or not isinstance(parse_uri(contacts[0].uri), Uri):
        raise SipSyntaxError(400, "Contact Is Not One SIP URI")
    return contacts[0].uri


def check_dialog_fields(headers: Headers) -> None:
    """Raises SipSyntaxError where a response that makes or moves a dialog has no readable Contact or Record-Route."""
    contact_target(headers)
    parse_addresses(headers, "Record-Route")


def _is_loose(route: NameAddr) -> bool:
    uri = _sip_uri(route.uri)
    return uri is None or uri.param("lr") is not None


def _as_request_uri(text: str) -> str:
    """A URI without what section 19.1.1 forbids in a Request-URI: `method` and headers."""
    uri = _sip_uri(text)
    if uri is None:
        return text
    return str(replace(uri, params=tuple(p for p in uri.params if p[0].lower() != "method"), headers=()))


def _address_of(uri: Uri, transport: str) -> Address | None:
    """The IP address and port that a URI names (maddr before host), or None when it names something else."""
    host = uri.param("maddr") or uri.host
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return None
    return host, uri.port or default_port(transport)


def _is_reachable(host: str, local: str) -> bool:
    """Whether one peer can be spoken to at `host` from our address: of its family, and nobody else's or everybody's."""
    address, ours = ipaddress.ip_address(host), ipaddress.ip_address(local)
    if address.version != ours.version or address.is_multicast or address.is_unspecified or address.is_reserved:
        return False
    return isinstance(address, ipaddress.IPv4Address) or address.scope_id is None


def transport_of(uri: Uri) -> str:
    """The transport that a URI asks for, "" for none; `sips` is over TLS (RFC 3261, 26.2.2; RFC 7118, 5.3)."""
    named = (uri.param("transport") or "").lower()
    if uri.scheme != "sips":
        return named
    return "wss" if named in FLOW_TRANSPORTS else "tls"


def _sip_uri(text: str) -> Uri | None:
    try:
        uri = parse_uri(text)
    except SipSyntaxError:
        return None
    return uri if isinstance(uri, Uri) else None
