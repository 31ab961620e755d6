"""What is drawn of given entropy."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.chance import drawn, spread


@given(st.binary(min_size=4, max_size=4))
def test_what_is_drawn_lies_within_its_bounds(drawn_bytes: bytes) -> None:
    assert 0 <= drawn(lambda _: drawn_bytes) < 1
    assert 0.5 <= spread(lambda _: drawn_bytes) < 1.5


def test_the_least_and_the_most_are_drawn() -> None:
    assert (drawn(bytes), drawn(lambda count: b"\xff" * count)) == (0, 1 - 2**-32)
    assert spread(lambda count: b"\x80" + bytes(count - 1)) == 1
