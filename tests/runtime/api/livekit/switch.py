"""Whoever has the calls, in a test of the API: tells what it was asked, and answers when it is let."""

from __future__ import annotations

import asyncio

from runtime.api.livekit.control import Order, Outcome
from runtime.routing.dial import Dialled, DialRequest, Failure, TransferReason, Transferred, TransferRequest

DIALLED = Dialled("SCL_a", "PA_b", "sip_+15550100002", "lobby")
TRANSFERRED = Transferred("STR_c", TransferReason.COMPLETED, 200, "OK")


class Switch:
    """A CallControl. `answer`: what every order comes to, None = what was asked for."""

    def __init__(self) -> None:
        self.asked: list[Order] = []
        self.answer: Outcome | Exception | None = None
        self.cancelled = 0
        self._is_asked = asyncio.Event()
        self._may_answer = {DialRequest: asyncio.Event(), TransferRequest: asyncio.Event()}

    def open(self, *kinds: type[Order]) -> None:
        """Answer from now on, all orders or those of these kinds."""
        for kind in kinds or tuple(self._may_answer):
            self._may_answer[kind].set()

    async def begins(self) -> None:
        """Wait for the first order."""
        await self._is_asked.wait()

    async def dial(self, request: DialRequest) -> Dialled | Failure:
        outcome = await self._answered(request, DIALLED)
        assert isinstance(outcome, Dialled | Failure)
        return outcome

    async def transfer(self, request: TransferRequest) -> Transferred | Failure:
        outcome = await self._answered(request, TRANSFERRED)
        assert isinstance(outcome, Transferred | Failure)
        return outcome

    async def _answered(self, request: Order, usual: Outcome) -> Outcome:
        self.asked.append(request)
        self._is_asked.set()
        try:
            await self._may_answer[type(request)].wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer if self.answer is not None else usual
