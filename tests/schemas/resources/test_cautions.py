from __future__ import annotations

import pytest

from schemas.resources.cautions import cautions
from schemas.resources.check import check
from tests.schemas.resources import given


@pytest.mark.parametrize("half", ["inbound", "outbound"])
@pytest.mark.parametrize(("header", "warned"), [("X-Auth-Token", True), ("X-Api-Key", True), ("X-Tenant", False)])
def test_a_credential_in_a_header_is_warned_of_without_its_value(half: str, header: str, warned: bool) -> None:
    made = given.inbound if half == "inbound" else given.outbound
    document, complaints = check(made(headers={header: "hunter2"}))
    assert document is not None, complaints
    found = [(path, what) for path, what, _ in cautions(document) if "headers" in path]
    assert [path for path, _ in found] == ([("spec", half, "headers", header)] if warned else [])
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    ("answer", "ringback", "warned"),
    [
        ("immediately", "gb", True),
        ("immediately", "none", False),
        ("whenRoomReady", "gb", False),
        ("onRequest", "room", False),
    ],
)
def test_a_tone_that_nobody_hears_is_warned_of(answer: str, ringback: str, warned: bool) -> None:
    document, complaints = check(given.rule(answer=answer, ringback=ringback))
    assert document is not None, complaints
    assert [path for path, *_ in cautions(document)] == ([("spec", "ringback")] if warned else [])
