"""Opus (RFC 6716) at whatever rate is asked for: libopus itself, called directly.

libopus decodes any stream straight to 8, 16 or 48 kHz and encodes from them: what a listener cannot hear is never
computed, and nothing is resampled, so nothing aliases. (FFmpeg's wrapper always decodes to 48 kHz; with the resampling
behind it that is three times the work for a phone.)

Its state lies in memory of ours, so nothing has to be closed.

Linear samples are signed 16 bit, machine byte order, mono.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from typing import Final

from runtime import native
from runtime.media.codecs import opus_packets
from runtime.media.codecs.codec import TICK_MS, TICKS_PER_S

PACKET_BYTES_MAX: Final = 1_500
COMPLEXITY: Final = 1
"""More of it is not heard at 8 kHz. PESQ of what comes back is 4.44 with 1 and 4.36 with 5 (155 s of speech in five
languages, half of it with noise; FEC on), and a frame of the sentence that we ship takes 28 µs instead of 80."""
BITRATES: Final = {8_000: 24_000, 16_000: 32_000, 48_000: 48_000}
"""Transparent for speech of that bandwidth, by sampling rate."""
LOSS_PERCENT: Final = 10
"""What is expected where in-band FEC is wished for: at 5 libopus spends nothing on it at this complexity."""
BITRATE_MIN: Final = 6_000
"""Less than that is no speech (RFC 7587 section 6.1)."""

_PACKET_S_MAX: Final = 0.12
_APPLICATION_VOIP: Final = 2048
_GET_LOOKAHEAD: Final = 4027
_SET_BITRATE: Final = 4002
_SET_VBR: Final = 4006
_SET_COMPLEXITY: Final = 4010
_SET_INBAND_FEC: Final = 4012
_SET_PACKET_LOSS_PERC: Final = 4014
_SET_DTX: Final = 4016
_SET_MAX_BANDWIDTH: Final = 4004
_BANDWIDTHS: Final = ((8_000, 1101), (12_000, 1102), (16_000, 1103), (24_000, 1104), (48_000, 1105))


@dataclass(frozen=True, slots=True)
class OpusWishes:
    """What a listener says of the streams that it would like (RFC 7587 section 6.1). 0: it says nothing."""

    playback_hz: int = 48_000
    bitrate: int = 0
    fec: bool = False
    dtx: bool = False
    constant: bool = False
    """Every packet of one size."""
    packet_ms: int = 20
    packet_ms_max: int = 120


NO_WISHES: Final = OpusWishes()


class _Library:
    """libopus with the types of what is called."""

    def __init__(self) -> None:
        library = native.load("opus", "opus_decoder_get_size", "opus_encoder_ctl", "opus_decode", "opus_encode")
        number, text, state = ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p
        self.decoder_bytes = int(library.opus_decoder_get_size(1))
        self.encoder_bytes = {channels: int(library.opus_encoder_get_size(channels)) for channels in (1, 2)}
        self.decoder_init, self.encoder_init = library.opus_decoder_init, library.opus_encoder_init
        self.encoder_ctl = library.opus_encoder_ctl
        self.decode, self.encode = library.opus_decode, library.opus_encode
        self.decode.argtypes = [state, text, number, state, number, number]
        self.encode.argtypes = [state, state, number, state, number]


@cache
def library() -> _Library:
    """Loaded when it is first asked for. BridgeError when it is not there."""
    return _Library()


class OpusDecoder:
    """One stream that comes in."""

    __slots__ = ("_address", "_library", "_most", "_samples", "_state", "_tick")

    def __init__(self, rate_hz: int) -> None:
        self._library = library()
        self._tick = rate_hz // TICKS_PER_S
        self._most = int(rate_hz * _PACKET_S_MAX)
        self._state = ctypes.create_string_buffer(self._library.decoder_bytes)
        self._samples = ctypes.create_string_buffer(2 * self._most)
        self._address = ctypes.addressof(self._state)
        failed = self._library.decoder_init(ctypes.c_void_p(self._address), rate_hz, 1)
        assert failed == 0, "the rate is one of Opus"

    def decode(self, payload: bytes) -> bytes:
        """The samples of one packet, however long; what is no packet is concealed."""
        if 0 < len(payload) <= PACKET_BYTES_MAX:
            found = self._run(payload, self._most, 0)
            if found:
                return found
        return self.conceal(None)

    def conceal(self, following: bytes | None) -> bytes:
        """A tick that was lost: from what the packet after it tells of it (in-band FEC), else made up."""
        if following is not None and 0 < len(following) <= PACKET_BYTES_MAX:
            found = self._run(following, self._tick, 1)
            if found:
                return found
        return self._run(None, self._tick, 0)

    def _run(self, payload: bytes | None, most: int, fec: int) -> bytes:
        size = 0 if payload is None else len(payload)
        count = self._library.decode(self._address, payload, size, ctypes.addressof(self._samples), most, fec)
        return self._samples.raw[: 2 * count] if count > 0 else b""


class OpusEncoder:
    """One stream that goes out, as its listener wishes. Of two channels the samples come in turn."""

    __slots__ = ("_address", "_channels", "_in_halves", "_library", "_packet", "_state")

    def __init__(
        self, rate_hz: int, wishes: OpusWishes = NO_WISHES, *, channels: int = 1, bitrate: int | None = None
    ) -> None:
        self._library = library()
        self._channels = channels
        self._in_halves = wishes.packet_ms < TICK_MS
        self._state = ctypes.create_string_buffer(self._library.encoder_bytes[channels])
        self._packet = ctypes.create_string_buffer(PACKET_BYTES_MAX)
        self._address = ctypes.addressof(self._state)
        state = ctypes.c_void_p(self._address)
        failed = self._library.encoder_init(state, rate_hz, channels, _APPLICATION_VOIP)
        assert failed == 0, "the rate is one of Opus"
        bitrate = bitrate or BITRATES[rate_hz]
        if wishes.bitrate:
            bitrate = max(BITRATE_MIN, min(bitrate, wishes.bitrate))
        bandwidth = next((code for hz, code in _BANDWIDTHS if hz >= wishes.playback_hz), _BANDWIDTHS[-1][1])
        settings = (
            (_SET_BITRATE, bitrate), (_SET_MAX_BANDWIDTH, bandwidth), (_SET_COMPLEXITY, COMPLEXITY),
            (_SET_INBAND_FEC, wishes.fec), (_SET_PACKET_LOSS_PERC, LOSS_PERCENT if wishes.fec else 0),
            (_SET_DTX, wishes.dtx), (_SET_VBR, not wishes.constant),
        )  # fmt: skip
        for setting, value in settings:
            self._library.encoder_ctl(state, setting, ctypes.c_int(value))

    @property
    def lookahead(self) -> int:
        """How many samples later than it came in the sound is in the packets."""
        samples = ctypes.c_int()
        self._library.encoder_ctl(ctypes.c_void_p(self._address), _GET_LOOKAHEAD, ctypes.byref(samples))
        return samples.value

    def encode(self, linear: bytes) -> bytes:
        """The packet of one tick; for who likes shorter ones it is made of frames of 10 ms, and can be parted."""
        if not self._in_halves:
            return self._frame(linear)
        half = len(linear) // 2
        first, second = self._frame(linear[:half]), self._frame(linear[half:])
        return opus_packets.join((first, second)) or second

    def _frame(self, linear: bytes) -> bytes:
        size = self._library.encode(
            self._address, linear, len(linear) // (2 * self._channels), ctypes.addressof(self._packet), PACKET_BYTES_MAX
        )
        assert size > 0, "10 and 20 ms are frames of Opus"
        return self._packet.raw[:size]
