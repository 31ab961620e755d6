"""Who is in the room: which audio tracks to subscribe to, and whether there is anybody to talk to.

Called by the signalling for every ParticipantUpdate. It promises that a room of any size leaves bounded traces here.
"""

from __future__ import annotations

from collections.abc import Iterable

from livekit.protocol import models

from runtime.rooms.livekit.limits import PARTICIPANTS_MAX, TRACKS_MAX


class Roster:
    """The others in the room, as one call sees them."""

    def __init__(self) -> None:
        self._audio: dict[str, tuple[str, ...]] = {}
        """Participant sid -> sids of its audio tracks."""
        self._phones: dict[str, str] = {}
        """Participant sid -> identity of those that are phones."""
        self._subscribed: set[str] = set()

    def clear(self) -> None:
        """Another room, or the same one anew."""
        self._audio.clear()
        self._phones.clear()
        self._subscribed.clear()

    def update(self, participants: Iterable[models.ParticipantInfo], own_sid: str) -> list[tuple[str, str]]:
        """Take in news; (participant sid, track sid) of what is to be subscribed to now."""
        for participant in participants:
            sid = participant.sid
            if sid == own_sid:
                continue
            if participant.state == models.ParticipantInfo.DISCONNECTED:
                self._subscribed.difference_update(self._audio.pop(sid, ()))
                self._phones.pop(sid, None)
            elif sid in self._audio or len(self._audio) < PARTICIPANTS_MAX:
                tracks = tuple(track.sid for track in participant.tracks if track.type == models.AUDIO)
                self._subscribed.difference_update(set(self._audio.get(sid, ())) - set(tracks))
                self._audio[sid] = tracks[:TRACKS_MAX]
                if participant.kind == models.ParticipantInfo.SIP:
                    self._phones[sid] = participant.identity
        return self._to_subscribe()

    def _to_subscribe(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for sid, tracks in self._audio.items():
            for track in tracks:
                if len(self._subscribed) >= TRACKS_MAX:
                    return found
                if track not in self._subscribed:
                    self._subscribed.add(track)
                    found.append((sid, track))
        return found

    @property
    def subscribed(self) -> tuple[str, ...]:
        """The sids of all tracks that were asked for."""
        return tuple(sorted(self._subscribed))

    def is_phone(self, identity: str) -> bool:
        """Whether this is another caller."""
        return identity in self._phones.values()

    @property
    def audience(self) -> bool:
        """Whether somebody can be heard, or another phone waits: two phones must not wait for each other's answer."""
        return bool(self._subscribed or self._phones)
