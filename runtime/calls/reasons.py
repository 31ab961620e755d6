"""Why a call ended, as stable codes: those of the bridge itself. A refusal by the tables has its own `Reason`.

Records carry them, `runtime/docs.md` explains each; a test holds the two together.
"""

from __future__ import annotations

from enum import StrEnum


class EndReason(StrEnum):
    """What the bridge, a peer, a room or the network did."""

    HANGUP = "hangup"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    MEDIA_TIMEOUT = "media-timeout"
    NO_ACK = "no-ack"
    MAX_DURATION = "max-duration"
    SHUTDOWN = "shutdown"
    LEG_LOST = "leg-lost"
    AUTH_NOT_IN_EFFECT = "auth-not-in-effect"
    PIN_NOT_IN_EFFECT = "pin-not-in-effect"
    SYNTAX = "syntax"
    BODY = "body"
    MEDIA = "media"
    ROOM_FULL = "room-full"
    NO_PORTS = "no-ports"
    FULL = "full"
