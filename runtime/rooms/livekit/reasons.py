"""Why a call has no room any more: LiveKit's DisconnectReason as codes of our records and in words, and back."""

from __future__ import annotations

from typing import Final

from livekit.protocol import models

from runtime.calls.reasons import EndReason

UNREACHABLE: Final = EndReason.ROOM_UNREACHABLE
LOST: Final = EndReason.ROOM_LOST

_LEAVES: Final[dict[int, tuple[EndReason, str]]] = {
    models.DUPLICATE_IDENTITY: (EndReason.DUPLICATE_IDENTITY, "another participant joined as {identity}"),
    models.PARTICIPANT_REMOVED: (EndReason.REMOVED, "the participant was removed from room {room}"),
    models.ROOM_DELETED: (EndReason.ROOM_CLOSED, "room {room} was deleted"),
    models.ROOM_CLOSED: (EndReason.ROOM_CLOSED, "room {room} was closed"),
    models.SERVER_SHUTDOWN: (EndReason.ROOM_LOST, "the LiveKit server shut down"),
    models.JOIN_FAILURE: (EndReason.ROOM_REFUSED, "the LiveKit server could not let the participant join"),
    models.CONNECTION_TIMEOUT: (EndReason.ROOM_LOST, "the LiveKit server lost the participant's media"),
    models.MEDIA_FAILURE: (EndReason.ROOM_LOST, "the LiveKit server gave up the participant's media"),
}

_FAREWELLS: Final[dict[str, models.DisconnectReason]] = {
    EndReason.BUSY: models.USER_REJECTED,
    EndReason.REJECTED: models.USER_REJECTED,
    EndReason.UNAVAILABLE: models.USER_UNAVAILABLE,
    EndReason.NO_ANSWER: models.USER_UNAVAILABLE,
    EndReason.TRUNK_FAILURE: models.SIP_TRUNK_FAILURE,
    EndReason.UNREACHABLE: models.SIP_TRUNK_FAILURE,
    EndReason.LEG_LOST: models.SIP_TRUNK_FAILURE,
    EndReason.NO_ACK: models.SIP_TRUNK_FAILURE,
    EndReason.MEDIA: models.MEDIA_FAILURE,
    EndReason.MEDIA_TIMEOUT: models.MEDIA_FAILURE,
}
"""Ends of which the others should know that nobody hung up."""


def farewell(reason: str) -> models.DisconnectReason:
    """LiveKit's word for a call's end, by its record's code. Servers up to 1.13 tell the others of USER_… alone."""
    return _FAREWELLS.get(reason, models.CLIENT_INITIATED)


def words_for_leave(reason: int, identity: str, room: str) -> tuple[EndReason, str]:
    """The code and the sentence for a leave that the server sent."""
    code, words = _LEAVES.get(reason, (EndReason.ROOM_LOST, "the LiveKit server ended the participant's session"))
    return code, words.format(identity=identity, room=room)
