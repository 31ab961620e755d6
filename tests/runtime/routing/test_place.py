"""How the caller's number is written on a call of ours."""

from __future__ import annotations

import pytest

from runtime.routing.dial import DialRequest, InlineTrunk
from runtime.routing.place import Placement, place
from schemas.seal import unseals_nothing
from schemas.tables.tables import Tables
from tests.flow.test_dialling import tables


def caller(live: Tables, given: str, **more: object) -> str:
    request = DialRequest("+15550109999", "lobby", caller=given, **more)  # type: ignore[arg-type]
    found = place(live, 1, request, "", "SCL_ours", (), 0, unseals_nothing, anywhere=True)
    assert isinstance(found, Placement), found
    return found.caller


@pytest.mark.parametrize(
    ("form", "given", "shown"),
    [
        ("+E.164", "15550100000", "+15550100000"),
        ("+E.164", "+15550100000", "+15550100000"),
        ("+E.164", "anonymous", "anonymous"),
        ("+E.164", "0555010", "0555010"),
        ("asGiven", "15550100000", "15550100000"),
    ],
)
def test_a_trunk_says_whether_a_number_gets_its_plus(form: str, given: str, shown: str) -> None:
    assert caller(tables(caller_form=form), given, trunk="default/out") == shown


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("acme.pstn.Twilio.com", "+15550100000"),
        ("eviltwilio.com", "15550100000"),
        ("acme.pstn.twilio.com.example", "15550100000"),
        ("203.0.113.1", "15550100000"),
    ],
)
def test_a_request_s_own_trunk_is_treated_as_livekit_does(host: str, shown: str) -> None:
    assert caller(Tables(), "15550100000", inline=InlineTrunk(host)) == shown


def test_a_declared_trunk_is_known_by_its_form_and_not_by_its_host() -> None:
    assert caller(tables(addresses=("acme.pstn.twilio.com",)), "15550100000", trunk="default/out") == "15550100000"
