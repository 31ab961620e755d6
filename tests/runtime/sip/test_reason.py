"""Reason (RFC 3326): read from BYE and CANCEL, where anybody writes anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.sip.message import Headers
from runtime.sip.reason import REASONS_MAX, TEXT_CHARS_MAX, Reason, read_reasons


def reasons(*lines: str) -> tuple[Reason, ...]:
    return read_reasons(Headers([("Reason", line) for line in lines]))


def test_the_examples_of_the_rfc_are_read():
    assert reasons('SIP;cause=200;text="Call completed elsewhere"') == (Reason("SIP", 200, "Call completed elsewhere"),)
    assert reasons('Q.850 ;cause=16;text="Terminated", SIP ;cause=600') == (
        Reason("Q.850", 16, "Terminated"), Reason("SIP", 600, "")
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "normal"),
    [("Q.850;cause=16", True), ("Q.850;cause=31", True), ("q.850;cause=41", False), ("Q.850", False),
     ("SIP;cause=200", True), ("SIP;cause=486", False), ("X.int;reasoncode=0", True)],
)  # fmt: skip
def test_what_is_normal_is_told_from_what_is_not(line, normal):
    assert [reason.is_normal for reason in reasons(line)] == [normal]


def test_what_is_written_for_people_is_short():
    assert str(reasons('Q.850;cause=41;text="Temporary failure"')[0]) == "Q.850 41 Temporary failure"
    assert len(reasons(f'SIP;text="{"x" * 5000}"')[0].text) == TEXT_CHARS_MAX
    assert len(reasons(", ".join(["SIP;cause=1"] * 50))) == REASONS_MAX


@pytest.mark.parametrize("line", ["", ";", "SIP cause=1", 'SIP;text="', "a/b;cause=1", "SIP;cause=1;cause=2"])
def test_what_cannot_be_read_says_nothing(line):
    assert reasons(line) == ()


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\n\0"), max_size=60))
def test_no_text_raises_and_none_steers_a_terminal(text):
    assert all(str(reason).isprintable() for reason in reasons(text))
