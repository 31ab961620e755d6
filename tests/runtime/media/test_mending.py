"""How a stream with holes sounds: what is whole goes through untouched, what is not is made good without a click."""

from __future__ import annotations

import audioop

import pytest

from runtime.media import jitter
from runtime.media.codecs.codec import PCMU
from runtime.media.codecs.g711 import decode, encode
from runtime.media.jitter import JitterBuffer, Piece
from runtime.media.mending import Mender
from tests.runtime.media.test_concealment import error, roughest, voice

PITCH_HZ = 110
SAID = voice(PITCH_HZ, 8000 * 8)
"""Eight seconds of a vowel, that begin anew where they end; no frame is like the one before it."""
FRAMES = [encode("pcmu", SAID[at : at + 320]) for at in range(0, len(SAID), 320)]


def test_what_is_whole_goes_through_as_the_very_same_bytes() -> None:
    mender = Mender("pcmu")
    assert all(mender.payload(frame) is frame for frame in FRAMES[:50])
    assert mender.payload(None) is None
    assert mender.payload(FRAMES[0]) is FRAMES[0], "silence of the sender's is no loss to be blended with"


@pytest.mark.parametrize("holes", [1, 2, 3])
@pytest.mark.parametrize("is_known", [False, True])
def test_holes_are_filled_with_the_voice_and_join_on_both_sides(holes: int, is_known: bool) -> None:
    mender = Mender("pcmu")
    out = [mender.payload(frame) for frame in FRAMES[:10]]
    for number in range(10, 10 + holes):
        is_last = number == 9 + holes
        out.append(mender.payload(Piece(None, following=FRAMES[10 + holes] if is_known and is_last else None)))
    out += [mender.payload(frame) for frame in FRAMES[10 + holes : 20]]
    heard = decode("pcmu", b"".join(filter(None, out)))
    assert len(heard) == 20 * 320
    assert roughest(heard) < 2 * roughest(SAID)
    hole = slice(10 * 320, 11 * 320)
    assert error(heard[hole], SAID[hole]) < 0.5
    assert heard[(12 + holes) * 320 :] == decode("pcmu", b"".join(FRAMES[12 + holes : 20]))


@pytest.mark.parametrize("gaps", [((0, 80),), ((80, 160),), ((40, 120),), ((0, 40), (120, 160))])
def test_a_frame_of_which_a_part_came_keeps_that_part(gaps: tuple[tuple[int, int], ...]) -> None:
    mender = Mender("pcmu")
    out = [mender.payload(frame) for frame in FRAMES[:10]]
    payload = bytearray(FRAMES[10])
    for since, until in gaps:
        payload[since:until] = PCMU.silence[since:until]
    out.append(mender.payload(Piece(bytes(payload), following=FRAMES[11], gaps=gaps)))
    out += [mender.payload(frame) for frame in FRAMES[11:15]]
    heard = decode("pcmu", b"".join(filter(None, out)))
    assert len(heard) == 15 * 320
    assert roughest(heard) < 2 * roughest(SAID)
    assert audioop.rms(heard[10 * 320 : 11 * 320], 2) > 0.7 * audioop.rms(SAID, 2)


@pytest.mark.parametrize("skew_ppm", [200, -200])
@pytest.mark.parametrize("jitter_ms", [0, 30])
def test_an_hour_with_another_clock_without_a_pause_makes_neither_delay_nor_clicks(
    skew_ppm: int, jitter_ms: int
) -> None:
    buffer, mender = JitterBuffer(PCMU), Mender("pcmu")
    pace, late = 0.02 / (1 + skew_ppm / 1e6), [n * 7 % 31 / 31 * jitter_ms / 1000 for n in range(31)]
    number, most, moves, changed = 0, 0, 0, 0
    around: list[bytes] = []
    rough = 0
    for tick in range(3600 * 50):
        now = tick * 0.02 + 0.013
        while number * pace + late[number % 31] <= now:
            buffer.insert(number * 160, FRAMES[number % len(FRAMES)], now)
            number += 1
        around.append(mender.payload(buffer.pull(now)) or PCMU.silence)
        if tick > 3000:  # a minute to find out what the delay has to be
            most = max(most, buffer.lead_ms)
        if buffer.skipped + buffer.inserted != moves:
            moves, changed = buffer.skipped + buffer.inserted, tick
        if changed and tick == changed + 3:
            rough = max(rough, roughest(decode("pcmu", b"".join(around[-8:]))))
        del around[:-8]
    drifted = 3600 * 200e-6 / 0.02
    assert drifted - 4 <= moves <= drifted + 10
    assert most <= 40 + jitter_ms + 20
    assert (buffer.starved, buffer.discarded) == (0, 0)
    assert rough < 2 * roughest(SAID)
    assert jitter.delay_ms_start == 40
