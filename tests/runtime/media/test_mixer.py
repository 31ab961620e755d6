"""Mix-minus: each hears all others, exactly, and nothing is decoded without need."""

from __future__ import annotations

import audioop
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.media.codecs import g711
from runtime.media.codecs.codec import CODECS
from runtime.media.frame import Frame
from runtime.media.mixer import Mixer
from tests.frames import coded, frame

pytestmark = pytest.mark.usefixtures("each_core")

LAWS: tuple[g711.Law, ...] = ("pcmu", "pcma")


def voices(frames, laws) -> list[Frame | None]:
    return [frame(payload, law) for payload, law in zip(frames, laws, strict=True)]


def mixed(frames, laws) -> list[bytes | None]:
    """What each hears, in its own law."""
    heard = Mixer().mix(voices(frames, laws), [CODECS[law] for law in laws])
    return [coded(one, law) for one, law in zip(heard, laws, strict=True)]


def summed(frames, laws) -> bytes | None:
    heard = Mixer().together(voices(frames, laws), 8000)
    return None if heard is None else heard.linear(8000)


def samples(law: g711.Law, frame: bytes) -> tuple[int, ...]:
    return struct.unpack("=160h", g711.decode(law, frame))


def exact(frames, laws, listener: int | None) -> bytes | None:
    """The definition: sum of all others, clipped once; `None` hears all."""
    voices = [
        samples(law, frame)
        for member, (frame, law) in enumerate(zip(frames, laws, strict=True))
        if member != listener and frame is not None and frame != g711.SILENCE[law]
    ]
    if not voices:
        return None
    total = [max(-32768, min(32767, sum(column))) for column in zip(*voices, strict=True)]
    return struct.pack("=160h", *total)


def loud(seed: int, law: g711.Law) -> bytes:
    chance = random.Random(seed)
    return g711.encode(law, struct.pack("=160h", *[chance.randint(-3600, 3600) for _ in range(160)]))


MEMBERS = st.lists(
    st.tuples(st.sampled_from(LAWS), st.sampled_from(["none", "silence", "speech"]), st.integers(0, 10**6)), max_size=8
)


@given(MEMBERS)
def test_each_hears_the_exact_sum_of_all_others_clipped_once(members):
    laws = [law for law, _, _ in members]
    kinds = {
        "none": lambda law, _: None,
        "silence": lambda law, _: g711.SILENCE[law],
        "speech": lambda law, n: loud(n, law),
    }
    frames = [kinds[kind](law, seed) for law, kind, seed in members]
    heard = mixed(frames, laws)
    assert len(heard) == len(frames)
    for listener, law in enumerate(laws):
        expected = exact(frames, laws, listener)
        if expected is None:
            assert heard[listener] is None
        else:
            others = [n for n, f in enumerate(frames) if n != listener and f not in (None, g711.SILENCE[laws[n]])]
            # A lone voice in the listener's law is passed on as it is: negative zero stays negative zero.
            if len(others) == 1 and laws[others[0]] == law:
                assert heard[listener] is frames[others[0]]
            else:
                assert heard[listener] == g711.encode(law, expected)
    assert summed(frames, laws) == exact(frames, laws, None)


def test_two_callers_of_one_law_get_each_other_s_very_frames():
    one, two = loud(1, "pcma"), loud(2, "pcma")
    heard = mixed([one, two], ["pcma", "pcma"])
    assert heard[0] is two
    assert heard[1] is one


def test_two_callers_of_two_laws_get_each_other_transcoded():
    one, two = loud(1, "pcmu"), loud(2, "pcma")
    assert mixed([one, two], ["pcmu", "pcma"]) == [
        g711.transcode("pcma", "pcmu", two),
        g711.transcode("pcmu", "pcma", one),
    ]


def test_the_only_one_who_speaks_is_heard_untouched_by_all_and_not_by_itself():
    voice = loud(1, "pcmu")
    heard = mixed([None, voice, g711.SILENCE["pcma"]], ["pcmu", "pcmu", "pcma"])
    assert heard[0] is voice
    assert heard[1] is None
    assert heard[2] == g711.transcode("pcmu", "pcma", voice)


def test_a_lone_member_hears_nothing_and_a_room_of_nobody_is_nothing():
    assert mixed([loud(1, "pcmu")], ["pcmu"]) == [None]
    assert mixed([], []) == []
    assert summed([], []) is None


@pytest.mark.parametrize("members", [3, 10, 100])
def test_loud_voices_are_turned_down_and_never_wrap(members):
    high = g711.encode("pcmu", struct.pack("=160h", *[32000] * 160))
    low = g711.encode("pcmu", struct.pack("=160h", *[-32000] * 160))
    frames = [high] * members + [low] * (members - 1)
    heard = mixed(frames, ["pcmu"] * len(frames))
    # One of the high ones hears as many highs as lows; one of the low ones hears two highs more.
    assert set(samples("pcmu", heard[0])) == {0}
    assert audioop.avg(g711.decode("pcmu", heard[-1]), 2) > 29000


def test_taking_one_voice_out_leaves_nothing_of_it_behind():
    shout = g711.encode("pcmu", struct.pack("=160h", *[32000, -32000] * 80))
    whisper = g711.encode("pcmu", struct.pack("=160h", *[40] * 160))
    heard = mixed([shout, shout, whisper], ["pcmu"] * 3)
    for shouter in (0, 1):
        assert all(abs(abs(sample) - 29200) < 1100 for sample in samples("pcmu", heard[shouter]))
    frames = [shout, whisper, whisper, whisper]
    assert max(map(abs, samples("pcmu", mixed(frames, ["pcmu"] * 4)[0]))) < 140


@given(MEMBERS, st.sampled_from(LAWS))
def test_an_outsider_hears_the_exact_sum_of_all(members, law):
    laws = [own for own, _, _ in members]
    kinds = {
        "none": lambda _, __: None,
        "silence": lambda own, _: g711.SILENCE[own],
        "speech": lambda own, n: loud(n, own),
    }
    frames = [kinds[kind](own, seed) for own, kind, seed in members]
    expected = exact(frames, laws, None)
    heard = coded(Mixer().together(voices(frames, laws), 8000), law)
    assert heard == (None if expected is None else g711.encode(law, expected))


def test_a_room_of_loud_talkers_is_turned_down_and_not_clipped():
    chance, mixer, clipped = random.Random(1), Mixer(), 0
    codecs = [CODECS["pcmu"]] * 5
    for tick in range(50):
        talk = [struct.pack("=160h", *[chance.randint(-32000, 32000) for _ in range(160)]) for _ in range(4)]
        frames = [frame(g711.encode("pcmu", pcm), "pcmu") for pcm in talk]
        for heard in mixer.mix([*frames, None], codecs):
            loudest = audioop.max(heard.linear(8000), 2)
            clipped += loudest > 29_300 and tick > 0
            assert loudest > 20_000 or tick == 0
    assert clipped == 0


def test_who_was_turned_down_for_somebody_who_left_is_not_turned_down_later():
    mixer, codecs = Mixer(), [CODECS["pcmu"]] * 3
    loud_frame = frame(g711.encode("pcmu", struct.pack("=160h", *[32000, -32000] * 80)), "pcmu")
    mixer.mix([loud_frame, loud_frame, None], codecs)
    for _ in range(40):
        mixer.mix([None, None, None], codecs)
    quiet = frame(loud(1, "pcmu"), "pcmu")
    heard = mixer.mix([quiet, quiet, None], codecs)[2]
    assert heard.linear(8000) == audioop.add(quiet.linear(8000), quiet.linear(8000), 2)
