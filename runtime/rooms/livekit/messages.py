"""The messages that a call sends to the server, in LiveKit's own protobuf (protocol 17)."""

from __future__ import annotations

import base64
import gzip
import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from livekit.protocol import models, rtc

from runtime.calls.reasons import EndReason
from runtime.rooms.livekit.limits import ATTRIBUTES_BYTES_MAX, TOKEN_ATTRIBUTES_BYTES_MAX
from runtime.rooms.livekit.news import Request, Target
from schemas.tables.rows import Pairs

PROTOCOL: Final = 17
REFUSED: Final = EndReason.ROOM_REFUSED
TRACK_NAME: Final = "phone"


def join_by_one(offer: rtc.SessionDescription, published: rtc.AddTrackRequest) -> Request:
    """A first join: the offer and the track to publish come along, so that the first answer settles everything."""
    return _by_one(rtc.JoinRequest(add_track_requests=[published], publisher_offer=offer))


def resume_by_one(sid: str) -> Request:
    """Back to a session whose signalling broke; its media path goes on."""
    return _by_one(rtc.JoinRequest(reconnect=True, participant_sid=sid, reconnect_reason=models.RR_SIGNAL_DISCONNECTED))


def join_by_two() -> Request:
    """A first join; all else follows when the server has answered."""
    return Request("/rtc", _BY_TWO)


def resume_by_two(sid: str) -> Request:
    """Back to a session whose signalling broke; its media paths go on."""
    reason = str(models.RR_SIGNAL_DISCONNECTED)
    return Request("/rtc", (*_BY_TWO, ("reconnect", "1"), ("sid", sid), ("reconnect_reason", reason)))


_BY_TWO: Final = (("protocol", str(PROTOCOL)), ("sdk", "python"), ("version", "1"), ("auto_subscribe", "0"))


def track_to_publish(cid: str) -> rtc.AddTrackRequest:
    """The caller's voice; the server finds it in our offer by `cid`."""
    return rtc.AddTrackRequest(
        cid=cid, name=TRACK_NAME, type=models.AUDIO, source=models.MICROPHONE, disable_red=True, disable_dtx=True,
        audio_features=[models.TF_NO_DTX],
    )  # fmt: skip


def add_track(published: rtc.AddTrackRequest) -> rtc.SignalRequest:
    """Ask to publish."""
    return rtc.SignalRequest(add_track=published)


def _by_one(request: rtc.JoinRequest) -> Request:
    """Compressed, because it travels in a URL."""
    request.client_info.CopyFrom(models.ClientInfo(sdk=models.ClientInfo.PYTHON, version="1", protocol=PROTOCOL))
    # Nothing is subscribed to by itself: a call takes audio only, and so much of it as it can bear.
    request.connection_settings.CopyFrom(rtc.ConnectionSettings(auto_subscribe=False))
    packed = gzip.compress(request.SerializeToString(), 1, mtime=0)
    wrapped = rtc.WrappedJoinRequest(compression=rtc.WrappedJoinRequest.GZIP, join_request=packed)
    encoded = base64.urlsafe_b64encode(wrapped.SerializeToString()).decode()
    return Request("/rtc/v1", (("join_request", encoded),))


def offer(description: rtc.SessionDescription) -> rtc.SignalRequest:
    """An offer that did not come with the join."""
    return rtc.SignalRequest(offer=description)


def answer(description: rtc.SessionDescription) -> rtc.SignalRequest:
    """Our answer to an offer of the server's."""
    return rtc.SignalRequest(answer=description)


def trickle(target: Target, candidate: str) -> rtc.SignalRequest:
    """An ICE candidate of ours, without its `candidate:`. Every path of ours is one bundle (RFC 8838)."""
    init = json.dumps({"candidate": f"candidate:{candidate}", "sdpMid": "0", "sdpMLineIndex": 0})
    return rtc.SignalRequest(trickle=rtc.TrickleRequest(candidateInit=init, target=rtc.SignalTarget.Name(target)))


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
    last_answer: rtc.SessionDescription | None,
    last_offer: rtc.SessionDescription | None,
    tracks: Iterable[str],
    published: rtc.TrackPublishedResponse | None,
) -> rtc.SignalRequest:
    """After a resume: what we last heard and said."""
    return rtc.SignalRequest(
        sync_state=rtc.SyncState(
            answer=last_answer,
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
