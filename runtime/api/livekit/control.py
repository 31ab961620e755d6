"""What the API asks of the bridge that it is part of: the only two things that it does not answer by itself."""

from __future__ import annotations

from typing import Protocol

from runtime.routing.dial import Dialled, DialRequest, Failure, Transferred, TransferRequest

Order = DialRequest | TransferRequest
Outcome = Dialled | Transferred | Failure


class CallControl(Protocol):
    """Whoever has the calls; called on the event loop. A cancelled task leaves the call as it is."""

    async def dial(self, request: DialRequest) -> Dialled | Failure:
        """Place a call. Returns when it is in its room, or where that is waited for, when it was answered or not."""
        ...

    async def transfer(self, request: TransferRequest) -> Transferred | Failure:
        """Send a caller on. `Failure`: it was not begun."""
        ...
