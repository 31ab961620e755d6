"""One transfer of one call: what was asked, and how far it has come (RFC 3515). Its call holds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from runtime.calls.commands import Command, TransferSettled
from runtime.calls.record import CallRecord, EndedBy
from runtime.routing.dial import Failure, FailureKind, TransferReason, Transferred, TransferRequest


@dataclass(slots=True)
class Transfer:
    """Where it stands. `deadline` and `leaves_at` are on the monotonic clock."""

    id: str
    """`STR_…`."""
    request: TransferRequest
    deadline: float
    cseq: int
    """Of the REFER: older ones of this call may still be answered."""
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

    def call_ended(self, record: CallRecord) -> Sequence[Command]:
        """The call ended meanwhile. Where the phone hung up it went to the other number, as a rule: that is success."""
        if record.ended_by in (EndedBy.CALLER, EndedBy.CALLEE):
            return self.settle(TransferReason.CALL_ENDED)
        words = f"the call ended before the transfer did: {record.words}"
        return self.settle(TransferReason.CANCELED, failure=Failure(FailureKind.CANCELED, words))
