"""What Hypothesis makes SIP and SDP values of: everything the grammar allows, and nothing that it does not."""

from __future__ import annotations

import string

from hypothesis import strategies as st

from runtime.sip.fields import CSeq, MediaType, NameAddr, Via
from runtime.sip.message import Headers, Request, Response
from runtime.sip.sdp import Connection, MediaDescription, Origin, SessionDescription
from runtime.sip.uri import TelUri, Uri

TOKEN_CHARS = string.ascii_letters + string.digits + "-.!%*_+`'~"

tokens = st.text(TOKEN_CHARS, min_size=1, max_size=12)
# Any text that a header can carry: no control characters (category Cc), no halves of characters (Cs).
plain_text = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20)
header_texts = plain_text.map(lambda text: text.strip(" \t"))
# A quoted string also carries escaped control characters, CR and LF excepted.
quotable_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=20)
names = st.from_regex(r"[a-z][a-z0-9]{0,6}(-[a-z0-9]{1,4})?(\.[a-z][a-z0-9]{0,5}){0,2}", fullmatch=True)
ipv4 = st.ip_addresses(v=4).map(str)
ipv6 = st.ip_addresses(v=6).map(str)
hosts = st.one_of(names, ipv4, ipv6)
ports = st.none() | st.integers(1, 65_535)


def params(values=quotable_text, reserved=()):
    keys = tokens.filter(lambda name: name.lower() not in reserved)
    pairs = st.tuples(keys, st.none() | values)
    return st.lists(pairs, max_size=4, unique_by=lambda pair: pair[0].lower()).map(tuple)


unicode_text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
uri_params = st.lists(
    st.tuples(unicode_text, st.none() | unicode_text), max_size=4, unique_by=lambda pair: pair[0].lower()
).map(tuple)


@st.composite
def uris(draw):
    user = draw(st.none() | unicode_text)
    return Uri(
        draw(st.sampled_from(["sip", "sips"])),
        user,
        None if user is None else draw(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)),
        draw(hosts),
        draw(ports),
        draw(uri_params),
        tuple(draw(st.lists(st.tuples(unicode_text, st.text("ab%;= ", max_size=5)), max_size=3))),
    )


tel_uris = st.builds(
    TelUri,
    st.from_regex(r"\+[0-9]{1,3}[-.()0-9]{0,12}", fullmatch=True) | st.from_regex(r"[0-9*#A-F]{1,10}", fullmatch=True),
    uri_params,
)
request_uris = st.one_of(uris().map(str), tel_uris.map(str))
vias = st.builds(Via, tokens, hosts, ports, params())
name_addrs = st.builds(NameAddr, quotable_text, request_uris, params())
cseqs = st.builds(CSeq, st.integers(0, 2**31 - 1), tokens)
media_types = st.builds(MediaType, tokens.map(str.lower), tokens.map(str.lower), params())

unknown_headers = st.tuples(tokens.map(lambda name: "X-" + name), header_texts)


@st.composite
def requests(draw):
    cseq = draw(cseqs)
    pairs = [
        *(("Via", str(via)) for via in draw(st.lists(vias, min_size=1, max_size=3))),
        ("From", str(draw(name_addrs))),
        ("To", str(draw(name_addrs))),
        ("Call-ID", draw(tokens)),
        ("CSeq", str(cseq)),
        *draw(st.lists(unknown_headers, max_size=4)),
    ]
    return Request(cseq.method, draw(request_uris), Headers(draw(st.permutations(pairs))), draw(st.binary(max_size=60)))


@st.composite
def responses(draw):
    request = draw(requests())
    return Response(draw(st.integers(100, 699)), draw(header_texts), request.headers, request.body)


words = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, categories=["L", "N", "P"]), min_size=1, max_size=10
)
lines = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20)
connections = st.builds(Connection, words, words, words)
attributes = st.lists(
    st.tuples(st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=10), st.none() | lines),
    max_size=5,
).map(tuple)
ascii_words = st.text(string.ascii_letters + string.digits + "-/", min_size=1, max_size=8)
media_descriptions = st.builds(
    MediaDescription,
    ascii_words,
    st.integers(0, 65_535),
    ascii_words,
    st.lists(ascii_words, min_size=1, max_size=5).map(tuple),
    st.none() | connections,
    attributes,
    st.integers(1, 9),
)
descriptions = st.builds(
    SessionDescription,
    st.builds(Origin, words, words, words, words, words, words),
    lines,
    st.none() | connections,
    st.lists(lines, max_size=2).map(tuple),
    attributes,
    st.lists(media_descriptions, max_size=4).map(tuple),
)
