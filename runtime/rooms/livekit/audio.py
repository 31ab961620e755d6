"""The audio of one call in its room: the caller's frames out as one track, everybody else's tracks in as one frame.

Called once per tick. It promises:

* What phone and room agree on (G.711, Opus) goes through as it is, both ways: not decoded, not resampled.
* One audible source is handed on alone; only several are decoded and summed, and clipped once.
* Opus that has to be decoded is decoded at the phone's own rate.
* Any number of strangers' streams leaves at most `SOURCES_MAX` behind.

Packets are plain RTP and RTCP (the connection protects them). With the native core those that go on with their stream
go by `inlet` straight to where they are played from; all others come to `receive`.
"""

from __future__ import annotations

from typing import Any, Final

from runtime.media import native, reception, rtcp, rtp
from runtime.media.codecs.codec import CODECS as SPOKEN
from runtime.media.codecs.codec import PCMU, Codec
from runtime.media.coder import Coder
from runtime.media.frame import Frame
from runtime.media.incoming import frame_of, mender_of
from runtime.media.jitter import make_playout
from runtime.media.mixer import Mixer
from runtime.media.reception import make_reception
from runtime.media.voice import Voice
from runtime.rooms.livekit.description import PAYLOAD_TYPES, RoomCodec
from runtime.rooms.livekit.limits import REPORT_INTERVAL_S, SOURCES_MAX

_CODECS: Final[dict[int, Codec]] = {number: SPOKEN[name] for name, number in PAYLOAD_TYPES.items()}
_NTP_EPOCH_S: Final = 2_208_988_800


class Published:
    """The caller as the room hears it. The timestamp moves with the clock whether or not anything is sent."""

    __slots__ = ("_coder", "_marker", "_number", "_sequence", "muted", "octets", "packets", "ssrc", "timestamp")

    def __init__(self, ssrc: int, sequence: int, timestamp: int) -> None:
        self.ssrc, self._sequence, self.timestamp = ssrc, sequence & 0xFFFF, timestamp & 0xFFFFFFFF
        self._coder = Coder(PCMU)
        self._number: int | None = None
        self._marker = True
        self.muted = False
        self.packets = self.octets = 0

    def use(self, codec: RoomCodec | None) -> None:
        """What the server takes; None: nothing is sent."""
        self._number = None if codec is None else PAYLOAD_TYPES[codec]
        if codec is not None:
            self._coder.use(SPOKEN[codec])

    def packet(self, frame: Frame | None) -> bytes | None:
        """The packet of one tick; None while there is nothing to send it as, or the server muted the track."""
        number, timestamp = self._number, self.timestamp
        self.timestamp = timestamp + self._coder.codec.step & 0xFFFFFFFF
        if number is None or self.muted:
            self._marker = True
            return None
        payload = self._coder.payload(frame)
        if not payload:
            if payload is None:
                self._sequence = self._sequence + 1 & 0xFFFF  # it was lost, and who listens conceals it
            return None
        head = rtp.header(number, self._marker, self._sequence, timestamp, self.ssrc)
        self._marker = False
        self._sequence = self._sequence + 1 & 0xFFFF
        self.packets += 1
        self.octets += len(payload)
        return head + payload


class _Source:
    """One stream of somebody else."""

    __slots__ = ("_heard_at", "_inlet", "_mender", "_stream", "jitter", "number", "reception", "ssrc", "voice")

    def __init__(self, ssrc: int, number: int, inlet: Any) -> None:
        self.ssrc = ssrc
        self._heard_at = 0.0
        self._inlet, self._stream = inlet, None
        codec = _CODECS[number]
        self.jitter = make_playout(codec)
        self.reception = make_reception(codec.clock_hz)
        self.use(number)

    def use(self, number: int) -> None:
        """Its packets are of this type from now on."""
        codec = _CODECS[number]
        self.number = number
        self.voice = Voice(codec)
        self._mender = mender_of(codec)
        self.jitter.flush(codec)
        self.reception.use_clock(codec.clock_hz)
        if self._inlet is not None:
            assert native.core is not None
            self._stream = native.core.Stream(self.ssrc, number, self.reception, self.jitter, False)
            self._inlet.add(self._stream)

    @property
    def heard_at(self) -> float:
        """When something of it came last."""
        return self._heard_at if self._stream is None else max(self._heard_at, self._stream.heard_at)

    def arrived(self, sequence: int, now: float) -> int:
        """A packet came: what `Reception` says of it."""
        self._heard_at = now
        return self.reception.arrived(sequence, now)

    def pull(self, now: float) -> Frame | None:
        """Its frame of this tick."""
        return frame_of(self.voice, self._mender, self.jitter.pull(now))


