"""EDGE. Orders to place or transfer a call: handed to who has the calls, bounded in number and time, and done once.

An SDK repeats a request that it has no answer to, under the same `X-Livekit-Request-Id`. Then a phone must not ring
twice: who asks again, while the first order is under way or shortly after, is told of that one's outcome. So an order
is a task of its own. It belongs to no connection, and whoever waits for it may go away.

The id is unique by itself, as one bridge has one API key; each request with it has been checked against its own token
before it comes here.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from dataclasses import dataclass

from runtime.api.livekit import limits
from runtime.api.livekit.control import CallControl, Order, Outcome
from runtime.api.livekit.twirp import Code, TwirpError
from runtime.api.livekit.values import invalid
from runtime.media.dtmf import gap_ms, tone_ms
from runtime.routing.dial import DialRequest, Failure, FailureKind

REQUEST_ID = "X-Livekit-Request-Id"

_KEY_S = (tone_ms + gap_ms) / 1000


@dataclass(frozen=True, slots=True)
class _Remembered:
    fingerprint: bytes
    task: asyncio.Task[Outcome]


class Orders:
    """The orders of one listener."""

    def __init__(self, control: CallControl) -> None:
        self._control = control
        self._under_way: set[asyncio.Task[Outcome]] = set()
        self._waiting: Counter[type[Order]] = Counter()
        """How many wait for the outcome of an order that they began.

        One that has gone takes no place: its call is bounded with all other calls.
        """
        self._remembered: OrderedDict[str, _Remembered] = OrderedDict()
        """By request id: those under way, and those that ended in the last minute."""

    async def carry_out(self, order: Order, request_id: str, fingerprint: bytes) -> Outcome:
        """What became of an order, or of the first one with this id ("" = none). Raises TwirpError.

        `fingerprint` tells two requests apart. A cancelled wait leaves the order to go on.
        """
        if len(request_id) > limits.REQUEST_ID_CHARS_MAX:
            raise invalid(REQUEST_ID, f"is longer than {limits.REQUEST_ID_CHARS_MAX} characters")
        known = self._remembered.get(request_id)
        if known is not None and known.fingerprint != fingerprint:
            raise invalid(REQUEST_ID, "was used a moment ago for another request: each needs an id of its own")
        if known is not None:
            return await asyncio.shield(known.task)
        kind = type(order)
        if self._waiting[kind] >= limits.ORDERS_MAX:
            words = f"{limits.ORDERS_MAX} such requests are under way already; nothing was done"
            raise TwirpError(Code.RESOURCE_EXHAUSTED, words)
        self._waiting[kind] += 1
        try:
            return await asyncio.shield(self._begin(order, request_id, fingerprint))
        finally:
            self._waiting[kind] -= 1

    def stop(self) -> None:
        """Wait for nothing any more; the calls are ended by who has them."""
        for task in self._under_way:
            task.cancel()

    def _begin(self, order: Order, request_id: str, fingerprint: bytes) -> asyncio.Task[Outcome]:
        task = asyncio.create_task(self._done(order))
        self._under_way.add(task)
        task.add_done_callback(self._finished)
        if request_id:
            self._remember(request_id, _Remembered(fingerprint, task))
        return task

    def _finished(self, task: asyncio.Task[Outcome]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # Whoever waited for it may have gone: a fault of ours is told all the same.
            told = {"message": "an order to place or transfer a call failed", "exception": task.exception()}
            task.get_loop().call_exception_handler(told)

    async def _done(self, order: Order) -> Outcome:
        patience_s = patience(order)
        try:
            async with asyncio.timeout(patience_s) as limit:
                return await self._ask(order)
        except TimeoutError:
            if not limit.expired():
                raise
        words = f"not known within {patience_s:.0f} s what became of it; it has not been taken back"
        return Failure(FailureKind.DEADLINE_EXCEEDED, words)

    async def _ask(self, order: Order) -> Outcome:
        return await (self._control.dial(order) if isinstance(order, DialRequest) else self._control.transfer(order))

    # -- what is remembered ----------------------------------------------------------------------------------------

    def _remember(self, request_id: str, order: _Remembered) -> None:
        if len(self._remembered) >= limits.REMEMBERED_MAX:
            ended = (known for known, other in self._remembered.items() if other.task.done())
            del self._remembered[next(ended, next(iter(self._remembered)))]
        self._remembered[request_id] = order
        order.task.add_done_callback(lambda task: self._ended(request_id, task))

    def _ended(self, request_id: str, task: asyncio.Task[Outcome]) -> None:
        """Keep an outcome for a minute; not one that says "nothing was done, try again", which would be no answer."""
        if not task.cancelled() and task.exception() is None and _may_be_repeated(task.result()):
            self._forget(request_id, task)
            return
        if self._is_remembered(request_id, task):
            self._remembered.move_to_end(request_id)
            task.get_loop().call_later(limits.REMEMBERED_S, self._forget, request_id, task)

    def _forget(self, request_id: str, task: asyncio.Task[Outcome]) -> None:
        if self._is_remembered(request_id, task):
            del self._remembered[request_id]

    def _is_remembered(self, request_id: str, task: asyncio.Task[Outcome]) -> bool:
        known = self._remembered.get(request_id)
        return known is not None and known.task is task


def patience(order: Order) -> float:
    """How long to wait for the outcome of an order, in seconds."""
    if not isinstance(order, DialRequest):
        return order.ringing_timeout_s + limits.TRANSFER_GRACE_S
    if not order.wait_until_answered:
        return limits.DIAL_S_MAX
    return order.ringing_timeout_s + limits.ANSWER_GRACE_S + len(order.dtmf) * _KEY_S


def _may_be_repeated(outcome: Outcome) -> bool:
    return isinstance(outcome, Failure) and outcome.kind is FailureKind.UNAVAILABLE and not outcome.sip_status
