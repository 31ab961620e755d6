"""The certificates of those who sign for callers' numbers: fetched once for all calls that wait, and kept for a while.

What cannot be had is remembered for a shorter while, so that no call has a dead server asked again and again. The list
of authorities is a file that may change; then all that was judged by it is judged anew.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from runtime.limits import (
    CERTIFICATE_KEPT_S,
    CERTIFICATE_KEPT_S_MAX,
    CERTIFICATE_KEPT_S_MIN,
    CERTIFICATE_MISSED_S,
    CERTIFICATES_FETCHED_MAX,
    CERTIFICATES_KEPT_MAX,
    CERTIFICATES_PER_HOST_MAX,
)
from runtime.net.certificate_fetch import Fetched, FetchError
from runtime.stir.place import Place
from runtime.stir.signer import Authorities, Signer, read_signer
from runtime.stir.verdict import Fault, Refusal

UNKNOWN: Signer | Refusal = Refusal(Fault.NO_CERTIFICATE, "its certificate cannot be had")

Told = Callable[[Signer | Refusal], None]


class Fetches(Protocol):
    """Who fetches: `CertificateFetcher`, or what a test has in its place."""

    async def fetch(self, place: Place) -> Fetched:
        """What is at this place. FetchError says why it cannot be had."""


@dataclass(frozen=True, slots=True)
class _Kept:
    found: Signer | Refusal
    until: float


@dataclass(slots=True)
class _Fetching:
    task: asyncio.Task[None] | None = None
    waiting: list[Told] = field(default_factory=list)


class Certificates:
    """One per bridge. `clock` is monotonic seconds, `wall` Unix seconds."""

    def __init__(
        self,
        fetcher: Fetches,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._wall = wall
        self._authorities = Authorities()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._fetching: dict[str, _Fetching] = {}
        self._by_host: Counter[str] = Counter()

    def trust(self, authorities: Authorities) -> None:
        """Believe these from now on; what is being fetched is judged by them, too."""
        self._authorities = authorities
        self._kept.clear()

    def find(self, place: Place, told: Told) -> None:
        """Tell who signs with the certificate there, or why that is not known; at once where it was asked before."""
        kept = self._kept.get(place.url)
        if kept is not None and kept.until > self._clock():
            self._kept.move_to_end(place.url)
            told(kept.found)
            return
        fetching = self._fetching.get(place.url)
        if fetching is None:
            if self._is_busy(place.host):
                told(Refusal(Fault.NO_CERTIFICATE, "too many certificates are being fetched"))
                return
            fetching = self._fetching[place.url] = _Fetching()
            self._by_host[place.host] += 1
            fetching.task = asyncio.get_running_loop().create_task(self._fetch(place, fetching))
        fetching.waiting.append(told)

    def _is_busy(self, host: str) -> bool:
        return len(self._fetching) >= CERTIFICATES_FETCHED_MAX or self._by_host[host] >= CERTIFICATES_PER_HOST_MAX

    def stop(self) -> None:
        """Fetch no more."""
        for fetching in self._fetching.values():
            if fetching.task is not None:
                fetching.task.cancel()

    async def _fetch(self, place: Place, fetching: _Fetching) -> None:
        found, holds_s = UNKNOWN, CERTIFICATE_MISSED_S
        try:
            found, holds_s = await self._found(place)
        finally:  # whatever went wrong, no call waits for ever
            del self._fetching[place.url]
            self._by_host[place.host] -= 1
            if not self._by_host[place.host]:
                del self._by_host[place.host]
            self._keep(place.url, _Kept(found, self._clock() + holds_s))
            for told in fetching.waiting:
                told(found)

    async def _found(self, place: Place) -> tuple[Signer | Refusal, float]:
        """What is there, and for how long that holds."""
        try:
            fetched = await self._fetcher.fetch(place)
        except FetchError as fault:
            return Refusal(Fault.NO_CERTIFICATE, f"its certificate cannot be had: {fault.words}"), CERTIFICATE_MISSED_S
        while True:
            authorities = self._authorities
            found = await asyncio.to_thread(read_signer, fetched.data, authorities, self._wall())
            if authorities is self._authorities:  # else they changed meanwhile
                break
        if isinstance(found, Refusal):
            return found, CERTIFICATE_MISSED_S
        age_s = CERTIFICATE_KEPT_S if fetched.max_age_s is None else fetched.max_age_s
        return found, min(max(age_s, CERTIFICATE_KEPT_S_MIN), CERTIFICATE_KEPT_S_MAX)

    def _keep(self, url: str, kept: _Kept) -> None:
        self._kept[url] = kept
        self._kept.move_to_end(url)
        while len(self._kept) > CERTIFICATES_KEPT_MAX:
            self._kept.popitem(last=False)
