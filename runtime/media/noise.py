"""Noise taken out of a voice: RNNoise (Valin 2018), as FFmpeg computes it (`arnndn`), with the weights of its authors.

Called once per tick with the frame that a phone spoke, where a trunk, a rule or a request asks for it. The network
looks at 10 ms of 48 kHz at a time and sets the gain of 22 bands; it was trained on voices of telephone bandwidth, too.
What comes out is later than what went in: by the 10 ms that the network overlaps, and at any other rate than 48 kHz by
12 ms more, in which what was resampled is waited for.

FFmpeg comes with PyAV, which is imported here and costs 23 MB: so this module is imported by whoever first needs it.
The weights (`rnnoise/`, BSD-3-Clause, from RNNoise 0.1.1) are written in the form that FFmpeg reads.

Linear samples are signed 16 bit, machine byte order, mono.
"""

from __future__ import annotations

import ctypes
from fractions import Fraction
from typing import Final

import av
from av.audio.frame import AudioFrame
from av.filter import Graph
from av.filter.context import FilterContext

RATE_HZ: Final = 48_000
"""The rate of the network."""


class _Zeros(ctypes.Structure):
    """As much of the stack as the filter may use."""

    _fields_ = (("bytes", ctypes.c_char * 65_536),)


_ZEROS: Final = _Zeros()
_GETPID: Final = ctypes.PyDLL(None).getpid


class NoiseError(Exception):
    """There is no such filter here; the text says why."""


class NoiseFilter:
    """One voice. `weights` is the path of the network's; building takes some 8 ms, a frame some 0.13 ms."""

    __slots__ = ("_graph", "_pending", "_sink", "_source", "_ticks", "fault", "rate_hz")

    def __init__(self, weights: str, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        """The rate of its frames."""
        self.fault = ""
        """Why it cleans no more: what it is given is handed on as it is."""
        self._pending = b""
        self._ticks = 0
        try:
            self._graph, self._source, self._sink = _build(weights, rate_hz)
        except (ValueError, OSError) as fault:
            raise NoiseError(f"FFmpeg has no arnndn filter that takes {weights}: {fault}") from fault

    def clean(self, frame: bytes) -> bytes:
        """As many samples as `frame` has, of the voice of some 20 ms ago, without its noise."""
        count = len(frame) // 2
        heard = AudioFrame(format="s16", layout="mono", samples=count)
        heard.sample_rate = self.rate_hz
        heard.pts = self._ticks
        heard.planes[0].update(frame)
        self._ticks += count
        _clear_stack()
        try:
            self._source.push(heard)
            pending = self._pending + self._made()
        except av.FFmpegError as fault:
            self.fault = f"FFmpeg's arnndn filter failed: {fault}"
            return frame
        self._pending = pending[len(frame) :]
        return pending[: len(frame)].rjust(len(frame), b"\0")

    def _made(self) -> bytes:
        made = b""
        while True:
            try:
                frame = self._sink.pull()
            except av.BlockingIOError:
                return made
            assert isinstance(frame, AudioFrame)
            made += bytes(frame.planes[0])[: 2 * frame.samples]


def _clear_stack() -> None:
    """Leave zeros on the stack below: a structure that is passed by value to whoever takes no argument.

    FFmpeg's arnndn multiplies by zero what it never wrote of its arrays there. After an Opus encoder of 48 kHz that may
    be no number, which is none times zero either, and the filter lets all noise through.
    """
    _GETPID(_ZEROS)


def _build(weights: str, rate_hz: int) -> tuple[Graph, FilterContext, FilterContext]:
    """A chain of filters, and its two ends. It has no threads of its own."""
    graph = Graph()
    graph.threads = 1
    source = graph.add_abuffer(sample_rate=rate_hz, format="s16", layout="mono", time_base=Fraction(1, rate_hz))
    sink = graph.add("abuffersink")
    graph.link_nodes(
        source,
        graph.add("aformat", sample_fmts="fltp", sample_rates=str(RATE_HZ)),
        graph.add("arnndn", m=weights),
        graph.add("aformat", sample_fmts="s16", sample_rates=str(rate_hz)),
        sink,
    )
    graph.configure()
    return graph, source, sink
