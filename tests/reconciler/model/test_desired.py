from __future__ import annotations

import pytest

from reconciler.model.desired import Desired, desire
from reconciler.model.live import Live
from reconciler.model.records import Record, encode_record
from reconciler.model.sources import Key
from schemas.problems import Severity
from schemas.resources.conditions import ConditionType, Reason
from schemas.tables.rows import Kind, NumberRow, Rows
from schemas.tables.tables import Tables
from tests.reconciler.declaring import Folder, broken, codes, declared, document, number, ref, rule, text, trunk

SUPPORT: Key = (Kind.RULE, "default/support")


def wanted(folder: Folder, live: Live | None = None) -> Desired:
    return desire(declared(folder), live or Live())


def lived(folder: Folder, owner_rows: Rows | None = None) -> Live:
    """The live state after this folder was applied."""
    desired = wanted(folder)
    rows = owner_rows or desired.rows
    records = {
        f"{kind}/{id_}": encode_record(Record(source.place.file, source.data))
        for kind, sources in desired.sources.items()
        for id_, source in sources.items()
    }
    return Live(1, Tables.build(rows), rows, {}, records)


def told(desired: Desired) -> list[str]:
    return [str(problem) for problem in desired.problems]


def test_a_missing_trunk_holds_back_its_rule_and_names_the_nearest_one():
    desired = wanted({"a.yaml": [trunk("twilio-us"), rule(trunkRefs=[ref("twilio-u")]), number(digits="+15550100")]})
    assert codes(desired.problems) == ["trunk-not-found"]
    assert "there is no Trunk default/twilio-u, did you mean twilio-us?" in told(desired)[0]
    assert not desired.rows.rules
    assert desired.rows.numbers
    assert desired.verdicts[SUPPORT].type is ConditionType.RESOLVED_REFS
    assert desired.verdicts[SUPPORT].reason is Reason.TRUNK_NOT_FOUND


def test_the_place_of_a_missing_reference_is_the_reference_itself():
    text = (
        "apiVersion: dialplane.dev/v1alpha1\nkind: DispatchRule\nmetadata: {name: support}\nspec:\n"
        "  trunkRefs:\n    - name: twilio\n  rule: {direct: {room: lobby}}\n"
    )
    assert str(wanted({"a.yaml": text}).problems[0].where) == "a.yaml:6:13"


def test_one_missing_trunk_of_two_holds_back_the_whole_rule():
    live = lived({"a.yaml": [trunk("a"), rule(trunkRefs=[ref("a")])]})
    desired = wanted({"a.yaml": [trunk("a"), rule(room="hall", trunkRefs=[ref("a"), ref("b")])]}, live)
    assert desired.rows.rules["default/support"].room_name == "lobby"


def test_a_trunk_that_is_deleted_leaves_the_rule_that_names_it_closed_and_not_open():
    live = lived({"a.yaml": [trunk("a"), rule(trunkRefs=[ref("a")])]})
    desired = wanted({"a.yaml": [rule(trunkRefs=[ref("a")])]}, live)
    assert not desired.rows.trunks
    assert desired.rows.rules["default/support"].trunks == ("default/a",)


def test_references_of_a_broken_document_are_told_in_the_same_run():
    desired = wanted({"a.yaml": [trunk("a"), broken(rule(trunkRefs=[ref("b")])), broken(number(trunkRef=ref("c")))]})
    assert codes(desired.problems) == ["trunk-not-found", "trunk-not-found"]


def test_a_reference_to_a_broken_object_waits_without_an_error_of_its_own():
    desired = wanted({"a.yaml": [broken(trunk("a")), rule(trunkRefs=[ref("a")])]})
    assert [(problem.code, problem.severity) for problem in desired.problems] == [("waits", Severity.WARNING)]
    assert not desired.rows.rules


def test_a_number_waits_for_a_rule_that_is_held_back():
    desired = wanted({"a.yaml": [rule(trunkRefs=[ref("none")]), number(dispatchRuleRef=ref("support"))]})
    assert not desired.rows.numbers
    assert codes(desired.problems) == ["trunk-not-found", "waits"]


@pytest.mark.parametrize(
    ("allowed", "other_may", "third_may"),
    [("Same", False, False), ("All", True, True), (["other"], True, False)],
)
def test_a_trunk_says_which_namespaces_may_refer_to_it(allowed, other_may, third_may):
    for namespace, may in (("other", other_may), ("third", third_may)):
        folder = {
            "a.yaml": [
                trunk("a", namespace="home", allowedNamespaces=allowed),
                rule(namespace=namespace, trunkRefs=[ref("a", "home")]),
                number(namespace=namespace, trunkRef=ref("a", "home")),
            ]
        }
        desired = wanted(folder)
        assert codes(desired.problems) == ([] if may else ["reference-not-permitted"] * 2)
        assert bool(desired.rows.rules) is may


