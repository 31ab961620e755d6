"""One call's life on a LiveKit server, without sockets: what to answer, when to come back, when to give up.

Called by the connection with messages as they arrive, with what became of the WebSocket and of the media path, and
every 100 ms with the time. Commands come out of `next_command`, news out of `next_event`; the time arrives as `now`,
chance as `entropy`. What it promises:

* A call is in its room when the server has said so and media flows; it is ready when somebody is there to talk to.
* A server that does not have the mode of signalling that was tried first is at once joined by the other one.
* Signalling that breaks is resumed while media goes on; what cannot be resumed is joined anew, with new media paths.
  Coming back takes no longer than `LOST_S_MAX`, with growing, spread pauses; then the call has lost its room.
* It ends once, by one `Left` that says why in words.

    DIALLING --JoinResponse, media--> UP --lost--> RETURNING --ReconnectResponse or join--> UP --leave--> ENDED
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Final

from google.protobuf.message import DecodeError
from livekit.protocol import models, rtc

from runtime.gate.bucket import TokenBucket
from runtime.rooms.livekit import messages
from runtime.rooms.livekit.description import DescriptionError, Ourselves
from runtime.rooms.livekit.limits import FAREWELL_S, OFFERS_BURST, OFFERS_PER_S
from runtime.rooms.livekit.modes import Mode
from runtime.rooms.livekit.news import (
    AddCandidate,
    AttributesChanged,
    Command,
    Dial,
    DropPeers,
    Event,
    HangUp,
    Left,
    ModeFound,
    Moved,
    Ready,
    Send,
    Standing,
    Target,
    TrackMuted,
)
from runtime.rooms.livekit.paths import PATHS, NothingTakenError, Paths
from runtime.rooms.livekit.patience import Attempts, Heartbeat
from runtime.rooms.livekit.reasons import LOST, UNREACHABLE, farewell, words_for_leave
from runtime.rooms.livekit.roster import Roster
from schemas.tables.rows import Pairs

NOT_THERE: Final = 404
"""The server has no such mode of signalling; or no such room, and does not make one."""


class State(StrEnum):
    """Where a call is in its room's life."""

    DIALLING = "dialling"
    UP = "up"
    RETURNING = "returning"
    ENDED = "ended"


