"""Rooms, identities, names and attributes, as LiveKit makes them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.tables.naming import (
    display_name,
    identity,
    masked,
    participant_attributes,
    room_name,
    room_pattern,
)
from schemas.tables.rows import RoomKind
from tests.schemas.tables.kit import rule

CALLER, CALLED, SUFFIX = "+15550100", "15550199", "abcdefghjkmn"


@pytest.mark.parametrize(
    ("kind", "prefix", "randomize", "room"),
    [
        (RoomKind.DIRECT, "lobby", False, "lobby"),
        (RoomKind.DIRECT, "lobby", True, "lobby"),
        (RoomKind.INDIVIDUAL, "call", True, "call_+15550100_abcdefghjkmn"),
        (RoomKind.INDIVIDUAL, "call", False, "call_+15550100"),
        (RoomKind.INDIVIDUAL, "", True, "+15550100_abcdefghjkmn"),
        (RoomKind.INDIVIDUAL, "call-", False, "call-_+15550100"),
        (RoomKind.CALLEE, "line", False, "line_15550199"),
        (RoomKind.CALLEE, "line", True, "line_15550199_abcdefghjkmn"),
        (RoomKind.CALLEE, "", False, "15550199"),
    ],
)
def test_rooms_are_named_as_livekit_names_them(kind, prefix, randomize, room):
    row = replace(rule("r", kind, randomize=randomize), room_name=prefix)
    assert room_name(row, CALLER, CALLED, SUFFIX) == room
    assert room_pattern(row, CALLER, CALLED) == room.replace(SUFFIX, "*")


def test_a_hidden_caller_is_masked_in_the_room_but_a_called_number_is_not():
    assert room_name(rule("r", RoomKind.INDIVIDUAL, room="call", hide=True), CALLER, CALLED, "") == "call_0100"
    assert room_name(rule("r", RoomKind.CALLEE, room="line", hide=True), CALLER, CALLED, "") == "line_15550199"


def test_identity_and_name_keep_the_user_part_as_received():
    assert identity("1 (555) 0100", hide=False) == "sip_1 (555) 0100"
    assert display_name("1 (555) 0100", hide=False) == "Phone 1 (555) 0100"


def test_a_hidden_identity_is_a_hash_that_is_stable_per_caller():
    hidden = identity(CALLER, hide=True)
    assert hidden == "sip_602cd7fbbe41688e" == identity(CALLER, hide=True)  # SHA-256, its first 8 bytes
    assert hidden != identity(CALLED, hide=True)
    assert CALLER not in hidden


@pytest.mark.parametrize(("caller", "shown"), [("12345", "2345"), ("1234", "4"), ("1", "1"), ("", "")])
def test_a_masked_number_shows_its_end(caller, shown):
    assert masked(caller) == shown
    assert display_name(caller, hide=True) == f"Phone {shown}"


@given(st.text(), st.text(), st.booleans(), st.sampled_from(list(RoomKind)))
def test_no_user_part_can_make_naming_fail(caller, called, hide, kind):
    """LiveKit slices out of range when an empty user is masked."""
    row = rule("r", kind, hide=hide, randomize=True)
    assert room_name(row, caller, called, SUFFIX)
    assert identity(caller, hide=hide).startswith("sip_")
    assert display_name(caller, hide=hide).startswith("Phone ")


def attributes(row) -> dict[str, str]:
    pairs = participant_attributes(
        row,
        call_id="SCL_1",
        sip_call_id="abc@host",
        remote_tag="tag1",
        trunk_id="ST_1",
        rule_id="SDR_1",
        caller=CALLER,
        caller_host="sip.example.com",
        called=CALLED,
        call_status="ringing",
    )
    assert pairs == tuple(sorted(pairs))
    return dict(pairs)


def test_attributes_are_the_rules_own_and_then_sip():
    row = replace(rule("r"), attributes=(("sip.callID", "forged"), ("team", "support")))
    assert attributes(row) == {
        "team": "support",
        "sip.callID": "SCL_1",
        "sip.callIDFull": "abc@host",
        "sip.callTag": "tag1",
        "sip.trunkID": "ST_1",
        "sip.ruleID": "SDR_1",
        "sip.phoneNumber": CALLER,
        "sip.hostname": "sip.example.com",
        "sip.trunkPhoneNumber": CALLED,
        "sip.callStatus": "ringing",
    }


def test_hidden_numbers_are_in_no_attribute():
    hidden = attributes(rule("r", hide=True))
    assert {"sip.phoneNumber", "sip.hostname", "sip.trunkPhoneNumber"}.isdisjoint(hidden)
    assert not {CALLER, CALLED, "sip.example.com"} & set(hidden.values())
