"""Encrypted media of whole calls, in virtual time: by each policy, in and out, held, moved, and under attack."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtime.media import rtcp, rtp
from runtime.routing.dial import Dialled, Failure
from runtime.sip.keying import OFFERED, Policy
from runtime.sip.sdp import parse_sdp
from schemas.tables.rows import Media
from tests.flow.memory import Callee, Caller, World
from tests.flow.test_calls import frame, tables
from tests.flow.test_dialling import CALL
from tests.flow.test_dialling import tables as outbound

SAYS = frame(0x21)
SUITE = OFFERED[0]


def up(ours: Policy, theirs: Policy) -> tuple[World, Caller]:
    world = World(tables(media=Media(encryption=ours)))
    caller = world.caller(encryption=theirs)
    caller.says = SAYS
    return world, caller.dial("+15550100000")


def heard(world: World, phone: Caller, seconds: float = 2.0) -> bool:
    """Whether a phone, alone in its room, hears itself."""
    phone.heard.clear()
    world.step(seconds)
    return phone.heard.count(SAYS) > seconds * 25


@pytest.mark.parametrize(
    ("ours", "theirs", "encrypted"),
    [
        ("disable", "disable", False),
        ("disable", "allow", False),
        ("allow", "disable", False),
        ("allow", "allow", True),
        ("allow", "require", True),
        ("require", "allow", True),
        ("require", "require", True),
    ],
)
def test_a_call_that_comes_in(ours: Policy, theirs: Policy, encrypted: bool) -> None:
    world, caller = up(ours, theirs)
    assert caller.status == 200
    assert heard(world, caller, 3)
    assert any(SAYS in wire for wire in world.wire) is not encrypted
    caller.hang_up()
    [record] = world.records
    assert record.encryption == (f"SDES {SUITE}" if encrypted else "")
    assert record.as_json()["mediaEncryption"] == record.encryption


@pytest.mark.parametrize(
    ("ours", "theirs", "words"),
    [("require", "disable", "encrypted media is required"), ("disable", "require", "has no encrypted media")],
)
def test_a_call_that_cannot_be_as_it_must_is_refused_and_says_why(ours: Policy, theirs: Policy, words: str) -> None:
    world, caller = up(ours, theirs)
    assert caller.status == 488
    assert words in caller.warning
    [record] = world.records
    assert (record.status, record.reason, words in record.words) == (488, "media", True)


def called(ours: Policy, theirs: Policy) -> tuple[World, Callee]:
    world = World(outbound(media=Media(encryption=ours)))
    phone = world.callee(encryption=theirs)
    phone.says = SAYS
    assert world.place(wait_until_answered=True) is None
    return world, phone


@pytest.mark.parametrize(
    ("ours", "theirs", "encrypted"),
    [
        ("disable", "allow", False),
        ("allow", "disable", False),
        ("allow", "allow", True),
        ("require", "allow", True),
        ("require", "require", True),
    ],
)
def test_a_call_of_ours(ours: Policy, theirs: Policy, encrypted: bool) -> None:
    world, phone = called(ours, theirs)
    phone.ring()
    phone.answer()
    assert isinstance(world.dialled[CALL], Dialled)
    assert heard(world, phone)
    phone.hang_up()
    assert bool(world.records[0].encryption) is encrypted


def test_who_refuses_keys_within_plain_media_is_offered_encrypted_media_alone() -> None:
    world, phone = called("allow", "require")
    phone.decline(488)
    assert len(phone.invites) == 2
    first, second = phone.invites
    assert [parse_sdp(invite.body).media[0].protocol for invite in phone.invites] == ["RTP/AVP", "RTP/SAVP"]
    assert first.headers.first("Call-ID") != second.headers.first("Call-ID")
    phone.ended = False  # that was another call
    phone.ring()
    phone.answer()
    assert heard(world, phone)
    phone.hang_up()
    assert world.records[0].encryption


def test_who_refuses_both_is_asked_no_third_time() -> None:
    world, phone = called("allow", "disable")
    phone.decline(488)
    phone.decline(488)
    assert len(phone.invites) == 2
    assert isinstance(world.dialled[CALL], Failure)
    assert world.records[0].status == 488


def test_early_media_is_encrypted_and_another_answer_brings_other_keys() -> None:
    world, phone = called("require", "require")
    phone.ring(183, early=True)
    world.step(0.5)
    leg = world.legs[CALL]
    assert leg.protection is not None
    early = leg.protection.keys
    assert leg.session is not None
    assert leg.session.stats.received > 20
    phone.offer_answer = type(phone.offer_answer)()  # another device of the same person
    phone.session = None
    phone.answer()
    assert leg.protection.keys.receive != early.receive
    assert leg.protection.keys.send == early.send
    assert heard(world, phone)


@pytest.mark.parametrize("by", ["change", "update"])
def test_hold_by_the_phone_keeps_the_keys(by: str) -> None:
    world, caller = up("require", "require")
    assert heard(world, caller)
    [leg] = world.legs.values()
    assert leg.protection is not None
    keys = leg.protection.keys
    assert getattr(caller, by)("sendonly") == 200
    world.step(0.5)
    assert getattr(caller, by)("sendrecv") == 200
    assert leg.protection.keys == keys
    assert heard(world, caller)
    assert leg.protection.unauthentic == 0


def test_hold_by_the_room_keeps_the_keys() -> None:
    world, caller = up("require", "require")
    [call] = world.switchboard.live_calls()
    [leg] = world.legs.values()
    assert leg.protection is not None
    keys = leg.protection.keys
    for on in (True, False):
        assert world.switchboard.hold(call.id, world.moment, on=on) is None
        world.settle()
    assert leg.protection.keys == keys
    assert heard(world, caller)


def test_what_is_not_authentic_changes_nothing() -> None:
    world, caller = up("require", "require")
    assert heard(world, caller)
    [leg] = world.legs.values()
    assert leg.session is not None
    assert leg.protection is not None
    before, to = leg.session.stats, leg.session.remote
    for n in range(200):
        forged = rtp.header(0, False, n, n * 160, 0x666) + bytes(170)
        bye = rtcp.write((rtcp.ReceiverReport(0x666), rtcp.Bye((0x666,))))
        assert leg.protection.unprotect(forged) is None
        assert leg.protection.unprotect_rtcp(bye) is None
    assert leg.protection.unauthentic == 400
    after = leg.session.stats
    assert replace(after, playout_ms=0) == replace(before, playout_ms=0)
    assert leg.session.remote == to
    assert heard(world, caller)


def test_silence_ends_an_encrypted_call_whoever_else_sends() -> None:
    world, caller = up("require", "require")
    assert heard(world, caller)
    [leg] = world.legs.values()
    assert leg.protection is not None
    caller.session = None
    for n in range(20):
        leg.protection.unprotect(rtp.header(0, False, n, n * 160, 7) + bytes(170))
        world.step(1)
    assert [record.reason for record in world.records] == ["media-timeout"]