class RoomAudio:
    """Both directions of one call."""

    def __init__(self, published: Published, cname: str, now: float) -> None:
        self.published = published
        self._cname = cname
        self._sources: dict[int, _Source] = {}
        self._mixer = Mixer()
        self._report_at = now + REPORT_INTERVAL_S
        self.malformed = 0
        self.inlet: Any = None if native.core is None else native.core.Inlet()
        """For the socket; None without the native core."""

    @property
    def sources(self) -> int:
        """How many streams are kept."""
        return len(self._sources)

    def receive(self, packet: bytes, now: float) -> None:
        """One RTP packet from the room."""
        parsed = rtp.parse(packet)
        if parsed is None:
            self.malformed += 1
            return
        number, _, sequence, timestamp, ssrc, payload, _, _ = parsed
        source = self._sources.get(ssrc)
        if source is None:
            source = self._open(ssrc, number)
            if source is None:
                self.malformed += 1
                return
        order = source.arrived(sequence, now)
        if order == reception.RESTARTED:
            source.jitter.flush(_CODECS[source.number])
        if order in (reception.DUPLICATE, reception.STRANGE) or not payload:
            return
        if number in _CODECS:
            if number != source.number:
                source.use(number)
            newest, follows = order != reception.REORDERED, order == reception.NEXT
            source.jitter.insert(timestamp, payload, now, newest=newest, follows=follows)

    def heard(self, codec: Codec, now: float) -> Frame | None:
        """What the caller, who speaks this, hears in this tick; None for silence."""
        sources = self._sources
        if not sources:
            return None
        if len(sources) == 1:
            [only] = sources.values()
            return only.pull(now)
        return self._mixer.together([source.pull(now) for source in sources.values()], codec.rate_hz)

    def report(self, now: float, wall_s: float, *, apart: bool) -> tuple[bytes, ...]:
        """The RTCP compound that is due: what we sent, and what we received of each source (RFC 3550 section 6.4).

        `apart`: two of them, what we sent first, for those are two sessions.
        """
        if now < self._report_at:
            return ()
        self._report_at = now + REPORT_INTERVAL_S
        blocks = tuple(
            rtcp.ReportBlock(source.ssrc, *source.reception.report(), 0, 0)
            for source in self._sources.values()
            if source.reception.newest >= 0
        )[: rtcp.REPORTS_MAX]
        if apart:
            return self._compound(wall_s, ()), self._write(rtcp.ReceiverReport(self.published.ssrc, blocks))
        return (self._compound(wall_s, blocks),)

    def _compound(self, wall_s: float, blocks: tuple[rtcp.ReportBlock, ...]) -> bytes:
        sent = self.published
        if not sent.packets:
            return self._write(rtcp.ReceiverReport(sent.ssrc, blocks))
        ntp = int((wall_s + _NTP_EPOCH_S) * 0x100000000) & 0xFFFFFFFFFFFFFFFF
        counted = sent.packets & 0xFFFFFFFF, sent.octets & 0xFFFFFFFF
        return self._write(rtcp.SenderReport(sent.ssrc, ntp, sent.timestamp, *counted, blocks))

    def _write(self, head: rtcp.Packet) -> bytes:
        return rtcp.write((head, rtcp.SourceDescription(((self.published.ssrc, self._cname),))))

    def forget(self) -> None:
        """The sources belong to a connection that is gone."""
        self._sources.clear()
        if self.inlet is not None:
            self.inlet.forget()

    def _open(self, ssrc: int, number: int) -> _Source | None:
        if number not in _CODECS:
            return None
        if len(self._sources) >= SOURCES_MAX:
            oldest = min(self._sources.values(), key=lambda source: source.heard_at).ssrc
            del self._sources[oldest]
            if self.inlet is not None:
                self.inlet.remove(oldest)
        source = self._sources[ssrc] = _Source(ssrc, number, self.inlet)
        return source
