"""Where the SIP servers of a host are, now: asks the DNS what `sip/locating` wants to know, and keeps the answers.

A name that is asked for by many at once is looked up once. What cannot be looked up counts as not there, unless it was
known before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from runtime.net.dns_cache import DnsCache
from runtime.net.dns_client import Reply
from runtime.net.machine_names import NoAnswerError
from runtime.sip.locating import Located, Question, Records, Speaks, locate


class Asks(Protocol):
    """Who is asked: `DnsClient`, or what a test has in its place."""

    async def ask(self, question: Question) -> Reply:
        """One question. NoAnswerError when none can be had."""


class Locator:
    """One per bridge. `entropy(n)` gives n random bytes."""

    def __init__(self, dns: Asks, entropy: Callable[[int], bytes], clock: Callable[[], float] = time.monotonic) -> None:
        self._dns = dns
        self._entropy = entropy
        self._clock = clock
        self._cache = DnsCache()
        self._asking: dict[Question, asyncio.Task[Records]] = {}

    async def locate(self, host: str, port: int | None, transport: str, speaks: Speaks) -> Located:
        """The hops of a host; see `runtime.sip.locating`. It takes three times `ASK_S_MAX` at most."""
        search = locate(host, port, transport, speaks, self._entropy)
        try:
            questions = next(search)
            while True:
                records = await asyncio.gather(*(self._known(question) for question in questions))
                questions = search.send(dict(zip(questions, records, strict=True)))
        except StopIteration as end:
            located: Located = end.value
            return located

    async def _known(self, question: Question) -> Records:
        records = self._cache.get(question, self._clock())
        if records is not None:
            return records
        task = self._asking.get(question)
        if task is None:
            task = self._asking[question] = asyncio.create_task(self._ask(question))
            task.add_done_callback(lambda _: self._asking.pop(question, None))
        return await asyncio.shield(task)  # who waits may go away: others wait for the same

    async def _ask(self, question: Question) -> Records:
        try:
            reply = await self._dns.ask(question)
        except NoAnswerError:
            return self._cache.failed(question, self._clock())
        self._cache.put(question, reply.records, reply.ttl_s, self._clock())
        return reply.records
