"""Opus (RFC 6716) at the sampling rate of the phone: libopus itself, called directly.

Called once per frame of 20 ms for a room that speaks Opus. libopus decodes any stream straight to 8 kHz and encodes
from 8 kHz: what a phone cannot carry is never computed, and nothing is resampled, so nothing aliases. (FFmpeg's
wrapper always decodes to 48 kHz; with the resampling behind it that is three times the work.)

The library's path comes from outside. Its state lies in memory of ours, so nothing has to be closed. The interpreter
lock is kept for the length of a call: a frame takes less time than handing the lock over and back.

Linear samples are signed 16 bit, machine byte order, 8 kHz, mono.
"""

from __future__ import annotations

import ctypes
from typing import Final

from runtime.media.codecs.g711 import SAMPLES_PER_S

CLOCK_PER_S: Final = 48_000
"""RTP timestamps of Opus count at this rate, whatever was encoded (RFC 7587 section 4.1)."""
PACKET_BYTES_MAX: Final = 1_500
SAMPLES_MAX: Final = SAMPLES_PER_S * 120 // 1000
"""The longest packet holds 120 ms."""
COMPLEXITY: Final = 1
"""More of it is not heard at 8 kHz. PESQ of what comes back is 4.44 with 1 and 4.36 with 5 (155 s of speech in five
languages, half of it with noise; FEC on), and a frame of the sentence that we ship takes 28 µs instead of 80."""
BITRATE: Final = 24_000
"""Transparent for speech of telephone bandwidth."""

_APPLICATION_VOIP: Final = 2048
_SET_BITRATE: Final = 4002
_SET_COMPLEXITY: Final = 4010
_SET_INBAND_FEC: Final = 4012
_SET_PACKET_LOSS_PERC: Final = 4014


class OpusLibrary:
    """libopus, loaded from `path`. OSError when it is not there or is something else."""

    def __init__(self, path: str) -> None:
        library = ctypes.PyDLL(path)
        try:
            self.decoder_bytes = int(library.opus_decoder_get_size(1))
            self.encoder_bytes = int(library.opus_encoder_get_size(1))
            self.decoder_init, self.encoder_init = library.opus_decoder_init, library.opus_encoder_init
            self.encoder_ctl = library.opus_encoder_ctl
            self.decode, self.encode = library.opus_decode, library.opus_encode
        except AttributeError as fault:
            raise OSError(f"{path} is not libopus") from fault
        number, text, state = ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p
        self.decode.argtypes = [state, text, number, state, number, number]
        self.encode.argtypes = [state, state, number, state, number]


class OpusDecoder:
    """One stream from the room."""

    __slots__ = ("_address", "_library", "_samples", "_state")

    def __init__(self, library: OpusLibrary) -> None:
        self._library = library
        self._state = ctypes.create_string_buffer(library.decoder_bytes)
        self._samples = ctypes.create_string_buffer(2 * SAMPLES_MAX)
        self._address = ctypes.addressof(self._state)
        failed = library.decoder_init(ctypes.c_void_p(self._address), SAMPLES_PER_S, 1)
        assert failed == 0, "8 kHz mono is a rate of Opus"

    def decode(self, packet: bytes) -> bytes | None:
        """The linear samples of one packet; None when it is not Opus."""
        if not 0 < len(packet) <= PACKET_BYTES_MAX:
            return None
        count = self._library.decode(
            self._address, packet, len(packet), ctypes.addressof(self._samples), SAMPLES_MAX, 0
        )
        return self._samples.raw[: 2 * count] if count > 0 else None


class OpusEncoder:
    """One stream to the room."""

    __slots__ = ("_address", "_library", "_packet", "_state")

    def __init__(self, library: OpusLibrary) -> None:
        self._library = library
        self._state = ctypes.create_string_buffer(library.encoder_bytes)
        self._packet = ctypes.create_string_buffer(PACKET_BYTES_MAX)
        self._address = ctypes.addressof(self._state)
        state = ctypes.c_void_p(self._address)
        failed = library.encoder_init(state, SAMPLES_PER_S, 1, _APPLICATION_VOIP)
        assert failed == 0, "8 kHz mono is a rate of Opus"
        settings = ((_SET_BITRATE, BITRATE), (_SET_COMPLEXITY, COMPLEXITY))
        for setting, value in (*settings, (_SET_INBAND_FEC, 1), (_SET_PACKET_LOSS_PERC, 5)):
            library.encoder_ctl(state, setting, ctypes.c_int(value))

    def encode(self, linear: bytes) -> bytes:
        """The packet of one frame: 160 samples."""
        size = self._library.encode(
            self._address, linear, len(linear) // 2, ctypes.addressof(self._packet), PACKET_BYTES_MAX
        )
        assert size > 0, "160 samples are a frame of Opus"
        return self._packet.raw[:size]
