"""What a call needs before it can be: a place on its trunk, a port pair, an answer to its SDP or an offer of ours.

The switchboard asks for all of it at once and gets a `Call`, or a refusal with nothing kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from runtime.calls.call import InboundCall, OutboundCall
from runtime.calls.commands import Ports
from runtime.calls.hunt import Hunt
from runtime.calls.negotiate import Certificate, MediaEnds, describe, local_media
from runtime.calls.prompting import brings_keys, no_keys
from runtime.calls.reasons import EndReason
from runtime.calls.record import CallRecord
from runtime.gate.trunks import TrunkGate
from runtime.routing.dial import Destination, Failure, FailureKind
from runtime.routing.place import Placement
from runtime.routing.route import Admission, PinAsked, Rejection
from runtime.sip.events import InviteReceived
from runtime.sip.facing import Facing
from runtime.sip.offer_answer import NegotiationFailure, OfferAnswer
from runtime.sip.path import Path
from schemas.tables.rows import TrunkRow


class Opening:
    """One per bridge. `reserve_ports` gives a bound pair for a local address, or says why there is none.

    `facing()` is which addresses of ours peers are told now, `certificate` the one that we show in DTLS.
    """

    def __init__(
        self,
        reserve_ports: Callable[[str], Ports | str],
        entropy: Callable[[int], bytes],
        facing: Callable[[], Facing],
        certificate: Certificate = (),
    ) -> None:
        self._reserve_ports = reserve_ports
        self._entropy = entropy
        self._trunks = TrunkGate()
        self._facing = facing
        self._certificate = certificate
        self.media_ports = MediaEnds(lambda address: facing().is_media(address))

    def answer(
        self, event: InviteReceived, record: CallRecord, admission: Admission, asked: PinAsked | None, now: float
    ) -> InboundCall | Rejection:
        """A call that came in, or why there is none. `asked`: its caller must enter a PIN. `now`: monotonic seconds."""
        trunk = admission.trunk
        ports = self._place(trunk, event.path, now, placed=False)
        if isinstance(ports, Rejection):
            return ports
        call = self._agree(event, record, admission, asked, ports)
        if isinstance(call, Rejection):
            self.left(trunk.id, ports, placed=False)
            ports.close()
        return call

    def offer(
        self, record: CallRecord, placement: Placement, ways: Sequence[tuple[Destination, Path]], now: float
    ) -> OutboundCall | Failure:
        """A call of ours, or why there is none. Of `ways` those are kept that leave by the first one's address."""
        _, first = ways[0]
        ports = self._place(placement.trunk, first, now, placed=True)
        if isinstance(ports, Rejection):
            return Failure(FailureKind.RESOURCE_EXHAUSTED, ports.words)
        local = local_media(placement, ports, self._facing().media_host(first), self._entropy, self._certificate)
        offer_answer = OfferAnswer()
        usable = tuple(way for way in ways if way[1].local[0] == first.local[0])
        return OutboundCall(
            leg=None,
            record=record,
            ports=ports,
            local=local,
            offer_answer=offer_answer,
            stream=None,
            orders=placement,
            hunt=Hunt(
                tag=record.call_id,
                placement=placement,
                offer=offer_answer.offer(local),
                ways=list(usable),
                known_ways=usable,
                user=placement.user,
                insist=offer_answer.insist,
            ),
            attributes=dict(placement.attributes),
        )

    def left(self, trunk: str, ports: Ports, *, placed: bool) -> None:
        """A call of this trunk is over; its ports are closed by whoever reads them. `placed`: it was one of ours."""
        self._trunks.left(trunk, placed=placed)
        self.media_ports.remove(ports)

    def lend(self, trunk: TrunkRow, now: float) -> str:
        """A place among the calls that the trunk places, for a phone that another is exchanged for; or why not."""
        limited = self._trunks.admit(trunk, now, placed=True)
        return limited.words if limited is not None else ""

    def give_back(self, trunk: TrunkRow) -> None:
        """It is not needed any more."""
        self._trunks.left(trunk.id, placed=True)

    def _place(self, trunk: TrunkRow, path: Path, now: float, *, placed: bool) -> Ports | Rejection:
        """A place on the trunk, and ports."""
        limited = self._trunks.admit(trunk, now, placed=placed)
        if limited is not None:
            return Rejection(503, limited.limit, limited.words, trunk=trunk.id)
        ports = self._reserve_ports(path.local[0])
        if isinstance(ports, str):
            self._trunks.left(trunk.id, placed=placed)
            return Rejection(503, EndReason.NO_PORTS, ports)
        self.media_ports.add(ports)
        return ports

    def _agree(
        self, event: InviteReceived, record: CallRecord, admission: Admission, asked: PinAsked | None, ports: Ports
    ) -> InboundCall | Rejection:
        local = local_media(admission, ports, self._facing().media_host(event.path), self._entropy, self._certificate)
        offer_answer = OfferAnswer()
        try:
            body, stream = describe(
                offer_answer, event.request.body, local, admission.media_timeout_s, self.media_ports
            )
        except NegotiationFailure as fault:
            words = f"no common media: {fault.text}"
            return Rejection(fault.status, EndReason.MEDIA, words, trunk=admission.trunk.id)
        if asked is not None and stream is not None and not brings_keys(admission, stream):
            return no_keys(admission)
        return InboundCall(
            leg=event.leg,
            record=record.agreed(stream) if stream else record,
            ports=ports,
            local=local,
            offer_answer=offer_answer,
            stream=stream,
            orders=admission,
            body=body,
            asked=asked,
        )
