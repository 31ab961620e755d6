"""The echo line of a lone caller."""

from __future__ import annotations

from runtime.media.echo import EchoLine
from tests.frames import frame


def test_a_frame_comes_back_after_the_delay_and_silence_too():
    line = EchoLine(delay_ms=400)
    spoken = [frame(bytes([n]) * 160) if n % 3 else None for n in range(60)]
    heard = [line.step(said) for said in spoken]
    assert heard == [None] * 20 + spoken[:40]


def test_the_shortest_delay_is_one_frame():
    line, said = EchoLine(delay_ms=0), frame(bytes(160))
    assert [line.step(one) for one in (said, None)] == [None, said]


def test_a_cleared_line_is_silent():
    line = EchoLine(delay_ms=60)
    for _ in range(3):
        line.step(frame(bytes(160)))
    line.clear()
    assert [line.step(None) for _ in range(4)] == [None] * 4
