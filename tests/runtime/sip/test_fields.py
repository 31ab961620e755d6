"""Via, addresses, CSeq and lists: RFC 3261 section 20 and the forms that torture messages take."""

from __future__ import annotations

import pytest
from hypothesis import given

from runtime.sip.errors import SipSyntaxError
from runtime.sip.fields import (
    CSeq,
    MediaType,
    NameAddr,
    Via,
    parse_addresses,
    parse_cseq,
    parse_media_type,
    parse_name_addr,
    parse_token_list,
    parse_via,
    parse_vias,
)
from runtime.sip.grammar import has_illegal_control, quote, split_commas
from runtime.sip.message import Headers
from tests.runtime.sip.strategies import cseqs, media_types, name_addrs, vias


@given(vias)
def test_a_written_via_parses_to_the_same_value(via):
    assert parse_via(str(via)) == via


@given(name_addrs)
def test_a_written_address_parses_to_the_same_value(address):
    # White space at the ends of a quoted display name is kept, an empty name is none.
    assert parse_name_addr(str(address)) == address


@given(cseqs)
def test_a_written_cseq_parses_to_the_same_value(cseq):
    assert parse_cseq(Headers([("CSeq", str(cseq))])) == cseq


@given(media_types)
def test_a_written_media_type_parses_to_the_same_value(kind):
    assert parse_media_type(str(kind)) == kind


@pytest.mark.parametrize(
    ("text", "via"),
    [
        ("SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bK776asdhds",
         Via("UDP", "pc33.atlanta.com", None, (("branch", "z9hG4bK776asdhds"),))),
        ("SIP  /   2.0  /UDP     192.0.2.2;branch=390skdjuw",
         Via("UDP", "192.0.2.2", None, (("branch", "390skdjuw"),))),
        ("SIP / 2.0 / TCP spindle.example.com  :  5061 ; branch  =   z9hG4bK9  ",
         Via("TCP", "spindle.example.com", 5061, (("branch", "z9hG4bK9"),))),
        ("SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3",
         Via("UDP", "2001:db8::9:1", None, (("received", "[2001:db8::9:255]"), ("branch", "z9hG4bKas3")))),
        ("SIP/2.0/UDP h;received=2001:db8::1;rport",
         Via("UDP", "h", None, (("received", "2001:db8::1"), ("rport", None)))),
        ("sip/2.0/udp h:5060", Via("udp", "h", 5060)),
    ],
)  # fmt: skip
def test_a_via_is_read(text, via):
    assert parse_via(text) == via


@pytest.mark.parametrize(
    "text",
    [
        "", "SIP/2.0/UDP", "SIP/2.0 UDP host", "SIP/3.0/UDP host", "SIP/7.0/UDP host", "SIP/2.0/UDP ;branch=x",
        "SIP/2.0/UDP h:70000", "SIP/2.0/UDP h:", "SIP/2.0/UDP 192.0.2.15;;,;,,", "SIP/2.0/UDP h;branch=a;Branch=b",
        "SIP/2.0/UDP h;branch=", "SIP/2.0/UDP [::1", "SIP/2.0/UDP [:::1]", "SIP/2.0/UDP h h2",
    ],
)  # fmt: skip
def test_a_broken_via_is_400(text):
    with pytest.raises(SipSyntaxError, match="400 Malformed Via"):
        parse_via(text)


def test_vias_are_read_over_lines_and_commas_topmost_first():
    headers = Headers([("Via", 'SIP/2.0/UDP a;x="1,2", SIP/2.0/UDP b'), ("v", "SIP/2.0/UDP c")])
    assert [via.host for via in parse_vias(headers)] == ["a", "b", "c"]


def test_what_a_via_says_of_the_way_back():
    via = parse_via("SIP/2.0/UDP h;Branch=z9hG4bK1;rport=5071;received=[2001:db8::1]")
    assert (via.branch, via.rport, via.received) == ("z9hG4bK1", 5071, "2001:db8::1")
    bare = parse_via("SIP/2.0/UDP h;rport")
    assert (bare.branch, bare.rport, bare.received) == (None, 0, None)
    assert parse_via("SIP/2.0/UDP h").rport is None
    with pytest.raises(SipSyntaxError):
        _ = parse_via("SIP/2.0/UDP h;rport=x").rport


