"""Answers of the DNS: kept as long as they hold, asked for once, and better stale than none."""

from __future__ import annotations

import asyncio

from runtime.net.dns_cache import ANSWERS_MAX, RETRY_S, STALE_S_MAX, TTL_S_MAX, TTL_S_MIN, DnsCache
from runtime.net.dns_client import Reply
from runtime.net.locator import Locator
from runtime.net.machine_names import NoAnswerError
from runtime.sip.locating import NOTHING, Kind, Question, Records, Speaks

SPEAKS = Speaks(("udp",), lambda _transport, _address: True)
ASKED = Question(Kind.ADDRESS, "sip.example")
ONE, TWO = Records(addresses=("192.0.2.1",)), Records(addresses=("192.0.2.2",))


class Table:
    """A DNS that is a table; `dead`: nobody answers."""

    def __init__(self, ttl_s: float = 60.0) -> None:
        self.records: dict[Question, Records] = {ASKED: ONE}
        self.ttl_s = ttl_s
        self.dead = False
        self.asked: list[Question] = []

    async def ask(self, question: Question) -> Reply:
        self.asked.append(question)
        await asyncio.sleep(0)
        if self.dead:
            raise NoAnswerError("nobody is there")
        return Reply(self.records.get(question, NOTHING), self.ttl_s)


def test_an_answer_holds_as_long_as_it_says_within_bounds() -> None:
    for ttl_s, holds_s in ((60.0, 60.0), (0.0, TTL_S_MIN), (1e9, TTL_S_MAX)):
        cache = DnsCache()
        cache.put(ASKED, ONE, ttl_s, 100.0)
        assert cache.get(ASKED, 100.0 + holds_s - 0.1) == ONE
        assert cache.get(ASKED, 100.0 + holds_s) is None


def test_where_nobody_answers_what_was_known_is_used_for_a_while() -> None:
    cache = DnsCache()
    cache.put(ASKED, ONE, 60.0, 0.0)
    assert cache.failed(ASKED, 61.0) == ONE
    assert cache.get(ASKED, 61.0 + RETRY_S - 0.1) == ONE, "nobody waits for the dead again at once"
    assert cache.get(ASKED, 61.0 + RETRY_S) is None, "and then it is asked for again"
    assert cache.failed(ASKED, 60.0 + STALE_S_MAX - 1) == ONE
    assert cache.failed(ASKED, 60.0 + STALE_S_MAX) == NOTHING


def test_few_answers_are_kept() -> None:
    cache = DnsCache()
    for n in range(ANSWERS_MAX + 10):
        cache.put(Question(Kind.SRV, str(n)), NOTHING, 60.0, 0.0)
    assert len(cache) == ANSWERS_MAX


def test_who_asks_together_asks_once_and_again_when_the_answer_has_run_out() -> None:
    async def test() -> None:
        now, table = [0.0], Table()
        locator = Locator(table, bytes, lambda: now[0])

        async def address() -> str:
            found = await locator.locate("sip.example", 5060, "udp", SPEAKS)
            return found.hops[0].address[0]

        assert await asyncio.gather(*(address() for _ in range(5))) == ["192.0.2.1"] * 5
        assert len(table.asked) == 1
        table.records[ASKED] = TWO
        now[0] = 59.0
        assert await address() == "192.0.2.1"
        now[0] = 61.0
        assert await address() == "192.0.2.2"
        table.dead, now[0] = True, 200.0
        assert await address() == "192.0.2.2", "a dead DNS stops no calls"
        assert len(table.asked) == 3

    asyncio.run(test())


def test_who_waits_may_go_away_and_the_others_are_answered() -> None:
    async def test() -> None:
        locator = Locator(Table(), bytes)
        waits = [asyncio.create_task(locator.locate("sip.example", 5060, "udp", SPEAKS)) for _ in range(2)]
        await asyncio.sleep(0)
        waits[0].cancel()
        assert (await waits[1]).known

    asyncio.run(test())
