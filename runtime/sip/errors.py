"""The peer's faults in SIP text, as one exception that carries the answer to give.

Raised by every parser of this package, caught by the endpoint, which answers with `status` and `reason`, or drops the
message where there is nobody to answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runtime.sip.message import Request

Fault = tuple[int, str]
"""The status and reason to answer with."""


class SipSyntaxError(Exception):
    """Text that is not SIP.

    `status` and `reason` are the answer. `partial` is the request as far as it could be read (its Via, From, To,
    Call-ID and CSeq are enough to answer by); None: a response, or so broken that it is dropped.
    """

    def __init__(self, status: int, reason: str, partial: Request | None = None) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.partial = partial
