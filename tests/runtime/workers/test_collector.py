"""When the cycle collector looks at everything, in virtual time; and that transactions leave it nothing to find."""

from __future__ import annotations

import gc

from runtime.limits import COLLECTION_EVERY_S, COLLECTION_PUT_OFF_S_MAX, COLLECTION_TRANSACTIONS_MAX
from runtime.workers.collector import Collector
from tests.runtime.sip.raw import Raw, request


def test_everything_is_looked_at_in_quiet_moments_and_not_in_a_flood() -> None:
    at: list[float] = []
    now = 0.0
    collector = Collector(lambda: at.append(now))
    for now in (1.0, COLLECTION_EVERY_S, COLLECTION_EVERY_S + 1):
        collector.look(COLLECTION_TRANSACTIONS_MAX, now)
    assert at == [COLLECTION_EVERY_S]
    for now in (100.0, 200.0, COLLECTION_EVERY_S + COLLECTION_PUT_OFF_S_MAX):
        collector.look(COLLECTION_TRANSACTIONS_MAX + 1, now)
    assert at == [COLLECTION_EVERY_S, COLLECTION_EVERY_S + COLLECTION_PUT_OFF_S_MAX], "put off, but not for ever"


def test_refused_calls_are_gone_without_the_collector_and_cost_it_little_while_they_are_there() -> None:
    raw, calls = Raw(), 200
    for number in range(calls + 1):
        if number == 1:
            gc.collect()
            before = len(gc.get_objects())
        text = (
            request()
            .replace(b"call@peer", b"call%d@peer" % number)
            .replace(b"branch=z9hG4bK", b"branch=z9hG4bK%d" % number)
        )
        raw.send(text)
        for event in raw.events():
            if type(event).__name__ == "InviteReceived":
                raw.endpoint.respond(event.leg, 403, raw.now)
        raw.sent()
    gc.collect()
    assert raw.endpoint.transaction_count > calls
    assert (len(gc.get_objects()) - before) / calls < 6, "objects that the collector looks at, for each transaction"
    gc.disable()
    try:
        raw.settle()
        del event
        assert gc.collect() == 0, "nothing of them was a cycle"
    finally:
        gc.enable()
