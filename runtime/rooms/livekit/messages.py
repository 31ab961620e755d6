"""The messages that a call sends to the server, in LiveKit's own protobuf (protocol 17, single connection)."""

from __future__ import annotations

import gzip
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from livekit.protocol import models, rtc

from runtime.calls.reasons import EndReason
from runtime.rooms.livekit.limits import ATTRIBUTES_BYTES_MAX, TOKEN_ATTRIBUTES_BYTES_MAX
from schemas.tables.rows import Pairs

PROTOCOL: Final = 17
REFUSED: Final = EndReason.ROOM_REFUSED
TRACK_NAME: Final = "phone"


def join_request(offer: rtc.SessionDescription, track: str) -> bytes:
    """A first join: the offer and the track to publish come along, so that the first answer settles everything."""
    published = rtc.AddTrackRequest(
        cid=track, name=TRACK_NAME, type=models.AUDIO, source=models.MICROPHONE, disable_red=True, disable_dtx=True,
        audio_features=[models.TF_NO_DTX],
    )  # fmt: skip
    return _wrapped(rtc.JoinRequest(add_track_requests=[published], publisher_offer=offer))


def resume_request(sid: str) -> bytes:
    """Back to a session whose signalling broke; its media path goes on."""
    return _wrapped(
        rtc.JoinRequest(reconnect=True, participant_sid=sid, reconnect_reason=models.RR_SIGNAL_DISCONNECTED)
    )


def _wrapped(request: rtc.JoinRequest) -> bytes:
    """Compressed, because it travels in a URL."""
    request.client_info.CopyFrom(models.ClientInfo(sdk=models.ClientInfo.PYTHON, version="1", protocol=PROTOCOL))
    # Nothing is subscribed to by itself: a call takes audio only, and so much of it as it can bear.
    request.connection_settings.CopyFrom(rtc.ConnectionSettings(auto_subscribe=False))
    packed = gzip.compress(request.SerializeToString(), 1, mtime=0)
    return rtc.WrappedJoinRequest(compression=rtc.WrappedJoinRequest.GZIP, join_request=packed).SerializeToString()


def offer(description: rtc.SessionDescription) -> rtc.SignalRequest:
    """A later offer."""
    return rtc.SignalRequest(offer=description)


def subscribe(tracks: Iterable[tuple[str, str]]) -> rtc.SignalRequest:
    """Ask for tracks: (participant sid, track sid)."""
    return rtc.SignalRequest(subscription=_subscription(tracks))


def _subscription(tracks: Iterable[tuple[str, str]]) -> rtc.UpdateSubscription:
    by_participant: defaultdict[str, list[str]] = defaultdict(list)
    for participant, track in tracks:
        by_participant[participant].append(track)
    return rtc.UpdateSubscription(
        subscribe=True,
        track_sids=[track for tracks in by_participant.values() for track in tracks],
        participant_tracks=[
            models.ParticipantTracks(participant_sid=sid, track_sids=tracks) for sid, tracks in by_participant.items()
        ],
    )


def update_attributes(changes: Pairs) -> rtc.SignalRequest:
    """Change attributes of our own participant: as many as the server takes, which takes all or none."""
    return rtc.SignalRequest(update_metadata=rtc.UpdateParticipantMetadata(attributes=dict(fitting(changes))))


def mute(sid: str, *, muted: bool) -> rtc.SignalRequest:
    """Agree that our track is muted."""
    return rtc.SignalRequest(mute=rtc.MuteTrackRequest(sid=sid, muted=muted))


def leave(reason: models.DisconnectReason) -> rtc.SignalRequest:
    """Goodbye."""
    return rtc.SignalRequest(leave=rtc.LeaveRequest(reason=reason, action=rtc.LeaveRequest.DISCONNECT))


def ping(timestamp_ms: int) -> rtc.SignalRequest:
    """Ask whether the server is there."""
    return rtc.SignalRequest(ping_req=rtc.Ping(timestamp=timestamp_ms))


def sync_state(
    answer: rtc.SessionDescription | None,
    last_offer: rtc.SessionDescription | None,
    tracks: Iterable[str],
    published: rtc.TrackPublishedResponse | None,
) -> rtc.SignalRequest:
    """After a resume: what we last heard and said."""
    return rtc.SignalRequest(
        sync_state=rtc.SyncState(
            answer=answer,
            offer=last_offer,
            subscription=rtc.UpdateSubscription(subscribe=True, track_sids=tracks),
            publish_tracks=[published] if published is not None else [],
        )
    )


def fitting(attributes: Pairs, bytes_max: int = ATTRIBUTES_BYTES_MAX) -> Pairs:
    """As many attributes as fit, always the same ones: those of the call first, then others, then single headers.

    Within each kind they go by name, and one that does not fit is passed over.
    """
    found, left = [], bytes_max
    for name, value in sorted(attributes, key=_rank):
        size = len(name.encode()) + len(value.encode())
        if size <= left:
            left -= size
            found.append((name, value))
    return tuple(found)


def in_token(attributes: Pairs) -> Pairs:
    """As many attributes as a token may carry."""
    return fitting(attributes, TOKEN_ATTRIBUTES_BYTES_MAX)


def _rank(attribute: tuple[str, str]) -> tuple[int, str]:
    name, _ = attribute
    if name.startswith("sip.h."):
        return 2, name  # whoever needs one can ask for it: lk.sip.GetRemoteHeaders
    return 0 if name.startswith("sip.") else 1, name
