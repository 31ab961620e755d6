"""The number that a phone asks to be sent on to is called as any other is: ways, early media, redirects."""

from __future__ import annotations

import pytest

from runtime.calls.hunt import SILENCE_S
from runtime.media.codecs.g711 import SILENCE
from runtime.trunks.circuits import State
from tests.flow.memory import Callee, World
from tests.flow.test_hunting import FIRST, SECOND, state
from tests.flow.test_referrals import ANSWERS, OTHER, OURS, SAYS, Referrer, tables, talking

TWO = (FIRST, SECOND)


def lines(phone: Referrer) -> list[str]:
    return [news[0] for news in phone.news]


def with_two(**outbound: object) -> tuple[World, Referrer, Callee, Callee]:
    """A phone in a call by a trunk with two addresses, and a phone at each of them."""
    world, phone, first = talking(tables(addresses=TWO, **outbound))
    second = world.callee(SECOND)
    second.says = ANSWERS
    return world, phone, first, second


def test_the_next_address_is_tried_after_503_and_the_phone_hears_of_the_outcome_alone() -> None:
    world, phone, first, second = with_two()
    phone.refer(f"tel:{OTHER}")
    first.decline(503, headers=[("Retry-After", "60")])
    [one], [two] = first.invites, second.invites
    assert [one.headers.first(name) for name in ("Call-ID", "From")] == [
        two.headers.first(name) for name in ("Call-ID", "From")
    ]
    assert (state(world, FIRST), lines(phone)) == (State.RESTING, ["SIP/2.0 100 Trying"])
    second.answer()
    assert (state(world, SECOND), lines(phone)[-1]) == (State.UP, "SIP/2.0 200 OK")
    world.step(2)
    assert phone.ended
    phone.dial(OURS)
    phone.refer(f"tel:{OTHER}")
    assert (len(first.invites), len(second.invites)) == (1, 2), "who rests is left alone"


def test_an_address_that_says_nothing_is_left_for_the_next_one() -> None:
    world, phone, first, second = with_two()
    world.callers.remove(first)
    phone.refer(f"tel:{OTHER}")
    world.step(SILENCE_S + 0.5)
    assert (state(world, FIRST), len(second.invites)) == (State.DOWN, 1)
    second.answer()
    assert lines(phone) == ["SIP/2.0 100 Trying", "SIP/2.0 200 OK"]
    world.callers.append(first)
    world.step(4)
    assert first.cancelled, "it is heard of late"
    assert not second.ended


def test_when_nobody_answers_the_last_word_is_told() -> None:
    world, phone, first, second = with_two()
    phone.refer(f"tel:{OTHER}")
    first.decline(503)
    second.decline(603, "Not Today")
    assert lines(phone) == ["SIP/2.0 100 Trying", "SIP/2.0 603 Not Today"]
    assert not phone.ended
    assert world.place(trunk="default/home", call_to=OTHER) is None, "its place on the trunk is free again"


def test_a_phone_that_rang_or_is_busy_is_not_called_by_another_way() -> None:
    _, phone, first, second = with_two()
    phone.refer(f"tel:{OTHER}")
    first.ring()
    first.decline(503)
    assert lines(phone)[1:] == ["SIP/2.0 180 Ringing", "SIP/2.0 503 Service Unavailable"]
    assert not second.invites


def test_it_is_sent_on_within_its_trunk() -> None:
    _, phone, other = talking()
    phone.refer(f"tel:{OTHER}")
    other.decline(302, headers=[("Contact", "<sip:+15550107777@198.51.100.9>")])
    assert [invite.uri for invite in other.invites][1:] == ["sip:+15550107777@198.51.100.9"]
    other.answer()
    assert lines(phone) == ["SIP/2.0 100 Trying", "SIP/2.0 200 OK"]


def test_it_is_not_sent_on_to_elsewhere() -> None:
    _, phone, other = talking()
    phone.refer(f"tel:{OTHER}")
    other.decline(302, headers=[("Contact", "<sip:+15550107777@203.0.113.1>")])
    assert len(other.invites) == 1
    assert lines(phone)[-1] == "SIP/2.0 302 Moved Temporarily"
    assert not phone.ended


@pytest.mark.parametrize("leaves", ["before", "after"])
def test_early_media_is_heard_in_the_room_when_the_old_phone_is_gone(leaves: str) -> None:
    world, phone, other = talking()
    listener = world.caller("198.51.100.8", number="+15550103333")
    listener.dial(OURS)
    listener.says = b"\x33" * 160
    phone.refer(f"tel:{OTHER}")
    if leaves == "before":
        phone.hang_up()
    other.ring(183, early=True)
    if leaves == "after":
        world.step(0.5)
        listener.heard.clear()
        world.step(0.5)
        assert listener.heard.count(SAYS) > 10, "the old phone talks on"
        phone.hang_up()
    other.ring(180)
    world.step(0.5)
    listener.heard.clear()
    world.step(1)
    assert listener.heard.count(ANSWERS) > 30
    assert {frame for frame in other.heard if frame} <= {SILENCE["pcmu"]}, "nobody has answered yet"
    other.answer()
    world.step(1)
    assert b"\x33" * 160 in other.heard
    assert len(world.records) == 0


def test_each_step_is_told_once() -> None:
    _, phone, other = talking()
    phone.refer(f"tel:{OTHER}")
    other.ring(183)
    for _ in range(3):
        other.ring(180)
    other.answer()
    assert lines(phone) == [
        f"SIP/2.0 {told}" for told in ("100 Trying", "183 Session Progress", "180 Ringing", "200 OK")
    ]


def test_what_an_early_answer_said_stands_where_the_answer_says_nothing() -> None:
    world, phone, other = talking()
    other.supported = ("100rel",)
    phone.refer(f"tel:{OTHER}")
    phone.hang_up()
    other.ring(183, headers=[("Require", "100rel"), ("RSeq", "1")], early=True)
    other.endpoint.respond(other.leg, 200, world.now)
    world.settle()
    world.step(1)
    assert other.heard.count(ANSWERS) > 20, "alone it hears itself"
    assert not world.records


def test_it_goes_through_the_trunks_proxy_and_is_vouched_for() -> None:
    way = {"proxy": "sip:198.51.100.9;lr", "addresses": ("sip.carrier.example",)}
    _, phone, other = talking(tables(identity_header="P-Asserted-Identity", **way))
    phone.refer(f"tel:{OTHER}")
    [invite] = other.invites
    assert (invite.uri, invite.headers.first("Route")) == (f"sip:{OTHER}@sip.carrier.example", "<sip:198.51.100.9;lr>")
    assert OURS in (invite.headers.first("P-Asserted-Identity") or "")


def test_it_lasts_no_longer_than_a_call_of_the_trunk() -> None:
    world, phone, other = talking(tables(max_call_duration_ms=60_000))
    phone.refer(f"tel:{OTHER}")
    other.answer()
    world.step(61)
    [record] = world.records
    assert (record.reason, record.words) == ("max-duration", "the longest allowed 60 s are over")
