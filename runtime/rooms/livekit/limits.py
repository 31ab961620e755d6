"""Every bound of a call's life in a LiveKit room, each with its unit.

Whoever is in the room is a stranger to the phone: what they can send is bounded here, and so is our patience.
"""

from __future__ import annotations

TRACKS_MAX = 16
"""Audio tracks of others that one call subscribes to. Those beyond are not heard."""

SOURCES_MAX = 24
"""RTP sources that one call decodes at a time; the one that was silent longest makes room."""

PARTICIPANTS_MAX = 10_000
"""Members of the room that one call keeps in mind; those beyond are not heard."""

MESSAGE_BYTES_MAX = 2 << 20
"""One signalling message; LiveKit's own bound. A larger one ends the WebSocket."""

DESCRIPTION_BYTES_MAX = 256 << 10
"""The SDP of an answer."""

SECTIONS_MAX = 128
"""Media sections of the server's offer. One beyond is not answered, and the path counts as failed."""

OFFERS_PER_S = 10.0
OFFERS_BURST = 30.0
"""Offers of one server to one call; LiveKit gathers changes for 150 ms before it offers. Beyond it the path failed."""

CANDIDATES_MAX = 64
"""ICE candidates of the server that are tried."""

IDENTITY_CHARS_MAX = 256
ATTRIBUTES_BYTES_MAX = 64 << 10
"""LiveKit's bounds for a participant; names and values count. Attributes beyond are left out."""

TOKEN_ATTRIBUTES_BYTES_MAX = 4 << 10
"""Attributes beyond this are told after the join: a token travels in a header, and proxies bound headers."""

TOKEN_LIFE_S = 600
"""A token is made for one connection; every later one gets a token of its own."""

JOIN_S_MAX = 10.0
"""From the first attempt to audio. Beyond it the room cannot be had."""

CONNECT_S_MAX = 5.0
"""One attempt to open the WebSocket."""

LOST_S_MAX = 25.0
"""From the loss of the room to having it again. Beyond it the call ends."""

BACKOFF_S_MIN = 0.3
BACKOFF_S_MAX = 3.0
"""Between attempts to come back: doubled each time, spread by chance so that a thousand calls do not come at once."""

FAREWELL_S = 0.3
"""How long a server whose media path is gone may take to say why by signalling: its goodbyes may overtake each other,
and who was sent out of a room must not come back."""

PING_INTERVAL_S = 5.0
PING_TIMEOUT_S = 15.0
"""Used where the server names none."""

REPORT_INTERVAL_S = 5.0
"""RTCP reports."""

UNSENT_BYTES_MAX = 1 << 20
"""What waits for a WebSocket that does not take it. Beyond it the connection counts as lost."""

DATA_BYTES_MAX = 64 << 10
"""One data packet from the room; a larger one is dropped."""

DATA_RECORDS_PER_S = 200.0
DATA_RECORDS_BURST = 400.0
"""SCTP packets of one call that are looked at; the server repeats those beyond."""

DIGITS_PER_S = 2.0
DIGITS_BURST = 20.0
"""Digits from the room that a phone is played: no more than fit, or it would hear keys instead of speech."""

RPC_PER_S = 5.0
RPC_BURST = 20.0
"""Remote procedure calls to one call; those beyond get no answer."""

ACKNOWLEDGED_S_MAX = 0.5
"""How long a call that the room ends goes on until the server has the answer to who ended it."""

RPC_CALLERS_MAX = 64
"""Of so many callers the rate is remembered; beyond that the one that was quiet longest begins anew."""

RPC_HEADERS_MAX = 32
"""Headers that lk.sip.EndCall may put on the BYE."""

DIGITS_WAITING_MAX = 64
"""Digits of the phone that wait until the room can be told."""
