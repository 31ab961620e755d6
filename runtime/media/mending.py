"""How the holes of a G.711 or G.722 stream sound: what comes out of the playout buffer, with every hole made good.

Between the playout buffer and whoever hears the call, so that the very bytes of the peer still go through wherever
nothing is missing. Opus conceals in its decoder.

A hole is filled in samples: what was played last is decoded, the voice goes on from there (`concealment`), and is
encoded again by an encoder that knows what was before. So a decoder of G.722, which has a memory, comes to the end of a
hole in nearly the state that it would have had (ITU-T G.722, Appendix III, encodes what it makes up for the same end).
What follows a hole of G.722 goes through as it came: its decoder joins the two more smoothly than another encoding
would (measured: 10.5 dB of SNR at 5 % loss; 9.9 with the first frame blended), and nothing after a hole can be decoded
before what is missing.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from runtime.media.codecs import g722
from runtime.media.codecs.codec import TICK_MS, Codec
from runtime.media.codecs.coding import make_decoder, make_encoder
from runtime.media.codecs.opus import NO_WISHES
from runtime.media.concealment import HISTORY_MS, Concealment, crossed
from runtime.media.jitter import Cell, Piece

_FRAMES: Final = HISTORY_MS // TICK_MS


class Mender:
    """One stream of a codec whose payloads can be cut."""

    __slots__ = ("_codec", "_conceals", "_hole", "_played")

    def __init__(self, codec: Codec) -> None:
        assert codec.cuttable
        self._codec = codec
        self._conceals = Concealment(codec.rate_hz)
        self._played: deque[bytes] = deque(maxlen=_FRAMES)
        self._hole: _Hole | None = None

    def payload(self, cell: Cell | None) -> bytes | None:
        """The frame to hear in this tick, None for silence."""
        if isinstance(cell, Piece):
            if self._hole is None:
                self._hole = _Hole(self._codec, self._conceals, b"".join(self._played))
            cell = self._hole.mended(cell)
        elif self._hole is not None:
            if cell is not None and self._codec.law is not None:
                cell = self._hole.joined(cell)
            self._conceals.forget()
            self._hole = None
        if cell is not None:
            self._played.append(cell)
        return cell


class _Hole:
    """What filling takes: a decoder and an encoder that have heard what was played before."""

    __slots__ = ("_codec", "_conceals", "_decoder", "_encoder", "_history", "_lag", "_samples_per_byte")

    def __init__(self, codec: Codec, conceals: Concealment, played: bytes) -> None:
        self._codec, self._conceals = codec, conceals
        self._samples_per_byte = codec.rate_hz // codec.clock_hz
        self._decoder = make_decoder(codec, codec.rate_hz)
        self._encoder = make_encoder(codec, codec.rate_hz, NO_WISHES)
        self._lag = 0 if codec.law is not None else g722.LAG_SAMPLES
        self._history = self._decoder.decode(played)
        self._encoder.encode(self._later(self._history))

    def mended(self, piece: Piece) -> bytes:
        """A whole frame in place of what there is of one."""
        if piece.payload is None:
            return self._encoded(self._made_up(self._codec.step, piece.following))
        if piece.instead is not None:
            going = self._heard(piece.instead)
            return self._encoded(crossed(going, self._decoder.decode(piece.payload)))
        return self._encoded(self._filled(piece.payload, piece.gaps, piece.following))

    def joined(self, payload: bytes) -> bytes:
        """The first whole frame after what was made up, blended with it."""
        return self._encoded(self._heard(payload)) if self._conceals.made_up else payload

    def _filled(self, payload: bytes, gaps: tuple[tuple[int, int], ...], following: bytes | None) -> bytes:
        """A frame of which a part has come."""
        before, filled, at = self._history, b"", 0
        for since, until in gaps:
            filled += self._heard(payload[at:since])
            self._history = before + filled
            filled += self._made_up(until - since, payload[until:] or following)
            at = until
        self._history = before
        return filled + self._heard(payload[at:])

    def _made_up(self, size: int, following: bytes | None) -> bytes:
        """So many bytes' samples; of what follows only G.711 can be decoded before what is missing."""
        after = self._decoder.decode(following) if following is not None and self._codec.law is not None else b""
        return self._conceals.lost(size * self._samples_per_byte, self._history, after)

    def _heard(self, payload: bytes) -> bytes:
        """What has come, blended with what was made up before it."""
        return self._conceals.found(self._decoder.decode(payload)) if payload else b""

    def _encoded(self, linear: bytes) -> bytes:
        self._history += linear
        return self._encoder.encode(self._later(linear))

    def _later(self, linear: bytes) -> bytes:
        """What G.722's encoder has to hear for a decoder to give the end of the history at the right moment."""
        if not self._lag:
            return linear
        return (linear + self._conceals.beyond(self._lag, self._history))[2 * self._lag :]
