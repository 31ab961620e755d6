"""What a call that may come in needs before it is answered: a place on its trunk, a port pair, an answer to its SDP.

The switchboard asks for all of it at once and gets a `Call`, or a refusal with nothing kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from runtime.calls.call import Call
from runtime.calls.commands import Ports
from runtime.calls.negotiate import describe, local_media
from runtime.calls.prompting import no_keys
from runtime.calls.reasons import EndReason
from runtime.calls.record import CallRecord
from runtime.gate.trunks import TrunkGate
from runtime.routing.route import Admission, PinAsked, Rejection
from runtime.sip.events import InviteReceived
from runtime.sip.offer_answer import NegotiationFailure, OfferAnswer

SESSION_ID_BYTES = 6


class Opening:
    """One per bridge. `reserve_ports` gives a bound pair for a local address, or None."""

    def __init__(self, reserve_ports: Callable[[str], Ports | None], entropy: Callable[[int], bytes]) -> None:
        self._reserve_ports = reserve_ports
        self._entropy = entropy
        self._trunks = TrunkGate()

    def open(
        self, event: InviteReceived, record: CallRecord, admission: Admission, asked: PinAsked | None, now: float
    ) -> Call | Rejection:
        """The call, or why there is none. `asked`: its caller must enter a PIN. `now` is monotonic seconds."""
        trunk = admission.trunk
        limited = self._trunks.admit(trunk, now)
        if limited is not None:
            return Rejection(503, limited.code, limited.words, trunk=trunk.id)
        ports = self._reserve_ports(event.path.local[0])
        if ports is None:
            self.left(trunk.id)
            return Rejection(503, EndReason.NO_PORTS, "no free RTP ports: widen --rtp-ports")
        local = local_media(admission, ports, int.from_bytes(self._entropy(SESSION_ID_BYTES)))
        offer_answer = OfferAnswer()
        try:
            body, stream = describe(offer_answer, event.request.body, local, admission.media_timeout_s)
        except NegotiationFailure as fault:
            ports.close()
            self.left(trunk.id)
            return Rejection(fault.status, EndReason.MEDIA, f"no common media: {fault.text}", trunk=trunk.id)
        if asked is not None and stream is not None and stream.dtmf_receive is None:
            ports.close()
            self.left(trunk.id)
            return no_keys(admission)
        record = replace(record, codec=stream.codec if stream else "")
        return Call(event.leg, record, admission, ports, local, offer_answer, body, stream, asked)

    def left(self, trunk: str) -> None:
        """A call of this trunk is over; its ports are closed by whoever reads them."""
        self._trunks.left(trunk)
