"""Headers: an ordered multimap whose names are canonical and compare without case."""

from __future__ import annotations

import pytest

from runtime.sip.message import Headers, Request, canonical_name


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("f", "From"), ("T", "To"), ("v", "Via"), ("i", "Call-ID"), ("m", "Contact"), ("c", "Content-Type"),
        ("l", "Content-Length"), ("e", "Content-Encoding"), ("k", "Supported"), ("s", "Subject"), ("o", "Event"),
        ("r", "Refer-To"), ("x", "Session-Expires"), ("call-id", "Call-ID"), ("cSEQ", "CSeq"),
        ("www-authenticate", "WWW-Authenticate"), ("mime-version", "MIME-Version"), ("x-Own", "x-Own"),
    ],
)  # fmt: skip
def test_a_name_gets_the_spelling_of_the_rfc(written, canonical):
    assert canonical_name(written) == canonical


def test_compact_and_long_forms_are_one_header_in_order():
    headers = Headers([("v", "one"), ("Subject", "s"), ("VIA", "two"), ("Via", "three")])
    assert headers.all("via") == headers.all("v") == headers.all("Via") == ("one", "two", "three")
    assert headers.first("V") == "one"


def test_unknown_names_keep_their_spelling_and_compare_without_case():
    headers = Headers([("X-Trunk", "a"), ("x-trunk", "b")])
    assert headers.items() == (("X-Trunk", "a"), ("x-trunk", "b"))
    assert headers.all("X-TRUNK") == ("a", "b")
    assert "x-TRUNK" in headers
    assert "X-Other" not in headers


def test_a_missing_header_is_none_and_empty():
    assert Headers().first("To") is None
    assert Headers().all("To") == ()


def test_replaced_stands_where_the_first_one_stood():
    headers = Headers([("Via", "1"), ("To", "t"), ("Via", "2"), ("From", "f")])
    assert headers.replaced("v", "a", "b").items() == (("Via", "a"), ("Via", "b"), ("To", "t"), ("From", "f"))
    assert headers.replaced("Contact", "c").items()[-1] == ("Contact", "c")
    assert headers.replaced("Via").all("Via") == ()


def test_copies_leave_the_original_alone():
    headers = Headers([("To", "t")])
    assert headers.added("m", "c").items() == (("To", "t"), ("Contact", "c"))
    assert headers.without("t").items() == ()
    assert headers.items() == (("To", "t"),)


def test_equal_headers_are_equal_values_and_hash_alike():
    one, other = Headers([("X-a", "1"), ("f", "2")]), Headers([("x-A", "1"), ("From", "2")])
    assert one == other
    assert hash(one) == hash(other)
    assert one != Headers([("From", "2"), ("X-a", "1")])
    assert Request("BYE", "sip:a", one) == Request("BYE", "sip:a", other)
    assert "X-a" in repr(one)
    assert len(one) == 2
