"""Decoders and encoders: the state that one direction of one leg keeps, behind one shape for every codec.

Made by `media/voice` and `media/coder`, and only when somebody needs linear samples, or has some to send.

Linear samples are signed 16 bit, machine byte order, mono, at the rate that was asked for; it has to be one of the
codec's `rates_hz`.
"""

from __future__ import annotations

from typing import Protocol

from runtime.media.codecs import g711
from runtime.media.codecs.codec import G722, OPUS, Codec
from runtime.media.codecs.g711 import Law
from runtime.media.codecs.g722 import G722Decoder, G722Encoder
from runtime.media.codecs.opus import OpusDecoder, OpusEncoder, OpusWishes


class Decoder(Protocol):
    """One stream that comes in."""

    def decode(self, payload: bytes) -> bytes:
        """The samples of the next payload."""
        ...


class Encoder(Protocol):
    """One stream that goes out."""

    def encode(self, linear: bytes) -> bytes:
        """The payload of the next frame of one tick."""
        ...


def make_decoder(codec: Codec, rate_hz: int) -> Decoder:
    """A decoder in its first state."""
    assert rate_hz in codec.rates_hz
    if codec is OPUS:
        return OpusDecoder(rate_hz)
    if codec is G722:
        return G722Decoder(rate_hz)
    assert codec.law is not None
    return _G711(codec.law)


def make_encoder(codec: Codec, rate_hz: int, wishes: OpusWishes) -> Encoder:
    """An encoder in its first state."""
    assert rate_hz in codec.rates_hz
    if codec is OPUS:
        return OpusEncoder(rate_hz, wishes)
    if codec is G722:
        return G722Encoder(rate_hz)
    assert codec.law is not None
    return _G711(codec.law)


class _G711:
    """No state."""

    __slots__ = ("_law",)

    def __init__(self, law: Law) -> None:
        self._law: Law = law

    def decode(self, payload: bytes) -> bytes:
        return g711.decode(self._law, payload)

    def encode(self, linear: bytes) -> bytes:
        return g711.encode(self._law, linear)