def test_a_selector_takes_the_permitted_trunks_with_all_its_labels():
    us = {"region": "us"}
    folder = {
        "a.yaml": [
            trunk("a", 1, labels={**us, "tier": "gold"}),
            trunk("b", 2, labels={"region": "eu"}),
            trunk("c", 3, namespace="other", labels=us),
            trunk("d", 4, namespace="other", labels=us, allowedNamespaces="All"),
            rule(trunkSelector={"matchLabels": us}),
        ]
    }
    assert wanted(folder).rows.rules["default/support"].trunks == ("default/a", "other/d")


def test_a_selector_that_picks_nothing_makes_a_rule_that_takes_no_call():
    desired = wanted({"a.yaml": [trunk("a"), rule(trunkSelector={"matchLabels": {"region": "mars"}})]})
    assert desired.rows.rules["default/support"].trunks == ()
    assert [problem.severity for problem in desired.problems] == [Severity.WARNING]


def test_a_rule_without_trunks_serves_only_trunks_that_allow_its_namespace():
    folder = {"a.yaml": [trunk("a", 1, namespace="home"), trunk("b", 2, namespace="guest"), rule(namespace="guest")]}
    assert wanted(folder).rows.rules["guest/support"].trunks == ("guest/b",)
    assert wanted({"a.yaml": [trunk("a"), rule()]}).rows.rules["default/support"].trunks is None


def test_what_is_declared_twice_is_an_error_at_both_places_and_keeps_its_last_good_version():
    live = lived({"a.yaml": [rule(room="lobby")]})
    desired = wanted({"a.yaml": [rule(room="hall")], "b.yaml": [rule(room="attic")]}, live)
    assert codes(desired.problems) == ["declared-twice"] * 2
    assert {str(problem.where.file) for problem in desired.problems} == {"a.yaml", "b.yaml"}
    assert desired.rows.rules["default/support"].room_name == "lobby"


def test_a_newcomer_that_clashes_is_conflicted_and_names_the_incumbent_with_its_place():
    live = lived({"a.yaml": [trunk(), rule("old")]})
    desired = wanted({"a.yaml": [trunk(), rule("old")], "b.yaml": [rule("new", room="hall")]}, live)
    assert list(desired.rows.rules) == ["default/old"]
    assert codes(desired.problems) == ["conflict"]
    assert (
        "DispatchRule default/new claims the same calls as DispatchRule default/old at a.yaml:3:1" in told(desired)[0]
    )
    assert desired.verdicts[(Kind.RULE, "default/new")].reason is Reason.CONFLICTED


def test_two_newcomers_that_clash_are_both_errors():
    desired = wanted({"a.yaml": [trunk(), rule("one")], "b.yaml": [rule("two")]})
    assert not desired.rows.rules
    assert codes(desired.problems) == ["conflict"] * 2


def test_who_takes_what_a_conflicted_object_goes_on_holding_is_a_newcomer_too():
    names = {"one": "+1*", "two": "+2*"}
    live = lived({"a.yaml": [trunk(), *(rule(name, match={"to": [to]}) for name, to in names.items())]})
    moved = [rule("one", match={"to": ["+2*"]}), rule("two", match={"to": ["+2*"]}), rule("new", match={"to": ["+1*"]})]
    desired = wanted({"a.yaml": [trunk(), *moved]}, live)
    assert {id_: row.to for id_, row in desired.rows.rules.items()} == {
        "default/one": ("+1*",),
        "default/two": ("+2*",),
    }
    assert codes(desired.problems) == ["conflict"] * 2


def test_two_rules_may_swap_their_claims_in_one_change():
    def pair(first: str, second: str) -> Folder:
        return {"a.yaml": [trunk(), rule("one", match={"to": [first]}), rule("two", match={"to": [second]})]}

    desired = wanted(pair("+2*", "+1*"), lived(pair("+1*", "+2*")))
    assert not desired.problems
    assert desired.rows.rules["default/one"].to == ("+2*",)


def test_a_number_cannot_become_another_number():
    live = lived({"a.yaml": [number("main", "+14155550100")]})
    desired = wanted({"a.yaml": [number("main", "+14155550199")]}, live)
    assert codes(desired.problems) == ["immutable"]
    row = desired.rows.numbers["default/main"]
    assert isinstance(row, NumberRow)
    assert row.number == "+14155550100"


def test_a_rule_whose_only_number_is_held_back_does_not_open_to_any_number():
    pointing = number(trunkRef=ref("missing"), dispatchRuleRef=ref("support"))
    desired = wanted({"a.yaml": [trunk(), rule(), pointing]})
    assert not desired.rows.rules
    assert codes(desired.problems) == ["trunk-not-found", "opens"]
    assert desired.verdicts[SUPPORT].reason is Reason.BLOCKED_BY_SAFETY


def test_a_rule_waits_for_a_number_that_is_broken_or_still_to_be_bought():
    buying = document(
        "PhoneNumber",
        "main",
        {"purchase": {"from": "livekit", "countryCode": "US"}, "dispatchRuleRef": ref("support")},
    )
    for held in (broken(number(dispatchRuleRef=ref("support"))), buying):
        assert not wanted({"a.yaml": [trunk(), rule(), held]}).rows.rules


