"""Every bound of the LiveKit-compatible API, each with its unit. Whoever reaches its port is a stranger."""

from __future__ import annotations

CONNECTIONS_MAX = 1_024
"""Connections at a time, WebSockets of agents and participants among them. At the bound a new one is closed at once."""

FIRST_REQUEST_S_MAX = 10.0
"""How long a connection may take to its first whole request head; then it is cut off."""

KEEP_ALIVE_S = 30.0
"""How long a connection may be silent between two requests."""

REQUEST_LINE_BYTES_MAX = 128 << 10
"""The request line: a client puts its whole join, with attributes and an SDP, into the query."""

HEADER_BYTES_MAX = 64 << 10
"""One header: a token may carry attributes and a room's configuration."""

SIP_BODY_BYTES_MAX = 1 << 20
"""The body of a request that is answered here. LiveKit's own metadata bound is half of it."""

BODY_BYTES_MAX = 16 << 20
"""The body of a request that is passed on."""

ANSWER_BYTES_MAX = 64 << 20
"""The body of an answer that is passed back; a longer one is cut off."""

BODY_S_MAX = 20.0
"""How long the body of a request that is answered here may take to arrive."""

EXCHANGE_S_MAX = 120.0
"""How long one request that is passed on may take, with its answer. LiveKit's own slowest waits for 80 s."""

CONNECT_S_MAX = 5.0
"""To reach the LiveKit server."""

HANDSHAKE_S_MAX = 15.0
"""Until the LiveKit server has taken or refused a WebSocket: it makes the room first."""

MESSAGE_BYTES_MAX = 2 << 20
"""One WebSocket message; LiveKit's own bound. A larger one ends the WebSocket."""

SILENCE_S_MAX = 90.0
"""A WebSocket on which neither side said anything is ended, after twice this at most: LiveKit's clients and servers
ping each few seconds."""

SEND_S_MAX = 30.0
"""How long a side of a WebSocket may take to accept one message; it is not read meanwhile from the other."""

PAGE_ITEMS = 1_000
"""Items of a page when its `limit` is 0; LiveKit's number."""

ITEMS_ASKED_MAX = 10_000
"""Ids, or numbers, that one request may filter by."""

CLOCK_LEEWAY_S = 60
"""How far the clocks of who signs a token and of this machine may be apart; LiveKit's number."""

NAME_BYTES_MAX = 256
"""Of a room's name, a participant's identity and its name, as UTF-8; LiveKit's number."""

METADATA_BYTES_MAX = 512 << 10
"""A participant's metadata; LiveKit's number."""

ATTRIBUTES_BYTES_MAX = 64 << 10
"""All attributes of a participant, keys and values together; LiveKit's number."""

USER_CHARS_MAX = 200
"""The user part of a SIP address: whom to call, and as whom."""

HOST_CHARS_MAX = 262
"""A host with its port."""

DISPLAY_NAME_CHARS_MAX = 128
"""LiveKit's number."""

PASSWORD_BYTES_MAX = 1_024
"""The password of a trunk that comes with the request."""

HEADERS_MAX = 64
"""Headers that one request sets, and entries of a map between headers and attributes."""

CODECS_MAX = 16
"""Codecs that one request lists."""

MEDIA_TIMEOUT_S_MAX = 600.0
"""LiveKit's number."""

DIAL_S_MAX = 30.0
"""Until a call that nobody waits for is dialled and its participant in the room; LiveKit's number."""

ANSWER_GRACE_S = 20.0
"""How much longer than it may ring a request waits for the answer: to join the room, to dial, to tell."""

TRANSFER_GRACE_S = 5.0
"""Likewise of a transfer, whose call is up already."""

RINGING_S_MAX = 3_600.0
"""How long a phone may ring, or a transfer take, at most."""

ORDERS_MAX = 256
"""Clients that wait for a call to be placed at a time, and for transfers likewise; one more is `resource_exhausted`."""

REMEMBERED_S = 60.0
"""How long after its end the outcome of an order is told to who asks again with the same request id."""

REMEMBERED_MAX = 4_096
"""Orders that are remembered by their request id; beyond it those that ended first are forgotten."""

REQUEST_ID_CHARS_MAX = 128
"""`X-Livekit-Request-Id`; SDKs send a UUID."""
