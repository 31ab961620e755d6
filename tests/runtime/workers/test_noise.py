"""Filters against noise: made aside, handed over on the loop, and what happens where there can be none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from queue import Queue

from runtime.media.codecs import g711
from runtime.media.codecs.codec import PCMU
from runtime.media.noise import NoiseFilter
from runtime.media.voice import Voice
from runtime.workers.leg_sound import QUIET_TICKS_MAX, Cleaner, LegSound
from runtime.workers.noise import WEIGHTS, NoiseFilters, wants_filters
from schemas.tables.rows import Inbound, RoomKind, Rows, RuleRow, TrunkRow
from schemas.tables.tables import Tables
from tests.sound import SPEECH_PCMU


class Desk:
    def __init__(self, weights: Path = WEIGHTS) -> None:
        self.log: list[str] = []
        self.handed: Queue[Callable[[], None]] = Queue()
        self.filters = NoiseFilters(self.handed.put, self.log.append, weights)

    def next(self) -> None:
        self.handed.get(timeout=20)()


def test_a_filter_comes_to_its_leg_while_the_call_goes_on() -> None:
    desk, leg, voice = Desk(), LegSound(""), Voice(PCMU)
    desk.filters.order(8000, leg.clean_by)
    first = voice.frame(SPEECH_PCMU[:160])
    assert leg.of_phone(first) is first, "until it is there nothing is done"
    desk.next()
    cleaned = leg.of_phone(voice.frame(SPEECH_PCMU[160:320]))
    assert cleaned is not None
    assert cleaned.codec is None
    assert len(cleaned.linear(8000)) == 320
    desk.filters.stop()


def test_where_there_can_be_none_the_log_says_so_once_and_calls_go_on(tmp_path: Path) -> None:
    desk, leg = Desk(tmp_path / "none"), LegSound("")
    for _ in range(2):
        desk.filters.order(8000, leg.clean_by)
        desk.next()
    assert len(desk.log) == 1
    assert "calls go on without" in desk.log[0]
    assert desk.filters.fault
    frame = Voice(PCMU).frame(SPEECH_PCMU[:160])
    assert leg.of_phone(frame) is frame
    desk.filters.stop()


def test_a_filter_that_breaks_is_left_out() -> None:
    leg, made = LegSound(""), NoiseFilter(str(WEIGHTS), 8000)
    leg.clean_by(made)
    made.fault = "broken"
    frame = Voice(PCMU).frame(SPEECH_PCMU[:160])
    leg.of_phone(frame)
    assert leg.of_phone(frame) is frame


def test_a_phone_that_is_silent_costs_nothing() -> None:
    cleaner, voice = Cleaner(NoiseFilter(str(WEIGHTS), 8000)), Voice(PCMU)
    heard = [cleaner.step(None) for _ in range(QUIET_TICKS_MAX + 5)]
    assert heard[0] is not None
    assert heard[-1] is None
    assert cleaner.step(voice.frame(g711.encode("pcmu", b"\0\x20" * 160))) is not None


def test_it_is_known_whether_anybody_asks_for_filters() -> None:
    def tables(*, trunk: bool, rule: bool) -> Tables:
        row = TrunkRow("default/t", inbound=Inbound(networks=("192.0.2.0/24",), noise_cancellation=trunk))
        lobby = RuleRow("default/r", RoomKind.DIRECT, "lobby", noise_cancellation=rule)
        return Tables.build(Rows({row.id: row}, {lobby.id: lobby}))

    assert [wants_filters(tables(trunk=a, rule=b)) for a in (False, True) for b in (False, True)] == [
        False, True, True, True,
    ]  # fmt: skip
