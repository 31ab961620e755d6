"""The four machines of RFC 3261 section 17 and RFC 6026: every arrow, every timer, and nothing else."""

from __future__ import annotations

import pytest

from runtime.sip.timers import Timer
from runtime.sip.transactions.tables import (
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Action,
    Input,
    State,
    input_of,
)
from tests.runtime.sip.bench import Bench

TABLES = {
    "invite client": INVITE_CLIENT,
    "non-invite client": NON_INVITE_CLIENT,
    "invite server": INVITE_SERVER,
    "non-invite server": NON_INVITE_SERVER,
}


@pytest.mark.parametrize("name", TABLES)
def test_every_timer_that_starts_has_an_arrow_for_its_ringing(name):
    table = TABLES[name]
    for step in table.values():
        for timer in step.start:
            assert (step.next, timer) in table
        if step.again is not None:
            assert (step.next, step.again[0]) in table


@pytest.mark.parametrize("name", TABLES)
def test_no_state_is_left_with_a_timer_running_that_it_does_not_know(name):
    table = TABLES[name]
    running = {state: set() for state in State}
    changed = True
    while changed:
        changed = False
        for (state, received), step in table.items():
            if step.next is State.TERMINATED:
                continue
            left = (running[state] - {received} - set(step.stop)) | set(step.start)
            left |= {step.again[0]} if step.again else set()
            if not left <= running[step.next]:
                running[step.next] |= left
                changed = True
    for state, timers in running.items():
        for timer in timers:
            assert (state, timer) in table, f"{timer} rings in {state}"


@pytest.mark.parametrize("name", TABLES)
def test_every_state_can_reach_its_end(name):
    table = TABLES[name]
    reach = {State.TERMINATED}
    for _ in State:
        reach |= {state for (state, _), step in table.items() if step.next in reach}
    assert {state for state, _ in table} <= reach


@pytest.mark.parametrize("name", TABLES)
def test_a_pair_outside_the_table_is_absorbed(name):
    table = TABLES[name]
    bench = Bench()
    method = "OPTIONS" if "non" in name else "INVITE"
    transaction = bench.client(method) if "client" in name else bench.server(method)
    for state in {state for state, _ in table}:
        for received in [*Input, *Timer]:
            if (state, received) in table:
                continue
            transaction.state = state
            sent, alarms = len(bench.sent), len(bench.alarms)
            assert not transaction.feed(received, 1.0, b"x")
            assert (transaction.state, len(bench.sent), len(bench.alarms)) == (state, sent, alarms)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (100, Input.PROVISIONAL),
        (199, Input.PROVISIONAL),
        (200, Input.SUCCESS),
        (299, Input.SUCCESS),
        (300, Input.FAILURE),
        (699, Input.FAILURE),
    ],
)
def test_a_status_is_its_class(status, expected):
    assert input_of(status) is expected


def test_sending_actions_are_only_where_the_figures_have_them():
    sends = {
        name: {received for (_, received), step in table.items() if Action.RESEND in step.do}
        for name, table in TABLES.items()
    }
    assert sends == {
        "invite client": {Timer.A},
        "non-invite client": {Timer.E},
        "invite server": {Input.REQUEST, Timer.G},
        "non-invite server": {Input.REQUEST},
    }
