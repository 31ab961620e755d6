"""Objects that want what others hold: who comes first, who makes way, and what callers meet meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import sip

from reconciler.targets.livekit.passing import Act, Wish, claimed_by, in_turn, is_nobodys, nobodys_number, parked
from tests.livekit_applies import Applies, errors
from tests.livekit_faults import Fault, Front
from tests.reconciler import declaring
from tests.reconciler.declaring import ref

ONE, TWO, THREE = "+14155550101", "+14155550102", "+14155550103"

_claims = st.frozensets(st.sampled_from("abcdef").map(lambda name: (name,)), max_size=3)


@given(st.lists(_claims, max_size=6), st.lists(_claims, max_size=6))
def test_in_any_tangle_nobody_is_written_before_what_he_wants_is_given_up(held: Any, wanted: Any) -> None:
    taken: set[Any] = set()
    wishes = []
    given_to: set[Any] = set()
    for holds, wants in zip(held, wanted, strict=False):
        wishes.append(Wish(holds - taken, wants - given_to))  # as LiveKit and the model have it: one holder of each
        taken |= holds
        given_to |= wants
    now = {index: set(wish.holds) for index, wish in enumerate(wishes)}
    written = []
    for act, index in in_turn(wishes):
        others = set().union(*(claims for other, claims in now.items() if other != index))
        if act is Act.PARK:
            wanted_by_others = set().union(*(wish.wants for other, wish in enumerate(wishes) if other != index))
            now[index] -= wanted_by_others
            continue
        assert not wishes[index].wants & others
        now[index] = set(wishes[index].wants)
        written.append(index)
    assert sorted(written) == list(range(len(wishes)))


def test_only_a_ring_is_parked_and_one_of_it() -> None:
    a, b, c, free = (frozenset({(name,)}) for name in "abcf")
    assert in_turn([Wish(a, b), Wish(b, c), Wish(c, free)]) == [(Act.WRITE, 2), (Act.WRITE, 1), (Act.WRITE, 0)]
    ring = in_turn([Wish(a, b), Wish(b, c), Wish(c, a)])
    assert ring == [(Act.PARK, 0), (Act.WRITE, 2), (Act.WRITE, 1), (Act.WRITE, 0)]


def test_who_makes_way_keeps_what_nobody_wants_and_never_takes_any_number() -> None:
    nobodys = nobodys_number(123)
    assert is_nobodys(nobodys)
    rule = sip.SIPDispatchRuleInfo(trunk_ids=["ST_a"], numbers=[ONE, TWO])
    both = claimed_by(rule)
    one = claimed_by(sip.SIPDispatchRuleInfo(trunk_ids=["ST_a"], numbers=[ONE]))
    assert parked(rule, one, nobodys).numbers == [TWO]
    assert parked(rule, both, nobodys).numbers == [nobodys]
    any_number = sip.SIPDispatchRuleInfo(trunk_ids=["ST_a"])
    assert parked(any_number, claimed_by(any_number), nobodys).numbers == [nobodys]


def _trunk(name: str = "carrier") -> Any:
    return declaring.trunk(name, inbound={"allowedAddresses": ["10.1.0.0/16"], "calledNumbers": "declared"})


def _rule(name: str, **spec: Any) -> Any:
    return declaring.rule(name, room=name, trunkRefs=[ref("carrier")], **spec)


def by_rules(first: str, second: str) -> list[Any]:
    return [
        declaring.trunk(),
        _rule("a", match={"to": [first]}),
        _rule("b", match={"to": [second]}),
    ]


def by_phone_numbers(first: str, second: str) -> list[Any]:
    return [
        _trunk(),
        _rule("a"),
        _rule("b"),
        declaring.number("one", first, trunkRef=ref("carrier"), dispatchRuleRef=ref("a")),
        declaring.number("two", second, trunkRef=ref("carrier"), dispatchRuleRef=ref("b")),
    ]


def by_trunks(first: str, second: str) -> list[Any]:
    homes = {first: "carrier", second: "other"}
    numbers = [declaring.number(name, n, trunkRef=ref(homes[n])) for name, n in (("one", ONE), ("two", TWO))]
    rule = declaring.rule("a", trunkRefs=[ref("carrier"), ref("other")])
    return [_trunk(), _trunk("other"), *numbers, rule]


def by_callers(first: str, second: str) -> list[Any]:
    return [declaring.trunk(), _rule("a", match={"from": [first]}), _rule("b", match={"from": [second]})]


def rings(first: str, second: str) -> list[Any]:
    second, third = {ONE: (TWO, THREE), TWO: (THREE, ONE)}[first]
    return [*by_rules(first, second), _rule("c", match={"to": [third]})]


@pytest.mark.parametrize("folder", [by_rules, by_trunks, by_callers, rings])
def test_objects_swap_what_livekit_lets_one_alone_hold(applies: Applies, folder: Any) -> None:
    assert errors(applies.write(*folder(ONE, TWO)).apply()) == []
    before = {id(info) for info in applies.front.objects()}
    applies.write(*folder(TWO, ONE))
    planned = applies.apply()
    assert errors(planned) == []
    assert applies.is_as_declared()
    assert len(before) == len(applies.front.objects())
    assert not any(is_nobodys(number) for info in applies.front.objects() for number in info.numbers)


def test_phone_numbers_swap_their_rules(applies: Applies) -> None:
    assert errors(applies.write(*by_phone_numbers(ONE, TWO)).apply()) == []
    swapped = [
        declaring.number("one", ONE, trunkRef=ref("carrier"), dispatchRuleRef=ref("b")),
        declaring.number("two", TWO, trunkRef=ref("carrier"), dispatchRuleRef=ref("a")),
    ]
    assert errors(applies.write(*by_phone_numbers(ONE, TWO)[:3], *swapped).apply()) == []
    assert applies.is_as_declared()


def test_a_number_has_nobody_for_one_call_to_livekit_at_most_and_never_two(applies: Applies, front: Front) -> None:
    applies.write(*by_rules(ONE, TWO)).apply()
    front.well()
    seen: list[list[str]] = []

    def look(_: int, method: str) -> Fault | None:
        return Fault(first=lambda: seen.append(_served(front))) if method.startswith("UpdateSIPDispatchRule") else None

    front.faults = look
    applies.write(*by_rules(TWO, ONE)).apply()
    seen.append(_served(front))
    settled = [numbers for index, numbers in enumerate(seen) if index == 0 or numbers != seen[index - 1]]
    assert [len(numbers) for numbers in settled] == [2, 1, 1, 2]
    assert set(settled[1]) | set(settled[2]) == {ONE, TWO}, "each is without a rule for one step alone"


def _served(front: Front) -> list[str]:
    rules = [info for info in front.objects() if isinstance(info, sip.SIPDispatchRuleInfo)]
    assert all(rule.numbers for rule in rules), "a rule without numbers takes any"
    return sorted(number for rule in rules for number in rule.numbers if not is_nobodys(number))


def test_who_made_way_in_vain_gets_back_what_he_had(applies: Applies, front: Front) -> None:
    applies.write(*by_rules(ONE, TWO)).apply()
    front.well()
    written = 0

    def third_write_fails(_: int, method: str) -> Fault | None:
        nonlocal written
        written += method == "UpdateSIPDispatchRule"
        return Fault(500, "internal") if method == "UpdateSIPDispatchRule" and 4 <= written <= 8 else None

    front.faults = third_write_fails
    planned = applies.write(*by_rules(TWO, ONE)).apply()
    assert len(errors(planned)) == 2
    assert _served(front) == [ONE, TWO]
    front.well()
    assert errors(applies.apply()) == []
    assert applies.is_as_declared()


def test_a_folder_that_was_cut_off_in_a_swap_is_told_and_finished(applies: Applies, front: Front) -> None:
    applies.write(*by_rules(ONE, TWO)).apply()
    rule = next(info for info in front.objects() if isinstance(info, sip.SIPDispatchRuleInfo) and ONE in info.numbers)
    rule.numbers[:] = [nobodys_number(7)]
    front.by_hand(
        "UpdateSIPDispatchRule",
        sip.UpdateSIPDispatchRuleRequest(sip_dispatch_rule_id=rule.sip_dispatch_rule_id, replace=rule),
    )
    (change,) = applies.plan().changes
    assert [field.field for field in change.fields] == ["numbers", "match.to"]
    assert errors(applies.apply()) == []
    assert applies.is_as_declared()


def test_a_stranger_who_holds_the_number_is_told_and_everybody_keeps_what_he_has(
    applies: Applies, front: Front, tmp_path: Path
) -> None:
    applies.write(declaring.trunk(), _rule("a", match={"to": [ONE]})).apply()
    trunk = next(info for info in front.objects() if isinstance(info, sip.SIPInboundTrunkInfo))
    stranger = sip.SIPDispatchRuleInfo(trunk_ids=[trunk.sip_trunk_id], numbers=[TWO])
    stranger.rule.dispatch_rule_direct.room_name = "theirs"
    front.by_hand("CreateSIPDispatchRule", sip.CreateSIPDispatchRuleRequest(dispatch_rule=stranger))
    (told,) = errors(applies.write(declaring.trunk(), _rule("a", match={"to": [TWO]})).apply())
    assert "already exists in dispatch rule" in told
    assert _served(front) == [ONE, TWO]


def test_an_apply_tells_how_far_it_is(applies: Applies) -> None:
    applies.write(*(declaring.rule(f"r{index}", match={"to": [f"+1415555010{index}"]}) for index in range(3))).apply()
    assert applies.heard == [(1, 3), (2, 3), (3, 3)]
