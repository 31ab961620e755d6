"""Callers that are sent on to another number, in virtual time (RFC 3515)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtime.routing.dial import Failure, FailureKind, TransferReason
from tests.flow.memory import Callee, World
from tests.flow.test_dialling import CALL, ringing, tables

TO = "tel:+15550105555"


def talking(**outbound: object) -> tuple[World, Callee]:
    """A phone that we called and that has answered."""
    world = World(tables(**outbound))  # type: ignore[arg-type]
    phone = ringing(world)
    phone.says = b"\x11" * 160
    phone.answer()
    return world, phone


def test_a_caller_goes_to_the_other_number() -> None:
    world, phone = talking()
    begun = world.transfer(TO, dialtone=True, headers=(("X-Why", "sales"),))
    assert isinstance(begun, str)
    assert begun.startswith("STR_")
    [refer] = phone.refers
    assert (refer.headers.first("Refer-To"), refer.headers.first("X-Why")) == (TO, "sales")
    assert world.legs[CALL].phone_rings
    phone.take_refer()
    phone.notify("SIP/2.0 100 Trying\r\n")
    assert phone.status == 200
    assert not world.transferred
    phone.notify("SIP/2.0 200 OK\r\n", "terminated;reason=noresource")
    [told] = world.transferred
    assert (told.transfer_id, told.reason, told.sip_status) == (begun, TransferReason.COMPLETED, 200)
    assert told.failure is None
    assert not phone.ended, "it may hang up by itself"
    world.step(2)
    assert phone.ended
    assert (world.records[0].reason, TO in world.records[0].words) == ("transferred", True)


def test_a_number_goes_to_the_carrier_in_the_carriers_form() -> None:
    world, phone = talking(refer_to="sip")
    assert isinstance(world.transfer(TO), str)
    [refer] = phone.refers
    assert refer.headers.first("Refer-To") == "<sip:+15550105555@198.51.100.9>"


def test_a_phone_that_hangs_up_by_itself_has_been_transferred() -> None:
    world, phone = talking()
    world.transfer(TO)
    phone.take_refer()
    phone.notify("SIP/2.0 200 OK")
    phone.hang_up()
    assert world.records[0].reason == "transferred"


def test_a_call_that_ends_before_the_news_counts_as_transferred() -> None:
    world, phone = talking()
    world.transfer(TO)
    phone.take_refer()
    phone.hang_up()
    [told] = world.transferred
    assert (told.reason, told.failure) == (TransferReason.CALL_ENDED, None)


def test_a_carrier_that_tells_no_news_is_believed() -> None:
    world, phone = talking()
    world.transfer(TO)
    phone.take_refer(202, [("Refer-Sub", "false")])
    assert world.transferred[0].reason is TransferReason.COMPLETED


@pytest.mark.parametrize("at", ["refer", "notify"])
def test_a_refusal_gives_the_phone_its_room_back(at: str) -> None:
    world, phone = talking()
    world.transfer(TO, dialtone=True)
    if at == "refer":
        phone.take_refer(603)
    else:
        phone.take_refer()
        phone.notify("SIP/2.0 603 Decline", "terminated")
    [told] = world.transferred
    assert (told.reason, told.sip_status) == (TransferReason.REJECTED, 603)
    assert told.failure is not None
    assert told.failure.sip_status == 603
    assert not world.legs[CALL].phone_rings
    world.step(3)
    assert not phone.ended
    assert isinstance(world.transfer(TO), str), "it may be tried again"


def test_news_that_end_without_an_outcome() -> None:
    world, phone = talking()
    world.transfer(TO)
    phone.take_refer()
    phone.notify("SIP/2.0 180 Ringing", "terminated;reason=giveup")
    assert world.transferred[0].reason is TransferReason.SUBSCRIPTION_TERMINATED


def test_a_time_out_leaves_a_known_state() -> None:
    world, phone = talking()
    world.transfer(TO, ringing_timeout_s=5.0, dialtone=True)
    phone.take_refer()
    world.step(6)
    [told] = world.transferred
    assert told.reason is TransferReason.RINGING_TIMEOUT
    assert told.failure is not None
    assert told.failure.kind is FailureKind.DEADLINE_EXCEEDED
    assert not world.legs[CALL].phone_rings, "the phone hears its room again"
    phone.notify("SIP/2.0 200 OK", "terminated")
    world.step(2)
    assert phone.ended, "the other number has answered all the same"
    assert len(world.transferred) == 1


def test_one_transfer_at_a_time_and_the_same_one_is_joined() -> None:
    world, _ = talking()
    begun = world.transfer(TO)
    assert world.transfer(TO) == begun
    other = world.transfer("tel:+15550106666")
    assert isinstance(other, Failure)
    assert other.kind is FailureKind.INVALID_ARGUMENT


def test_who_is_not_there_or_has_not_answered_is_not_transferred() -> None:
    world = World(tables())
    missing = world.transfer(TO)
    assert isinstance(missing, Failure)
    assert missing.kind is FailureKind.NOT_FOUND
    ringing(world)
    early = world.transfer(TO)
    assert isinstance(early, Failure)
    assert early.kind is FailureKind.FAILED_PRECONDITION


def test_news_of_nothing_that_was_asked() -> None:
    world, phone = talking()
    phone.notify("SIP/2.0 200 OK")
    assert phone.status == 481
    phone.notify("x", event="message-summary")
    assert phone.status == 489
    world.transfer(TO)
    phone.notify("not a status line")
    phone.notify("SIP/2.0 2" + "0" * 9000)
    assert (phone.status, world.transferred) == (200, [])


def test_a_late_answer_to_an_older_transfer_is_not_this_ones() -> None:
    world, phone = talking()
    world.transfer(TO, ringing_timeout_s=5.0)
    first = (phone.refers[0].headers.first("CSeq") or "").partition(" ")[0]
    world.step(6)
    assert world.transferred[0].reason is TransferReason.RINGING_TIMEOUT
    begun = world.transfer(TO)
    phone.notify("SIP/2.0 487 Request Terminated", "terminated", event=f"refer;id={first}")
    assert (phone.status, len(world.transferred)) == (481, 1)
    phone.take_refer()
    phone.notify("SIP/2.0 200 OK", "terminated")
    assert (world.transferred[1].transfer_id, world.transferred[1].reason) == (begun, TransferReason.COMPLETED)


def test_a_call_that_we_end_was_not_transferred() -> None:
    world, _ = talking()
    world.transfer(TO)
    world.switchboard.stop(world.moment)
    world.settle()
    [told] = world.transferred
    assert told.reason is TransferReason.CANCELED
    assert told.failure is not None


@pytest.mark.parametrize(
    "target", ["tel:+449001", "<sip:+449001@x.example>", "tel:118118", "tel:+1555;phone-context=+44"]
)
def test_a_guarded_trunk_sends_nobody_to_a_number_that_it_may_not_call(target: str) -> None:
    world, phone = talking(allowed_destinations=("+1*",))
    refused = world.transfer(target)
    assert isinstance(refused, Failure)
    assert "may not refer to" in refused.words
    assert not phone.refers
    assert isinstance(world.transfer(TO), str)


def test_a_trunk_without_notify_is_believed_at_its_202() -> None:
    world, phone = talking()
    world.switchboard.live_calls()[0].orders = replace(
        world.switchboard.live_calls()[0].orders,
        trunk=replace(world.switchboard.live_calls()[0].orders.trunk, refer_notify=False),
    )
    world.transfer(TO)
    phone.take_refer(202)
    assert (world.transferred[0].reason, world.transferred[0].sip_status) == (TransferReason.COMPLETED, 202)
    world.step(2)
    assert phone.ended
    assert world.records[0].reason == "transferred"


def test_a_transfer_that_is_called_off_gives_the_phone_its_room_back() -> None:
    world, phone = talking()
    assert world.switchboard.cancel_transfer(CALL) is not None
    world.transfer(TO, dialtone=True)
    phone.take_refer()
    assert world.switchboard.cancel_transfer(CALL) is None
    world.settle()
    assert world.transferred[0].reason is TransferReason.CANCELED
    assert not world.legs[CALL].phone_rings
    world.step(2)
    assert not phone.ended
    phone.notify("SIP/2.0 200 OK", "terminated")
    world.step(2)
    assert phone.ended, "the other number has answered all the same"


@pytest.mark.parametrize("to", ["<sip:1@a?Replaces=b%3Bto-tag%3Dc>", "<sip:1@a;method=BYE>"])
def test_a_target_asks_for_nothing_but_a_call(to: str) -> None:
    world, phone = talking()
    refused = world.transfer(to)
    assert isinstance(refused, Failure)
    assert refused.kind is FailureKind.INVALID_ARGUMENT
    assert not phone.refers