class Signalling:
    """See the module. `describe()` gives a fresh media path's own half; `identity` is for words only.

    `mode` is the one that is tried first.
    """

    def __init__(
        self,
        room: str,
        identity: str,
        attributes: Pairs,
        describe: Callable[[], Ourselves],
        entropy: Callable[[int], bytes],
        mode: Mode = Mode.SINGLE,
    ) -> None:
        self.room = room
        self.state = State.DIALLING
        self.attributes = dict(messages.fitting(attributes))
        """As we and the server last set them."""
        self._identity = identity
        self._describe = describe
        self._entropy = entropy
        self._mode = mode
        self._mode_changed = False
        """Whether the other mode was tried before, and the server has not let us in since."""
        self._paths = self._new_paths()
        self._standing: frozenset[Target] = frozenset()
        self._commands: deque[Command] = deque()
        self._events: deque[Event] = deque()
        self._roster = Roster()
        self._sid = ""
        self._track: rtc.TrackPublishedResponse | None = None
        self._socket_up = self._joined = self._ready = False
        self._resumable = False
        self._attempts = Attempts(entropy)
        self._heartbeat = Heartbeat()
        self._last_fault = ""

    # -- what the call wants ---------------------------------------------------------------------------------------

    def start(self, now: float) -> None:
        """Join."""
        self._offers = TokenBucket(OFFERS_PER_S, OFFERS_BURST, now)
        self._attempts.join_from(now)
        self._dial(now)

    def set_attributes(self, changes: Pairs) -> None:
        """Change attributes of our participant; an empty value takes one away."""
        for name, value in changes:
            if value:
                self.attributes[name] = value
            else:
                self.attributes.pop(name, None)
        if self._joined and self._socket_up:
            self._send(messages.update_attributes(changes))

    def is_phone(self, identity: str) -> bool:
        """Whether somebody in the room is another caller."""
        return self._roster.is_phone(identity)

    def leave(self, reason: str, last: Pairs = ()) -> None:
        """Go, as the one who wants to; nothing is told any more.

        `reason` is a record's code; `last` are attributes to be seen until the end.
        """
        if self.state is not State.ENDED:
            if last:
                self.set_attributes(last)
            if self._socket_up:
                self._send(messages.leave(farewell(reason)))
            self._finish()

    # -- what the edges tell ---------------------------------------------------------------------------------------

    def refused(self, status: int, words: str, now: float) -> None:
        """The WebSocket could not be opened. `status` is HTTP's, 0 when there was no answer."""
        if self.state is State.ENDED:
            return
        self._socket_up = False
        self._last_fault = words
        if status == NOT_THERE and not self._resumable and not self._mode_changed:
            self._mode, self._mode_changed = self._mode.other, True
            self._begin_anew()
            self._dial(now)
            return
        if 400 <= status < 500 and not self._resumable:
            self._lose(messages.REFUSED, words)
            return
        if status:  # the server is there, and will not resume: begin anew
            self._resumable = False
        self._come_back(now)

    def closed(self, now: float) -> None:
        """The WebSocket broke."""
        was_up, self._socket_up = self._socket_up, False
        if was_up and self.state is not State.ENDED:
            self._last_fault = "the signalling connection broke"
            self._come_back(now)

    def media_connected(self, target: Target, now: float) -> None:
        """A media path stands."""
        self._standing |= {target}
        self._settle(now)

    def found_ourselves(self, target: Target, candidate: str) -> None:
        """A media path knows an address of ours that the server should know."""
        if self._socket_up and self.state is not State.ENDED:
            self._send(messages.trickle(target, candidate))

    def media_failed(self, words: str, now: float) -> None:
        """A media path is gone: only a new join makes a new one.

        A server that ends a session closes its media too, and that may arrive before the words: who has been removed
        must not come back meanwhile. So the signalling stays, and is listened to for a moment.
        """
        self._standing = frozenset()
        self._resumable = False
        self._last_fault = words
        if self.state is not State.ENDED:
            self._come_back(now, FAREWELL_S if self._socket_up else 0.0)

    def received(self, data: bytes, now: float) -> None:
        """One message of the server; what cannot be read is passed over."""
        if self.state is State.ENDED:
            return
        try:
            message = rtc.SignalResponse.FromString(data)
        except DecodeError:
            return
        self._heartbeat.heard(now)
        kind = message.WhichOneof("message")
        handler = getattr(self, f"_on_{kind}", None) if kind else None
        if handler is not None:
            handler(getattr(message, kind or ""), now)

    def handle_timer(self, now: float) -> None:
        """Pings, attempts that are due, patience that is over."""
        if self.state is State.ENDED:
            return
        if self.state is not State.UP and self._attempts.over(now):
            code = UNREACHABLE if self.state is State.DIALLING else LOST
            self._lose(code, self._last_fault or "the LiveKit server did not answer in time")
        elif self._attempts.due(now):
            self._dial(now)
        elif self._socket_up and self._joined:
            if self._heartbeat.silent(now):
                self._last_fault = f"the LiveKit server was silent for {self._heartbeat.silent_s_max:.0f} s"
                self._hang_up()
                self._come_back(now)
            elif self._heartbeat.due(now):
                self._send(messages.ping(int(now * 1000)))

    def next_command(self) -> Command | None:
        """The next thing to do, in order."""
        return self._commands.popleft() if self._commands else None

    def next_event(self) -> Event | None:
        """What happened, oldest first."""
        return self._events.popleft() if self._events else None

    # -- messages --------------------------------------------------------------------------------------------------

    def _on_join(self, join: rtc.JoinResponse, now: float) -> None:
        self._sid = join.participant.sid
        self._heartbeat.agree(join.ping_interval, join.ping_timeout)
        self._heartbeat.begin(now)
        self._joined = True
        if self._mode_changed:
            self._mode_changed = False
            self._events.append(ModeFound(self._mode))
        self._commands.extend(self._paths.joined())
        self._roster.clear()
        shown = join.participant.attributes  # a token carries only so many, and some changed meanwhile
        behind = tuple((name, value) for name, value in sorted(self.attributes.items()) if shown.get(name) != value)
        if behind:
            self._send(messages.update_attributes(behind))
        self._follow(join.other_participants)
        self._settle(now)

    def _on_reconnect(self, _: rtc.ReconnectResponse, now: float) -> None:
        """Resumed: say what we know, then go on as if nothing had been."""
        self._joined = True
        self._heartbeat.begin(now)
        self._commands.extend(self._paths.resumed(self._roster.subscribed, self._track))
        if self.attributes:
            self._send(messages.update_attributes(tuple(sorted(self.attributes.items()))))
        self._settle(now)

    def _on_answer(self, answer: rtc.SessionDescription, now: float) -> None:
        try:
            self._commands.extend(self._paths.answered(answer))
        except DescriptionError as fault:
            self.media_failed(str(fault), now)
        except NothingTakenError:
            self._lose(messages.REFUSED, "the LiveKit server takes neither G.711 nor Opus")

    def _on_offer(self, offer: rtc.SessionDescription, now: float) -> None:
        if not self._offers.take(now):
            self.media_failed("the server offers its media path too often", now)
            return
        try:
            self._commands.extend(self._paths.offered(offer))
        except DescriptionError as fault:
            self.media_failed(str(fault), now)

    def _on_trickle(self, trickle: rtc.TrickleRequest, _: float) -> None:
        try:
            candidate = json.loads(trickle.candidateInit).get("candidate")
        except (ValueError, AttributeError):
            return
        if isinstance(candidate, str) and candidate.startswith("candidate:"):
            target = Target.SUBSCRIBER if trickle.target == rtc.SUBSCRIBER else Target.PUBLISHER
            self._commands.append(AddCandidate(target, candidate.removeprefix("candidate:")))

    def _on_media_sections_requirement(self, wanted: rtc.MediaSectionsRequirement, _: float) -> None:
        self._commands.extend(self._paths.required(wanted.num_audios))

    def _on_update(self, update: rtc.ParticipantUpdate, now: float) -> None:
        for participant in update.participants:
            if participant.sid == self._sid and dict(participant.attributes) != self.attributes:
                self.attributes = dict(participant.attributes)
                self._events.append(AttributesChanged(tuple(sorted(self.attributes.items()))))
        self._follow(update.participants)
        self._settle(now)

    def _on_track_published(self, published: rtc.TrackPublishedResponse, _: float) -> None:
        self._track = published
        self._commands.extend(self._paths.published())

    def _on_mute(self, mute: rtc.MuteTrackRequest, _: float) -> None:
        if self._track is not None and mute.sid == self._track.track.sid:
            self._track.track.muted = mute.muted
            self._events.append(TrackMuted(mute.muted))
            self._send(messages.mute(mute.sid, muted=mute.muted))

    def _on_room_moved(self, moved: rtc.RoomMovedResponse, now: float) -> None:
        self._sid = moved.participant.sid or self._sid
        if moved.room.name.isprintable() and moved.room.name:
            self.room = moved.room.name
            self._events.append(Moved(self.room))
        self._roster.clear()
        self._follow(moved.other_participants)
        self._settle(now)

    def _on_leave(self, leave: rtc.LeaveRequest, now: float) -> None:
        if leave.action == rtc.LeaveRequest.DISCONNECT and not leave.can_reconnect:
            code, words = words_for_leave(leave.reason, self._identity, self.room)
            self._lose(code, words)
            return
        self._last_fault = "the LiveKit server asked us to come back, and was not there"
        if leave.action != rtc.LeaveRequest.RESUME:
            self._resumable = False
        self._hang_up()
        self._come_back(now)

    # -- steps -----------------------------------------------------------------------------------------------------

    def _follow(self, participants: Iterable[models.ParticipantInfo]) -> None:
        wanted = self._roster.update(participants, self._sid)
        if wanted:
            self._send(messages.subscribe(wanted))

    def _settle(self, now: float) -> None:
        """Whether the call is up, and whether it is ready."""
        if not self._joined or not self._paths.targets <= self._standing or self.state is State.ENDED:
            return
        if self.state is not State.UP:
            returned = self.state is State.RETURNING
            self.state = State.UP
            self._resumable = True  # not before: what is half built is not worth coming back to
            self._attempts.succeed()
            self._events.append(Standing(self._sid, returned))
        if self._roster.audience and not self._ready:
            self._ready = True
            self._events.append(Ready())

    def _dial(self, now: float) -> None:
        self._attempts.begin()
        self._socket_up = True  # as far as we know: `refused` or `closed` says otherwise
        self._joined = False
        self._heartbeat.heard(now)
        if self._resumable:
            request = self._paths.resume(self._sid)
        else:
            if self._paths.begun:
                self._begin_anew()
            request = self._paths.join()
        self._commands.append(Dial(self.room, request, tuple(self.attributes.items())))

    def _begin_anew(self) -> None:
        """A new participant with new media paths."""
        self._commands.append(DropPeers())
        self._paths = self._new_paths()
        self._track = None
        self._standing = frozenset()
        self._roster.clear()

    def _new_paths(self) -> Paths:
        return PATHS[self._mode](self._describe, int.from_bytes(self._entropy(7)) | 1)

    def _come_back(self, now: float, not_before_s: float = 0.0) -> None:
        self._joined = False
        if self.state is State.UP:
            self.state = State.RETURNING
            self._attempts.return_from(now)
        self._attempts.plan(now, not_before_s)

    def _lose(self, code: str, words: str) -> None:
        self._events.append(Left(code, words))
        self._finish()

    def _finish(self) -> None:
        self.state = State.ENDED
        self._hang_up()
        self._commands.append(DropPeers())

    def _hang_up(self) -> None:
        self._socket_up = False
        self._commands.append(HangUp())

    def _send(self, request: rtc.SignalRequest) -> None:
        self._commands.append(Send(request.SerializeToString()))
