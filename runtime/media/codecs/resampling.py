"""From one sampling rate to another, frame after frame, without edges: FFmpeg's resampler, called directly.

Called by voices (`media/voice`) only where a mix or a listener needs a rate that the codec itself cannot give: Opus and
G.722 decode to a phone's 8 kHz by themselves. A polyphase filter of `FILTER_SAMPLES`: what lies above the lower rate's
half, or is mirrored there, is 90 dB down, and a tone of 3.4 kHz of a phone loses 0.2 dB. A frame takes 2 to 5 µs. The
standard library's `audioop.ratecv` takes 2 µs and interpolates linearly: its mirror is 8 dB down, and going down it
filters nothing; soxr takes 8 µs and brings numpy.

Linear samples are signed 16 bit, machine byte order, mono.
"""

from __future__ import annotations

import ctypes
import weakref
from functools import cache
from typing import Final

from runtime import native
from runtime.media.codecs.codec import TICKS_PER_S

FILTER_SAMPLES: Final = 48
"""Of the lower rate. So it lags by 3 ms at 8 kHz."""
CUTOFF: Final = "0.92"
"""Of half the lower rate."""


class Resampler:
    """One signal's way from `source_hz` to `target_hz`. Every frame of one tick in is a frame of one tick out.

    `samples_max`: how many may come at once; a tick if nothing is said.
    """

    __slots__ = (
        "__weakref__",
        "_convert",
        "_in",
        "_in_address",
        "_out",
        "_out_address",
        "_room",
        "_samples",
        "_silence",
        "_state",
        "lag",
    )

    def __init__(self, source_hz: int, target_hz: int, samples_max: int | None = None) -> None:
        library, options = _libraries()
        self._state = _opened(library, options, source_hz, target_hz)
        self._convert = library.swr_convert
        weakref.finalize(self, _close, library, self._state)
        self.lag = target_hz * FILTER_SAMPLES // 2 // min(source_hz, target_hz)
        """How many samples come out before the first of the signal."""
        most = samples_max or source_hz // TICKS_PER_S
        self._room = -(-most * target_hz // source_hz) + 2 * self.lag + 2
        self._samples = ctypes.create_string_buffer(2 * self._room)
        self._in = ctypes.c_char_p()
        self._out = ctypes.c_void_p(ctypes.addressof(self._samples))
        self._in_address = ctypes.addressof(self._in)
        self._out_address = ctypes.addressof(self._out)
        self._silence = bytes(2 * (source_hz // TICKS_PER_S))
        self.restart()

    def restart(self) -> None:
        """What comes next does not follow what came last."""
        self.resample(self._silence)

    def resample(self, linear: bytes) -> bytes:
        """The same stretch of time at the other rate, some milliseconds later."""
        self._in.value = linear
        count = self._convert(self._state, self._out_address, self._room, self._in_address, len(linear) // 2)
        return self._samples.raw[: 2 * count]

    def rest(self) -> bytes:
        """What lags behind the last of the signal."""
        return self.resample(self._silence)[: 2 * self.lag]


@cache
def _libraries() -> tuple[ctypes.PyDLL, ctypes.PyDLL]:
    options = native.load("avutil", "av_opt_set")
    library = native.load("swresample", "swr_alloc", "swr_init", "swr_convert", "swr_free")
    state, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    library.swr_alloc.restype = state
    library.swr_alloc.argtypes = []
    library.swr_init.argtypes = [state]
    library.swr_convert.argtypes = [state, state, number, state, number]
    library.swr_free.argtypes = [state]
    options.av_opt_set.argtypes = [state, text, text, number]
    return library, options


def _opened(library: ctypes.PyDLL, options: ctypes.PyDLL, source_hz: int, target_hz: int) -> int:
    state = int(library.swr_alloc())
    wishes = {
        "in_chlayout": "mono", "out_chlayout": "mono", "in_sample_fmt": "s16", "out_sample_fmt": "s16",
        "in_sample_rate": str(source_hz), "out_sample_rate": str(target_hz),
        "filter_size": str(FILTER_SAMPLES), "cutoff": CUTOFF,
    }  # fmt: skip
    for name, value in wishes.items():
        failed = options.av_opt_set(state, name.encode(), value.encode(), 0)
        assert failed >= 0, f"FFmpeg's resampler has the option {name}"
    failed = library.swr_init(state)
    assert failed >= 0, "FFmpeg's resampler takes these rates"
    return state


def _close(library: ctypes.PyDLL, state: int) -> None:
    library.swr_free(ctypes.addressof(ctypes.c_void_p(state)))
