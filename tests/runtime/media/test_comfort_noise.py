"""Comfort noise: of the level that was said, until audio comes again."""

from __future__ import annotations

import audioop
import math
from dataclasses import replace

import pytest

from runtime.media import rtp
from runtime.media.codecs.codec import PCMU
from runtime.media.comfort_noise import ComfortNoise
from runtime.media.config import StreamConfig
from runtime.media.session import MediaSession

PEER = ("192.0.2.10", 4000)
CONFIG = StreamConfig(PCMU, 0, 0, None, None, PEER, ("192.0.2.10", 4001))


@pytest.mark.parametrize("level", [20, 40, 60, 78])
def test_it_is_as_loud_as_it_says(level: int) -> None:
    noise = ComfortNoise(level)
    heard = b"".join(noise.frame().linear(8_000) for _ in range(200))
    wanted = 32_767 * 10 ** (-level / 20)
    assert audioop.rms(heard, 2) == pytest.approx(wanted, rel=0.1, abs=1)
    assert abs(audioop.avg(heard, 2)) <= max(1, wanted / 10)


def test_the_quietest_is_silence_and_no_two_ticks_are_alike() -> None:
    assert not any(ComfortNoise(127).frame().linear(8_000))
    noise = ComfortNoise(40)
    assert len({noise.frame().linear(8_000) for _ in range(90)}) == 90


def call(**changes: object) -> MediaSession:
    config = replace(CONFIG, **changes)  # type: ignore[arg-type]
    return MediaSession(config, ssrc=1, sequence=1, timestamp=1, cname="x", entropy=bytes, now=0.0)


def loudness_db(media: MediaSession, now: float) -> float | None:
    frame = media.pull(now)
    return None if frame is None else 20 * math.log10(max(1, audioop.rms(frame.linear(8_000), 2)) / 32_767)


def test_a_pause_is_filled_between_two_stretches_of_speech() -> None:
    media, loud = call(), bytes([0x90]) * 160
    for n in range(20):
        media.receive_rtp(rtp.header(0, n == 0, n, n * 160, 9) + loud, PEER, n * 0.02)
        media.pull(n * 0.02)
    media.receive_rtp(rtp.header(13, False, 20, 3200, 9) + bytes([45, 1, 2]), PEER, 0.4)
    said = [loudness_db(media, (20 + n) * 0.02) for n in range(50)]
    assert said[0] is not None
    assert said[0] > -25, "what was said before is heard first"
    assert all(db is not None and -48 < db < -42 for db in said[5:])
    for n in range(20):
        at = 70 + n
        media.receive_rtp(rtp.header(0, n == 0, 21 + n, at * 160, 9) + loud, PEER, at * 0.02)
        said.append(loudness_db(media, at * 0.02))
    assert None not in said[50:]
    assert all(db is not None and db > -25 for db in said[-10:])
    said += [loudness_db(media, 2.0 + n * 0.02) for n in range(20)]
    assert said[-1] is None, "a stream that ends without a word is silent"


def test_a_call_on_hold_hears_none() -> None:
    media = call(receive=False)
    for n in range(3):
        media.receive_rtp(rtp.header(13, False, n, n * 160, 9) + bytes([30]), PEER, n * 0.02)
    assert media.pull(0.1) is None
    assert media.stats.unknown_payload_type == 0
