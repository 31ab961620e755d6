"""One continuous signal, whose frames follow each other: what comes in on a leg, or what a stage has made of it.

A voice makes frames, and when one of them is asked for samples it decodes or resamples it, with the state that is left
by those before. Frames that nobody asked for cost nothing; the first one after a gap is decoded behind the payload that
came before it, so that a decoder of a codec with memory has found its feet when it is heard.
"""

from __future__ import annotations

from runtime.media.codecs import g711
from runtime.media.codecs.codec import OPUS, TICKS_PER_S, Codec
from runtime.media.codecs.coding import Decoder, make_decoder
from runtime.media.codecs.opus import OpusDecoder
from runtime.media.codecs.resampling import Resampler
from runtime.media.frame import G711_HZ, Frame


class Voice:
    """See the module. `codec` None: its frames are made of samples (`speak`)."""

    __slots__ = (
        "_before",
        "_decoded",
        "_decoder",
        "_decoder_hz",
        "_number",
        "_resampled",
        "_resamplers",
        "_whole",
        "codec",
    )

    def __init__(self, codec: Codec | None = None) -> None:
        self.codec = codec
        self._number = 0
        self._before: bytes | None = None
        self._decoder: Decoder | None = None
        self._decoder_hz = 0
        self._decoded = 0
        self._whole = b""
        self._resamplers: dict[tuple[int, int], Resampler] = {}
        self._resampled: dict[tuple[int, int], int] = {}

    def frame(self, payload: bytes, part: int = 0, rest: tuple[bytes, ...] = ()) -> Frame:
        """The next frame, as it was encoded; `part`: the tick of a payload that lasts for several.

        `rest`: the payloads that follow it within the tick, where one is shorter.
        """
        codec = self.codec
        assert codec is not None
        self._number = number = self._number + 1
        frame = Frame(codec.rate_hz, codec, payload, self, number, self._before)
        if part:
            frame.part = part
        if rest:
            frame.rest = rest
        self._before = rest[-1] if rest else payload
        return frame

    def lost(self, following: bytes | None, *, made_up: bool = False) -> Frame:
        """A frame of Opus that never came; `following`: the payload of the one after it, if that has.

        `made_up`: it never went out either.
        """
        assert self.codec is OPUS, "all others are mended"
        self._number += 1
        frame = Frame(self.codec.rate_hz, self.codec, None, self, self._number, self._before)
        frame.following = following
        frame.made_up = made_up
        return frame

    def speak(self, linear: bytes, rate_hz: int) -> Frame:
        """The next frame, of samples at a rate."""
        self._number += 1
        return Frame.of_linear({rate_hz: linear}, self, self._number)

    def linear_of(self, frame: Frame, rate_hz: int) -> bytes:
        """The samples of a frame of this voice; asked by the frame itself, once for each rate."""
        codec = frame.codec
        if codec is None:
            return self._resample(frame, frame.rate_hz, rate_hz)
        if codec.law is not None and rate_hz == G711_HZ and frame.payload is not None:
            return g711.decode(codec.law, frame.payload)
        nearest = next((rate for rate in codec.rates_hz if rate >= rate_hz), codec.rate_hz)
        if self._decoder_hz < nearest or self._decoder is None:
            # Somebody wants more of it from now on.
            self._decoder, self._decoder_hz, self._decoded = make_decoder(codec, nearest), nearest, 0
        if rate_hz != self._decoder_hz:
            return self._resample(frame, self._decoder_hz, rate_hz)
        return self._decode(self._decoder, frame)

    def _decode(self, decoder: Decoder, frame: Frame) -> bytes:
        is_next = frame.number == self._decoded + 1
        self._decoded = frame.number
        if frame.part and is_next and frame.payload is frame.before:
            linear = self._whole  # the rest of what was decoded a tick ago
        else:
            if not is_next and frame.before is not None and frame.before is not frame.payload:
                decoder.decode(frame.before)
            if frame.payload is None:
                assert isinstance(decoder, OpusDecoder)
                linear = decoder.conceal(frame.following)
            else:
                linear = decoder.decode(frame.payload)
                if frame.rest:
                    linear += b"".join(map(decoder.decode, frame.rest))
            self._whole = linear
        size = 2 * self._decoder_hz // TICKS_PER_S
        if len(linear) == size:
            return linear
        return linear[frame.part * size : (frame.part + 1) * size].ljust(size, b"\0")

    def _resample(self, frame: Frame, source_hz: int, target_hz: int) -> bytes:
        way = source_hz, target_hz
        resampler = self._resamplers.get(way)
        if resampler is None:
            resampler = self._resamplers[way] = Resampler(source_hz, target_hz)
        elif self._resampled[way] + 1 != frame.number:
            resampler.restart()
        self._resampled[way] = frame.number
        return resampler.resample(frame.linear(source_hz))
