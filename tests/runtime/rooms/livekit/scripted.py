"""A LiveKit server in memory: reads what the signalling sends, says what a test wants it to say. Time is the test's."""

from __future__ import annotations

import base64
import gzip
from random import Random
from typing import Any

from livekit.protocol import models, rtc

from runtime.media.codecs.codec import PCMU
from runtime.media.dtls import Fingerprint
from runtime.rooms.livekit import news
from runtime.rooms.livekit.description import Ourselves, preferred
from runtime.rooms.livekit.modes import Mode
from runtime.rooms.livekit.signalling import Signalling

FINGERPRINT = Fingerprint("sha-256", b"\xab" * 32)
ANSWER = (
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
    f"a=fingerprint:sha-256 {FINGERPRINT}\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF {numbers}\r\na=setup:active\r\na=mid:0\r\n"
    "a=ice-ufrag:server\r\na=ice-pwd:0123456789012345678901\r\na=recvonly\r\n"
)


OFFER = (
    "v=0\r\no=- 5 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"
    f"a=fingerprint:sha-256 {FINGERPRINT}\r\n"
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=setup:actpass\r\na=mid:0\r\n"
    "a=ice-ufrag:{ufrag}\r\na=ice-pwd:0123456789012345678901\r\na=sctp-port:5000\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 0 8 111\r\na=setup:actpass\r\na=mid:1\r\n"
    "a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:111 opus/48000/2\r\na=sendonly\r\n"
)


class Script:
    """One call's signalling and the server's side of it."""

    def __init__(
        self,
        attributes: tuple[tuple[str, str], ...] = (("sip.callStatus", "ringing"),),
        mode: Mode = Mode.SINGLE,
    ) -> None:
        chance = Random(0)
        self.now = 100.0
        self.described = 0
        self.mode = mode
        self.signalling = Signalling("lobby", "sip_1", attributes, self._describe, chance.randbytes, mode)
        self.commands: list[news.Command] = []
        self.sent: list[rtc.SignalRequest] = []
        self.events: list[news.Event] = []
        self.signalling.start(self.now)
        self.drain()

    def _describe(self) -> Ourselves:
        self.described += 1
        codecs = preferred("auto", PCMU)
        return Ourselves(f"ufrag{self.described}", "p" * 22, FINGERPRINT, 7, "cname", "track", codecs)

    def drain(self) -> None:
        while (command := self.signalling.next_command()) is not None:
            self.commands.append(command)
            if isinstance(command, news.Send):
                self.sent.append(rtc.SignalRequest.FromString(command.data))
        while (event := self.signalling.next_event()) is not None:
            self.events.append(event)

    def step(self, seconds: float) -> None:
        """Let time go by, in steps of the clock."""
        for _ in range(round(seconds / 0.1)):
            self.now += 0.1
            self.signalling.handle_timer(self.now)
            self.drain()

    def say(self, **message: Any) -> None:
        self.signalling.received(rtc.SignalResponse(**message).SerializeToString(), self.now)
        self.drain()

    def join(
        self, *others: models.ParticipantInfo, sid: str = "PA_me", attributes: dict[str, str] | None = None
    ) -> None:
        """JoinResponse, and all that leads to the media paths."""
        shown = {"sip.callStatus": "ringing"} if attributes is None else attributes
        me = models.ParticipantInfo(sid=sid, identity="sip_1", attributes=shown)
        self.say(join=rtc.JoinResponse(participant=me, other_participants=others, ping_interval=5, ping_timeout=15))
        if self.mode is Mode.TWO:
            self.offer()
        self.say(track_published=rtc.TrackPublishedResponse(cid="track", track=models.TrackInfo(sid="TR_me")))
        self.answer()

    def answer(self, numbers: str = "0 8 111", number: int = 0) -> None:
        self.say(answer=rtc.SessionDescription(type="answer", sdp=ANSWER.format(numbers=numbers), id=number))

    def offer(self, ufrag: str = "server", number: int = 1, sdp: str = OFFER) -> None:
        self.say(offer=rtc.SessionDescription(type="offer", sdp=sdp.format(ufrag=ufrag), id=number))

    def media(self, *targets: news.Target) -> None:
        both = [news.Target.SUBSCRIBER, news.Target.PUBLISHER]
        for target in targets or (both if self.mode is Mode.TWO else both[1:]):
            self.signalling.media_connected(target, self.now)
        self.drain()

    def broken(self) -> None:
        self.signalling.closed(self.now)
        self.drain()

    def refused(self, status: int) -> None:
        self.signalling.refused(status, f"status {status}", self.now)
        self.drain()

    def up(self) -> Script:
        """In the room, with somebody to talk to."""
        self.join(agent())
        self.media()
        return self

    def of(self, kind: type) -> list[Any]:
        return [command for command in self.commands if isinstance(command, kind)]

    def requests(self) -> list[rtc.JoinRequest]:
        """The join requests, in order."""
        found = []
        for dial in self.of(news.Dial):
            assert dial.request.path == "/rtc/v1"
            [(_, encoded)] = dial.request.query
            wrapped = rtc.WrappedJoinRequest.FromString(base64.urlsafe_b64decode(encoded))
            found.append(rtc.JoinRequest.FromString(gzip.decompress(wrapped.join_request)))
        return found

    def asked(self, kind: str) -> list[Any]:
        return [getattr(request, kind) for request in self.sent if request.WhichOneof("message") == kind]


def agent(
    sid: str = "PA_agent", *tracks: str, kind: int = models.ParticipantInfo.AGENT, state: int = 2
) -> models.ParticipantInfo:
    """Somebody with audio tracks."""
    named = tracks or (f"TR_{sid}",)
    infos = [models.TrackInfo(sid=name, type=models.AUDIO) for name in named if name]
    return models.ParticipantInfo(sid=sid, identity=sid, kind=kind, state=state, tracks=infos)
