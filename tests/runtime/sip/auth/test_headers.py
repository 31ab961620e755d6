"""The four header fields of authentication: what peers write, what is refused, and that what we write reads back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.sip.auth.headers import Challenge, Credentials, parse_challenges, parse_credentials
from runtime.sip.auth.limits import PARAMS_MAX, VALUES_MAX
from runtime.sip.errors import SipSyntaxError
from tests.runtime.sip.strategies import quotable_text, tokens

counts = st.from_regex("[0-9a-f]{8}", fullmatch=True)
words = st.from_regex("[a-z][a-z0-9-]{0,7}", fullmatch=True)
challenges = st.builds(
    Challenge,
    realm=quotable_text,
    nonce=quotable_text,
    algorithm=tokens,
    qop=st.lists(words, max_size=3).map(tuple),
    opaque=st.none() | quotable_text,
    stale=st.booleans(),
)
plain = {"username": quotable_text, "realm": quotable_text, "nonce": quotable_text, "uri": quotable_text}
credentials = st.one_of(
    st.builds(Credentials, **plain, response=quotable_text, algorithm=tokens, opaque=st.none() | quotable_text),
    st.builds(
        Credentials, **plain, response=quotable_text, algorithm=tokens, opaque=st.none() | quotable_text,
        qop=words, nc=counts, cnonce=quotable_text.filter(bool),
    ),
)  # fmt: skip


@given(st.lists(challenges, max_size=4), st.booleans())
def test_challenges_that_we_write_read_back_in_one_line_or_in_several(written, in_one_line):
    lines = [", ".join(map(str, written))] if in_one_line else list(map(str, written))
    assert parse_challenges(lines) == written


@given(st.lists(credentials, max_size=4), st.booleans())
def test_credentials_that_we_write_read_back(written, in_one_line):
    lines = [", ".join(map(str, written))] if in_one_line else list(map(str, written))
    assert parse_credentials(lines) == written


RFC3261 = (
    'Digest username="bob", realm="biloxi.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
    'uri="sip:bob@biloxi.com", qop=auth, nc=00000001, cnonce="0a4f113b", '
    'response="6629fae49393a05397450978507c4ef1", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
)


def test_the_example_of_rfc_3261_section_22_4():
    (found,) = parse_credentials([RFC3261])
    assert (found.username, found.qop, found.nc, found.cnonce) == ("bob", "auth", "00000001", "0a4f113b")
    assert found.algorithm == "MD5", "the default"


@pytest.mark.parametrize(
    "line",
    [
        'Digest realm="r",nonce="n",algorithm=SHA-256,qop="auth,auth-int",stale=TRUE',
        'DIGEST  realm="r", nonce="n", algorithm="SHA-256", qop="auth, auth-int" , qop2=x, stale="true"',
        'digest realm = "r" , nonce= n, Algorithm=SHA-256, QOP="AUTH auth-int", Stale=true, domain="sip:a, sip:b"',
        ', Digest realm="r", , nonce="n", algorithm=SHA-256, charset=UTF-8, qop="auth,auth-int", stale=true,',
        'Basic realm="x", Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth,auth-int", stale=true',
        'Negotiate a87421000492aa874209af8bc028==, Digest realm="r" nonce="n" algorithm=SHA-256 '
        'qop="auth,auth-int" stale=true, NoOneKnows "this, scheme',
    ],
)  # fmt: skip
def test_a_challenge_is_read_however_a_peer_spells_it(line):
    assert parse_challenges([line]) == [Challenge("r", "n", "SHA-256", ("auth", "auth-int"), stale=True)]


def test_what_is_quoted_may_hold_what_divides():
    line = 'Digest realm="a, Digest realm=\\"b\\"", nonce="n=1,2"'
    assert parse_challenges([line]) == [Challenge('a, Digest realm="b"', "n=1,2")]


def test_other_schemes_are_nobody_s_business():
    assert parse_credentials(["NoOneKnowsThisScheme opaque-data=here", "Bearer abc.def-_~+/==", "Negotiate"]) == []


def test_quotes_around_tokens_and_none_around_texts_are_taken():
    line = (
        'Digest username=bob, realm=here, nonce=a/b+c==, uri=sip:b@h;x=y, response=00ff, qop="auth", nc="1", cnonce=z'
    )
    (found,) = parse_credentials([line])
    assert (found.nonce, found.uri, found.qop, found.nc, found.response) == (
        "a/b+c==", "sip:b@h;x=y", "auth", "1", "00ff",
    )  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Digest",
        'realm="r", nonce="n"',
        'Digest realm="r"',
        'Digest nonce="n"',
        'Digest realm="r", nonce="n", realm="s"',
        'Digest realm="r", nonce="n", NONCE="m"',
        'Digest realm="r, nonce="n"',
        'Digest realm="r", nonce="n',
        'Digest realm="r", nonce="n"x',
        'Digest realm="r", nonce="n", algorithm="a b"',
        'Digest realm="r", nonce="n", qop="auth,\\""',
        'Digest realm="r", nonce="n", =x',
        'Digest realm="r", nonce="n", "x"',
    ],
)
def test_a_digest_that_is_none_is_refused_or_nothing(line):
    if not line:
        assert parse_challenges([line]) == []
        return
    with pytest.raises(SipSyntaxError) as refused:
        parse_challenges([line])
    assert refused.value.status == 400


@pytest.mark.parametrize("gone", ["username", "realm", "nonce", "uri", "response"])
def test_credentials_need_their_parts(gone):
    parts = {name: f'{name}="x"' for name in ("username", "realm", "nonce", "uri", "response") if name != gone}
    with pytest.raises(SipSyntaxError, match=gone):
        parse_credentials([f"Digest {', '.join(parts.values())}"])


@pytest.mark.parametrize(
    "rest",
    [
        "qop=auth",
        "qop=auth, nc=1",
        'qop=auth, cnonce="x"',
        'qop=auth, nc=xyz, cnonce="x"',
        'qop=auth, nc=000000001, cnonce="x"',
        'qop=auth, nc=1, cnonce=""',
        'qop="a b", nc=1, cnonce="x"',
    ],
)
def test_a_quality_of_protection_needs_a_count_and_a_nonce_of_its_own(rest):
    with pytest.raises(SipSyntaxError):
        parse_credentials([f'Digest username="u", realm="r", nonce="n", uri="sip:a", response="x", {rest}'])


def test_the_number_of_values_and_of_parameters_is_bounded():
    one = 'Digest realm="r", nonce="n"'
    assert len(parse_challenges([one] * VALUES_MAX)) == VALUES_MAX
    with pytest.raises(SipSyntaxError):
        parse_challenges([one] * (VALUES_MAX + 1))
    with pytest.raises(SipSyntaxError):
        parse_challenges([one + "".join(f", x{n}=1" for n in range(PARAMS_MAX))])


@given(st.text(max_size=200))
def test_no_text_is_too_strange(text):
    for parse in (parse_challenges, parse_credentials):
        try:
            parse([text, f"Digest {text}"])
        except SipSyntaxError as fault:
            assert fault.status == 400  # noqa: PT017 - nothing but this may come out


@pytest.mark.parametrize(
    "text", ['Digest a="', "Digest " + "a" * 8000, "Digest " + 'a="\\' * 2000, "x " * 4000, "x=" * 4000]
)
def test_hostile_values_are_read_once(text):
    with pytest.raises(SipSyntaxError):
        parse_challenges([text])


def test_a_response_is_not_shown():
    assert "6629fae" not in repr(parse_credentials([RFC3261]))
