"""What strangers send in SIP and SDP: messages, session descriptions, and the addresses inside of headers.

Each `fuzz_…(data)` feeds one input and asserts the laws that hold whatever is in it. Nothing may raise but what the
code says it raises; what came in is accounted for; what is left behind is nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path as FilePath

from runtime.sip import events as sip
from runtime.sip import fields, uri
from runtime.sip.endpoint import EndpointConfig
from runtime.sip.errors import SipSyntaxError
from runtime.sip.grammar import has_illegal_control, split_commas
from runtime.sip.message import Headers, Request
from runtime.sip.offer_answer import NegotiationFailure, OfferAnswer
from runtime.sip.parser import parse_message
from runtime.sip.path import Path
from runtime.sip.sdp import SdpSyntaxError, parse_sdp, write_sdp
from runtime.sip.validate import validate_invite, validate_request
from runtime.sip.writer import write_message
from schemas.tables.rows import Inbound, RoomKind, Rows, RuleRow, TrunkRow
from schemas.tables.tables import Tables
from tests.flow.memory import BRIDGE, World
from tests.runtime.sip.offers import AUDIO, LOCAL, OFFER, sdp
from tests.runtime.sip.raw import ALLOW, Raw, request, response

NEXT = b"\n~~~\n"
"""Between two datagrams of one input."""
DATAGRAMS_MAX = 6
CONFIG = EndpointConfig("test", allow=(*ALLOW, "PRACK"), supported=("100rel", "timer"))
TAG = b"@@tag@@"
"""Stands for the To tag of the call that is up when an input comes."""

VECTORS = sorted((FilePath(__file__).parents[1] / "vectors" / "rfc4475").glob("*.dat"))

WORDS = tuple(
    word.encode()
    for word in (
        "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "UPDATE", "REGISTER", "SIP/2.0", "SIP/2.0 200 OK\r\n",
        "Via: SIP/2.0/UDP ", ";branch=z9hG4bK", ";rport", ";received=", "From: ", "To: ", ";tag=", "Call-ID: ",
        "CSeq: 2 ", "Contact: <sip:", "Record-Route: <sip:", "Route: ", "Require: ", "Max-Forwards: 0", "Expires: 0",
        "Content-Type: application/sdp", "Content-Length: ", "Content-Encoding: ", "Accept: ", "multipart/mixed",
        "sip:", "sips:", "tel:+", "@192.0.2.1", "[2001:db8::1]", "%00", "%ff", ";lr", ";transport=tcp", "?a=b",
        "v=0", "o=- 1 1 IN IP4 192.0.2.1", "c=IN IP4 ", "c=IN IP6 ::1", "m=audio 4000 RTP/AVP 0", "m=video 0 ",
        "a=rtpmap:", "PCMU/8000", "telephone-event/8000", "a=fmtp:101 0-15", "a=sendonly", "a=inactive",
        "a=ptime:40", "a=rtcp:1", "t=0 0", "\r\n", "\r\n\r\n", "\r\n ", "*", "~~~", TAG.decode(),
    )
)  # fmt: skip


def vectors() -> list[bytes]:
    """The torture messages of RFC 4475."""
    return [path.read_bytes() for path in VECTORS]


# -- messages ----------------------------------------------------------------------------------------------------------


def fuzz_message(data: bytes) -> None:
    """Datagrams to an endpoint that has a call up, and one of its own ringing, by a user who takes everything."""
    raw = Raw(CONFIG)
    raw.confirmed("us")
    raw.calling()
    legs = set(range(1, raw.endpoint.leg_count + 1))
    for datagram in data.replace(TAG, b"us").split(NEXT)[:DATAGRAMS_MAX]:
        _check_message(datagram)
        before = raw.endpoint.counts.fates.total()
        raw.send(datagram)
        assert raw.endpoint.counts.fates.total() == before + 1, "a datagram has one fate"
        legs |= _take_everything(raw)
        raw.wait(0.3)
        legs |= _take_everything(raw)
    for leg in legs:
        raw.endpoint.cancel(leg, raw.now)
        raw.endpoint.bye(leg, raw.now)
    raw.settle()


def _check_message(data: bytes) -> None:
    """What is read can be written, and reads the same; validation has an opinion and no accident."""
    try:
        message = parse_message(data)
    except SipSyntaxError:
        return
    assert parse_message(write_message(message)) == message
    if isinstance(message, Request):
        validate_request(message)
        validate_invite(message)


def _take_everything(raw: Raw) -> set[int]:
    """Answer what asks for an answer; the legs that it was about."""
    legs = set()
    for event in raw.events():
        leg = getattr(event, "leg", None)
        if leg is not None:
            legs.add(leg)
        if isinstance(event, sip.InviteReceived | sip.ReinviteReceived):
            raw.endpoint.respond(event.leg, 180, raw.now)
            raw.endpoint.respond(event.leg, 183, raw.now, body=OFFER)
            raw.endpoint.respond(event.leg, 200, raw.now, body=OFFER)
        elif isinstance(event, sip.RequestReceived):
            raw.endpoint.respond_request(event.request_id, 200, raw.now)
    raw.sent()
    return legs


def message_seeds() -> list[bytes]:
    """The vectors, and talk about the calls that are there."""
    ours = Raw(CONFIG)
    ours.confirmed("us")
    _, invite = ours.calling()
    invitation = request(branch="z9hG4bK-2", call_id="second", body=OFFER.decode())
    return [
        *vectors(),
        invitation,
        invitation + NEXT + request("CANCEL", branch="z9hG4bK-2", call_id="second"),
        request(branch="z9hG4bK-3", cseq=2, to_tag="us", body=OFFER.decode())
        + NEXT
        + request("ACK", branch="z9hG4bK-4", cseq=2, to_tag="us")
        + NEXT
        + request("BYE", branch="z9hG4bK-5", cseq=3, to_tag="us"),
        request("UPDATE", branch="z9hG4bK-6", cseq=2, to_tag="us"),
        request("INFO", branch="z9hG4bK-7", cseq=2, to_tag="us", extra=("Content-Type: application/dtmf-relay",)),
        request("OPTIONS", branch="z9hG4bK-8", call_id="ping"),
        response(invite, 180, to_tag="them"),
        response(invite, 200, to_tag="them", extra=("Record-Route: <sip:192.0.2.9;lr>",)) + NEXT
        + request("BYE", branch="z9hG4bK-9", to_tag=invite.headers.first("From").rpartition("tag=")[2],
                  from_tag="them", call_id=invite.headers.first("Call-ID")),
        response(invite, 486, to_tag="them"),
        response(invite, 183, to_tag="them", extra=("Require: 100rel", "RSeq: 7"))
        + NEXT
        + response(invite, 200, to_tag="them", extra=("Session-Expires: 90;refresher=uac",)),
        response(invite, 422, to_tag="them", extra=("Min-SE: 3600",)),
        response(invite, 200, to_tag="them", contact="<<"),
        request(branch="z9hG4bK-10", call_id="rel", extra=("Require: 100rel", "Session-Expires: 90"),
                body=OFFER.decode()),
        b"\r\n\r\n",
    ]  # fmt: skip


# -- a whole bridge ----------------------------------------------------------------------------------------------------

PEER = ("198.51.100.7", 5060)
_TRUNK = TrunkRow("default/home", inbound=Inbound(networks=("198.51.100.0/24",)))
_RULE = RuleRow("default/rooms", RoomKind.CALLEE, "line")
_TABLES = Tables.build(Rows({_TRUNK.id: _TRUNK}, {_RULE.id: _RULE}))


def fuzz_call(data: bytes) -> None:
    """Datagrams to a bridge in memory that has a call up. What begins with a byte above 0x7F goes to its RTP port."""
    world = World(_TABLES)
    world.endpoint.receive_datagram(from_peer(request(branch="z9hG4bK-0", body=OFFER.decode())), _PATH, world.now)
    world.settle()
    tag = world.switchboard.live_calls()[0].id.encode()
    for datagram in data.replace(TAG, tag).split(NEXT)[:DATAGRAMS_MAX]:
        if datagram[:1] > b"\x7f":
            for leg in world.legs.values():
                if leg.session is not None:
                    leg.session.receive_rtp(datagram, ("198.51.100.1", 11424), world.now)
        else:
            world.endpoint.receive_datagram(datagram, _PATH, world.now)
            world.settle()
        world.step(0.04)
    end_of(world)


def end_of(world: World, placed: int = 0) -> None:
    """The bridge stops: nothing is left, and every call has its record; `placed` are those of its own."""
    world.switchboard.stop(world.moment)
    world.settle()
    while (deadline := world.endpoint.next_deadline()) is not None:
        world.now = max(world.now, deadline)
        world.endpoint.handle_timer(world.now)
        world.settle()
    endpoint, switchboard = world.endpoint, world.switchboard
    assert (endpoint.leg_count, endpoint.transaction_count, endpoint.alarm_count) == (0, 0, 0)
    assert not switchboard.live_calls()
    assert not world.legs
    assert all(ports.closed for ports in world.ports)
    assert len(world.records) == switchboard.reception.admitted + switchboard.reception.refused + placed
    for record in world.records:
        assert all(text.isprintable() for text in (record.line(), record.room, record.identity, *record.trail))


_PATH = Path("udp", BRIDGE, PEER)


def from_peer(data: bytes) -> bytes:
    return data.replace(b"192.0.2.1", PEER[0].encode()).replace(b"192.0.2.2", BRIDGE[0].encode())


def call_seeds() -> list[bytes]:
    """A few vectors, and a life of a call in pieces."""
    held = sdp(*AUDIO, "a=sendonly").decode()
    talk = [
        request("ACK", branch="z9hG4bK-1", to_tag=TAG.decode()),
        request(branch="z9hG4bK-2", cseq=2, to_tag=TAG.decode(), body=held),
        request("ACK", branch="z9hG4bK-3", cseq=2, to_tag=TAG.decode()),
        request("BYE", branch="z9hG4bK-4", cseq=3, to_tag=TAG.decode()),
    ]
    seeds = [
        NEXT.join(talk),
        talk[0] + NEXT + b"\x80\x00\x00\x01\x00\x00\x00\xa0\x00\x00\x00\x01" + b"\x11" * 160,
        request(branch="z9hG4bK-5", call_id="late") + NEXT + request("CANCEL", branch="z9hG4bK-5", call_id="late"),
        request(branch="z9hG4bK-6", call_id="other", body=OFFER.decode(), uri="sip:+1555@192.0.2.2"),
        request("OPTIONS", branch="z9hG4bK-7", call_id="ping"),
    ]
    return [from_peer(seed) for seed in seeds] + vectors()[::5]


# -- session descriptions ----------------------------------------------------------------------------------------------


def fuzz_sdp(data: bytes) -> None:
    """A description, as an offer, as the offer of a re-INVITE, and as the answer to ours."""
    try:
        description = parse_sdp(data)
    except SdpSyntaxError:
        pass
    else:
        assert parse_sdp(write_sdp(description)) == description
    call = OfferAnswer()
    try:
        first, agreed = call.answer(data, LOCAL)
        again, as_before = call.answer(data, LOCAL)
        assert (again, as_before) == (first, agreed), "the same offer gets the same answer"
        assert len(parse_sdp(first).media) == len(parse_sdp(data).media)
    except NegotiationFailure as failure:
        _check_failure(failure)
    call.offer(LOCAL)
    try:
        call.accept(data)
    except NegotiationFailure as failure:
        _check_failure(failure)
        call.withdraw()
    fresh = OfferAnswer()
    fresh.offer(LOCAL)
    try:
        agreed = fresh.accept(data)
        assert agreed.codec.name in LOCAL.codecs
    except NegotiationFailure as failure:
        _check_failure(failure)


def _check_failure(failure: NegotiationFailure) -> None:
    assert failure.status in (400, 488, 491)
    assert failure.warning.isascii()
    assert failure.warning.isprintable()
    assert failure.text.isprintable()


def sdp_seeds() -> list[bytes]:
    """Offers of several kinds."""
    return [
        OFFER,
        sdp(*AUDIO, "a=sendonly", "a=ptime:40", "a=maxptime:60", "a=rtcp:11500 IN IP4 198.51.100.2"),
        sdp("m=video 5000 RTP/AVP 96", "a=rtpmap:96 VP8/90000", *AUDIO, session=("inactive",)),
        sdp(*AUDIO, c=None) + b"c=IN IP4 0.0.0.0\r\n",
        sdp("m=audio 0 RTP/AVP 0"),
        sdp("m=audio 4000/2 RTP/SAVP 0 8", "i=x", "b=AS:64", "k=prompt", c="IN IP6 2001:db8::1"),
    ]


# -- addresses ---------------------------------------------------------------------------------------------------------

_READERS: tuple[tuple[Callable[[str], object], bool], ...] = (
    (uri.parse_uri, True),
    (fields.parse_name_addr, True),
    (fields.parse_via, True),
    (fields.parse_media_type, True),
    (split_commas, False),
    (lambda text: fields.parse_cseq(Headers([("CSeq", text)])), True),
    (lambda text: fields.parse_token_list(Headers([("Allow", text)]), "Allow"), False),
    (lambda text: [str(each) for each in fields.parse_addresses(Headers([("Route", text)]), "Route")], False),
    (lambda text: [via.rport for via in fields.parse_vias(Headers([("Via", text)]))], False),
)


def fuzz_address(data: bytes) -> None:
    """A header's value in every grammar that we have: what it is read as, is read the same from what we write."""
    text = _header_text(data)
    if text is None:
        return
    for read, written_the_same in _READERS:
        try:
            value = read(text)
        except SipSyntaxError:
            continue
        if written_the_same:
            assert read(str(value)) == value
        if isinstance(value, uri.Uri | uri.TelUri):
            assert uri.uri_equal(value, value)


def _header_text(data: bytes) -> str | None:
    """The value as a parsed header would have it, None for what the parser never lets through."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return None if has_illegal_control(text) else text.strip(" \t")


def address_seeds() -> list[bytes]:
    """Values of the vectors' headers, and some more."""
    more = (
        "sip:+1415;isub=1@192.0.2.1:5060;user=phone;transport=udp?subject=a%20b",
        "sips:alice:secret@[2001:db8::9:1];lr",
        "tel:+1-201-555-0123;ext=12;phone-context=example.com",
        '"A \\" quote" <sip:a@b>;tag=1;x="y;z"',
        "SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bK77;rport;received=2001:db8::2",
        "application/sdp;charset=\"utf-8\"",
        "314159 INVITE",
        "<sip:a@b;lr>, <sip:c@d;lr>",
    )  # fmt: skip
    return [text.encode() for text in more] + list(_header_values(vectors()))


def _header_values(messages: Iterable[bytes]) -> Iterable[bytes]:
    for message in messages:
        for line in message.partition(b"\r\n\r\n")[0].split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.strip().lower() in (b"via", b"v", b"from", b"f", b"to", b"t", b"contact", b"m", b"route"):
                yield value.strip()
