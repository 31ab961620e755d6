"""Tokens that let a call join its room: one per connection, alive for minutes, made with the bridge's own API key.

LiveKit's `refresh_token` (and the token in `room_moved`) is for clients that cannot sign one. It is not used here: a
token of our own is never stale, names the room that the participant is in now, and is sure to say `sip`, while servers
up to 1.8 leave the kind out of theirs; and it has bounded attributes, while theirs carry all of them in a header. A
resume needs no more than the identity. A join anew shows the attributes as they were last; name, metadata and
permissions are those of the tables again, as for any new participant.
"""

from __future__ import annotations

from datetime import timedelta

from livekit.api import AccessToken, VideoGrants
from livekit.protocol import room

from runtime.rooms.adapter import Participant
from runtime.rooms.livekit.limits import TOKEN_LIFE_S
from runtime.rooms.livekit.messages import in_token
from runtime.settings import LiveKitServer
from schemas.livekit_words import put_room
from schemas.tables.rows import ROOM_DEFAULTS, Pairs


def join_token(server: LiveKitServer, room_name: str, participant: Participant, attributes: Pairs) -> str:
    """The token of one participant for one room. How the room is made counts only when this join makes it."""
    token = (
        AccessToken(server.api_key, server.api_secret)
        .with_ttl(timedelta(seconds=TOKEN_LIFE_S))
        .with_identity(participant.identity)
        .with_name(participant.name)
        .with_kind("sip")
        .with_metadata(participant.metadata)
        .with_attributes(dict(in_token(attributes)))
        .with_grants(
            VideoGrants(
                room_join=True,
                room=room_name,
                can_publish=True,
                can_subscribe=True,
                can_publish_data=True,
                can_update_own_metadata=True,
            )
        )
    )
    if participant.room != ROOM_DEFAULTS:
        configuration = room.RoomConfiguration()
        put_room(configuration, participant.room)
        token = token.with_room_config(configuration)
        if participant.room.preset:
            token = token.with_room_preset(participant.room.preset)
    return token.to_jwt()


def check_token(server: LiveKitServer) -> str:
    """A token that can do nothing but show whether the key is good."""
    grants = VideoGrants(room_join=True, room="dialplane-check", can_publish=False, can_subscribe=False)
    token = AccessToken(server.api_key, server.api_secret).with_ttl(timedelta(seconds=TOKEN_LIFE_S))
    return token.with_identity("dialplane-check").with_grants(grants).to_jwt()
