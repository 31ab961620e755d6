"""An order is carried out once, in bounded number and time, and goes on when those who wait for it go away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from runtime.api.livekit import limits
from runtime.api.livekit.orders import Orders, patience
from runtime.api.livekit.twirp import Code, TwirpError
from runtime.routing.dial import (
    DialRequest,
    Failure,
    FailureKind,
    TransferRequest,
)
from tests.runtime.api.livekit.switch import DIALLED, TRANSFERRED, Switch

DIAL, TRANSFER = DialRequest("+1", "lobby"), TransferRequest("lobby", "sip_1", "tel:+1")
ONE, OTHER = b"one body", b"another"


def ordering(scenario: Callable[[Orders, Switch], Awaitable[Any]]) -> Any:
    """Run `scenario` with orders that a switch of the test's own carries out."""

    async def run() -> Any:
        switch = Switch()
        orders = Orders(switch)
        try:
            return await asyncio.wait_for(scenario(orders, switch), 10)
        finally:
            orders.stop()

    return asyncio.run(run())


async def begun(work: Awaitable[Any]) -> asyncio.Task[Any]:
    """A task that has come to where it waits."""
    task = asyncio.ensure_future(work)
    for _ in range(4):
        await asyncio.sleep(0)
    return task


def test_orders_reach_who_has_the_calls() -> None:
    async def scenario(orders: Orders, switch: Switch) -> None:
        switch.open()
        assert await orders.carry_out(DIAL, "", ONE) == DIALLED
        assert await orders.carry_out(TRANSFER, "", ONE) == TRANSFERRED
        assert switch.asked == [DIAL, TRANSFER]

    ordering(scenario)


def test_who_asks_again_is_told_the_first_ones_outcome() -> None:
    async def scenario(orders: Orders, switch: Switch) -> None:
        first, second = [await begun(orders.carry_out(DIAL, "id", ONE)) for _ in range(2)]
        switch.open()
        assert await first is await second is await orders.carry_out(DIAL, "id", ONE)
        assert switch.asked == [DIAL]
        await orders.carry_out(DIAL, "other id", ONE)
        await orders.carry_out(DIAL, "", ONE)
        await orders.carry_out(DIAL, "", ONE)
        assert len(switch.asked) == 4, "without an id, each is one of its own"

    ordering(scenario)


def test_a_client_that_goes_away_takes_nothing_with_it() -> None:
    async def scenario(orders: Orders, switch: Switch) -> None:
        gone = await begun(orders.carry_out(DIAL, "id", ONE))
        gone.cancel()
        await asyncio.wait([gone])
        waiting = await begun(orders.carry_out(DIAL, "id", ONE))
        switch.open()
        assert await waiting == DIALLED
        assert (switch.asked, switch.cancelled) == ([DIAL], 0)

    ordering(scenario)


def test_one_id_is_for_one_request() -> None:
    async def scenario(orders: Orders, switch: Switch) -> None:
        await begun(orders.carry_out(DIAL, "id", ONE))
        for _ in range(2):
            with pytest.raises(TwirpError, match="was used a moment ago") as fault:
                await orders.carry_out(DIAL, "id", OTHER)
            assert fault.value.meta == {"argument": "X-Livekit-Request-Id"}
            switch.open()
            await orders.carry_out(DIAL, "id", ONE)
        with pytest.raises(TwirpError, match="longer than 128"):
            await orders.carry_out(DIAL, "i" * 129, ONE)
        assert switch.asked == [DIAL]

    ordering(scenario)


def test_an_outcome_is_forgotten_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REMEMBERED_S", 0.02)

    async def scenario(orders: Orders, switch: Switch) -> None:
        switch.open()
        await orders.carry_out(DIAL, "id", ONE)
        await asyncio.sleep(0.05)
        await orders.carry_out(DIAL, "id", OTHER)
        assert len(switch.asked) == 2

    ordering(scenario)