def test_a_param_is_set_in_its_place_or_added():
    via = parse_via("SIP/2.0/UDP h;RPORT;branch=b")
    assert str(via.with_param("rport", "9").with_param("received", "192.0.2.1")) == (
        "SIP/2.0/UDP h;RPORT=9;branch=b;received=192.0.2.1"
    )
    assert str(NameAddr("", "sip:a@h").with_param("tag", "x").with_param("tag", "y")) == "<sip:a@h>;tag=y"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("sip:j.user@example.com", NameAddr("", "sip:j.user@example.com")),
        ("sip:+1650@h;user=phone;tag=7", NameAddr("", "sip:+1650@h", (("user", "phone"), ("tag", "7")))),
        ("sip:a@h ;   tag    = 1918181833n", NameAddr("", "sip:a@h", (("tag", "1918181833n"),))),
        ('"J Rosenberg \\\\\\""       <sip:j@h>  ;  tag = 98asjd8',
         NameAddr('J Rosenberg \\"', "sip:j@h", (("tag", "98asjd8"),))),
        ("caller<sip:caller@example.com>;tag=323", NameAddr("caller", "sip:caller@example.com", (("tag", "323"),))),
        ("token1~` token2'+_ token3*%!.- <sip:m@h>", NameAddr("token1~` token2'+_ token3*%!.-", "sip:m@h")),
        ("Jürgen  (Büro) <sip:j@h>", NameAddr("Jürgen (Büro)", "sip:j@h")),
        ('"%Z%45" <sip:resource@example.com>', NameAddr("%Z%45", "sip:resource@example.com")),
        ('"" <sip:a@h>', NameAddr("", "sip:a@h")),
        ('"a, b; <c>" <sip:a@h;lr>;x="y;z"', NameAddr("a, b; <c>", "sip:a@h;lr", (("x", "y;z"),))),
        ("isbn:2983792873", NameAddr("", "isbn:2983792873")),
        ("<http://www.example.com?a,b>;tag=3", NameAddr("", "http://www.example.com?a,b", (("tag", "3"),))),
        ("<tel:+1-201>", NameAddr("", "tel:+1-201")),
        ("<sip:a@h>;tag=a/b:c@d=[e]", NameAddr("", "sip:a@h", (("tag", "a/b:c@d=[e]"),))),
    ],
)  # fmt: skip
def test_an_address_is_read(text, address):
    assert parse_name_addr(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "", "<>", "nobody", '"Mr. J. User <sip:j.user@example.com>', "< sip:a@h >", "Bell, Alexander <sip:a@h>",
        "<sip:a@h", "sip:a@h>", "<sip:a@h> tag=1", "<sip:a@h>;", "<sip:a@h>;;", "<sip:a@h>;tag=1;TAG=2",
        "sip:user@example.com?Route=%3Csip:sip.example.com%3E", '"a" "b" <sip:a@h>', "sip:a@h,sip:b@h",
        '"a"', "<sip:a@h>;tag=\"x", "<sip:\u00e4@h>", "sip:" + "a" * 3000,
    ],
)  # fmt: skip
def test_a_broken_address_is_400_and_says_which_field(text):
    with pytest.raises(SipSyntaxError, match="400 Malformed To"):
        parse_name_addr(text, "To")


def test_addresses_are_split_outside_quotes_and_brackets():
    headers = Headers([("Contact", '"a, b" <sip:a@h>, sip:b@h;q=0.1'), ("m", "<sip:c@h;x=1,2>;y")])
    assert [address.uri for address in parse_addresses(headers, "Contact")] == ["sip:a@h", "sip:b@h", "sip:c@h;x=1,2"]
    with pytest.raises(SipSyntaxError):
        parse_addresses(Headers([("Contact", "<sip:a@h>, ")]), "Contact")


@pytest.mark.parametrize("text", ['a, "b', "a, <b", 'a "b\\", c'])
def test_an_unbalanced_list_is_400(text):
    with pytest.raises(SipSyntaxError):
        split_commas(text)


def test_lists_are_bounded():
    many = ",".join("a" for _ in range(200))
    with pytest.raises(SipSyntaxError):
        parse_token_list(Headers([("Allow", many)]), "Allow")
    with pytest.raises(SipSyntaxError):
        parse_token_list(Headers([("Allow", "a,b,c")] * 100), "Allow")
    with pytest.raises(SipSyntaxError):
        parse_name_addr("<sip:a@h>" + "".join(f";p{n}" for n in range(65)))


@pytest.mark.parametrize(
    ("text", "cseq"),
    [
        ("4711 INVITE", CSeq(4711, "INVITE")),
        ("0009   INVITE", CSeq(9, "INVITE")),
        ("2147483647 a%b", CSeq(2**31 - 1, "a%b")),
    ],
)
def test_a_cseq_is_read(text, cseq):
    assert parse_cseq(Headers([("CSeq", text)])) == cseq


@pytest.mark.parametrize(
    "text", ["", "INVITE", "1", "-1 INVITE", "1INVITE", "2147483648 BYE", "9" * 400 + " BYE", "1 a b", "\u0661 BYE"]
)
def test_a_broken_cseq_is_400(text):
    with pytest.raises(SipSyntaxError) as fault:
        parse_cseq(Headers([("CSeq", text)]))
    assert fault.value.status == 400


def test_a_token_list_may_be_empty_and_spread_over_lines():
    headers = Headers([("Allow", "INVITE, ACK"), ("Allow", "BYE"), ("Supported", "")])
    assert parse_token_list(headers, "Allow") == ["INVITE", "ACK", "BYE"]
    assert parse_token_list(headers, "Supported") == parse_token_list(headers, "Require") == []
    with pytest.raises(SipSyntaxError, match="400 Malformed Require"):
        parse_token_list(Headers([("Require", "a b")]), "Require")


def test_a_media_type_is_read_in_small_letters():
    assert parse_media_type("Application / SDP ; Charset = utf-8") == MediaType(
        "application", "sdp", (("Charset", "utf-8"),)
    )
    for text in ("", "sdp", "application/", "a/b c"):
        with pytest.raises(SipSyntaxError):
            parse_media_type(text)


def test_control_characters_are_legal_only_as_quoted_pairs():
    assert not has_illegal_control('"BEL:\\\x07 NUL:\\\x00" <sip:a@h>')
    assert not has_illegal_control("tab\tand \u00e9")
    for text in ("a\x00b", '"a\x00b"', "a\\\x00b", "a\rb", '"a\\\nb"', 'x" \\\x07', "del\x7f"):
        assert has_illegal_control(text)


def test_a_line_end_cannot_be_quoted():
    for text in ("a\rb", "a\nb"):
        with pytest.raises(ValueError):
            quote(text)
