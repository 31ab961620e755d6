"""Session timers as values (RFC 4028 sections 4, 7, 9): table 2, line by line, and what cannot be read."""

from __future__ import annotations

import pytest

from runtime.sip.errors import SipSyntaxError
from runtime.sip.message import Headers, Request
from runtime.sip.session_timer import (
    INTERVAL_S_MAX,
    Agreed,
    Asked,
    agreed_by_them,
    agreed_by_us,
    headers_of_answer,
    is_too_small,
    read_asked,
    widened,
)


def asks(text: str | None, *, supported: bool = True) -> Headers:
    pairs = [("Session-Expires", text)] if text is not None else []
    return Headers([*pairs, *([("Supported", "100rel, Timer")] if supported else [])])


@pytest.mark.parametrize(
    ("text", "read"),
    [("1800", Asked(1800, "")), ("90;refresher=uac", Asked(90, "uac")), ("90 ; Refresher=UAS;x=y", Asked(90, "uas")),
     ("9999999999", Asked(INTERVAL_S_MAX, ""))],
)  # fmt: skip
def test_session_expires_is_read(text, read):
    assert read_asked(asks(text)) == read
    assert read_asked(Headers([("x", text)])) == read, "and in its short form"


@pytest.mark.parametrize("text", ["", "-1", "1.5", "90;refresher=us", "90;", "90 uac", "99999999999", "0x10"])
def test_what_is_no_session_expires_is_400(text):
    with pytest.raises(SipSyntaxError, match=r"Session-Expires|Parameters"):
        read_asked(asks(text))


@pytest.mark.parametrize(
    ("asked", "supported", "ours", "answer"),
    [
        ("180", False, True, [("Session-Expires", "180;refresher=uas")]),
        ("180;refresher=uas", False, True, [("Session-Expires", "180;refresher=uas")]),
        ("180", True, False, [("Require", "timer"), ("Session-Expires", "180;refresher=uac")]),
        ("180;refresher=uac", True, False, [("Require", "timer"), ("Session-Expires", "180;refresher=uac")]),
        ("180;refresher=uas", True, True, [("Session-Expires", "180;refresher=uas")]),
    ],
)
def test_who_refreshes_is_settled_by_table_2(asked, supported, ours, answer):
    agreed = agreed_by_us(asks(asked, supported=supported), None)
    assert agreed == Agreed(180, ours)
    assert headers_of_answer(agreed) == answer


def test_without_a_wish_of_the_peer_there_is_no_timer_but_one_that_runs_is_kept():
    assert agreed_by_us(asks(None), None) is None
    assert agreed_by_us(asks(None), Agreed(180, ours=False)) == Agreed(180, ours=True)
    assert agreed_by_us(asks(None, supported=False), Agreed(180, ours=False)) is None


def test_too_small_an_interval_is_refused_only_where_that_is_understood():
    assert is_too_small(asks("89"))
    assert not is_too_small(asks("90"))
    assert not is_too_small(asks("10", supported=False))
    assert agreed_by_us(asks("10", supported=False), None) == Agreed(90, ours=True)


def test_no_answer_has_us_refresh_more_often_than_every_ten_seconds():
    assert agreed_by_them(asks("1;refresher=uac")) == Agreed(20, ours=True)
    assert agreed_by_them(asks("30;refresher=uac")) == Agreed(30, ours=True)


def test_the_answer_of_the_peer_settles_who_refreshes():
    assert agreed_by_them(asks("180;refresher=uac")) == Agreed(180, ours=True)
    assert agreed_by_them(asks("180;refresher=uas")) == Agreed(180, ours=False)
    assert agreed_by_them(asks("180")) == Agreed(180, ours=True), "section 7.2: it has to say who; we see to it"
    for nothing in (None, "0", "soon"):
        assert agreed_by_them(asks(nothing)) is None


@pytest.mark.parametrize(("interval", "after", "over"), [(90, 45, 60), (180, 90, 148), (1800, 900, 1768)])
def test_the_times_are_those_of_section_10(interval, after, over):
    agreed = Agreed(interval, ours=True)
    assert (agreed.refresh_after_s, agreed.expires_after_s) == (after, over)


def test_a_request_that_was_too_hasty_is_sent_once_more_and_no_more():
    first = Request("INVITE", "sip:a@b", Headers([("Session-Expires", "1800;refresher=uac")]))
    wider = widened(first, Headers([("Min-SE", "3600")]))
    assert wider == [("Session-Expires", "3600;refresher=uac"), ("Min-SE", "3600")]
    again = Request("INVITE", "sip:a@b", Headers(wider))
    assert widened(again, Headers([("Min-SE", "7200")])) is None
    for useless in ("1800", "90", "9999999999", "soon"):
        assert widened(first, Headers([("Min-SE", useless)])) is None
    assert widened(first, Headers()) is None
