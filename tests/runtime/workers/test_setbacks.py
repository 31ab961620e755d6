"""What a bridge does about a store that has lost something: it stays, says why, and follows the next publish."""

from __future__ import annotations

from runtime.workers.setbacks import OLDER_FOR_S, Setbacks
from schemas.stores import Head
from schemas.tables.digest import EMPTY_DIGEST

OURS = Head(57, "d57", "e1")
OLDER = Head(40, "d40", "e1")
EMPTY = Head(0, EMPTY_DIGEST)


def test_an_empty_store_is_never_followed() -> None:
    setbacks = Setbacks()
    assert "the store is empty" in setbacks.why_not(OURS, EMPTY, 0.0)
    assert setbacks.why_not(OURS, EMPTY, 1e6)
    assert setbacks.why_not(OURS, Head(1, "d1", "e2"), 1e6) == "", "somebody has published"


def test_who_has_nothing_follows_whatever_there_is() -> None:
    assert Setbacks().why_not(EMPTY, EMPTY, 0.0) == ""
    assert Setbacks().why_not(EMPTY, OLDER, 0.0) == ""


def test_an_older_state_is_waited_out_until_somebody_publishes() -> None:
    setbacks = Setbacks()
    assert "back at revision 40" in setbacks.why_not(OURS, OLDER, 100.0)
    assert setbacks.why_not(OURS, OLDER, 100.0 + OLDER_FOR_S - 1)
    assert setbacks.why_not(OURS, Head(41, "other", "e1"), 101.0) == ""


def test_an_older_state_that_stays_is_what_there_is() -> None:
    setbacks = Setbacks()
    assert setbacks.why_not(OURS, OLDER, 100.0)
    assert setbacks.why_not(OURS, OLDER, 100.0 + OLDER_FOR_S) == ""
    setbacks.over()
    assert setbacks.why_not(OURS, OLDER, 500.0), "the next setback is another one"


def test_another_state_of_the_same_or_a_later_revision_is_followed() -> None:
    for theirs in (Head(57, "other", "e1"), Head(58, "d58", "e1"), Head(3, "d3", "e2"), Head(3, "d3")):
        assert Setbacks().why_not(OURS, theirs, 0.0) == ""
