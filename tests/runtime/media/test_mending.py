"""How a stream with holes sounds: what is whole goes through untouched, what is not is made good without a click."""

from __future__ import annotations

import audioop

import pytest

from runtime.media import jitter
from runtime.media.codecs.codec import G722, PCMU
from runtime.media.codecs.coding import make_decoder, make_encoder
from runtime.media.codecs.g711 import decode, encode
from runtime.media.codecs.g722 import LAG_SAMPLES
from runtime.media.codecs.opus import NO_WISHES
from runtime.media.jitter import Piece, make_playout
from runtime.media.mending import Mender
from tests.runtime.media.test_concealment import error, roughest, voice

pytestmark = pytest.mark.usefixtures("each_core")

PITCH_HZ = 110
SAID = voice(PITCH_HZ, 8000 * 8)
"""Eight seconds of a vowel, that begin anew where they end; no frame is like the one before it."""
FRAMES = [encode("pcmu", SAID[at : at + 320]) for at in range(0, len(SAID), 320)]


def test_what_is_whole_goes_through_as_the_very_same_bytes() -> None:
    mender = Mender(PCMU)
    assert all(mender.payload(frame) is frame for frame in FRAMES[:50])
    assert mender.payload(None) is None
    assert mender.payload(FRAMES[0]) is FRAMES[0], "silence of the sender's is no loss to be blended with"


@pytest.mark.parametrize("holes", [1, 2, 3])
@pytest.mark.parametrize("is_known", [False, True])
def test_holes_are_filled_with_the_voice_and_join_on_both_sides(holes: int, is_known: bool) -> None:
    mender = Mender(PCMU)
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
    mender = Mender(PCMU)
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


WIDE = voice(PITCH_HZ, 16_000, 16_000)


def wide_frames() -> list[bytes]:
    """A second of the vowel in G.722, a payload for each tick."""
    encoder = make_encoder(G722, 16_000, NO_WISHES)
    return [encoder.encode(WIDE[at : at + 640]) for at in range(0, len(WIDE), 640)]


def heard_of(payloads: list[bytes | None]) -> bytes:
    """What a listener's decoder makes of them; a moment of its lag is at the front."""
    return make_decoder(G722, 16_000).decode(b"".join(filter(None, payloads)))


def wide_roughest(heard: bytes) -> int:
    """Its roughest place, behind the beginning, where G.722 has to find its feet."""
    return roughest(heard[10 * 640 :])


@pytest.mark.parametrize("holes", [1, 2, 3])
def test_a_hole_of_g722_is_filled_and_what_follows_goes_through_as_it_came(holes: int) -> None:
    mender, frames = Mender(G722), wide_frames()
    out = [mender.payload(frame) for frame in frames[:20]]
    out += [mender.payload(Piece(None, following=frames[20 + holes])) for _ in range(holes)]
    out += [mender.payload(frame) for frame in frames[20 + holes :]]
    assert [*out[:20], *out[20 + holes :]] == [*frames[:20], *frames[20 + holes :]]
    true, heard = heard_of([*frames]), heard_of(out)
    assert len(heard) == len(true)
    hole, after = slice(20 * 640, 21 * 640), slice((20 + holes) * 640, (22 + holes) * 640)
    assert error(heard[hole], true[hole]) < 0.55, "silence would be 0.93"
    assert error(heard[after], true[after]) < 0.85
    assert error(heard[(30 + holes) * 640 :], true[(30 + holes) * 640 :]) < 0.1
    assert wide_roughest(heard) < 2 * wide_roughest(true)


def test_what_is_made_up_of_g722_is_heard_at_its_moment() -> None:
    """An encoder and a decoder take time: a hole that is filled regardless of it jumps at both ends."""
    mender, frames = Mender(G722), wide_frames()
    out = [mender.payload(frame) for frame in frames[:20]] + [mender.payload(Piece(None))]
    heard = heard_of(out)[20 * 640 : 20 * 640 + 320]
    early, right, late = (
        error(heard, WIDE[20 * 640 - 2 * lag :][: len(heard)]) for lag in (0, LAG_SAMPLES, 2 * LAG_SAMPLES)
    )
    assert right < min(early, late) / 2


@pytest.mark.parametrize("gaps", [((0, 80),), ((80, 160),), ((40, 120),), ((0, 40), (120, 160))])
def test_a_frame_of_g722_of_which_a_part_came_keeps_that_part(gaps: tuple[tuple[int, int], ...]) -> None:
    mender, frames = Mender(G722), wide_frames()
    out = [mender.payload(frame) for frame in frames[:20]]
    payload = bytearray(frames[20])
    for since, until in gaps:
        payload[since:until] = G722.silence[since:until]
    out.append(mender.payload(Piece(bytes(payload), following=frames[21], gaps=gaps)))
    out += [mender.payload(frame) for frame in frames[21:]]
    true, heard = heard_of([*frames]), heard_of(out)
    assert len(heard) == len(true)
    assert error(heard[20 * 640 : 22 * 640], true[20 * 640 : 22 * 640]) < 0.6
    assert wide_roughest(heard) < 2 * wide_roughest(true)


def test_two_frames_of_g722_become_one_without_a_click() -> None:
    mender, frames = Mender(G722), wide_frames()
    out = [mender.payload(frame) for frame in frames[:20]]
    out.append(mender.payload(Piece(frames[21], instead=frames[20])))
    out += [mender.payload(frame) for frame in frames[22:]]
    heard = heard_of(out)
    assert len(heard) == len(WIDE) - 640
    assert wide_roughest(heard) < 2 * wide_roughest(heard_of([*frames]))


@pytest.mark.parametrize("skew_ppm", [200, -200])
@pytest.mark.parametrize("jitter_ms", [0, 30])
def test_an_hour_with_another_clock_without_a_pause_makes_neither_delay_nor_clicks(
    skew_ppm: int, jitter_ms: int
) -> None:
    buffer, mender = make_playout(PCMU), Mender(PCMU)
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
