"""One message -> bytes (RFC 3261 section 7). The only place where SIP is put on the wire.

Values come from peers, manifests and agents alike; nothing that could start another header line gets out. The law:
`parse_message(write_message(m)) == m` for every message that has what parsing asks for.
"""

from __future__ import annotations

import re

from runtime.sip.grammar import has_illegal_control, is_token
from runtime.sip.message import CANONICAL, Message, Request

_uri = re.compile("[!-~]+")


def write_message(message: Message) -> bytes:
    """The message as it goes out; Content-Length is always that of the body, whatever the headers say.

    ValueError for a CR, LF or bare control character anywhere, and for a method, URI, status or header name that is
    none: our own caller let it through.
    """
    lines = [_start_line(message)]
    for name, value in message.headers.items():
        if name == "Content-Length":
            continue
        if name not in CANONICAL and not is_token(name):
            raise ValueError(f"not a header name: {name!r}")
        if not value.isprintable() and has_illegal_control(value):
            raise ValueError(f"control character in the value of {name}")
        lines.append(f"{name}: {value}")
    lines.append(f"Content-Length: {len(message.body)}\r\n\r\n")
    return "\r\n".join(lines).encode() + message.body


def _start_line(message: Message) -> str:
    if isinstance(message, Request):
        if not is_token(message.method) or _uri.fullmatch(message.uri) is None:
            raise ValueError(f"not a request line: {message.method!r} {message.uri!r}")
        return f"{message.method} {message.uri} SIP/2.0"
    if not 100 <= message.status <= 699 or has_illegal_control(message.reason):
        raise ValueError(f"not a status line: {message.status!r} {message.reason!r}")
    return f"SIP/2.0 {message.status} {message.reason}"
