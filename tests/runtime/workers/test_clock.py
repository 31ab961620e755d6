"""The one clock: ticks keep their places, a hold-up is made good up to a bound."""

from __future__ import annotations

import asyncio
import time

from runtime.limits import TICK_S, TICKS_CAUGHT_UP_MAX
from runtime.workers.clock import MediaClock


def ticks_with_hold_up(hold_up_s: float, run_s: float) -> tuple[int, MediaClock]:
    """How many ticks came when the loop was held up once for so long."""

    async def run() -> tuple[int, MediaClock]:
        count = 0

        def tick(_now: float) -> None:
            nonlocal count
            count += 1
            if count == 3:
                time.sleep(hold_up_s)  # the fault itself: something that blocks the loop

        clock = MediaClock(tick)
        clock.start()
        await asyncio.sleep(run_s)
        clock.stop()
        before = count
        await asyncio.sleep(3 * TICK_S)
        assert count == before, "no tick after stop"
        return count, clock

    return asyncio.run(run())


def test_a_short_hold_up_is_made_good() -> None:
    count, clock = ticks_with_hold_up(0.06, 0.4)
    assert clock.ticks_lost == 0
    assert count >= 0.4 / TICK_S - TICKS_CAUGHT_UP_MAX


def test_a_long_hold_up_is_counted_and_the_clock_starts_afresh() -> None:
    count, clock = ticks_with_hold_up(0.4, 0.7)
    assert clock.ticks_lost >= 0.4 / TICK_S - TICKS_CAUGHT_UP_MAX - 1
    assert count <= 0.3 / TICK_S + TICKS_CAUGHT_UP_MAX + 4
    assert clock.late_s_max >= 0.35
