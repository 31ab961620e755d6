"""The most of everything that a stranger can send us in SIP and SDP: each a named constant with its unit.

They are far above what carriers and phones send, and low enough that one message can cost neither memory nor time.
"""

from __future__ import annotations

MESSAGE_BYTES_MAX = 65_536
"""One whole message; more is 513. A UDP datagram cannot hold more."""

HEAD_BYTES_MAX = 16_384
"""Start line and headers of one message, on a stream the empty line included; more is 513, and a connection ends."""

STREAM_BODY_BYTES_MAX = 32_768
"""Content-Length of one message on a stream; more is 513, and the connection ends. """

MESSAGE_WITHIN_S = 10.0
"""From the first byte of a message on a stream to its last; one that takes longer is 400, and the connection ends."""

UDP_REQUEST_BYTES_MAX = 1_300
"""RFC 3261 section 18.1.1: a larger request of ours is sent over TCP, as the MTU of the way is not known."""

HEADERS_MAX = 128
"""Header lines in one message; more is 513."""

HEADER_CHARS_MAX = 8_192
"""One header line after unfolding; more is 513."""

URI_CHARS_MAX = 2_048
"""One URI; in a request line, more is 414."""

PARAMS_MAX = 64
"""Parameters of one field value or URI."""

ELEMENTS_MAX = 128
"""Elements of one comma-separated field, all its header lines together."""

CALL_ID_CHARS_MAX = 256
"""Call-ID; more is 400. It and those below are kept with every transaction, call and record."""

TAG_CHARS_MAX = 256
"""The tag of From or To; more is 400."""

BRANCH_CHARS_MAX = 256
"""The branch of the topmost Via; more is 400."""

CSEQ_MAX = 2**31 - 1
"""RFC 3261 section 8.1.1.5: a sequence number is less than 2**31."""

MAX_FORWARDS_MAX = 255
"""RFC 3261 section 20.22."""

SDP_BYTES_MAX = 16_384
"""One session description."""

SDP_LINES_MAX = 512
"""Lines of one session description."""

MEDIA_MAX = 16
"""m-lines of one session description."""

FORMATS_MAX = 64
"""Formats (codecs) of one m-line."""
