"""What callers without a room hear, tick by tick."""

from __future__ import annotations

from dataclasses import dataclass, field

from runtime.media.codecs import g711
from runtime.media.codecs.codec import PCMU, Codec
from runtime.media.frame import Frame
from runtime.media.sound import Sound
from runtime.rooms.booth import FETCH_TICKS_MAX, Booth, Fetch
from tests.frames import coded, frame


@dataclass
class Ear:
    """A leg that keeps what it hears."""

    codec: Codec = PCMU
    heard: list[bytes | None] = field(default_factory=list)
    pulled: int = 0

    def pull(self, now: float) -> Frame | None:
        self.pulled += 1
        return frame(b"\x01" * 160)

    def push(self, frame: Frame | None, now: float) -> None:
        self.heard.append(coded(frame))

    def send_digits(self, digits: str, now: float) -> None:
        raise AssertionError("nobody else is here")


def codes(first: int, frames: int = 3) -> list[bytes]:
    return [bytes([first + n]) * 160 for n in range(frames)]


def sound(first: int, frames: int = 3) -> Sound:
    return Sound({8000: g711.decode("pcmu", b"".join(codes(first, frames)))})


def ticked(booth: Booth, ticks: int) -> None:
    for _ in range(ticks):
        booth.tick(0.0)


def test_a_prompt_is_heard_once_and_its_end_is_told_with_its_last_frame() -> None:
    played: list[str] = []
    booth, ear, ask = Booth(played.append), Ear(), sound(1)
    booth.play("a", ear, Fetch(ask, ask))
    ticked(booth, 2)
    assert not played
    ticked(booth, 1)
    assert played == ["a"]
    ticked(booth, 2)
    assert ear.heard == [*codes(1), None, None]
    assert played == ["a"]
    assert ear.pulled == 5, "what was said meanwhile is not kept"


def test_another_prompt_takes_the_place_of_the_first_and_a_hush_ends_it_untold() -> None:
    played: list[str] = []
    booth, ear, one, two = Booth(played.append), Ear(), sound(1), sound(5)
    booth.play("a", ear, Fetch(one, one))
    ticked(booth, 1)
    booth.play("a", ear, Fetch(two, two))
    ticked(booth, 1)
    booth.hush("a")
    ticked(booth, 5)
    assert ear.heard[:3] == [codes(1)[0], codes(5)[0], None]
    assert not played


def test_a_file_is_waited_for_one_second_and_no_longer() -> None:
    booth, quick, slow = Booth(lambda _: None), Ear(), Ear()
    own, file = sound(1), sound(7)
    quick_fetch, slow_fetch = Fetch(own), Fetch(own)
    booth.play("quick", quick, quick_fetch)
    booth.play("slow", slow, slow_fetch)
    ticked(booth, 1)
    quick_fetch.sound = file
    ticked(booth, FETCH_TICKS_MAX)
    assert quick.heard[:2] == [None, codes(7)[0]]
    assert slow.heard == [*[None] * FETCH_TICKS_MAX, codes(1)[0]]
    slow_fetch.sound = file
    ticked(booth, 1)
    assert slow.heard[-1] == codes(1)[1], "too late: the prompt that has begun goes on"


def test_who_leaves_hears_nothing_more_and_the_unknown_is_no_fault() -> None:
    booth, ear, ask = Booth(lambda _: None), Ear(), sound(1)
    booth.play("a", ear, Fetch(ask, ask))
    booth.leave("a")
    booth.leave("a")
    booth.hush("a")
    ticked(booth, 1)
    assert not ear.heard
    assert not len(booth)


def test_who_leaves_at_the_end_of_a_prompt_disturbs_nobody() -> None:
    ears = {name: Ear() for name in "abc"}
    booth = Booth(lambda name: booth.leave(name))
    ask = sound(1, 1)
    for name, ear in ears.items():
        booth.play(name, ear, Fetch(ask, ask))
    ticked(booth, 2)
    assert all(ear.heard == codes(1, 1) for ear in ears.values())
