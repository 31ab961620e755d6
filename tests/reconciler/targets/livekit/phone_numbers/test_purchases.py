"""LiveKit's own numbers as declared objects, as a person would: bought, assigned, adopted, kept, given back."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from livekit.protocol import sip

from reconciler.targets.livekit.phone_numbers.messages import Status, Type
from tests.livekit_cloud import Cloud, on_sale
from tests.livekit_faults import Fault, Front, always
from tests.livekit_project import HEAD, RULE, Project, asks, names

FIRST, SECOND, TOLL_FREE = "+14155550100", "+14155550101", "+18005550100"


@pytest.fixture
def project(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    offers = [on_sale(number) for number in (FIRST, SECOND, "+14155550102", "+12125550100")]
    with Front(Cloud(*offers, on_sale(TOLL_FREE, type_=Type.TOLL_FREE))) as front:
        for name, value in front.environment.items():
            monkeypatch.setenv(name, value)
        yield Project(tmp_path, front, capsys)


def test_a_plan_says_what_would_be_bought_and_what_becomes_of_calls(project: Project) -> None:
    project.write(RULE, asks())
    assert project.reconcile("plan", "--detailed-exitcode") == 3
    assert "number: (buys a local number in US/415 for default/us)" in project.said
    assert "(buys a local number in US/415 for default/us): nobody answers -> support/lobby" in project.said
    assert not {"SearchPhoneNumbers", "PurchasePhoneNumber"} & {*project.front.calls}


def test_nothing_is_bought_unless_that_is_allowed(project: Project) -> None:
    project.write(RULE, asks())
    assert project.apply() == 3
    assert "buys a local number in US/415, which LiveKit bills for: PhoneNumber default/us" in project.said
    assert "--allow-purchases" in project.said
    assert (project.cloud.sold, project.cloud.held, project.ledger()) == ([], {}, {})


def test_a_number_is_bought_assigned_and_written_back(project: Project) -> None:
    project.write(RULE, asks())
    project.buy()
    assert project.cloud.sold == [FIRST]
    assert project.rules_of(FIRST) == ["support"]
    assert project.text() == "---\n".join((RULE, asks().replace("  purchase", f'  number: "{FIRST}"\n  purchase')))
    assert project.reconcile("plan", "--detailed-exitcode") == 0, project.said


def test_a_second_apply_buys_nothing_with_or_without_the_number_in_the_file(project: Project) -> None:
    project.write(RULE, asks())
    project.buy()
    project.buy()
    project.write(RULE, asks())  # from git, where nobody committed it
    project.buy()
    assert project.cloud.sold == [FIRST]
    assert f'number: "{FIRST}"' in project.text()


def test_what_is_asked_for_is_what_is_bought(project: Project) -> None:
    project.write(RULE, asks(purchase="countryCode: US, type: tollFree"), asks("second"), asks("third"))
    project.buy()
    assert project.cloud.sold == [TOLL_FREE, FIRST, SECOND]


def test_what_is_not_on_sale_holds_back_its_object_alone(project: Project) -> None:
    project.write(RULE, asks("ca", purchase="countryCode: CA"), asks())
    assert project.apply("--allow-purchases") == 1, project.said
    assert "LiveKit does not have a local number in CA on sale" in project.said
    assert project.cloud.sold == [FIRST]


def test_rules_come_before_numbers_and_go_after_them(project: Project) -> None:
    project.write(RULE, asks(more="  deletionPolicy: Delete\n"))
    project.buy()
    order = [*dict.fromkeys(call for call in project.front.calls if not call.startswith("List"))]
    assert order == ["SearchPhoneNumbers", "CreateSIPDispatchRule", "PurchasePhoneNumber", "UpdatePhoneNumber"]
    project.front.well()
    project.write(RULE.replace("support", "other"))
    assert project.apply("--allow-deletes", "2", "--allow-releases") == 0, project.said
    order = [call for call in project.front.calls if not call.startswith("List")]
    assert order == ["CreateSIPDispatchRule", "ReleasePhoneNumbers", "DeleteSIPDispatchRule"]


def test_a_rule_that_fails_holds_back_its_number_and_nothing_else(project: Project) -> None:
    project.write(RULE, RULE.replace("support", "other").replace("lobby", "hall"), asks(), names(SECOND, "more"))
    project.cloud.by_hand(SECOND)
    project.front.faults = lambda _, method: (
        Fault(400, "invalid_argument") if method == "CreateSIPDispatchRule" and not project.cloud.held else None
    )
    assert project.apply("--allow-purchases", "--adopt", f"{SECOND}=default/more") == 1
    assert project.cloud.sold == []
    project.front.well()
    project.buy()
    assert project.cloud.sold == [FIRST]


def test_a_number_whose_document_is_gone_is_kept_and_assigned_to_nothing(project: Project) -> None:
    project.write(RULE, asks(), names(SECOND, "other"))
    project.cloud.by_hand(SECOND)
    assert project.apply("--allow-purchases", "--adopt", f"{SECOND}=default/other") == 0, project.said
    project.write(RULE, names(SECOND, "other"))
    assert project.reconcile("plan") == 0
    assert "stays yours, of no rule" in project.said
    assert project.apply() == 0, project.said
    assert (project.cloud.released, project.rules_of(FIRST), project.rules_of(SECOND)) == ([], [], ["support"])
    assert project.ledger()[FIRST]["stage"] == "kept"


def test_a_document_that_comes_back_gets_its_number_back(project: Project) -> None:
    project.write(RULE, asks())
    project.buy()
    project.write(RULE)
    assert project.apply("--allow-any", "DispatchRule/default/support") == 0, project.said
    project.write(RULE, asks())
    project.buy()
    assert (project.cloud.sold, project.rules_of(FIRST)) == ([FIRST], ["support"])


def test_another_document_is_pointed_at_the_number_that_was_kept(project: Project) -> None:
    project.write(RULE, asks())
    project.buy()
    project.write(RULE, asks("new"))
    assert project.apply("--allow-purchases", "--allow-any", "DispatchRule/default/support") == 1, project.said
    assert f"--adopt {FIRST}=default/new" in project.said
    assert project.apply("--adopt", f"{FIRST}=default/new") == 0, project.said
    assert (project.cloud.sold, project.rules_of(FIRST)) == ([FIRST], ["support"])


@pytest.mark.parametrize("head", [", annotations: {dialplane.dev/renamed-from: us}", ""])
def test_a_number_follows_its_document_to_another_name(project: Project, head: str) -> None:
    project.write(RULE, asks())
    project.buy()
    document = asks("eu", head=head)
    project.write(RULE, document if head else document.replace("  purchase", f'  number: "{FIRST}"\n  purchase'))
    project.front.well()
    project.buy()
    assert project.ledger()[FIRST]["name"] == "default/eu"
    assert (project.cloud.sold, project.rules_of(FIRST)) == ([FIRST], ["support"])
    assert "UpdatePhoneNumber" not in project.front.calls


def test_a_number_is_given_back_only_where_document_and_person_say_so(project: Project) -> None:
    project.write(RULE, asks(more="  deletionPolicy: Delete\n"))
    project.buy()
    project.write(RULE)
    allow_any = ("--allow-any", "DispatchRule/default/support")
    assert project.apply(*allow_any) == 3
    assert f"releases 1 number, which can hardly be had again: PhoneNumber default/us ({FIRST})" in project.said
    assert project.rules_of(FIRST) == ["support"]
    assert project.apply(*allow_any, "--allow-releases") == 0, project.said
    assert (project.cloud.released, project.ledger()) == ([FIRST], {})


def test_the_policy_that_counts_is_the_last_one_that_was_applied(project: Project) -> None:
    project.write(RULE, asks(more="  deletionPolicy: Delete\n"))
    project.buy()
    project.write(RULE, project.text().split("---\n")[1].replace("Delete", "Retain"))
    assert project.reconcile("plan") == 0
    assert "deletionPolicy: Delete -> Retain" in project.said
    project.buy()
    project.write(RULE)
    assert project.apply("--allow-any", "DispatchRule/default/support", "--allow-releases") == 0, project.said
    assert project.cloud.released == []


def test_a_number_goes_to_another_rule_in_place(project: Project) -> None:
    project.write(RULE, asks())
    project.buy()
    other = RULE.replace("support", "sales").replace("lobby", "hall")
    project.write(RULE, other, names(FIRST, rule="sales"))
    assert project.apply("--allow-any", "DispatchRule/default/support") == 0, project.said
    assert f"{FIRST}: support/lobby -> sales/hall" in project.said
    assert (project.cloud.sold, project.cloud.released, project.rules_of(FIRST)) == ([FIRST], [], ["sales"])


def test_a_number_never_changes(project: Project) -> None:
    project.write(RULE, asks())
    project.buy()
    project.write(RULE, names(SECOND))
    assert project.apply("--allow-purchases") == 1, project.said
    assert f"{FIRST}, and cannot change" in project.said
    project.write(RULE, asks(purchase='countryCode: US, areaCode: "212"'))
    assert project.apply("--allow-purchases") == 1, project.said
    assert "a number cannot change" in project.said
    assert (project.cloud.sold, project.cloud.released, project.rules_of(FIRST)) == ([FIRST], [], ["support"])


def test_a_lost_state_folder_buys_nothing_again(project: Project) -> None:
    project.write(RULE, asks())
    project.buy()
    project.write(RULE, asks())
    project.lose_state()
    assert project.apply("--allow-purchases") == 1, project.said
    assert f"LiveKit holds {FIRST}, which no document stands for and may be this one's" in project.said
    assert project.apply("--allow-purchases", "--adopt", f"{FIRST}=default/us") == 0, project.said
    assert (project.cloud.sold, project.rules_of(FIRST)) == ([FIRST], ["support"])
    assert f'number: "{FIRST}"' in project.text()


def test_a_number_of_somebody_else_is_bought_beside_once_that_is_said(project: Project) -> None:
    project.cloud.by_hand("+14155559999")
    project.write(RULE, asks())
    assert project.apply("--allow-purchases") == 1, project.said
    assert project.apply("--allow-purchases", "--not-mine", "+14155559999") == 0, project.said
    project.buy()
    assert project.cloud.sold == [FIRST]


def test_a_number_that_was_bought_elsewhere_is_left_until_it_is_adopted(project: Project) -> None:
    project.cloud.by_hand(SECOND)
    project.write(RULE, names(SECOND))
    assert project.apply("--allow-purchases") == 1, project.said
    assert f"{SECOND} was not bought from here, and is left as it is" in project.said
    assert project.cloud.rules_of(SECOND) == []
    assert project.reconcile("plan", "--adopt", f"{SECOND}=default/us") == 0
    assert "owner: nobody -> default" in project.said
    assert project.ledger() == {}
    assert project.apply("--adopt", f"{SECOND}=default/us") == 0, project.said
    assert project.rules_of(SECOND) == ["support"]


def test_a_number_that_is_as_declared_needs_no_state(project: Project) -> None:
    project.write(RULE, asks())
    project.buy()
    project.lose_state()
    assert project.reconcile("plan", "--detailed-exitcode") == 0, project.said
    assert project.apply() == 0, project.said
    project.write(RULE)
    assert project.apply("--allow-any", "DispatchRule/default/support") == 0, project.said
    assert project.rules_of(FIRST) == ["support"]


def test_a_number_of_another_owner_is_a_conflict(project: Project) -> None:
    project.write(RULE, asks())
    project.buy()
    project.write(RULE)
    assert project.apply("--allow-any", "DispatchRule/default/support") == 0, project.said
    project.write(RULE.replace("support", "theirs"), names(FIRST, rule="theirs"))
    assert project.apply("--owner", "them") == 1, project.said
    assert f"{FIRST} belongs to the owner default" in project.said
    assert project.rules_of(FIRST) == []
    taking = ("--owner", "them", "--adopt", f"{FIRST}=default/us", "--take-over", "default")
    assert project.apply(*taking) == 0, project.said
    assert project.rules_of(FIRST) == ["theirs"]


def test_a_number_that_livekit_no_longer_holds_is_not_bought_again(project: Project) -> None:
    project.write(RULE, asks())
    project.buy()
    for text in (project.text().split("---\n")[1], asks()):
        project.cloud.numbers.clear()
        project.write(RULE, text)
        assert project.apply("--allow-purchases") == 1, project.said
        assert f"LiveKit no longer holds {FIRST}; it is not bought again" in project.said
    assert project.cloud.sold == [FIRST]


def test_a_number_that_nobody_holds_is_told(project: Project) -> None:
    project.write(RULE, names(FIRST))
    assert project.apply("--allow-purchases") == 1, project.said
    assert f"LiveKit holds no {FIRST} for this project" in project.said
    assert project.apply("--adopt", f"{FIRST}=default/us") == 1
    assert f"there is no {FIRST} at LiveKit" in project.said


def test_a_number_that_is_still_provided_is_assigned_by_a_later_apply(project: Project) -> None:
    project.cloud.provides = Status.PENDING
    project.write(RULE, asks())
    assert project.apply("--allow-purchases") == 1, project.said
    assert f"LiveKit is still providing {FIRST}" in project.said
    project.cloud.numbers[FIRST].status = Status.OFFLINE
    project.buy()
    assert (project.cloud.sold, project.rules_of(FIRST)) == ([FIRST], ["support"])


def test_a_number_without_a_rule_is_assigned_to_none(project: Project) -> None:
    project.write(
        f"{HEAD}kind: PhoneNumber\nmetadata: {{name: us}}\nspec: {{purchase: {{from: livekit, countryCode: US}}}}\n"
    )
    project.buy()
    assert project.cloud.rules_of(project.cloud.sold[0]) == []
    assert f'spec: {{number: "{project.cloud.sold[0]}", purchase' in project.text()
    assert project.reconcile("plan", "--detailed-exitcode") == 0, project.said


def test_a_number_cannot_be_for_calls_that_are_placed(project: Project) -> None:
    project.write(RULE, asks(more="  direction: outbound\n"))
    assert project.apply("--allow-purchases") == 1, project.said
    assert "a LiveKit number can only be called" in project.said
    assert project.cloud.sold == []


def test_a_purchase_that_is_refused_is_made_of_another_number_next_time(project: Project) -> None:
    project.write(RULE, asks())
    project.front.faults = always("Purchase", Fault(412, "failed_precondition"))
    assert project.apply("--allow-purchases") == 1, project.said
    assert f"{FIRST} was not sold" in project.said
    assert project.ledger() == {}
    project.front.well()
    del project.cloud.offers[FIRST]
    project.buy()
    assert project.cloud.sold == [SECOND]


def test_a_purchase_without_a_known_end_is_never_made_of_another_number(project: Project) -> None:
    project.write(RULE, asks())
    project.front.faults = always("Purchase", Fault(401, "unauthenticated"))  # ends the run in the middle
    assert project.apply("--allow-purchases") == 1, project.said
    project.front.well()
    offer = project.cloud.offers.pop(FIRST)
    assert project.apply("--allow-purchases") == 1, project.said
    assert f"--not-mine {FIRST}" in project.said
    assert project.cloud.sold == []
    project.cloud.offers[FIRST] = offer
    project.buy()
    assert project.cloud.sold == [FIRST]


def test_a_purchase_that_was_cut_off_and_done_counts_as_bought_from_then_on(project: Project) -> None:
    project.write(RULE, asks())
    project.front.faults = always("Purchase", Fault(401, "unauthenticated", done=True))
    assert project.apply("--allow-purchases") == 1, project.said
    assert project.ledger()[FIRST]["stage"] == "asked"
    project.front.well()
    project.buy()
    assert project.ledger()[FIRST]["stage"] == "bought"
    assert project.cloud.sold == [FIRST]


def test_standing_in_standard_input_a_number_is_told_to_be_written(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        text = "---\n".join((RULE, asks()))
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        assert project.reconcile("apply", "--allow-purchases", source="-") == 0, project.said
        assert f'write `number: "{FIRST}"` beside `purchase`' in project.said
    assert project.cloud.sold == [FIRST]


def test_a_file_that_is_edited_meanwhile_is_left_and_the_record_holds(project: Project) -> None:
    project.write(RULE, asks())
    edited = asks(more="  direction: inbound\n")
    project.front.faults = always("UpdatePhone", Fault(first=lambda: project.write(RULE, edited)))
    assert project.apply("--allow-purchases") == 0
    assert "its document has changed meanwhile" in project.said
    assert project.text() == "---\n".join((RULE, edited))
    project.front.well()
    project.buy()
    assert f'number: "{FIRST}"' in project.text()
    assert project.cloud.sold == [FIRST]


def test_a_plan_that_was_approved_buys_what_it_says(project: Project, tmp_path: Path) -> None:
    project.write(RULE, asks())
    file = str(tmp_path / "plan.json")
    assert project.reconcile("plan", "--out", file) == 3
    assert project.reconcile("plan", "--out", file, "--allow-purchases") == 0, project.said
    assert project.apply("--plan", file, *(() if project.ledger() else ("--allow-purchases",))) == 0, project.said
    assert project.cloud.sold == [FIRST]


def test_two_applies_at_once_do_not_both_buy(project: Project) -> None:
    project.write(RULE, asks())
    codes: list[Any] = []

    def meanwhile() -> None:
        project.front.well()
        codes.append(project.apply("--allow-purchases"))

    project.front.faults = always("Search", Fault(first=meanwhile))
    project.apply("--allow-purchases")
    assert codes == [1]
    assert project.cloud.sold == [FIRST]


def test_a_server_that_has_no_numbers_of_its_own_is_told_apart(project: Project) -> None:
    project.front.behind = project.cloud = Cloud()
    project.cloud.has_numbers = False
    project.write(RULE, RULE.replace("support", "b"), asks())
    assert project.apply("--allow-purchases") == 1, project.said
    assert "this LiveKit server has no phone numbers of its own, only LiveKit Cloud has" in project.said


def test_who_has_no_numbers_does_not_ask_for_any(project: Project) -> None:
    project.write(RULE)
    assert project.apply() == 0, project.said
    assert "ListPhoneNumbers" not in project.front.calls


def test_an_import_names_the_numbers_of_the_project_and_how_they_are_declared(project: Project) -> None:
    rule = sip.SIPDispatchRuleInfo(name="support")
    rule.rule.dispatch_rule_direct.room_name = "lobby"
    made = project.cloud.call(
        "CreateSIPDispatchRule", sip.CreateSIPDispatchRuleRequest(dispatch_rule=rule).SerializeToString()
    )
    project.cloud.by_hand(FIRST, made.sip_dispatch_rule_id)
    project.cloud.by_hand("+12125550199")
    assert project.run("import", "--from", "livekit", "--out", str(project.folder / "imported")) == 0, project.said
    assert f"  {FIRST} -> default/support\n" in project.said
    assert "  +12125550199 -> no rule\n" in project.said
    project.write(names(FIRST))
    assert (
        project.apply("--adopt", f"{FIRST}=default/us", "--adopt", f"{made.sip_dispatch_rule_id}=default/support") == 0
    )
    assert project.reconcile("plan", "--detailed-exitcode") == 0, project.said


@pytest.mark.parametrize("number", ["+19005550199", "+12125550100", "+18005550100", "+441555010000", "+1415555010"])
def test_a_number_whose_digits_say_otherwise_than_the_server_is_not_bought(project: Project, number: str) -> None:
    project.cloud.begin(on_sale(number, area="415"))
    project.write(RULE, asks())
    assert project.apply("--allow-purchases") == 1
    assert "PurchasePhoneNumber" not in project.front.calls


def test_what_is_sold_as_toll_free_is_toll_free(project: Project) -> None:
    project.cloud.begin(on_sale("+14155550100", type_=Type.TOLL_FREE))
    project.write(RULE, asks(purchase="countryCode: US, type: tollFree"))
    assert project.apply("--allow-purchases") == 1
    assert "PurchasePhoneNumber" not in project.front.calls


def test_an_answer_about_another_number_ends_the_purchase_and_is_remembered(project: Project) -> None:
    other = on_sale("+14155559999")
    project.cloud._purchase = lambda _: {"phone_numbers": [other]}  # type: ignore[method-assign]
    project.write(RULE, asks())
    assert project.apply("--allow-purchases") == 1
    assert "whether +14155550100 was bought is not known yet" in project.said
    assert project.front.calls.count("PurchasePhoneNumber") == 1
    assert project.ledger()[FIRST]["stage"] == "asked"


def test_a_ledger_behind_a_link_is_not_read_nor_its_lock_made_there(project: Project, tmp_path: Path) -> None:
    project.write(RULE, asks())
    project.buy()
    [ledger] = project.state.glob("*.numbers.json")
    for file in (ledger, ledger.with_suffix(".lock")):
        away = tmp_path / file.name
        file.rename(away)
        file.symlink_to(away)
        assert project.apply() == 1
        assert f"{file.name}" in project.said
        assert "symbolic links" in project.said
        file.unlink()
        away.rename(file)
    assert project.apply() == 0
