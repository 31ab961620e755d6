"""One tick (20 ms) of one voice: as it was encoded, in linear samples, or both; samples are made when somebody asks.

Everything that audio passes through takes frames and gives frames: legs, rooms, the mixer, prompts. Who only hands one
on never looks into it, and where two ends speak the same codec the very bytes go through. Who must do something with
it (mix, encode anew, take noise out, record, look for tones) asks `linear` at the rate that it works at. The same
frame may be asked by many and is decoded once.

None in place of a frame is silence. Linear samples are signed 16 bit, machine byte order, mono.
"""

from __future__ import annotations

import audioop
from typing import TYPE_CHECKING

from runtime.media.codecs import g711
from runtime.media.codecs.codec import Codec
from runtime.media.codecs.g711 import Law

if TYPE_CHECKING:
    from runtime.media.voice import Voice

G711_HZ = 8_000


class Frame:
    """See the module. Made by a `Voice`, by `of_linear` and by `of_wide`; nobody changes one.

    `codec` and `payload`: as it came, None for what is linear only; a codec without a payload is a tick that was lost.
    `rate_hz`: the most that it is worth asking for.
    """

    __slots__ = (
        "_in_law",
        "_linear",
        "_voice",
        "_wide",
        "before",
        "codec",
        "following",
        "made_up",
        "number",
        "part",
        "payload",
        "rate_hz",
        "rest",
    )

    def __init__(
        self,
        rate_hz: int,
        codec: Codec | None = None,
        payload: bytes | None = None,
        voice: Voice | None = None,
        number: int = 0,
        before: bytes | None = None,
    ) -> None:
        self.rate_hz = rate_hz
        self.codec = codec
        self.payload = payload
        self._voice = voice
        self.number = number
        """Which frame of its voice it is, so that it can be told whether one was left out."""
        self.before = before
        """The payload of the frame before it: what a decoder is warmed up with that begins here."""
        self.part = 0
        """A payload may last for several ticks: which of them this is."""
        self.rest: tuple[bytes, ...] = ()
        """The payloads behind it within this tick, where it is shorter."""
        self.following: bytes | None = None
        """Of a tick that was lost: the payload after it."""
        self.made_up = False
        """Without a payload: nothing was lost, there only is nothing yet."""
        self._linear: dict[int, bytes] | None = None
        self._wide: bytes | None = None
        self._in_law: dict[Law, bytes] | None = None

    @classmethod
    def of_linear(cls, linear: dict[int, bytes], voice: Voice | None = None, number: int = 0) -> Frame:
        """A frame of samples, by their rates; without a voice it has these rates and no other."""
        frame = cls(max(linear), None, None, voice, number)
        frame._linear = linear
        return frame

    @classmethod
    def of_wide(cls, wide: bytes, rate_hz: int) -> Frame:
        """A frame of samples as words of 32 bits, each in the upper half of its word: what sums are made of."""
        frame = cls(rate_hz)
        frame._wide = wide
        return frame

    @property
    def is_silent(self) -> bool:
        """Whether it is known, without looking into it, to be digital silence."""
        return self.codec is not None and self.payload == self.codec.silence

    def can_give(self, rate_hz: int) -> bool:
        """Whether `linear` may be asked for this rate."""
        return self._voice is not None or rate_hz in self._rates()

    def linear(self, rate_hz: int) -> bytes:
        """Its samples at a rate."""
        linear = self._linear
        if linear is None:
            linear = self._linear = {}
        found = linear.get(rate_hz)
        if found is None:
            found = linear[rate_hz] = self._made(rate_hz)
        return found

    def wide(self, rate_hz: int) -> bytes:
        """Its samples at a rate as `of_wide` takes them."""
        if self._wide is not None and rate_hz == self.rate_hz:
            return self._wide
        law = self.codec.law if self.codec is not None else None
        if law is not None and rate_hz == G711_HZ and self.payload is not None:
            return g711.decode_wide(law, self.payload)
        return audioop.lin2lin(self.linear(rate_hz), 2, 4)

    def in_law(self, law: Law) -> bytes:
        """Its payload in G.711."""
        own = self.codec.law if self.codec is not None else None
        if own is not None and self.payload is not None:
            return g711.transcode(own, law, self.payload)
        coded = self._in_law
        if coded is None:
            coded = self._in_law = {}
        found = coded.get(law)
        if found is None:
            if self._wide is not None and self.rate_hz == G711_HZ:
                found = g711.encode_wide(law, self._wide)
            else:
                found = g711.encode(law, self.linear(G711_HZ))
            coded[law] = found
        return found

    def _rates(self) -> frozenset[int]:
        if self._wide is not None:
            return frozenset((self.rate_hz,))
        return frozenset(self._linear or ())

    def _made(self, rate_hz: int) -> bytes:
        if self._wide is not None:
            assert rate_hz == self.rate_hz, "a sum has the rate that it was made at"
            return audioop.lin2lin(self._wide, 4, 2)
        assert self._voice is not None, "samples without a voice have the rates that they were made at"
        return self._voice.linear_of(self, rate_hz)
