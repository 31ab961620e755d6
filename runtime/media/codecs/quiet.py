"""Whether a frame is so quiet that it can be left out or repeated unheard; the playout buffer asks now and then."""

from __future__ import annotations

import audioop

from runtime.media.codecs import g711
from runtime.media.codecs.codec import Codec
from runtime.media.codecs.coding import make_decoder


def is_quiet(codec: Codec, payload: bytes) -> bool:
    """Whether no sample is louder than background."""
    if codec.law is not None:
        return g711.is_quiet(codec.law, payload)
    decoder = make_decoder(codec, codec.rates_hz[0])
    decoder.decode(payload)  # a decoder that knows nothing of what came before finds its feet by this
    return audioop.max(decoder.decode(payload), 2) <= g711.QUIET_AMPLITUDE_MAX
