"""How a trunk's calls sounded, and when that is worth a warning."""

from __future__ import annotations

from runtime.trunks import sound
from runtime.trunks.sound import CallSound, TrunkSounds, sound_findings

GOOD = CallSound(4.4, 4.3, 0.0, 2.0, 40.0)
POOR = CallSound(3.0, None, 0.08, 25.0, None)


def test_the_newest_calls_of_each_trunk_are_summed() -> None:
    sounds = TrunkSounds()
    for call in [POOR] * 100 + [GOOD] * 75:
        sounds.note("default/b", call)
    sounds.note("default/a", POOR)
    first, second = sounds.all()
    assert (first.trunk, first.calls, first.mos_remote, first.rtt_ms) == ("default/a", 1, None, None)
    assert (second.trunk, second.calls, second.mos_worst) == ("default/b", sound.CALLS_KEPT, 3.0)
    assert round(second.mos, 2) == 4.05
    assert (round(second.lost_percent, 2), second.rtt_ms, round(second.mos_remote or 0, 2)) == (2.0, 40.0, 4.3)


def test_a_trunk_is_warned_about_when_enough_of_its_calls_sound_poor() -> None:
    sounds = TrunkSounds()
    for _ in range(4):
        sounds.note("default/a", POOR)
    assert list(sound_findings(sounds.all())) == [], "too few to judge by"
    sounds.note("default/a", POOR)
    for _ in range(9):
        sounds.note("default/b", GOOD)
        sounds.note("default/c", CallSound(4.4, 2.0, 0.0, 1.0, 20.0))
    here, there = sound_findings(sounds.all())
    assert "MOS 3.0 of its last 5 calls, 8.0 % of packets lost" in here.what
    assert (there.where, "hear the bridge poorly" in there.what) == ("Trunk default/c", True)


def test_strangers_to_each_other_are_bounded() -> None:
    sounds = TrunkSounds()
    for number in range(sound.TRUNKS_KEPT + 10):
        sounds.note(f"default/{number:05}", GOOD)
    assert len(sounds.all()) == sound.TRUNKS_KEPT
    assert sounds.all()[0].trunk == "default/00010"