def test_a_rule_that_takes_any_number_already_is_not_held_back():
    live = lived({"a.yaml": [trunk(), rule()]})
    pointing = number(trunkRef=ref("missing"), dispatchRuleRef=ref("support"))
    assert (
        wanted({"a.yaml": [trunk(), rule(room="hall"), pointing]}, live).rows.rules["default/support"].room_name
        == "hall"
    )


def test_a_row_without_a_remembered_document_stays_while_its_document_is_broken():
    live = lived({"a.yaml": [trunk()]})
    forgotten = Live(1, live.tables, live.mine, {}, {})
    assert list(wanted({"a.yaml": [broken(trunk())]}, forgotten).rows.trunks) == ["default/carrier"]


@pytest.mark.parametrize("emptied", ["", "\n \n", "\ufeff", "# all gone\n---\n# and more\n---\n"])
def test_a_file_that_was_emptied_keeps_its_documents_and_says_how_to_remove_them(emptied):
    live = lived({"a.yaml": [trunk()], "b.yaml": [rule(), number(dispatchRuleRef=ref("support"))]})
    desired = wanted({"a.yaml": [trunk()], "b.yaml": emptied}, live)
    assert told(desired) == [
        "b.yaml: the file is empty: its 2 documents stay as they are, delete the file to remove them"
    ]
    assert desired.rows == live.mine
    assert desired.verdicts[SUPPORT].reason is Reason.INVALID


def test_a_file_that_was_emptied_keeps_nothing_that_stands_elsewhere_now():
    live = lived({"a.yaml": [trunk(), rule()]})
    desired = wanted({"a.yaml": "", "b.yaml": [trunk(), rule(room="hall")]}, live)
    assert codes(desired.problems) == ["empty-file"]
    assert desired.rows.rules["default/support"].room_name == "hall"


def test_an_empty_file_that_declared_nothing_before_is_a_warning():
    problem = wanted({"a.yaml": [trunk()], "b.yaml": ""}).problems[0]
    assert (problem.code, problem.severity) == ("empty-file", Severity.WARNING)
    assert not wanted({"a.yaml": [trunk()], "b.yaml": "# nothing yet\n"}).problems


def test_a_file_that_holds_documents_of_others_instead_is_not_empty():
    live = lived({"a.yaml": [trunk()], "b.yaml": [rule()]})
    desired = wanted({"a.yaml": [trunk()], "b.yaml": "apiVersion: v1\nkind: ConfigMap\n"}, live)
    assert not desired.rows.rules
    assert not desired.problems


def test_routing_tests_are_no_objects_and_a_broken_one_hides_nothing():
    test = document("RoutingTest", "t", {"calls": [{"to": "+1", "from": "+2", "address": "10.1.0.1", "expect": {}}]})
    live = lived({"a.yaml": [trunk(), rule()]})
    desired = wanted({"a.yaml": [trunk(), test]}, live)
    assert list(desired.rows.rules) == []


LOBBY, HALL = rule("lobby", "lobby"), rule("hall", "hall")
TO_LOBBY = number("one", "+14155550101", trunkRef=ref("carrier"), dispatchRuleRef=ref("lobby"))
TO_HALL = number("two", "+14155550102", trunkRef=ref("carrier"), dispatchRuleRef=ref("hall"))
MISSPELT = {**TO_LOBBY, "spec": {"number": "+14155550101", "dispatchRulRef": ref("lobby")}}
CUT_SHORT = text([TO_LOBBY]).decode().partition('"dispatchRuleRef"')[0]


@pytest.mark.parametrize("wrong", [[broken(TO_LOBBY)], [MISSPELT], [TO_LOBBY, TO_LOBBY], CUT_SHORT])
def test_a_rule_whose_numbers_are_broken_waits_for_them_and_claims_nothing(wrong):
    files = {"t.yaml": [trunk(), LOBBY, HALL, TO_HALL], "z.yaml": [rule("any", "any", priority=7)], "n.yaml": wrong}
    first = desire(declared(files), Live())
    assert "default/lobby" not in first.rows.rules, "it would take calls to any number"
    assert {"default/hall"} <= first.rows.rules.keys()
    assert "conflict" not in codes(first.problems)
    waiting = [problem for problem in first.problems if problem.object_id == "DispatchRule/default/lobby"]
    assert [(problem.code, problem.is_error) for problem in waiting] == [("opens", False)]


def test_two_rules_whose_numbers_are_broken_do_not_clash():
    files = {"t.yaml": [trunk(), LOBBY, HALL], "n.yaml": [broken(TO_LOBBY), broken(TO_HALL)]}
    found = desire(declared(files), Live())
    assert not found.rows.rules
    assert codes(found.problems) == ["opens", "opens"]
    causes = {problem.object_id: problem.waits_for for problem in found.problems}
    assert causes == {
        "DispatchRule/default/lobby": "PhoneNumber/default/one",
        "DispatchRule/default/hall": "PhoneNumber/default/two",
    }
