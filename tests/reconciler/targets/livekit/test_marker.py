"""The mark of an owner stands behind the user's own text, and both come apart as they were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.targets.livekit.marker import METADATA_GAP, NAME_GAP, Marker, marked, parted
from schemas.tables.rows import Kind

names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
markers = st.builds(
    lambda owner, kind, namespace, name, retained: Marker(owner, kind, f"{namespace}/{name}", retained),
    names,
    st.sampled_from([Kind.TRUNK, Kind.RULE]),
    names,
    names,
    st.booleans(),
)
gaps = st.sampled_from([METADATA_GAP, NAME_GAP])
MARK = "dialplane.dev/owner=default kind=Trunk name=default/carrier"


@given(st.text(max_size=20), markers, gaps)
def test_text_and_mark_come_apart_as_they_were(text: str, marker: Marker, gap: str) -> None:
    assert parted(marked(text, marker, gap), gap) == (text, marker)


@given(markers, markers, gaps)
def test_of_two_marks_the_last_one_counts(first: Marker, last: Marker, gap: str) -> None:
    assert parted(marked(str(first), last, gap), gap) == (str(first), last)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "dialplane.dev/owner=",
        f"{MARK} and more",
        f"glued{MARK}",
        MARK.replace("Trunk", "PhoneNumber"),
        MARK.replace("default/carrier", "carrier"),
        MARK.replace("default/carrier", "-/carrier"),
        MARK.replace("default/carrier", "default/.."),
        MARK.replace("owner=default", "owner=Default"),
    ],
)
def test_whatever_is_no_whole_mark_is_the_users_own_text(text: str) -> None:
    assert parted(text, METADATA_GAP) == (text, None)
