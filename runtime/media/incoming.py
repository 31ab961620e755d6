"""The RTP stream that comes in on one call: whose packets are heard, what they are, and one frame of them per tick.

Called by the session: `receive` for every datagram of the RTP port, `pull` once per tick. It promises that a datagram
of a stranger never raises; what is wrong with it is a counter.

Where there is the native core, packets of the stream that is heard go by its `inlet` straight to where they are played
from, once it is settled whose they are; all others come to `receive`, which decides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from runtime.media import native, reception, rtp, source
from runtime.media.codecs.codec import Codec
from runtime.media.comfort_noise import ComfortNoise, level_of
from runtime.media.config import StreamConfig
from runtime.media.dtmf import DigitReceiver
from runtime.media.events import DigitReceived, Event, SourceLocked
from runtime.media.frame import Frame
from runtime.media.jitter import Cell, Piece, make_playout
from runtime.media.mending import Mender
from runtime.media.reception import make_reception
from runtime.media.source import Address, SourceLock
from runtime.media.voice import Voice

COMFORT_NOISE: Final = 13
"""RFC 3389: how loud the line is while the peer sends nothing. It is played whether it was offered or not."""


def mender_of(codec: Codec) -> Mender | None:
    """Who makes good what is missing of a stream; None where its decoder does."""
    return Mender(codec) if codec.cuttable else None


def frame_of(voice: Voice, mender: Mender | None, cell: Cell | None) -> Frame | None:
    """The voice's next frame, out of the playout buffer."""
    if mender is not None:
        payload = mender.payload(cell)
        return None if payload is None else voice.frame(payload)
    if cell is None:
        return None
    if not isinstance(cell, Piece):
        return voice.frame(cell)
    if cell.payload is None:
        return voice.lost(cell.following, made_up=cell.made_up)
    return voice.frame(cell.payload, cell.part, cell.rest)


