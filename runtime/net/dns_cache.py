"""What the DNS has said, for as long as it said so; and longer where nobody answers any more (RFC 8767).

A core: times are arguments, seconds on one monotonic clock.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

from runtime.sip.locating import NOTHING, Question, Records

TTL_S_MIN = 5.0
"""An answer holds at least so long: a carrier that says 0 would have every call wait for the DNS."""

TTL_S_MAX = 3_600.0
"""And at most so long, so that no mistake of a carrier's stays for days."""

STALE_S_MAX = 3_600.0
"""How long an answer that has run out is better than none."""

RETRY_S = 5.0
"""When a question that nobody answered is asked again."""

ANSWERS_MAX = 4_096
"""Answers kept; beyond that the one that was asked for longest ago goes."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """`until`: as long as it said so; `again`: when it is asked for again, later where nobody answered."""

    records: Records
    until: float
    again: float


class DnsCache:
    """Answers by question."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Question, _Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, question: Question, now: float) -> Records | None:
        """What is known, and need not be asked for now."""
        kept = self._kept.get(question)
        if kept is None or now >= kept.again:
            return None
        self._kept.move_to_end(question)
        return kept.records

    def put(self, question: Question, records: Records, ttl_s: float, now: float) -> None:
        """An answer came."""
        until = now + min(max(ttl_s, TTL_S_MIN), TTL_S_MAX)
        self._keep(question, _Kept(records, until, until))

    def failed(self, question: Question, now: float) -> Records:
        """Nobody answered: what is known all the same. Who asks again soon hears the same at once."""
        kept = self._kept.get(question)
        if kept is None or now >= kept.until + STALE_S_MAX:
            kept = _Kept(NOTHING, now, now)
        self._keep(question, replace(kept, again=now + RETRY_S))
        return kept.records

    def _keep(self, question: Question, kept: _Kept) -> None:
        self._kept[question] = kept
        self._kept.move_to_end(question)
        if len(self._kept) > ANSWERS_MAX:
            self._kept.popitem(last=False)
