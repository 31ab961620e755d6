"""A message that arrived, with the fields that every layer asks for read once.

`endpoint` makes these at the door; from there on Via, tags, Call-ID and CSeq are known to be good. The top Via is
stamped as RFC 3261 section 18.2.1 and RFC 3581 section 4 say, and the way back for the response is worked out from it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from runtime.sip.errors import SipSyntaxError
from runtime.sip.fields import CSeq, Via, parse_cseq, parse_name_addr, parse_via
from runtime.sip.grammar import split_commas
from runtime.sip.limits import BRANCH_CHARS_MAX, CALL_ID_CHARS_MAX, TAG_CHARS_MAX
from runtime.sip.message import Headers, Request, Response
from runtime.sip.path import FLOW_TRANSPORTS, Path, default_port


@dataclass(frozen=True, slots=True)
class IncomingRequest:
    """A request with stamped top Via; `via` is that Via as the peer wrote it. `from_tag` is "" where there is none.

    `path` is the way that it came, and on a stream also says where its peer is reached again.
    """

    request: Request
    path: Path
    response_path: Path
    via: Via
    call_id: str
    from_tag: str
    to_tag: str | None
    cseq: int


@dataclass(frozen=True, slots=True)
class IncomingResponse:
    """A response to a request of ours; `to_tag` is "" where there is none."""

    response: Response
    path: Path
    via: Via
    call_id: str
    from_tag: str
    to_tag: str
    cseq: CSeq

    @property
    def status(self) -> int:
        """The status code, 100 to 699."""
        return self.response.status


def read_request(request: Request, path: Path) -> IncomingRequest:
    """The request as it is worked with. SipSyntaxError 400 where one of the fields cannot be read."""
    via, others = top_via(request.headers)
    headers = request.headers
    _bounded(via.branch or "", BRANCH_CHARS_MAX, "branch")
    back = response_path(via, path)
    return IncomingRequest(
        replace(request, headers=stamped(headers, via, others, path)),
        back if path.reliable else path,
        back,
        via,
        _call_id(headers),
        _tag(headers, "From") or "",
        _tag(headers, "To"),
        parse_cseq(headers).number,
    )


def read_response(response: Response, path: Path) -> IncomingResponse:
    """The response as it is worked with. SipSyntaxError where it is broken or has a second Via (8.1.3.3)."""
    headers = response.headers
    via, others = top_via(headers)
    if others or len(headers.all("Via")) > 1:
        raise SipSyntaxError(400, "More Than One Via In A Response")
    return IncomingResponse(
        response,
        path,
        via,
        _call_id(headers),
        _tag(headers, "From") or "",
        _tag(headers, "To") or "",
        parse_cseq(headers),
    )


def answerable(request: Request, path: Path) -> tuple[Request, Path, bool] | None:
    """A request with a fault, as far as it can be answered: (stamped request, way back, whether To needs no tag).

    None without a Via: nobody would know the answer. With one that cannot be read it goes back where it came from.
    """
    headers = request.headers
    if "Via" not in headers:
        return None
    try:
        has_tag = parse_name_addr(headers.first("To") or "", "To").tag is not None
    except SipSyntaxError:
        has_tag = True
    try:
        via, others = top_via(headers)
    except SipSyntaxError:
        return request, path, has_tag
    return replace(request, headers=stamped(headers, via, others, path)), response_path(via, path), has_tag


def top_via(headers: Headers) -> tuple[Via, str]:
    """The topmost Via, and the text of the further ones that share its header line ("" where there are none)."""
    line = _needed(headers, "Via")
    first, *others = split_commas(line) if "," in line else [line]
    return parse_via(first), ", ".join(others)


def stamped(headers: Headers, via: Via, others: str, path: Path) -> Headers:
    """Headers whose top Via says where the request really came from."""
    host, port = path.remote
    if via.param("rport") is not None:
        # RFC 3581 section 4: with rport, received is added even where it says nothing new.
        via = via.with_param("received", host).with_param("rport", str(port))
    elif via.host.lower() != host.lower():
        via = via.with_param("received", host)
    else:
        return headers
    items = list(headers.items())
    at = next(index for index, (name, _) in enumerate(items) if name == "Via")
    items[at] = ("Via", f"{via}, {others}" if others else str(via))
    return Headers.of_canonical(items)


def response_path(via: Via, path: Path) -> Path:
    """Where the response goes (RFC 3261 section 18.2.2): where the request came from, at the port the Via names.

    With rport at the port it came from (RFC 3581). On the connection that it came by; once that is gone, the port in
    the Via is where a new one is tried; a WebSocket's peer has none (RFC 7118 section 5). `maddr` is not followed: it
    would let a stranger aim our responses at anybody, and we serve no multicast.
    """
    if path.transport in FLOW_TRANSPORTS:
        return path
    named = path.remote[0], via.port or default_port(path.transport)
    if path.reliable:
        return replace(path, again=named)
    return path if via.param("rport") is not None else replace(path, remote=named)


def _call_id(headers: Headers) -> str:
    return _bounded(_needed(headers, "Call-ID"), CALL_ID_CHARS_MAX, "Call-ID")


def _tag(headers: Headers, name: str) -> str | None:
    tag = parse_name_addr(_needed(headers, name), name).tag
    return tag if tag is None else _bounded(tag, TAG_CHARS_MAX, f"{name} tag")


def _bounded(text: str, most: int, what: str) -> str:
    """What is kept with every transaction and call is short: with everybody, and so with who means ill."""
    if len(text) > most:
        raise SipSyntaxError(400, f"Overlong {what}")
    return text


def _needed(headers: Headers, name: str) -> str:
    value = headers.first(name)
    if not value:
        raise SipSyntaxError(400, f"Missing {name}")
    return value
