"""The audio of one call in its room: the caller's frames out as one track, everybody else's tracks in as one frame.

Called once per tick. It promises:

* G.711 goes through as it is, both ways, where phone and room agree on it: not decoded, not resampled.
* One audible source is handed on alone; only several are decoded and summed, and clipped once.
* Opus is decoded at the phone's own rate as it arrives, and from there on is like any other source.
* Any number of strangers' streams leaves at most `SOURCES_MAX` behind.

Frames are 160 bytes of G.711, packets are plain RTP and RTCP (the connection protects them).
"""

from __future__ import annotations

from typing import Final

from runtime.media import reception, rtcp, rtp
from runtime.media.codecs import g711
from runtime.media.codecs.g711 import FRAME_BYTES, SAMPLES_PER_S, SILENCE, Law
from runtime.media.codecs.opus import CLOCK_PER_S, OpusDecoder, OpusEncoder, OpusLibrary
from runtime.media.jitter import JitterBuffer
from runtime.media.mixer import heard_outside
from runtime.media.reception import Reception
from runtime.rooms.livekit.description import PAYLOAD_TYPES, RoomCodec
from runtime.rooms.livekit.limits import REPORT_INTERVAL_S, SOURCES_MAX

_LAWS: Final[dict[int, Law]] = {0: "pcmu", 8: "pcma"}
_OPUS: Final = PAYLOAD_TYPES["opus"]
_CLOCK_RATIO: Final = CLOCK_PER_S // SAMPLES_PER_S
_NTP_EPOCH_S: Final = 2_208_988_800


class Published:
    """The caller as the room hears it. The timestamp moves with the clock whether or not anything is sent."""

    __slots__ = (
        "_codec",
        "_encoder",
        "_library",
        "_marker",
        "_sequence",
        "muted",
        "octets",
        "packets",
        "ssrc",
        "timestamp",
    )

    def __init__(self, library: OpusLibrary, ssrc: int, sequence: int, timestamp: int) -> None:
        self.ssrc, self._sequence, self.timestamp = ssrc, sequence & 0xFFFF, timestamp & 0xFFFFFFFF
        self._library = library
        self._codec: RoomCodec | None = None
        self._encoder: OpusEncoder | None = None
        self._marker = True
        self.muted = False
        self.packets = self.octets = 0

    def use(self, codec: RoomCodec | None) -> None:
        """What the server takes; None: nothing is sent."""
        self._codec = codec
        self._encoder = OpusEncoder(self._library) if codec == "opus" else None

    def packet(self, frame: bytes | None, law: Law) -> bytes | None:
        """The packet of one tick; None while there is nothing to send it as, or the server muted the track."""
        codec, timestamp = self._codec, self.timestamp
        step = FRAME_BYTES if codec != "opus" else FRAME_BYTES * _CLOCK_RATIO
        self.timestamp = timestamp + step & 0xFFFFFFFF
        if codec is None or self.muted:
            self._marker = True
            return None
        frame = SILENCE[law] if frame is None else frame
        if codec == "opus":
            assert self._encoder is not None
            payload = self._encoder.encode(g711.decode(law, frame))
        else:
            payload = g711.transcode(law, codec, frame)
        head = rtp.header(PAYLOAD_TYPES[codec], self._marker, self._sequence, timestamp, self.ssrc)
        self._marker = False
        self._sequence = self._sequence + 1 & 0xFFFF
        self.packets += 1
        self.octets += len(payload)
        return head + payload


class _Source:
    """One stream of somebody else."""

    __slots__ = ("decoder", "first", "heard_at", "jitter", "law", "reception", "ssrc")

    def __init__(self, ssrc: int, law: Law) -> None:
        self.ssrc = ssrc
        self.law: Law = law
        self.jitter = JitterBuffer(law)
        self.reception = Reception()
        self.decoder: OpusDecoder | None = None
        self.first: int | None = None
        self.heard_at = 0.0


class RoomAudio:
    """Both directions of one call. `law` is what Opus is turned into: the phone's."""

    def __init__(self, library: OpusLibrary, published: Published, cname: str, law: Law, now: float) -> None:
        self.published = published
        self._library = library
        self._cname = cname
        self._law: Law = law
        self._sources: dict[int, _Source] = {}
        self._report_at = now + REPORT_INTERVAL_S
        self.received = self.malformed = 0

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
        source.heard_at = now
        order = source.reception.arrived(sequence, now)
        if order == reception.RESTARTED:
            source.jitter.flush(source.law)
            source.first = None
        if order in (reception.DUPLICATE, reception.STRANGE) or not payload:
            return
        self.received += 1
        if number == _OPUS:
            self._decode(source, timestamp, payload, order, now)
        elif number in _LAWS:
            if _LAWS[number] != source.law:
                source.law = _LAWS[number]
                source.jitter.flush(source.law)
            self._insert(source, timestamp, payload, order, now)

    def heard(self, law: Law, now: float) -> bytes | None:
        """What the caller hears in this tick, in `law`; None for silence."""
        self._law = law
        sources = self._sources
        if not sources:
            return None
        if len(sources) == 1:
            [only] = sources.values()
            frame = only.jitter.pull(now)
            return None if frame is None else g711.transcode(only.law, law, frame)
        frames = [source.jitter.pull(now) for source in sources.values()]
        return heard_outside(frames, [source.law for source in sources.values()], law)

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

    def _open(self, ssrc: int, number: int) -> _Source | None:
        if number != _OPUS and number not in _LAWS:
            return None
        if len(self._sources) >= SOURCES_MAX:
            del self._sources[min(self._sources.values(), key=lambda source: source.heard_at).ssrc]
        source = self._sources[ssrc] = _Source(ssrc, _LAWS.get(number, self._law))
        return source

    def _decode(self, source: _Source, timestamp: int, payload: bytes, order: int, now: float) -> None:
        if source.decoder is None:
            source.decoder = OpusDecoder(self._library)
        linear = source.decoder.decode(payload)
        if linear is None:
            self.malformed += 1
            return
        if source.first is None:
            source.first = timestamp
        elapsed = (timestamp - source.first + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        at = elapsed // _CLOCK_RATIO & 0xFFFFFFFF
        self._insert(source, at, g711.encode(source.law, linear), order, now)

    def _insert(self, source: _Source, timestamp: int, payload: bytes, order: int, now: float) -> None:
        newest, follows = order != reception.REORDERED, order == reception.NEXT
        source.jitter.insert(timestamp, payload, now, newest=newest, follows=follows)
