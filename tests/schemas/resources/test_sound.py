"""What is declared of the sound of calls, and what is said of mistakes."""

from __future__ import annotations

import pytest

from schemas.ringing import RINGING
from tests.schemas.resources import given


@pytest.mark.parametrize(
    "field",
    [{"ringback": "gb"}, {"ringback": "tone"}, {"holdMusic": "builtIn"}, {"holdMusic": "hold_1.wav"},
     {"recording": {"format": "wav"}}, {"recording": {"format": "opus", "maxDuration": "24h"}}],
)  # fmt: skip
def test_a_rule_may_say(field):
    given.accepted(given.rule(**field))


@pytest.mark.parametrize(
    ("field", "where", "hint"),
    [
        ({"ringback": "GB"}, "spec.ringback", "did you mean `gb`?"),
        ({"ringback": "uk"}, "spec.ringback", "did you mean `gb`?"),
        ({"ringback": "xx"}, "spec.ringback", "write none, room, tone"),
        ({"holdMusic": "builtin"}, "spec.holdMusic", "did you mean `builtIn`?"),
        ({"holdMusic": "../hold.wav"}, "spec.holdMusic", "without a folder"),
        ({"recording": {}}, "spec.recording.format", ""),
        ({"recording": {"format": "mp3"}}, "spec.recording.format", ""),
        ({"recording": {"format": "wav", "maxDuration": "25h"}}, "spec.recording.maxDuration", "1s to 24h"),
    ],
)
def test_what_it_may_not_say_is_told_at_its_place(field, where, hint):
    told = given.complaints(given.rule(**field))
    assert list(told) == [where]
    assert hint in str(told[where])


def test_a_trunk_has_music_too():
    given.accepted(given.trunk(holdMusic="builtIn"))
    assert list(given.complaints(given.trunk(holdMusic="song.mp3"))) == ["spec.holdMusic"]


def test_every_cadence_is_of_whole_bursts_and_pauses():
    for ringing in RINGING.values():
        assert len(ringing.cadence_ms) % 2 == 0
        assert all(length >= 200 for length in ringing.cadence_ms)
