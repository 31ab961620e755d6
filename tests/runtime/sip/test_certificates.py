"""Whose certificate it is: the identities of RFC 5922 section 7.1, and which names they are right for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.sip.certificates import domains_of, is_for, shown


def certificate(*alternatives: tuple[str, str], common_name: str = "") -> dict[str, Any]:
    """As `ssl` tells it."""
    subject = ((("commonName", common_name),),) if common_name else ()
    return {"subject": subject, **({"subjectAltName": alternatives} if alternatives else {})}


@pytest.mark.parametrize(
    ("shown_certificate", "domains"),
    [
        (certificate(("DNS", "sip.example.com"), ("DNS", "Example.COM")), ("sip.example.com", "example.com")),
        # Section 7.1: with a sip: URI the DNS names are not asked; a user in it makes it somebody's, not a domain's.
        (certificate(("URI", "sip:example.com"), ("DNS", "other.example")), ("example.com",)),
        (certificate(("URI", "sip:alice@example.com"), ("DNS", "other.example")), ("other.example",)),
        (certificate(("URI", "https://example.com"), ("DNS", "other.example")), ("other.example",)),
        (certificate(common_name="old.example"), ("old.example",)),
        (certificate(("IP Address", "192.0.2.1"), common_name="old.example"), ()),
        ({}, ()),
    ],
)
def test_a_certificate_is_for_these_domains(shown_certificate: dict[str, Any], domains: tuple[str, ...]) -> None:
    assert domains_of(shown_certificate) == domains


@pytest.mark.parametrize(
    ("name", "dialled", "right"),
    [
        ("sip.example.com", "sip.example.com", True),
        ("sip.example.com", "SIP.Example.com.", True),
        ("example.com", "sip.example.com", False),
        ("sip.example.com", "example.com", False),
        ("*.pstn.example.com", "acme.pstn.example.com", True),
        ("*.pstn.example.com", "a.b.pstn.example.com", False),
        ("*.pstn.example.com", "pstn.example.com", False),
        ("*.com", "example.com", False),
        ("a*.example.com", "ab.example.com", False),
        ("*", "example", False),
    ],
)
def test_a_name_is_right_only_where_it_was_dialled(name: str, dialled: str, right: bool) -> None:
    assert is_for(certificate(("DNS", name)), dialled) is right


@given(st.text(max_size=300), st.text(max_size=300))
def test_whatever_a_certificate_says_is_judged_and_shown_in_one_plain_line(name: str, common_name: str) -> None:
    for strange in (certificate(("DNS", name), ("URI", name)), certificate(common_name=common_name)):
        is_for(strange, name)
        words = shown(strange)
        assert words.isprintable()
        assert words.isascii()
        assert len(words) < 300
