"""What is imported changes nothing: the plan with the manifests only marks, and after the marking there is none."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import HealthCheck, given, settings
from livekit.protocol import sip

from reconciler.manifests.reading import read_file
from reconciler.manifests.yaml_text import Remarked, yaml_text
from reconciler.model.secrets import Secrets
from reconciler.model.standing import Declared
from reconciler.plan.gates import Allowances, refusals
from reconciler.plan.turn import Turn
from reconciler.plan.words import changed_words
from reconciler.targets.livekit.holdings import Info, id_of, sort
from reconciler.targets.livekit.importing.proof import Imported, import_of
from reconciler.targets.livekit.planning import Course, Recorded, View, as_gated, course, view_of
from reconciler.targets.livekit.steps import Verb
from reconciler.targets.livekit.writing import without_marker
from tests.livekit_contents import contents, with_ids
from tests.livekit_telephony import SEALER

OWNER = "mine"


def imported(infos: list[Info]) -> Imported:
    return import_of(infos, OWNER, "default", Recorded(), SEALER)


def declared(done: Imported) -> Declared:
    """What is read of the written file."""
    text = yaml_text([Remarked(data) for data in done.documents.values()])
    for secret in done.variables.values.values():
        assert len(secret) < 4 or secret not in text
    reading = read_file(text.encode(), "a.yaml")
    assert [problem for problem in reading.problems if problem.is_error] == []
    found = {f"env:{name}": value.encode() for name, value in done.variables.values.items()}
    return Declared({"a.yaml": reading.sources}, (), Secrets(found, SEALER, needed=True))


def planned(infos: list[Info], done: Imported, *, adopt: bool) -> tuple[View, Course]:
    read = declared(done)
    holdings = sort(infos, OWNER, done.draft.claims if adopt else ())
    view = view_of(OWNER, holdings, read, Recorded(), SEALER)
    return view, course(view, read)


def by_id(infos: list[Info]) -> dict[str, Info]:
    return {id_of(info): info for info in infos}


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(contents())
def test_the_plan_only_marks_and_then_there_is_none(infos: list[Info]) -> None:
    server = by_id(with_ids(infos))
    before = deepcopy(server)
    done = imported(infos)
    assert server == before
    # An object with our own mark and no form in a manifest would be deleted, and is told as such; the rest is proved.
    kept = [info for info in infos if id_of(info) not in done.endangered]
    view, way = planned(kept, done, adopt=True)
    assert not way.desired.verdicts
    assert refusals(Turn(view.live.tables, as_gated(way.plan)), view.live.mine, Allowances()) == ()
    for change in way.plan.changes:
        assert changed_words(change.old, change.new) == []  # type: ignore[arg-type]
        assert [one.field for one in change.beside] == ["owner"]
    marked: dict[str, Info] = {}
    for step in way.steps:
        assert (step.verb, step.held is not None) == (Verb.REPLACE, True)
        marked[step.held.id] = way.goal.info(step.part, step.name, step.held.info, holdings_ids(way))  # type: ignore[union-attr]
        assert without_marker(marked[step.held.id]) == without_marker(step.held.info)  # type: ignore[union-attr]
    assert marked.keys() == {claim.id for claim in done.draft.claims}
    after = [marked.get(id_of(info), info) for info in kept]
    _, then = planned(after, done, adopt=False)
    assert (then.plan.changes, then.steps) == ((), [])
    again = import_of(after, OWNER, "default", Recorded(), SEALER)
    assert {claim.id for claim in again.draft.claims} <= done.left.keys()
    assert done.left or again.documents == done.documents


def holdings_ids(way: Course) -> dict[str, str]:
    return way.holdings.inbound_ids()


@given(contents())
def test_every_object_is_imported_or_told_why_not(infos: list[Info]) -> None:
    done = imported(with_ids(infos))
    everything = {id_of(info) for info in infos}
    assert done.left.keys() | done.pieces.keys() == everything
    assert not done.left.keys() & done.pieces.keys()
    assert all(done.left.values())
    assert imported(list(reversed(infos))).documents == done.documents


def named(*infos: Any) -> tuple[Imported, list[str]]:
    done = imported(with_ids(list(infos)))
    return done, [f"{kind} {name}" for kind, name in done.documents]


def inbound(**fields: Any) -> sip.SIPInboundTrunkInfo:
    return sip.SIPInboundTrunkInfo(**{"name": "Carrier", "numbers": ["+14155550100"], **fields})


def outbound(**fields: Any) -> sip.SIPOutboundTrunkInfo:
    return sip.SIPOutboundTrunkInfo(
        **{"name": "Carrier", "numbers": ["+14155550100"], "address": "sip.example.com", **fields}
    )


def test_two_halves_of_one_name_are_one_trunk_and_its_number_serves_both_ways() -> None:
    done, names = named(inbound(), outbound())
    assert names == ["Trunk default/carrier", "PhoneNumber default/number-14155550100"]
    *_, number = done.documents.values()
    assert number["spec"] == {"number": "+14155550100", "trunkRef": {"name": "carrier"}}


def test_two_halves_of_the_same_numbers_are_one_trunk() -> None:
    assert named(inbound(), outbound(name="Out"))[1][0] == "Trunk default/carrier"
    assert len(named(inbound(), outbound(name="Out", numbers=["+14155550101"]))[1]) == 4


def test_halves_that_differ_where_a_trunk_has_one_field_stay_two() -> None:
    _, names = named(inbound(metadata="a"), outbound(metadata="b"))
    assert names[:2] == ["Trunk default/carrier", "Trunk default/carrier-outbound"]


def test_a_half_without_form_does_not_take_the_other_with_it() -> None:
    done, names = named(inbound(), outbound(numbers=["sales"]))
    assert names[0] == "Trunk default/carrier"
    assert done.left == {"ST_000000000001": ["number: `sales` is not a telephone number"]}


def test_a_number_points_at_the_one_rule_that_lists_it() -> None:
    rule = sip.SIPDispatchRuleInfo(name="Support", numbers=["14155550100", "+14155550199"])
    rule.rule.dispatch_rule_direct.room_name = "lobby"
    done, _ = named(inbound(), rule)
    _, support, number = done.documents.values()
    assert support["spec"]["match"] == {"to": ["+14155550199"]}
    assert number["spec"]["dispatchRuleRef"] == {"name": "support"}


def test_secrets_become_variables_one_for_both_halves_where_they_are_the_same() -> None:
    auth = {"auth_username": "acme", "auth_password": "Tiger"}
    done, _ = named(inbound(**auth), outbound(**auth))
    assert done.variables.values == {"CARRIER_PASSWORD": "Tiger"}
    done, _ = named(inbound(**auth), outbound(**{**auth, "auth_password": "Lion"}))
    assert done.variables.values == {"CARRIER_PASSWORD": "Tiger", "CARRIER_OUTBOUND_PASSWORD": "Lion"}
    assert "Tiger" not in repr(done.documents)


def test_a_trunk_with_a_credential_in_its_headers_is_left_and_told_of() -> None:
    done, names = named(
        outbound(headers={"Authorization": "Bearer hunter2"}),
        outbound(name="Other", headers={"X-Api-Key": "hunter2"}),
        inbound(name="In", headers={"X-Tenant": "acme"}),
    )
    assert "Trunk default/in" in names
    assert sorted(why for whys in done.left.values() for why in whys) == [
        "headers.Authorization: its value may be a credential, and manifests are no place for one",
        "headers.X-Api-Key: its value may be a credential, and manifests are no place for one",
    ]
    assert "hunter2" not in str(done.documents)
