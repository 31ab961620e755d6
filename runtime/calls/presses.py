"""The keys of one phone, whichever way they come: a press that is told by RFC 4733 and by SIP INFO is one press.

Phones and gateways that send several tell each press once by each: RFC 4733, SIP INFO, tones in the voice. So what is
told by one way is the oldest press of the same key within `SAME_PRESS_S` that others have told and this one has not:
`55` pressed fast is two presses, however the four reports cross.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from typing import Final

from runtime.gate.bucket import TokenBucket

SAME_PRESS_S: Final = 1.0
"""How far apart the two reports of one press may be: an INFO over UDP is repeated after 0.5 s."""

INFO_BURST: Final = 20
INFO_PER_S: Final = 10
"""Keys that one phone may tell by INFO; nobody presses faster."""

WAITING_MAX: Final = 64


class Way(StrEnum):
    """How a key was told."""

    EVENT = "rfc4733"
    INFO = "info"
    INBAND = "inband"


class Presses:
    """One per call. `now` is monotonic seconds."""

    __slots__ = ("_bucket", "_waiting")

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, str, set[Way]]] = deque(maxlen=WAITING_MAX)
        self._bucket: TokenBucket | None = None

    def may_tell(self, now: float) -> bool:
        """Whether one more key may come by INFO now."""
        if self._bucket is None:
            self._bucket = TokenBucket(INFO_PER_S, INFO_BURST, now)
        return self._bucket.take(now)

    def is_new(self, key: str, way: Way, now: float) -> bool:
        """Whether this is a press, and not another report of one that was told."""
        while self._waiting and self._waiting[0][0] < now - SAME_PRESS_S:
            self._waiting.popleft()
        for _, told, ways in self._waiting:
            if told == key and way not in ways:
                ways.add(way)
                return False
        self._waiting.append((now, key, {way}))
        return True