def test_few_outcomes_are_remembered_and_those_under_way_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REMEMBERED_MAX", 3)

    async def scenario(orders: Orders, switch: Switch) -> None:
        waiting = await begun(orders.carry_out(TRANSFER, "under way", ONE))
        switch.open(DialRequest)
        for number in range(5):
            await orders.carry_out(DIAL, f"id {number}", ONE)
        assert len(switch.asked) == 6
        await orders.carry_out(DIAL, "id 4", ONE)
        assert len(switch.asked) == 6, "the newest is remembered"
        await orders.carry_out(DIAL, "id 0", ONE)
        assert len(switch.asked) == 7, "the oldest is not"
        again = await begun(orders.carry_out(TRANSFER, "under way", ONE))
        switch.open()
        assert await waiting is await again
        await orders.carry_out(DIAL, "one more", ONE)
        await orders.carry_out(TRANSFER, "under way", ONE)
        assert len(switch.asked) == 8, "it began first, and ended after the others"

    ordering(scenario)


@pytest.mark.parametrize(
    ("failure", "calls"),
    [
        (Failure(FailureKind.UNAVAILABLE, "no way out"), 2),
        (Failure(FailureKind.UNAVAILABLE, "the carrier", 503), 1),
        (Failure(FailureKind.ABORTED, "hung up"), 1),
    ],
)
def test_only_what_was_not_tried_is_tried_again(failure: Failure, calls: int) -> None:
    async def scenario(orders: Orders, switch: Switch) -> None:
        switch.answer = failure
        switch.open()
        for _ in range(2):
            assert await orders.carry_out(DIAL, "id", ONE) == failure
        assert len(switch.asked) == calls

    ordering(scenario)


def test_orders_under_way_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ORDERS_MAX", 2)

    async def scenario(orders: Orders, switch: Switch) -> None:
        waiting = [await begun(orders.carry_out(DIAL, name, ONE)) for name in ("", "id")]
        with pytest.raises(TwirpError) as fault:
            await orders.carry_out(DIAL, "", ONE)
        assert fault.value.code is Code.RESOURCE_EXHAUSTED
        transfer = await begun(orders.carry_out(TRANSFER, "", ONE))
        again = await begun(orders.carry_out(DIAL, "id", ONE))
        switch.open()
        assert await asyncio.gather(*waiting, again) == [DIALLED] * 3
        assert await transfer == TRANSFERRED
        assert await orders.carry_out(DIAL, "", ONE) == DIALLED


def test_who_has_gone_takes_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ORDERS_MAX", 1)

    async def scenario(orders: Orders, switch: Switch) -> None:
        gone = await begun(orders.carry_out(DIAL, "", ONE))
        gone.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await gone
        other = await begun(orders.carry_out(DIAL, "", ONE))
        switch.open()
        assert await other == DIALLED
        assert len(switch.asked) == 2, "the first one's call goes on"

    ordering(scenario)


def test_who_has_no_patience_left_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DIAL_S_MAX", 0.02)

    async def scenario(orders: Orders, switch: Switch) -> None:
        for _ in range(2):
            outcome = await orders.carry_out(DIAL, "id", ONE)
            assert isinstance(outcome, Failure)
            assert outcome.kind is FailureKind.DEADLINE_EXCEEDED
        assert len(switch.asked) == 1, "nobody dials again because it took long"

    ordering(scenario)


def test_a_fault_of_ours_is_told_even_when_nobody_waits() -> None:
    async def scenario(orders: Orders, switch: Switch) -> None:
        told: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
        switch.answer = ZeroDivisionError()
        gone = await begun(orders.carry_out(DIAL, "id", ONE))
        gone.cancel()
        switch.open()
        with pytest.raises(ZeroDivisionError):
            await orders.carry_out(DIAL, "id", ONE)
        assert told == [switch.answer]
        with pytest.raises(ZeroDivisionError):
            await orders.carry_out(DIAL, "id", ONE)
        assert len(switch.asked) == 1, "nobody knows how far it came"

    ordering(scenario)


def test_patience_outlasts_the_ringing() -> None:
    assert patience(DIAL) == 30
    waits = DialRequest("+1", "lobby", ringing_timeout_s=40, wait_until_answered=True, dtmf="1w2w")
    assert patience(waits) == 62
    assert patience(TRANSFER) == 35


def test_what_is_under_way_ends_with_the_listener() -> None:
    async def scenario(orders: Orders, switch: Switch) -> None:
        waiting = await begun(orders.carry_out(DIAL, "id", ONE))
        orders.stop()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        assert switch.cancelled == 1

    ordering(scenario)
