"""The torture messages of RFC 4475, each with the verdict of parser and validation together."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.sip.errors import SipSyntaxError
from runtime.sip.fields import parse_addresses, parse_cseq, parse_name_addr, parse_vias
from runtime.sip.message import Message, Request, Response
from runtime.sip.parser import parse_message
from runtime.sip.uri import parse_uri
from runtime.sip.validate import validate_invite, validate_request
from runtime.sip.writer import write_message

VECTORS = Path(__file__).parents[2] / "vectors" / "rfc4475"
ACCEPTED, DROPPED = "accepted", "dropped"

VERDICTS: dict[str, str | int] = {
    # 3.1.1: valid. What a method or a response then comes to is the endpoint's.
    "wsinv": ACCEPTED, "intmeth": ACCEPTED, "esc01": ACCEPTED, "escnull": ACCEPTED, "esc02": ACCEPTED,
    "lwsdisp": ACCEPTED, "longreq": ACCEPTED, "dblreq": ACCEPTED, "semiuri": ACCEPTED, "transports": ACCEPTED,
    "mpart01": ACCEPTED, "unreason": ACCEPTED, "noreason": ACCEPTED,
    # 3.1.2: invalid.
    "badinv01": 400, "clerr": 400, "ncl": 400, "scalar02": 400, "scalarlg": DROPPED, "quotbal": 400, "ltgtruri": 400,
    "lwsruri": 400, "lwsstart": 400, "trws": 400, "escruri": 400, "baddate": ACCEPTED, "regbadct": 400,
    "badaspec": 400, "baddn": 400, "badvers": 505, "mismatch01": 400, "mismatch02": 400, "bigcode": DROPPED,
    # 3.2: transaction layer.
    "badbranch": ACCEPTED,
    # 3.3: application layer. REGISTERs are refused by the endpoint, by their method.
    "insuf": 400, "unkscm": 416, "novelsc": 416, "unksm2": ACCEPTED, "bext01": 420, "invut": 415,
    "regaut01": ACCEPTED, "multi01": 400, "mcl01": 400, "bcast": ACCEPTED, "zeromf": ACCEPTED, "cparam01": ACCEPTED,
    "cparam02": ACCEPTED, "regescrt": ACCEPTED, "sdp01": 406,
    # 3.4: an older peer.
    "inv2543": ACCEPTED,
}  # fmt: skip


def read(name: str) -> Message:
    return parse_message((VECTORS / f"{name}.dat").read_bytes())


def outcome(name: str) -> tuple[Message | None, str | int]:
    """What could be read of a message, and its verdict."""
    try:
        message = read(name)
    except SipSyntaxError as fault:
        return fault.partial, DROPPED if fault.partial is None else fault.status
    if isinstance(message, Response):
        return message, ACCEPTED
    rejection = validate_request(message) or (validate_invite(message) if message.method == "INVITE" else None)
    return message, ACCEPTED if rejection is None else rejection.status


def test_every_vector_has_a_verdict():
    assert {path.stem for path in VECTORS.glob("*.dat")} == set(VERDICTS)
    assert len(VERDICTS) == 49


@pytest.mark.parametrize("name", sorted(VERDICTS))
def test_the_verdict_of(name):
    assert outcome(name)[1] == VERDICTS[name]


@pytest.mark.parametrize("name", sorted(name for name, wanted in VERDICTS.items() if wanted == ACCEPTED))
def test_an_accepted_message_is_written_and_read_again(name):
    message = read(name)
    assert parse_message(write_message(message)) == message


@pytest.mark.parametrize("name", sorted(name for name, wanted in VERDICTS.items() if isinstance(wanted, int)))
def test_a_refused_message_can_be_answered(name):
    message, _ = outcome(name)
    assert isinstance(message, Request)
    present = [h for h in ("Via", "From", "To", "Call-ID", "CSeq") if h in message.headers]
    assert present == (["Via", "CSeq"] if name == "insuf" else ["Via", "From", "To", "Call-ID", "CSeq"])


def test_wsinv_in_all_its_parts():
    message = read("wsinv")
    assert isinstance(message, Request)
    assert len(message.body) == 150
    assert parse_uri(message.uri).param("unknownparam") == ""
    assert parse_name_addr(message.headers.first("To")).tag == "1918181833n"
    caller = parse_name_addr(message.headers.first("From"))
    assert (caller.display, caller.tag) == ('J Rosenberg \\"', "98asjd8")
    assert parse_cseq(message.headers).number == 9
    assert [(via.transport, via.host, via.branch) for via in parse_vias(message.headers)] == [
        ("UDP", "192.0.2.2", "390skdjuw"),
        ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
        ("UDP", "192.168.255.111", "z9hG4bK30239"),
    ]
    (contact,) = parse_addresses(message.headers, "Contact")
    assert contact.display == 'Quoted string ""'
    assert contact.params == (("newparam", "newvalue"), ("secondparam", None), ("q", "0.33"))
    assert message.headers.first("NewFangledHeader") == "newfangled value continued newfangled value"
    assert message.headers.first("Subject") == ""


def test_intmeth_in_all_its_parts():
    message = read("intmeth")
    assert message.method == "!interesting-Method0123456789_*+`.%indeed'~"
    uri = parse_uri(message.uri)
    assert uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert uri.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
    assert parse_name_addr(message.headers.first("To")).display == "BEL:\x07 NUL:\x00 DEL:\x7f"
    caller = parse_name_addr(message.headers.first("From"))
    assert caller.display == "token1~` token2'+_ token3*%!.-"
    assert caller.params == (("fromParam''~+*_!.-%", "работающий"), ("tag", "_token~1'+`*%!-."))


def test_escapes_are_decoded_in_uris_and_nowhere_else():
    message = read("esc01")
    assert parse_uri(message.uri).user == "sips:user@example.com"
    assert parse_uri(parse_name_addr(message.headers.first("To")).uri).user == "user"
    contact = parse_uri(parse_addresses(message.headers, "Contact")[0].uri)
    assert contact.params == (("lr", None), ("name", "value%41"))
    other = read("esc02")
    assert other.method == "RE%47IST%45R"
    assert len(other.headers.all("Contact")) == 2
    assert parse_name_addr(other.headers.first("To")).display == "%Z%45"


def test_escaped_nul_is_a_character_of_the_user():
    message = read("escnull")
    assert [parse_uri(c.uri).user for c in parse_addresses(message.headers, "Contact")] == ["\0", "\0\0"]


def test_longreq_has_all_its_vias():
    assert len(parse_vias(read("longreq").headers)) == 34


def test_dblreq_is_one_message():
    message = read("dblreq")
    assert (message.method, message.body) == ("REGISTER", b"")


def test_mpart01_keeps_its_binary_body():
    assert len(read("mpart01").body) == 553


def test_a_bare_magic_cookie_is_seen_as_such():
    (via,) = parse_vias(read("badbranch").headers)
    assert via.branch == "z9hG4bK"