class IncomingStream:
    """See the module. `tell` takes events; the public numbers are counters of packets.

    `streams`: SSRCs and restarts. `to`: where audio goes. `inlet`: of the native core, for the socket.
    """

    __slots__ = (
        "_config",
        "_followed",
        "_heard_at",
        "_mender",
        "_stream",
        "_tell",
        "digits",
        "inlet",
        "jitter",
        "locked",
        "malformed",
        "noise",
        "reception",
        "rejected",
        "source",
        "streams",
        "to",
        "to_nobody",
        "unknown",
        "voice",
    )

    def __init__(self, config: StreamConfig, tell: Callable[[Event], None], now: float) -> None:
        self._config = config
        self._tell = tell
        self.locked: Address | None = None
        self.source = SourceLock(config.remote, config.peer)
        self.to = config.remote
        self.to_nobody = not config.peer.may_be(config.remote[0])
        """The SDP leads to where the trunk's media may not go, and nobody else was heard yet."""
        self.reception = make_reception(config.codec.clock_hz)
        self.jitter = make_playout(config.codec)
        self._mender = mender_of(config.codec)
        self.voice = Voice(config.codec)
        """What the peer says: where its frames are decoded, if anybody asks for that."""
        self.digits = DigitReceiver(config.dtmf_clock_hz)
        self.noise: ComfortNoise | None = None
        self.rejected = self.malformed = self.unknown = self.streams = 0
        self._heard_at = now
        self.inlet: Any = None if native.core is None else native.core.Inlet()
        self._stream: Any = None
        """What the inlet lets by, and by what that is known."""
        self._followed: tuple[Address, int, int] | None = None

    @property
    def heard_at(self) -> float:
        """When something of the peer's came last."""
        self._catch_up()
        return self._heard_at

    @heard_at.setter
    def heard_at(self, now: float) -> None:
        self._catch_up()
        self._heard_at = now

    def reconfigure(self, config: StreamConfig, now: float) -> None:
        """After a re-INVITE: counters and digits go on; a moved remote is learned anew."""
        before, self._config = self._config, config
        self._let_none_by()
        if config.remote != before.remote:
            self.source.reopen(config.remote, config.peer)
            self.to = config.remote
            self.to_nobody = not config.peer.may_be(config.remote[0])
            self.heard_at = now
        if config.codec is not before.codec:
            self.voice = Voice(config.codec)
            self._mender = mender_of(config.codec)
            self.reception.use_clock(config.codec.clock_hz)
        self.digits.use_clock(config.dtmf_clock_hz)
        if config.codec is not before.codec or config.receive != before.receive:
            self.noise = None
            self.jitter.flush(config.codec)

    def receive(self, data: bytes, address: Address, now: float) -> None:
        """Take a datagram from the RTP port."""
        packet = rtp.parse(data)
        if packet is None:
            self.malformed += 1
            return
        self._catch_up()
        payload_type, marker, sequence, timestamp, ssrc, payload, _, _ = packet
        is_audio = payload_type == self._config.payload_type_receive
        verdict = self.source.judge(address[:2], ssrc, sequence, now, is_audio=is_audio)
        if verdict == source.REJECTED:
            self.rejected += 1
            return
        self._heard_at = now
        if self.locked is not self.source.locked:
            self._follow_source()
        if verdict == source.NEW_STREAM:
            self._begin_stream()
        config = self._config
        if payload_type == config.dtmf_receive:
            self._receive_event(verdict, sequence, timestamp, marker, payload, now)
            return
        if verdict == source.PENDING:
            return
        order = self._count(sequence, now)
        if is_audio:
            if config.receive and order != reception.DUPLICATE and order != reception.STRANGE:
                self.reception.note_transit(timestamp, now)
                follows = order == reception.NEXT
                self.jitter.insert(timestamp, payload, now, newest=order != reception.REORDERED, follows=follows)
                self._let_by(ssrc, payload_type)
        elif payload_type != COMFORT_NOISE:
            self.unknown += 1
        elif config.receive and order in (reception.NEXT, reception.AHEAD):
            self._let_none_by()
            level = level_of(payload)
            self.noise = None if level is None else ComfortNoise(level)

    def pull(self, now: float) -> Frame | None:
        """The peer's audio for this tick, None for silence."""
        cell = self.jitter.pull(now)
        if self.noise is not None:
            if cell is None or (isinstance(cell, Piece) and cell.payload is None):
                return self.noise.frame()
            if self.noise.ends:
                self.noise = None
        return frame_of(self.voice, self._mender, cell)

    def _count(self, sequence: int, now: float) -> int:
        order = self.reception.arrived(sequence, now)
        if order == reception.RESTARTED:
            self.jitter.flush(self._config.codec)
            self.streams += 1
        return order

    def _let_by(self, ssrc: int, payload_type: int) -> None:
        """Audio has come: let its stream go on by itself, once it is locked and nothing else is played in its place."""
        if self.noise is not None:
            self.noise.ends = True
            return
        if self.inlet is None or self.locked is None or ssrc != self.source.ssrc:
            return
        followed = self.locked, ssrc, payload_type
        if followed != self._followed:
            assert native.core is not None
            self._followed = followed
            self._stream = native.core.Stream(ssrc, payload_type, self.reception, self.jitter, True)
            self.inlet.follow(*self.locked, self._stream)

    def _let_none_by(self) -> None:
        self._catch_up()
        self._followed = self._stream = None
        if self.inlet is not None:
            self.inlet.forget()

    def _catch_up(self) -> None:
        """Hear of what went by."""
        passed = None if self._stream is None else self._stream.passed()
        if passed is not None:
            sequence, self._heard_at = passed
            self.source.went_on(sequence, self._heard_at)

    def _begin_stream(self) -> None:
        self._let_none_by()
        self.streams += 1
        self.noise = None
        self.reception.restart()
        self.jitter.flush(self._config.codec)
        self.digits.restart()

    def _follow_source(self) -> None:
        """Audio goes where the locked source is; until then to the SDP's address."""
        self._let_none_by()
        self.locked = self.source.locked
        if self.locked is not None:
            self.to = self.locked
            self.to_nobody = False
            self._tell(SourceLocked(self.locked))

    def _receive_event(
        self, verdict: int, sequence: int, timestamp: int, marker: bool, payload: bytes, now: float
    ) -> None:
        if verdict == source.PENDING:
            # Some gateways send events under an SSRC of their own: the digit counts, the audio stream stays.
            self.digits.restart()
        else:
            self._count(sequence, now)
        if self._config.receive:
            digit = self.digits.receive(timestamp, marker, payload)
            if digit is not None:
                self._tell(DigitReceived(digit))
