"""What a call that may come in needs before it is answered: a place on its trunk, a port pair, an answer to its SDP.

The switchboard asks for all of it at once and gets a `Call`, or a refusal with nothing kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from runtime.calls.call import Call
from runtime.calls.commands import Ports
from runtime.calls.negotiate import describe, local_media, media_ends
from runtime.calls.prompting import no_keys
from runtime.calls.reasons import EndReason
from runtime.calls.record import CallRecord
from runtime.gate.trunks import TrunkGate
from runtime.routing.route import Admission, PinAsked, Rejection
from runtime.sip.events import InviteReceived
from runtime.sip.offer_answer import NegotiationFailure, OfferAnswer
from runtime.sip.path import Address

SESSION_ID_BYTES = 6


class Opening:
    """One per bridge. `reserve_ports` gives a bound pair for a local address, or says why there is none."""

    def __init__(self, reserve_ports: Callable[[str], Ports | str], entropy: Callable[[int], bytes]) -> None:
        self._reserve_ports = reserve_ports
        self._entropy = entropy
        self._trunks = TrunkGate()
        self.media_ports: set[Address] = set()
        """The RTP and RTCP ports of all calls: nobody may name one as its own."""

    def open(
        self, event: InviteReceived, record: CallRecord, admission: Admission, asked: PinAsked | None, now: float
    ) -> Call | Rejection:
        """The call, or why there is none. `asked`: its caller must enter a PIN. `now` is monotonic seconds."""
        trunk = admission.trunk
        limited = self._trunks.admit(trunk, now)
        if limited is not None:
            return Rejection(503, limited.code, limited.words, trunk=trunk.id)
        ports = self._reserve_ports(event.path.local[0])
        if isinstance(ports, str):
            self._trunks.left(trunk.id)
            return Rejection(503, EndReason.NO_PORTS, ports)
        self.media_ports |= media_ends(ports)
        call = self._agree(event, record, admission, asked, ports)
        if isinstance(call, Rejection):
            self.left(trunk.id, ports)
            ports.close()
        return call

    def _agree(
        self, event: InviteReceived, record: CallRecord, admission: Admission, asked: PinAsked | None, ports: Ports
    ) -> Call | Rejection:
        local = local_media(admission, ports, int.from_bytes(self._entropy(SESSION_ID_BYTES)))
        offer_answer = OfferAnswer()
        try:
            body, stream = describe(
                offer_answer, event.request.body, local, admission.media_timeout_s, self.media_ports
            )
        except NegotiationFailure as fault:
            words = f"no common media: {fault.text}"
            return Rejection(fault.status, EndReason.MEDIA, words, trunk=admission.trunk.id)
        if asked is not None and stream is not None and stream.dtmf_receive is None:
            return no_keys(admission)
        record = replace(record, codec=stream.codec if stream else "")
        return Call(event.leg, record, admission, ports, local, offer_answer, body, stream, asked)

    def left(self, trunk: str, ports: Ports) -> None:
        """A call of this trunk is over; its ports are closed by whoever reads them."""
        self._trunks.left(trunk)
        self.media_ports -= media_ends(ports)
