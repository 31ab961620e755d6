"""What a caller can send around a call that changes: early media, PRACK, UPDATE, re-INVITE, hold, session timers."""

from __future__ import annotations

from runtime.sip.path import Path
from schemas.tables.rows import Inbound, RoomKind, Rows, RuleRow, TrunkRow
from schemas.tables.tables import Tables
from tests.flow.memory import BRIDGE, World
from tests.fuzz.signalling import DATAGRAMS_MAX, NEXT, PEER, TAG, end_of, from_peer
from tests.fuzz.signalling import WORDS as SIP_WORDS
from tests.runtime.sip.offers import OFFER
from tests.runtime.sip.raw import request

RSEQ = b"@@rseq@@"
"""Stands for the number of the reliable response that waits for its PRACK, 1 where none does."""

WORDS = (
    *SIP_WORDS, RSEQ, b"PRACK", b"RAck: @@rseq@@ 1 INVITE", b"RSeq: 1", b"Require: 100rel", b"Supported: 100rel, timer",
    b"Session-Expires: 90", b";refresher=uac", b";refresher=uas", b"Min-SE: 90", b"Allow: UPDATE", b"Reason: SIP",
    b";cause=200;text=\"", b"c=IN IP4 0.0.0.0", b"a=recvonly", b"a=sendrecv", b"SIP/2.0 491 Request Pending\r\n",
)  # fmt: skip

_PATH = Path("udp", BRIDGE, PEER)
_TRUNK = TrunkRow("default/home", inbound=Inbound(networks=("198.51.100.0/24",)))
_RULE = RuleRow("default/rooms", RoomKind.CALLEE, "line", answer="onRequest", ringback="room")
_TABLES = Tables.build(Rows({_TRUNK.id: _TRUNK}, {_RULE.id: _RULE}))


def fuzz_session(data: bytes) -> None:
    """Datagrams to a call that rings with early media, is answered after the second one, then held and taken back."""
    world = World(_TABLES)
    first, *others = data.split(NEXT)[:DATAGRAMS_MAX]
    world.endpoint.receive_datagram(from_peer(first), _PATH, world.now)
    world.settle()
    live = world.switchboard.live_calls()
    call_id = live[0].id if live else "SCL_none"
    for number, datagram in enumerate(others):
        filled = datagram.replace(TAG, call_id.encode()).replace(RSEQ, str(_rseq(world)).encode())
        world.endpoint.receive_datagram(from_peer(filled), _PATH, world.now)
        world.settle()
        if number == 1:
            world.switchboard.answer_asked(call_id, world.moment)
        elif number >= 2:
            world.switchboard.hold(call_id, world.moment, on=number % 2 == 0)
        world.settle()
        world.step(0.6)
        _check_media(world)
    end_of(world)
    assert len(world.held) <= len(others)


def _rseq(world: World) -> int:
    for leg in world.endpoint._core.legs._by_handle.values():
        if leg.open_invite is not None and leg.open_invite.unpracked is not None:
            return leg.open_invite.unpracked.rseq
    return 1


def _check_media(world: World) -> None:
    """What a call is known to be is what its packets are."""
    for call in world.switchboard.live_calls():
        session = world.legs[call.id].session
        if session is None or call.stream is None or not call.record.answered_at:
            continue
        if call.state.value == "active":
            assert session.config == call.stream
            assert call.holds is (call.stream.silent or not call.stream.receive) or not call.holds
            assert not (call.holds and session.config.receive), "a phone on hold is not heard"


def session_seeds() -> list[bytes]:
    """Ways in which such a call goes."""
    offer = OFFER.decode()
    hold = offer.replace("a=fmtp:101 0-15", "a=fmtp:101 0-15\r\na=sendonly")
    tag = TAG.decode()
    reliable = ("Require: 100rel", "Supported: timer", "Session-Expires: 90;refresher=uac", "Allow: UPDATE")
    ringing = request(branch="z9hG4bK-0", body=offer, extra=reliable)
    late = request(branch="z9hG4bK-0", extra=("Supported: 100rel",))
    plain = request(branch="z9hG4bK-0", body=offer)

    def within(method: str, cseq: int, body: str = "", *extra: str) -> bytes:
        return request(method, branch=f"z9hG4bK-{cseq}", cseq=cseq, to_tag=tag, body=body, extra=extra)

    rack = f"RAck: {RSEQ.decode()} 1 INVITE"
    ack = request("ACK", branch="z9hG4bK-a", to_tag=tag)
    timer = ("Supported: timer", "Session-Expires: 90;refresher=uas")
    talks = (
        (ringing, within("PRACK", 2, "", rack), within("UPDATE", 3, hold), ack, within("INVITE", 4, hold),
         within("UPDATE", 5, "", *timer)),
        (late, within("PRACK", 2, offer, rack), within("UPDATE", 3, hold), ack, within("INVITE", 4)),
        (ringing, within("UPDATE", 2, hold), within("PRACK", 3, "", "RAck: 1 1 INVITE"),
         within("PRACK", 4, hold, rack), ack),
        (plain, within("UPDATE", 2, offer), ack, within("INVITE", 3, hold), within("ACK", 3),
         within("INVITE", 4, offer)),
        (plain, request("CANCEL", branch="z9hG4bK-0", extra=("Reason: SIP;cause=200",)), ack),
        (ringing, within("PRACK", 2, "", rack), ack, within("BYE", 3, "", 'Reason: Q.850;cause=41;text="x"')),
        (request(branch="z9hG4bK-0", body=offer, extra=("Supported: timer", "Session-Expires: 5")), plain, ack),
    )  # fmt: skip
    return [NEXT.join(talk) for talk in talks]
