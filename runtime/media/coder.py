"""What one listener is sent: frames of any codec and rate in, payloads of its own codec out.

One for each stream that goes out: of a phone's session, of a track in a room. Where the frame is in the listener's own
codec its very payload goes through; between the laws of G.711 a table changes it; only what is left is decoded and
encoded anew, at the highest rate that both have.
"""

from __future__ import annotations

from runtime.media.codecs.codec import Codec
from runtime.media.codecs.coding import Encoder, make_encoder
from runtime.media.codecs.opus import OpusWishes
from runtime.media.frame import Frame

_NO_WISHES = OpusWishes()


class Coder:
    """See the module."""

    __slots__ = ("_encoder", "_passing", "_rate_hz", "_wishes", "codec")

    def __init__(self, codec: Codec, wishes: OpusWishes = _NO_WISHES) -> None:
        self.use(codec, wishes)

    def use(self, codec: Codec, wishes: OpusWishes = _NO_WISHES) -> None:
        """Speak this from now on; `wishes` are of a listener to Opus."""
        self.codec = codec
        self._wishes = wishes
        self._passing: bytes | None = None
        self._encoder: Encoder | None = None
        self._rate_hz = 0

    def payload(self, frame: Frame | None) -> bytes | None:
        """The payload of one tick: b"" while the one before still lasts, None for one that was lost on its way."""
        codec = self.codec
        if frame is None:
            self._encoder = None  # the listener's decoder comes to rest, and so does our encoder
            return codec.silence
        if frame.codec is codec and (frame.payload is not None or not codec.cuttable):
            payload = frame.payload
            if not frame.part or payload is self._passing:
                self._encoder = None
                self._passing = payload
                return b"" if frame.part else payload
        if codec.law is not None:
            return frame.in_law(codec.law)
        return self._encoded(codec, frame)

    def _encoded(self, codec: Codec, frame: Frame) -> bytes:
        wanted = next((rate for rate in codec.rates_hz if rate >= frame.rate_hz), codec.rate_hz)
        if wanted < self._rate_hz and frame.can_give(self._rate_hz):
            wanted = self._rate_hz  # an encoder that changes its rate starts anew, and that is heard
        if self._encoder is None or wanted != self._rate_hz:
            self._encoder, self._rate_hz = make_encoder(codec, wanted, self._wishes), wanted
        return self._encoder.encode(frame.linear(wanted))
