"""SIP and tel URIs: RFC 3261 section 19.1 and its examples, RFC 3966."""

from __future__ import annotations

import pytest
from hypothesis import given

from runtime.sip.errors import SipSyntaxError
from runtime.sip.uri import TelUri, Uri, parse_uri, uri_equal
from tests.runtime.sip.strategies import tel_uris, uris


@given(uris())
def test_a_written_uri_parses_to_the_same_value(uri):
    assert parse_uri(str(uri)) == uri


@given(tel_uris)
def test_a_written_tel_uri_parses_to_the_same_value(uri):
    assert parse_uri(str(uri)) == uri


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("sip:alice@atlanta.com", Uri("sip", "alice", None, "atlanta.com")),
        ("sip:alice:secretword@atlanta.com;transport=tcp",
         Uri("sip", "alice", "secretword", "atlanta.com", None, (("transport", "tcp"),))),
        ("SIPS:alice@atlanta.com?subject=project%20x&priority=urgent",
         Uri("sips", "alice", None, "atlanta.com", None, (), (("subject", "project x"), ("priority", "urgent")))),
        ("sip:+1-212-555-1212:1234@gateway.com;user=phone",
         Uri("sip", "+1-212-555-1212", "1234", "gateway.com", None, (("user", "phone"),))),
        ("sip:1212@[2001:db8::10]:5070;lr", Uri("sip", "1212", None, "2001:db8::10", 5070, (("lr", None),))),
        ("sip:[::1]", Uri("sip", None, None, "::1")),
        ("sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com",
         Uri("sip", None, None, "atlanta.com", None, (("method", "REGISTER"),), (("to", "alice@atlanta.com"),))),
        ("sip:alice;day=tuesday@atlanta.com", Uri("sip", "alice;day=tuesday", None, "atlanta.com")),
        ("sip:user;par=u%40example.net@example.com", Uri("sip", "user;par=u@example.net", None, "example.com")),
        ("sip:sips%3Auser%40example.com@example.net", Uri("sip", "sips:user@example.com", None, "example.net")),
        ("sip:my_bridge.default.svc", Uri("sip", None, None, "my_bridge.default.svc")),
        ("tel:+1-201-555-0123;ext=7", TelUri("+1-201-555-0123", (("ext", "7"),))),
        ("TEL:7042;phone-context=example.com", TelUri("7042", (("phone-context", "example.com"),))),
    ],
)  # fmt: skip
def test_a_uri_is_read(text, uri):
    assert parse_uri(text) == uri


@pytest.mark.parametrize(
    "text",
    [
        "", "sip:", "sip:@host", "sip:a@", "sip:a b@host", "sip:a@host:0", "sip:a@host:65536", "sip:a@host:99999999999",
        "sip:a@host;", "sip:a@host;;lr", "sip:a@host;lr;LR", "sip:a@host;x=", "sip:a@host?", "sip:a@host?x",
        "sip:a@[::g]", "sip:a@[1.2.3.4]", "sip:a@ho$t", "sip:%zz@host", "sip:%FF@host", "<sip:a@host>",
        "sip:a@host; lr", "sip:a\n@host", "tel:", "tel:+", "tel:-.-", "tel:abc!", "tel:+1;x=1;X=2", "nothing", "1a:b",
        "sip:\u0663@host", "sip:a@host:\u0663",
    ],
)  # fmt: skip
def test_what_is_no_uri_is_400(text):
    with pytest.raises(SipSyntaxError) as fault:
        parse_uri(text)
    assert fault.value.status == 400


@pytest.mark.parametrize("text", ["http://www.example.com/a?b#c", "nobodyKnowsThisScheme:x", "soap.beep://192.0.2.1:1"])
def test_another_scheme_is_416(text):
    with pytest.raises(SipSyntaxError) as fault:
        parse_uri(text)
    assert fault.value.status == 416


def test_a_uri_is_bounded():
    with pytest.raises(SipSyntaxError) as fault:
        parse_uri("sip:" + "a" * 3000 + "@host")
    assert fault.value.status == 414
    with pytest.raises(SipSyntaxError):
        parse_uri("sip:host" + "".join(f";p{n}" for n in range(65)))
    with pytest.raises(SipSyntaxError):
        parse_uri("sip:host?" + "&".join(f"h{n}=" for n in range(65)))


def test_escapes_are_written_only_where_the_grammar_asks():
    assert str(parse_uri("sip:cal%6Cer@h;n%61me=v%61lue%25%34%31")) == "sip:caller@h;name=value%2541"


def test_params_are_found_without_case():
    uri = parse_uri("sip:h;LR;Transport=UDP")
    assert uri.param("lr") == ""
    assert uri.param("transport") == "UDP"
    assert uri.param("maddr") is None
    assert parse_uri("tel:1;EXT=5").param("ext") == "5"


def test_a_password_stays_out_of_the_repr():
    assert "secret" not in repr(parse_uri("sip:a:secret@h"))


def test_a_tel_number_is_looked_up_without_separators():
    assert parse_uri("tel:+1-(201)-555.0123").user == "+12015550123"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
        ("sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
         "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com"),
        ("sip:alice@atlanta.com?subject=project%20x&priority=urgent",
         "sip:alice@atlanta.com?priority=urgent&subject=project%20x"),
        ("tel:+1-201-555-0123", "tel:+12015550123"),
    ],
)  # fmt: skip
def test_equivalent_uris_of_the_rfc(one, other):
    assert uri_equal(parse_uri(one), parse_uri(other))
    assert uri_equal(parse_uri(other), parse_uri(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:bob@h", "sips:bob@h"),
        ("sip:+1201@h", "tel:+1201"),
        ("tel:+1201", "tel:1201"),
    ],
)
def test_different_uris_of_the_rfc(one, other):
    assert not uri_equal(parse_uri(one), parse_uri(other))
