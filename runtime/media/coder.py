"""What one listener is sent: frames of any codec and rate in, payloads of its own codec out.

One for each stream that goes out: of a phone's session, of a track in a room. Where the frame is in the listener's own
codec its very payload goes through; between the laws of G.711 a table changes it; only what is left is decoded and
encoded anew, at the highest rate that both have.
"""

from __future__ import annotations

from runtime.media.codecs import opus_packets
from runtime.media.codecs.codec import TICK_MS, TICKS_PER_S, Codec
from runtime.media.codecs.coding import Encoder, make_encoder
from runtime.media.codecs.opus import NO_WISHES, OpusWishes
from runtime.media.codecs.opus_packets import STEPS_PER_MS
from runtime.media.frame import Frame


class Coder:
    """See the module."""

    __slots__ = ("_encoder", "_idle", "_passing", "_rate_hz", "_wishes", "codec")

    def __init__(self, codec: Codec, wishes: OpusWishes = NO_WISHES) -> None:
        self.use(codec, wishes)

    def use(self, codec: Codec, wishes: OpusWishes = NO_WISHES) -> None:
        """Speak this from now on; `wishes` are of a listener to Opus."""
        self.codec = codec
        self._wishes = wishes
        self._passing: bytes | None = None
        self._idle: tuple[bytes, bytes] | None = None
        """The last two payloads of silence."""
        self._encoder: Encoder | None = None
        self._rate_hz = 0

    def payload(self, frame: Frame | None) -> bytes | None:
        """The payload of one tick: b"" while the one before still lasts, None for one that was lost on its way."""
        codec = self.codec
        if frame is None:
            return self._silence(codec)
        if frame.codec is codec:
            payload = frame.payload
            if codec.cuttable:
                if payload is not None:
                    self._encoder = None
                    return payload
            elif self._takes(frame, payload):
                self._encoder = None
                self._passing = payload
                return b"" if frame.part or frame.made_up else payload
        if codec.law is not None:
            return frame.in_law(codec.law)
        return self._encoded(codec, frame)

    def _takes(self, frame: Frame, payload: bytes | None) -> bool:
        """Whether a packet that cannot be cut may go through: from its beginning, no longer than it is liked, alone."""
        if payload is None or frame.part:
            return payload is self._passing or payload is None
        wishes = self._wishes
        if frame.rest or wishes.packet_ms < TICK_MS:
            return False
        return opus_packets.duration(payload) <= wishes.packet_ms_max * STEPS_PER_MS

    def _silence(self, codec: Codec) -> bytes:
        """What its decoder takes for silence: by an encoder that it follows, until that has come to rest."""
        if self._encoder is None or not codec.cuttable:
            self._encoder = None
            return codec.silence
        if self._idle is None or self._idle[0] != self._idle[1]:
            quiet = self._encoder.encode(bytes(2 * self._rate_hz // TICKS_PER_S))
            self._idle = (self._idle[1] if self._idle else b"", quiet)
        return self._idle[1]

    def _encoded(self, codec: Codec, frame: Frame) -> bytes:
        wanted = next((rate for rate in codec.rates_hz if rate >= frame.rate_hz), codec.rate_hz)
        if wanted < self._rate_hz and frame.can_give(self._rate_hz):
            wanted = self._rate_hz  # an encoder that changes its rate starts anew, and that is heard
        if self._encoder is None or wanted != self._rate_hz:
            self._encoder, self._rate_hz = make_encoder(codec, wanted, self._wishes), wanted
        self._idle = None
        return self._encoder.encode(frame.linear(wanted))
