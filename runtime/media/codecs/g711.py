"""G.711, both laws: the one codec that every carrier speaks, at 8 kHz and one byte per sample.

Called by the mixer, the playout buffer and the WAV reader, once per frame of 20 ms and call. It promises to cost
nothing that can be saved: a frame is decoded only by who must add samples, and going from one law to the other is one
table look-up per byte (ITU-T G.711 §3; the table is built by way of linear samples, so it agrees with decoding and
encoding again).

Linear samples are signed 16 bit, machine byte order, 8 kHz, mono.
"""

from __future__ import annotations

import audioop
from typing import Final, Literal

Law = Literal["pcmu", "pcma"]

SAMPLES_PER_S: Final = 8000
FRAME_MS: Final = 20
FRAME_BYTES: Final = 160
"""One tick of the clock: 20 ms, 160 samples, 160 bytes."""

SILENCE_BYTE: Final[dict[Law, int]] = {"pcmu": 0xFF, "pcma": 0xD5}
SILENCE: Final[dict[Law, bytes]] = {law: bytes([code]) * FRAME_BYTES for law, code in SILENCE_BYTE.items()}
"""One frame of digital silence in each law."""

QUIET_AMPLITUDE_MAX: Final = 256
"""Linear amplitude (of 32767) up to which a sample passes as background: about -42 dBFS."""

_ALL_CODES: Final = bytes(range(256))


def decode(law: Law, payload: bytes) -> bytes:
    """The linear samples of an encoded payload: two bytes for each of its bytes."""
    return audioop.ulaw2lin(payload, 2) if law == "pcmu" else audioop.alaw2lin(payload, 2)


def encode(law: Law, linear: bytes) -> bytes:
    """The payload of linear samples: one byte for every two."""
    return audioop.lin2ulaw(linear, 2) if law == "pcmu" else audioop.lin2alaw(linear, 2)


def decode_wide(law: Law, payload: bytes) -> bytes:
    """The linear samples as words of 32 bits, each in the upper half of its word: for sums."""
    return audioop.ulaw2lin(payload, 4) if law == "pcmu" else audioop.alaw2lin(payload, 4)


def encode_wide(law: Law, linear: bytes) -> bytes:
    """The payload of samples as `decode_wide` gives them: one byte for every four."""
    return audioop.lin2ulaw(linear, 4) if law == "pcmu" else audioop.lin2alaw(linear, 4)


_MU_TO_A: Final = encode("pcma", decode("pcmu", _ALL_CODES))
_A_TO_MU: Final = encode("pcmu", decode("pcma", _ALL_CODES))


def transcode(source: Law, target: Law, payload: bytes) -> bytes:
    """The payload in the target law; the very same object where the laws agree."""
    if source == target:
        return payload
    return payload.translate(_MU_TO_A if source == "pcmu" else _A_TO_MU)


def _quiet_codes(law: Law) -> bytes:
    linear = decode(law, _ALL_CODES)
    return bytes(c for c in _ALL_CODES if abs(audioop.getsample(linear, 2, c)) <= QUIET_AMPLITUDE_MAX)


_QUIET: Final[dict[Law, bytes]] = {"pcmu": _quiet_codes("pcmu"), "pcma": _quiet_codes("pcma")}


def is_quiet(law: Law, payload: bytes) -> bool:
    """Whether no sample is louder than `QUIET_AMPLITUDE_MAX`: a frame that can be left out or repeated unheard."""
    return not payload.translate(None, _QUIET[law])
