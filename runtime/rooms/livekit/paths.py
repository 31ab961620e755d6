"""The media paths of one call: one that carries everything, or two, one for each direction. A core.

Called by the signalling, which knows neither how many there are nor who offers what: it tells of the server's messages
and gets commands back. `Mode.SINGLE` is `OnePath`: the join brings our offer, and we offer anew when the server needs
more sections. `Mode.TWO` is `TwoPaths`: the server offers the subscriber's path as soon as it lets us in and whenever
something changes there, and finds its way anew after a resume; the publisher's we offer when the track may be
published.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar, Final, Protocol

from livekit.protocol import rtc

from runtime.rooms.livekit import messages
from runtime.rooms.livekit.description import Ourselves, read_answer
from runtime.rooms.livekit.modes import Mode
from runtime.rooms.livekit.negotiation import Answering, Offering
from runtime.rooms.livekit.news import Command, Request, RestartPeer, Send, StartPeer, Target

SECTIONS_AT_START: Final = 1
"""Of a single path, for others' tracks. For the everyday call: one agent. Each further track costs one round trip."""


class NothingTakenError(Exception):
    """The server takes no codec that we could publish."""


class Paths(Protocol):
    """See the module. DescriptionError when something that the server said cannot be used."""

    targets: ClassVar[frozenset[Target]]
    """What has to stand for media to flow."""

    @property
    def begun(self) -> bool:
        """Whether the server knows of these paths: a new session needs new ones."""
        ...

    def join(self) -> Request:
        """Join as a new participant."""
        ...

    def resume(self, sid: str) -> Request:
        """Come back as the participant that is there."""
        ...

    def joined(self) -> list[Command]:
        """The server let us in."""
        ...

    def published(self) -> list[Command]:
        """Our track may be published."""
        ...

    def answered(self, answer: rtc.SessionDescription) -> list[Command]:
        """An answer of the server's. NothingTakenError when we could publish nothing by it."""
        ...

    def offered(self, offer: rtc.SessionDescription) -> list[Command]:
        """An offer of the server's."""
        ...

    def required(self, sections: int) -> list[Command]:
        """The server needs an offer with so many more sections."""
        ...

    def resumed(self, tracks: Iterable[str], published: rtc.TrackPublishedResponse | None) -> list[Command]:
        """We are back: say what we know. `tracks` are those that we asked for."""
        ...


class _Publishing:
    """The path that we offer, which every call has."""

    def __init__(self, ours: Ourselves, session_id: int, receiving: int) -> None:
        self._publisher = Offering(ours, session_id, receiving)
        self._track = messages.track_to_publish(ours.track)

    def answered(self, answer: rtc.SessionDescription) -> list[Command]:
        """See `Paths`."""
        first = self._publisher.answer is None
        if not self._publisher.takes(answer):
            return []
        if not first:
            return self._offer_again()
        theirs = read_answer(answer.sdp)
        if theirs.codec is None:
            raise NothingTakenError
        return [StartPeer(Target.PUBLISHER, self._publisher.ours, theirs), *self._offer_again()]

    def _offer_again(self) -> list[Command]:
        offer = self._publisher.next_offer()
        return [] if offer is None else [_send(messages.offer(offer))]


class OnePath(_Publishing):
    """LiveKit's single connection."""

    targets: ClassVar = frozenset({Target.PUBLISHER})

    def __init__(self, describe: Callable[[], Ourselves], session_id: int) -> None:
        super().__init__(describe(), session_id, SECTIONS_AT_START)

    @property
    def begun(self) -> bool:
        """See `Paths`."""
        return self._publisher.answer is not None

    def join(self) -> Request:
        """See `Paths`."""
        return messages.join_by_one(self._publisher.first_offer(), self._track)

    def resume(self, sid: str) -> Request:
        """See `Paths`."""
        return messages.resume_by_one(sid)

    def joined(self) -> list[Command]:
        """Everything came along with the join."""
        return []

    def published(self) -> list[Command]:
        """So did the track."""
        return []

    def offered(self, offer: rtc.SessionDescription) -> list[Command]:
        """A server does not offer here."""
        return []

    def required(self, sections: int) -> list[Command]:
        """See `Paths`."""
        self._publisher.require(sections)
        return self._offer_again()

    def resumed(self, tracks: Iterable[str], published: rtc.TrackPublishedResponse | None) -> list[Command]:
        """The server leaves the way of media as it is, and so do we."""
        ours = self._publisher
        synced = _send(messages.sync_state(ours.answer, ours.offer, tracks, published))
        ours.resumed()
        return [synced, *self._offer_again()]


class TwoPaths(_Publishing):
    """LiveKit's two connections, with the subscriber's as the first that stands."""

    targets: ClassVar = frozenset({Target.PUBLISHER, Target.SUBSCRIBER})

    def __init__(self, describe: Callable[[], Ourselves], session_id: int) -> None:
        super().__init__(describe(), session_id, receiving=0)
        self._subscriber = Answering(describe, session_id + 1)

    @property
    def begun(self) -> bool:
        """See `Paths`."""
        return self._subscriber.offer is not None or self._publisher.answer is not None

    def join(self) -> Request:
        """See `Paths`."""
        return messages.join_by_two()

    def resume(self, sid: str) -> Request:
        """See `Paths`."""
        return messages.resume_by_two(sid)

    def joined(self) -> list[Command]:
        """Ask to publish; the server's own offer is on its way."""
        return [_send(messages.add_track(self._track))]

    def published(self) -> list[Command]:
        """See `Paths`."""
        return [_send(messages.offer(self._publisher.first_offer()))] if self._publisher.answer is None else []

    def offered(self, offer: rtc.SessionDescription) -> list[Command]:
        """See `Paths`."""
        before = self._subscriber.theirs
        theirs = self._subscriber.take(offer)
        answer = self._subscriber.answer
        assert answer is not None, "every offer that can be read is answered"
        answered = _send(messages.answer(answer))
        if theirs is None:
            return [answered]
        same = before is not None and before.fingerprint == theirs.fingerprint
        begin = RestartPeer if same else StartPeer
        return [answered, begin(Target.SUBSCRIBER, self._subscriber.ours, theirs)]

    def required(self, sections: int) -> list[Command]:
        """Others' tracks come by the server's offers."""
        return []

    def resumed(self, tracks: Iterable[str], published: rtc.TrackPublishedResponse | None) -> list[Command]:
        """The server finds the subscriber's way anew by an offer of its own; the publisher's is left as it is."""
        theirs = self._subscriber
        return [_send(messages.sync_state(theirs.answer, theirs.offer, tracks, published))]


PATHS: Final[dict[Mode, Callable[[Callable[[], Ourselves], int], Paths]]] = {
    Mode.SINGLE: OnePath,
    Mode.TWO: TwoPaths,
}


def _send(request: rtc.SignalRequest) -> Send:
    return Send(request.SerializeToString())
