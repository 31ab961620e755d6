"""One call in one room: ties the signalling's orders to a WebSocket and media paths, and the clock to its audio."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import aiohttp

from runtime.media.dtls import Identity
from runtime.net.outbox import Outbox
from runtime.net.polled import PolledSockets
from runtime.rooms.adapter import Leg, Participant, RoomEvents
from runtime.rooms.livekit import news
from runtime.rooms.livekit.audio import Published, RoomAudio
from runtime.rooms.livekit.data import DataChannels
from runtime.rooms.livekit.description import Ourselves, preferred
from runtime.rooms.livekit.desk import AnswerAsked, Desk, EndAsked, HoldAsked, PlayDigit, Reply
from runtime.rooms.livekit.limits import DIGITS_WAITING_MAX
from runtime.rooms.livekit.modes import KnownMode
from runtime.rooms.livekit.news import Target
from runtime.rooms.livekit.peer import Peer
from runtime.rooms.livekit.signalling import Signalling
from runtime.rooms.livekit.socket import SignalSocket
from runtime.rooms.livekit.token import join_token
from runtime.settings import LiveKitServer
from schemas.tables.rows import Pairs

UFRAG_BYTES = 4
PASSWORD_BYTES = 16
STATUS = "sip.callStatus"


@dataclass(frozen=True, slots=True)
class Shared:
    """What all calls of a bridge have in common. `spawn` keeps hold of a task until it is done."""

    server: LiveKitServer
    http: aiohttp.ClientSession
    identity: Identity
    events: RoomEvents
    spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
    known: KnownMode
    polled: PolledSockets
    outbox: Outbox


class RoomConnection:
    """One call; see the module."""

    def __init__(self, shared: Shared, room: str, participant: Participant, leg: Leg, now: float) -> None:
        self._shared = shared
        self._participant = participant
        self._leg = leg
        self._socket: SignalSocket | None = None
        self._peers: dict[Target, Peer] = {}
        drawn = int.from_bytes(os.urandom(10))
        self._cname = os.urandom(8).hex()
        self._published = Published(drawn & 0xFFFFFFFF, drawn >> 32, drawn >> 48)
        self.audio = RoomAudio(self._published, self._cname, now)
        self._data: dict[Target, DataChannels] = {}
        self._signalling = Signalling(
            room,
            participant.identity,
            participant.attributes,
            self._describe,
            os.urandom,
            shared.known.at(now),
        )
        self._desk = Desk(participant.identity, participant.headers, self._signalling.is_phone, now)
        self._digits: list[str] = []

    # -- what the call wants ---------------------------------------------------------------------------------------

    def start(self, now: float) -> None:
        """Join the room."""
        self._signalling.start(now)
        self._drain()

    def leave(self, reason: str) -> None:
        """Leave the room; the participant's last status says that the phone was hung up."""
        answered = self._signalling.attributes.get(STATUS) == "active"
        self._signalling.leave(reason, ((STATUS, "hangup"),) if answered else ())
        self._drain()

    def set_attributes(self, changes: Pairs) -> None:
        """Change attributes of the participant."""
        self._signalling.set_attributes(changes)
        self._drain()

    def show_headers(self, headers: Pairs) -> None:
        """What the room may be told when it asks for the phone's headers."""
        self._desk.headers = headers

    def digit(self, digit: str) -> None:
        """Tell the room of a key that the phone pressed; one that is pressed too early waits."""
        data = self._data.get(Target.PUBLISHER)
        if data is not None:
            data.send(self._desk.digit(digit))
        elif len(self._digits) < DIGITS_WAITING_MAX:
            self._digits.append(digit)

    def message(self, method: str, content_type: str, body: bytes) -> None:
        """Tell the room what the phone wrote; before there is a way to tell it is lost."""
        data = self._data.get(Target.PUBLISHER)
        if data is not None:
            data.send(self._desk.message(method, content_type, body))

    # -- the clock -------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """One frame each way."""
        leg = self._leg
        frame = leg.pull(now)
        sending = self._peers.get(Target.PUBLISHER)
        if sending is None or not sending.connected:
            leg.push(None, now)
            return
        packet = self._published.packet(frame)
        if packet is not None:
            sending.send_rtp(packet, self._shared.outbox)
        leg.push(self.audio.heard(leg.codec, now), now)

    def handle_timer(self, now: float, wall_s: float) -> None:
        """What is due, several times a second."""
        self._signalling.handle_timer(now)
        self._drain()
        for peer in list(self._peers.values()):  # one that fails takes the others away
            peer.handle_timer()
        sending = self._peers.get(Target.PUBLISHER)
        if sending is not None and sending.connected:
            receiving = self._peers.get(Target.SUBSCRIBER, sending)
            reports = self.audio.report(now, wall_s, apart=receiving is not sending)
            for peer, report in zip((sending, receiving), reports, strict=False):
                peer.send_rtcp(report)
        self._drain()

    # -- SocketUser ------------------------------------------------------------------------------------------------

    def socket_refused(self, source: SignalSocket, status: int, words: str) -> None:
        """The WebSocket could not be opened."""
        if source is self._socket:
            self._signalling.refused(status, words, time.monotonic())
            self._drain()

    def socket_received(self, source: SignalSocket, data: bytes) -> None:
        """A message of the server."""
        if source is self._socket:
            self._signalling.received(data, time.monotonic())
            self._drain()

    def socket_closed(self, source: SignalSocket) -> None:
        """The WebSocket broke."""
        if source is self._socket:
            self._signalling.closed(time.monotonic())
            self._drain()

    # -- PeerUser --------------------------------------------------------------------------------------------------

    def peer_connected(self, source: Peer) -> None:
        """Media may flow, and data beside it."""
        if self._peers.get(source.target) is not source:
            return
        ours = source.target is Target.PUBLISHER
        self._data[source.target] = DataChannels(
            source.send_data, self._take_message, self._shared.spawn, client=source.is_dtls_client, ours=ours
        )
        if ours:
            digits, self._digits = self._digits, []
            for digit in digits:
                self.digit(digit)
        self._signalling.media_connected(source.target, time.monotonic())
        self._drain()

    def peer_found_itself(self, source: Peer, candidate: str) -> None:
        """Where the server can reach us."""
        self._signalling.found_ourselves(source.target, candidate)
        self._drain()

    def peer_failed(self, source: Peer, words: str) -> None:
        """A media path is gone."""
        if self._peers.get(source.target) is source:
            self._signalling.media_failed(words, time.monotonic())
            self._drain()

    @property
    def inlet(self) -> Any:
        """Of the audio."""
        return self.audio.inlet

    def take_rtp(self, packet: bytes) -> None:
        """A packet from the room."""
        self.audio.receive(packet, time.monotonic())

    def take_data(self, source: Peer, record: bytes) -> None:
        """Data beside media."""
        data = self._data.get(source.target)
        if data is not None:
            data.receive(record)

    def _take_message(self, message: bytes) -> None:
        now = time.monotonic()
        for reaction in self._desk.receive(message, now):
            match reaction:
                case Reply():
                    data = self._data.get(Target.PUBLISHER)
                    if data is not None:
                        data.send(reaction.data)
                case PlayDigit():
                    self._leg.send_digits(reaction.digit, now)
                case EndAsked():
                    self._shared.spawn(self._end(reaction))
                case HoldAsked():
                    self._shared.events.asked_to_hold(self._participant.call_id, on=reaction.on)
                case AnswerAsked():
                    self._shared.events.asked_to_answer(self._participant.call_id)

    async def _end(self, asked: EndAsked) -> None:
        """The answer goes first: to who asks somebody that has left, LiveKit says that nobody was there."""
        data = self._data.get(Target.PUBLISHER)
        if data is not None:
            await data.acknowledged()
        self._shared.events.asked_to_end(self._participant.call_id, asked.headers, f"{asked.by} ended the call")

    # -- orders and news -------------------------------------------------------------------------------------------

    def _describe(self) -> Ourselves:
        """A media path's own half: fresh credentials, the same stream."""
        return Ourselves(
            ufrag=os.urandom(UFRAG_BYTES).hex(),
            password=os.urandom(PASSWORD_BYTES).hex(),
            fingerprint=self._shared.identity.fingerprint,
            ssrc=self._published.ssrc,
            cname=self._cname,
            track=f"phone-{self._cname}",
            codecs=preferred(self._participant.room_codec, self._leg.codec),
        )

    def _drain(self) -> None:
        while (command := self._signalling.next_command()) is not None:
            self._carry_out(command)
        while (event := self._signalling.next_event()) is not None:
            self._tell(event)

    def _carry_out(self, command: news.Command) -> None:
        match command:
            case news.Dial():
                self._hang_up()
                self._socket = SignalSocket(self._shared.http, self, self._shared.spawn)
                token = join_token(self._shared.server, command.room, self._participant, command.attributes)
                self._socket.dial(self._shared.server.url, command.request, token)
            case news.Send():
                if self._socket is not None:
                    self._socket.send(command.data)
            case news.HangUp():
                self._hang_up()
            case news.StartPeer():
                self._start(command)
            case news.RestartPeer():
                self._peers[command.target].restart(command.ours, command.theirs)
            case news.AddCandidate():
                if command.target in self._peers:
                    self._peers[command.target].add_candidate(command.text)
            case news.DropPeers():
                self.audio.forget()
                for target in list(self._peers):
                    self._drop(target)

    def _start(self, command: news.StartPeer) -> None:
        target, shared = command.target, self._shared
        self._drop(target)
        if command.theirs.codec is not None:
            self._published.use(command.theirs.codec)
        self._peers[target] = Peer(
            self, target, shared.identity, command.ours, command.theirs, shared.polled, shared.spawn
        )

    def _drop(self, target: Target) -> None:
        peer, data = self._peers.pop(target, None), self._data.pop(target, None)
        if peer is not None:
            self._shared.spawn(_close(peer, data))

    def _tell(self, event: news.Event) -> None:
        call_id, events = self._participant.call_id, self._shared.events
        match event:
            case news.Ready():
                events.joined(call_id)
            case news.ModeFound():
                self._shared.known.found(event.mode, time.monotonic())
            case news.TrackMuted():
                self._published.muted = event.muted
            case news.Left():
                events.left(call_id, event.code, event.words)
            case news.AttributesChanged():
                events.shows(call_id, event.attributes)
            case news.Standing():
                if not event.returned:  # a phone hears by itself that its room is back
                    events.entered(call_id, event.participant_id)
            case news.Moved():
                events.moved(call_id, event.room)

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.hang_up()
            self._socket = None


async def _close(peer: Peer, data: DataChannels | None) -> None:
    if data is not None:
        await data.close()
    await peer.close()
