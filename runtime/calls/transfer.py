"""One transfer of one call: what was asked, and how far it has come (RFC 3515). Its call holds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from runtime.calls.commands import Command, TransferSettled
from runtime.routing.dial import Failure, TransferReason, Transferred, TransferRequest


@dataclass(slots=True)
class Transfer:
    """Where it stands. `deadline` and `leaves_at` are on the monotonic clock."""

    id: str
    """`STR_…`."""
    request: TransferRequest
    deadline: float
    accepted: bool = False
    """The REFER was taken; news of it come by NOTIFY."""
    settled: bool = False
    """Whoever asked has been told."""
    done: bool = False
    """The other number has the caller."""
    leaves_at: float = field(default=float("inf"))
    """When we hang up, if the phone has not."""

    @property
    def is_open(self) -> bool:
        """Whether somebody waits for its end."""
        return not self.settled

    def settle(
        self, reason: TransferReason, sip_status: int = 0, sip_reason: str = "", failure: Failure | None = None
    ) -> Sequence[Command]:
        """Tell whoever asked, once."""
        if self.settled:
            return ()
        self.settled = True
        return (TransferSettled(Transferred(self.id, reason, sip_status, sip_reason, failure)),)

    def call_ended(self) -> Sequence[Command]:
        """The call ended meanwhile: as a rule because the phone went to the other number, so it counts as done."""
        return self.settle(TransferReason.CALL_ENDED)
