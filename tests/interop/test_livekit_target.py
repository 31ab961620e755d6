"""Manifests applied to a genuine livekit-server: what it holds after, what it keeps, and what it is left with."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ServerDisconnectedError
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from livekit.api.sip_service import SipService
from livekit.protocol import sip

from reconciler.cli import run
from reconciler.errors import ReconcileError
from reconciler.model.standing import Declared
from reconciler.plan.changes import Action, Plan
from reconciler.plan.render import text
from reconciler.targets.livekit.carrying import Carrying
from reconciler.targets.livekit.holdings import Claim, id_of, marker_of
from reconciler.targets.livekit.server import Server
from reconciler.targets.livekit.target import Adoption, LiveKitTarget
from reconciler.targets.target import Planned
from schemas.stores import SqliteStore
from tests.livekit_folders import folders
from tests.livekit_peers import needs_livekit
from tests.livekit_telephony import ANYTHING, Telephony, read_folder
from tests.reconciler import declaring

pytestmark = [needs_livekit, pytest.mark.peer("redis-server"), pytest.mark.xdist_group("livekit-telephony")]

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "manifests"
NOBODY = Adoption()
ENVIRON = {"PARTNER_PASSWORD": "Tiger-in-the-trunk", "BOARD_ROOM_PIN": "93847561", "BOARD_PIN": "4711"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Telephony]:
    with Telephony(tmp_path_factory.mktemp("livekit")) as server:
        assert isinstance(server, Telephony)
        yield server


@pytest.fixture
def livekit(running: Telephony) -> Telephony:
    running.empty()
    return running


class Manifests:
    """A folder and the owner who applies it."""

    def __init__(self, livekit: Telephony, folder: Path, owner: str = "default", store: SqliteStore | None = None):
        self.livekit, self.folder, self.owner, self.store = livekit, folder, owner, store
        self.environ = ENVIRON
        folder.mkdir(exist_ok=True)

    def write(self, *documents: Any) -> Manifests:
        (self.folder / "a.yaml").write_bytes(declaring.text(documents))
        return self

    def target(self, adoption: Adoption = NOBODY) -> LiveKitTarget:
        return LiveKitTarget(self.livekit.access, self.store, self.owner, adoption, wall=lambda: 1000.0)

    def declared(self) -> Declared:
        return read_folder(self.folder, self.environ)

    def apply(self, adoption: Adoption = NOBODY) -> Planned:
        return self.target(adoption).apply(self.declared(), ANYTHING)

    def plan(self, adoption: Adoption = NOBODY) -> Plan:
        return self.target(adoption).plan(self.declared(), ANYTHING).plan


@pytest.fixture
def manifests(livekit: Telephony, tmp_path: Path) -> Manifests:
    return Manifests(livekit, tmp_path / "manifests")


def errors(planned: Planned) -> list[str]:
    return [problem.what for problem in planned.desired.problems if problem.is_error]


def lines(plan: Plan) -> list[str]:
    return [line.text for line in text(plan)]


def auth() -> dict[str, Any]:
    return {"username": "acme", "passwordFrom": {"env": "PARTNER_PASSWORD"}}


@pytest.mark.parametrize("lesson", ["01-one-number", "02-two-rooms", "05-secrets", "06-pins"])
def test_a_lesson_is_applied_and_then_there_is_nothing_left_to_do(livekit: Telephony, lesson: str) -> None:
    manifests = Manifests(livekit, EXAMPLES / lesson)
    planned = manifests.apply()
    assert errors(planned) == []
    assert planned.plan.count(Action.CREATE) == sum(map(len, planned.desired.sources.values()))
    assert not manifests.plan()


def test_what_livekit_cannot_hold_holds_back_its_object_alone(livekit: Telephony) -> None:
    planned = Manifests(livekit, EXAMPLES / "03-callers-and-priorities").apply()
    assert {object_.name.partition(" ")[0] for object_ in livekit.objects()} == {"anyone", "grandmother"}
    assert [problem.where.line for problem in planned.desired.problems if problem.code == "unsupported"] == [10, 18, 40]


def test_secrets_are_sent_and_shown_nowhere(livekit: Telephony, manifests: Manifests) -> None:
    manifests.write(
        declaring.trunk(inbound={"allowedAddresses": ["10.1.0.0/16"], "auth": auth()}),
        declaring.rule(pinFrom={"env": "BOARD_PIN"}, trunkRefs=[{"name": "carrier"}]),
    )
    planned = manifests.apply()
    trunk, rule = livekit.objects()
    assert isinstance(trunk, sip.SIPInboundTrunkInfo)
    assert isinstance(rule, sip.SIPDispatchRuleInfo)
    assert (trunk.auth_password, rule.rule.dispatch_rule_direct.pin) == ("Tiger-in-the-trunk", "4711")
    assert not manifests.plan()
    manifests.environ = {**ENVIRON, "PARTNER_PASSWORD": "another"}
    changed = manifests.apply()
    assert lines(changed.plan)[1].strip().endswith("(secret env:PARTNER_PASSWORD), changed")
    told = "\n".join([*lines(planned.plan), *lines(changed.plan), repr(planned.plan), repr(changed)])
    assert "Tiger" not in told
    assert "another" not in told


def test_edits_by_hand_are_seen_and_undone_and_what_no_manifest_says_stays(
    livekit: Telephony, manifests: Manifests
) -> None:
    manifests.write(
        declaring.trunk(inbound={"allowedAddresses": ["10.1.0.0/16"], "calledNumbers": "declared"}, metadata="mine"),
        declaring.rule(trunkRefs=[{"name": "carrier"}], metadata="for participants", attributes={"team": "support"}),
        declaring.number(trunkRef={"name": "carrier"}, dispatchRuleRef={"name": "support"}),
    )
    assert errors(manifests.apply()) == []
    trunk, rule = livekit.objects()
    assert isinstance(trunk, sip.SIPInboundTrunkInfo)
    assert isinstance(rule, sip.SIPDispatchRuleInfo)
    assert trunk.metadata.splitlines() == ["mine", "dialplane.dev/owner=default kind=Trunk name=default/carrier"]
    assert (rule.metadata, dict(rule.attributes)) == ("for participants", {"team": "support"})
    trunk.name = "Our carrier, do not touch"
    trunk.numbers.append("+14155550199")
    trunk.ringing_timeout.FromSeconds(20)
    livekit.sip("update_inbound_trunk", trunk.sip_trunk_id, trunk)
    rule.room_config.tags["a"] = "b"
    rule.rule.dispatch_rule_direct.room_name = "elsewhere"
    livekit.sip("update_dispatch_rule", rule.sip_dispatch_rule_id, rule)
    told = lines(manifests.plan())
    assert f"~ Trunk default/carrier [{trunk.sip_trunk_id}]" in told[0]
    assert "    inbound.ringingTimeout: 20s -> 3m" in told
    assert "    rule.direct.room: elsewhere -> lobby" in told
    assert any("- PhoneNumber default/carrier.+14155550199" in line for line in told)
    assert errors(manifests.apply()) == []
    assert not manifests.plan()
    trunk, rule = livekit.objects()
    assert isinstance(trunk, sip.SIPInboundTrunkInfo)
    assert isinstance(rule, sip.SIPDispatchRuleInfo)
    assert (trunk.name, [*trunk.numbers]) == ("Our carrier, do not touch", ["+14155550100"])
    assert (dict(rule.room_config.tags), rule.rule.dispatch_rule_direct.room_name) == ({"a": "b"}, "lobby")


def test_objects_of_nobody_and_of_other_owners_are_never_touched(livekit: Telephony, tmp_path: Path) -> None:
    bare = sip.SIPInboundTrunkInfo(name="bare", numbers=["+14155550177"], metadata="dialplane.dev/owner")
    livekit.sip("create_inbound_trunk", sip.CreateSIPInboundTrunkRequest(trunk=bare))
    theirs = Manifests(livekit, tmp_path / "theirs", "them")
    theirs.write(declaring.trunk("other", inbound={"allowedAddresses": ["10.9.0.1"], "allowedNumbers": ["+1415"]}))
    theirs.apply()
    before = livekit.objects()
    mine = Manifests(livekit, tmp_path / "mine")
    mine.write(declaring.trunk(), declaring.rule(trunkRefs=[{"name": "carrier"}])).apply()
    assert len(livekit.objects()) == 4
    mine.write(declaring.rule("alone", match={"to": ["+14155550111"]})).apply()
    for path in mine.folder.iterdir():
        path.unlink()
    (mine.folder / "b.yaml").write_text("# nothing\n")
    mine.apply()
    assert livekit.objects() == before


def test_rules_go_before_the_trunks_that_they_name(
    livekit: Telephony, manifests: Manifests, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests.write(declaring.trunk(), declaring.rule(trunkRefs=[{"name": "carrier"}])).apply()
    order: list[str] = []
    delete, create = Server.delete, Server.create

    async def deleting(self: Server, part: Any, id_: str) -> None:
        order.append(f"delete {part}")
        await delete(self, part, id_)

    async def creating(self: Server, info: Any) -> Any:
        order.append(f"create {type(info).__name__}")
        return await create(self, info)

    monkeypatch.setattr(Server, "delete", deleting)
    monkeypatch.setattr(Server, "create", creating)
    manifests.write(declaring.trunk("next", inbound={"allowedAddresses": ["10.3.0.0/16"], "auth": auth()})).apply()
    assert order.index("delete dispatch rule") < order.index("delete inbound trunk")
    assert [type(info).__name__ for info in livekit.objects()] == ["SIPInboundTrunkInfo"]


def test_an_object_is_adopted_by_name_only_and_then_as_declared(livekit: Telephony, manifests: Manifests) -> None:
    bare = sip.SIPInboundTrunkInfo(name="bare", allowed_addresses=["10.1.2.3"], metadata="theirs")
    made = livekit.sip("create_inbound_trunk", sip.CreateSIPInboundTrunkRequest(trunk=bare))
    manifests.write(declaring.trunk(inbound={"allowedAddresses": ["10.1.2.3"]}, metadata="theirs"))
    adoption = Adoption((Claim(made.sip_trunk_id, "default/carrier"),))
    assert lines(manifests.plan(adoption))[:2] == [
        f"~ Trunk default/carrier [{made.sip_trunk_id}]",
        "    owner: nobody -> default",
    ]
    assert errors(manifests.apply(adoption)) == []
    (trunk,) = livekit.objects()
    assert marker_of(trunk) is not None
    assert (trunk.name, trunk.metadata.splitlines()[0]) == ("bare", "theirs")
    assert isinstance(trunk, sip.SIPInboundTrunkInfo)
    assert [*trunk.allowed_addresses] == ["10.1.2.3"]
    assert not manifests.plan()
    livekit.empty()
    made = livekit.sip("create_inbound_trunk", sip.CreateSIPInboundTrunkRequest(trunk=bare))
    with pytest.raises(ReconcileError, match="would be deleted"):
        manifests.plan(Adoption((Claim(made.sip_trunk_id, "default/nowhere"),)))


def test_another_owners_object_needs_its_owner_named(livekit: Telephony, tmp_path: Path) -> None:
    Manifests(livekit, tmp_path / "a", "them").write(declaring.trunk()).apply()
    (trunk,) = livekit.objects()
    assert isinstance(trunk, sip.SIPInboundTrunkInfo)
    mine = Manifests(livekit, tmp_path / "b", "me").write(declaring.trunk())
    assert "belongs to the owner them" in errors(mine.apply())[0]
    claims = (Claim(trunk.sip_trunk_id, "default/carrier"),)
    with pytest.raises(ReconcileError, match="--take-over them"):
        mine.plan(Adoption(claims))
    assert errors(mine.apply(Adoption(claims, "them"))) == []
    (trunk,) = livekit.objects()
    marker = marker_of(trunk)
    assert marker is not None
    assert marker.owner == "me"


def test_what_is_to_be_retained_stays_without_a_mark(livekit: Telephony, manifests: Manifests) -> None:
    manifests.write(declaring.trunk(deletionPolicy="Retain", metadata="mine"), declaring.rule()).apply()
    manifests.write(declaring.rule())
    plan = manifests.plan()
    assert any("stays there, without an owner" in line for line in lines(plan))
    manifests.apply()
    (trunk,) = [info for info in livekit.objects() if isinstance(info, sip.SIPInboundTrunkInfo)]
    assert (trunk.metadata, marker_of(trunk)) == ("mine", None)


def test_while_a_file_cannot_be_read_a_new_machine_deletes_nothing(livekit: Telephony, manifests: Manifests) -> None:
    manifests.write(declaring.trunk(), declaring.rule(trunkRefs=[{"name": "carrier"}])).apply()
    before = livekit.objects()
    manifests.write(
        declaring.trunk("other", inbound={"allowedAddresses": ["10.1.0.0/16"], "allowedNumbers": ["+1415"]})
    )
    (manifests.folder / "b.yaml").write_text("kind: [unclosed")
    manifests.apply()
    assert [info for info in livekit.objects() if info in before] == before


def test_a_trunk_never_loses_its_last_number(livekit: Telephony, manifests: Manifests) -> None:
    trunk = declaring.trunk(inbound={"allowedAddresses": ["10.1.0.0/16"], "calledNumbers": "declared"})
    manifests.write(trunk)
    assert "LiveKit takes a trunk without numbers for one of any number" in errors(manifests.apply())[0]
    assert livekit.objects() == []
    manifests.write(trunk, declaring.number(trunkRef={"name": "carrier"})).apply()
    manifests.write(trunk).apply()
    (held,) = livekit.objects()
    assert [*held.numbers] == ["+14155550100"]


def test_an_object_under_another_name_stays_the_object_that_it_is(livekit: Telephony, manifests: Manifests) -> None:
    number = {"trunkRef": {"name": "carrier"}, "dispatchRuleRef": {"name": "support"}}
    trunk = declaring.trunk(inbound={"allowedAddresses": ["10.1.0.0/16"], "calledNumbers": "declared"})
    manifests.write(trunk, declaring.rule(trunkRefs=[{"name": "carrier"}]), declaring.number(**number)).apply()
    before = [id_of(info) for info in livekit.objects()]
    trunk["metadata"] = {"name": "partner", "annotations": {"dialplane.dev/renamed-from": "carrier"}}
    number = {**number, "trunkRef": {"name": "partner"}}
    manifests.write(trunk, declaring.rule(trunkRefs=[{"name": "partner"}]), declaring.number(**number))
    assert lines(manifests.plan())[0] == f"> Trunk default/partner (was default/carrier) [{before[0]}]"
    planned = manifests.apply()
    assert (errors(planned), planned.refused) == ([], ())
    assert [id_of(info) for info in livekit.objects()] == before
    assert "name=default/partner" in livekit.objects()[0].metadata
    assert not manifests.plan()


def test_a_clash_with_an_unmarked_object_is_told_in_livekits_words(livekit: Telephony, manifests: Manifests) -> None:
    bare = sip.SIPInboundTrunkInfo(name="bare", allowed_addresses=["10.0.0.0/8"])
    livekit.sip("create_inbound_trunk", sip.CreateSIPInboundTrunkRequest(trunk=bare))
    planned = manifests.write(declaring.trunk(), declaring.rule(trunkRefs=[{"name": "carrier"}])).apply()
    assert [problem.code for problem in planned.desired.problems] == ["livekit-refused", "livekit-waits"]
    assert "Conflicting inbound SIP Trunks" in planned.desired.problems[0].what


class Cut(BaseException):
    """The process was killed here."""


@pytest.mark.parametrize("before_or_after", ["before", "after"])
def test_an_apply_that_is_cut_off_anywhere_is_finished_by_the_next_one(
    livekit: Telephony, manifests: Manifests, monkeypatch: pytest.MonkeyPatch, before_or_after: str
) -> None:
    first = [
        declaring.trunk(
            inbound={"allowedAddresses": ["10.1.0.0/16"], "calledNumbers": "declared"},
            outbound={"addresses": ["sip.example.com"]},
        ),
        declaring.rule(trunkRefs=[{"name": "carrier"}]),
        declaring.number(trunkRef={"name": "carrier"}, dispatchRuleRef={"name": "support"}),
    ]
    second = [
        declaring.trunk("other", inbound={"allowedAddresses": ["10.1.0.0/16"], "calledNumbers": "declared"}),
        declaring.rule(room="hall", trunkRefs=[{"name": "other"}]),
        declaring.number("second", "+14155550101", trunkRef={"name": "other"}, dispatchRuleRef={"name": "support"}),
    ]
    calls = 0
    real = Server._call

    async def cut(self: Server, call: Any, *, again: bool = True, tries: int = 5) -> Any:
        nonlocal calls
        calls -= 1
        if before_or_after == "before" and calls == 0:
            raise Cut
        answer = await real(self, call, again=again, tries=tries)
        if before_or_after == "after" and calls == 0:
            raise Cut
        return answer

    monkeypatch.setattr(Server, "_call", cut)
    for documents, most in ((first, 14), (second, 24)):
        manifests.write(*documents)
        was_cut = 0
        for at in range(1, most):
            livekit.empty()
            if documents is second:
                calls = 0
                manifests.write(*first).apply()
                manifests.write(*second)
            calls = at
            try:
                manifests.apply()
            except Cut:
                was_cut += 1
            calls = 0
            finished = manifests.apply()
            assert (errors(finished), finished.refused) == ([], ())
            assert not manifests.plan()
            marks = [str(marker_of(info)) + type(info).__name__ for info in livekit.objects()]
            assert len(marks) == len(set(marks)) == (3 if documents is first else 2)
        assert was_cut > 5


def test_an_edit_by_hand_between_plan_and_apply_is_not_written_over(
    livekit: Telephony, manifests: Manifests, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests.write(declaring.trunk(), declaring.rule(trunkRefs=[{"name": "carrier"}])).apply()
    trunk, _ = livekit.objects()
    assert isinstance(trunk, sip.SIPInboundTrunkInfo)
    trunk.allowed_addresses.append("192.0.2.1")
    out = Carrying.out

    async def after_an_edit(self: Carrying, *todo: Any) -> Any:
        await asyncio.to_thread(livekit.sip, "update_inbound_trunk", trunk.sip_trunk_id, trunk)
        return await out(self, *todo)

    manifests.write(declaring.trunk(net=2), declaring.rule(room="hall", trunkRefs=[{"name": "carrier"}]))
    with monkeypatch.context() as patched:
        patched.setattr(Carrying, "out", after_an_edit)
        planned = manifests.apply()
    (told,) = errors(planned)
    assert told == f"Trunk default/carrier, inbound trunk: {trunk.sip_trunk_id} was changed since it was planned"
    assert livekit.objects()[0] == trunk
    assert lines(manifests.plan())[1] == "    inbound.allowedAddresses: [10.1.0.0/16, 192.0.2.1/32] -> [10.2.0.0/16]"
    assert not manifests.apply().desired.problems
    assert not manifests.plan()


def test_a_create_whose_answer_is_lost_makes_no_second_object(
    livekit: Telephony, manifests: Manifests, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, lost = SipService.create_inbound_trunk, 0

    async def losing(self: SipService, request: sip.CreateSIPInboundTrunkRequest) -> sip.SIPInboundTrunkInfo:
        nonlocal lost
        made = await create(self, request)
        lost += 1
        raise ServerDisconnectedError if lost == 1 else AssertionError(f"{made.sip_trunk_id} is the second one")

    monkeypatch.setattr(SipService, "create_inbound_trunk", losing)
    planned = manifests.write(declaring.trunk(), declaring.rule(trunkRefs=[{"name": "carrier"}])).apply()
    assert (errors(planned), len(livekit.objects()), lost) == ([], 2, 1)
    assert not manifests.plan()


def at_a_shell(livekit: Telephony, manifests: Manifests, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the manifests, with the server's variables set."""
    for name, value in livekit.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(manifests.folder.parent)


def test_the_same_is_done_from_the_command_line(
    livekit: Telephony, manifests: Manifests, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at_a_shell(livekit, manifests, monkeypatch)
    manifests.write(declaring.trunk(), declaring.rule(trunkRefs=[{"name": "carrier"}]))
    source = [str(manifests.folder), "--target", "livekit"]
    assert run(["plan", *source, "--detailed-exitcode"]) == 2
    assert not Path(".dialplane").exists()
    assert run(["apply", *source]) == 0
    assert "Applied: 2 objects written at 127.0.0.1:" in capsys.readouterr().out
    assert run(["plan", *source, "--detailed-exitcode"]) == 0
    assert "No changes: LiveKit is as declared." in capsys.readouterr().out
    manifests.write(declaring.rule(trunkRefs=[{"name": "carrier"}]), declaring.trunk(net=2))
    assert run(["plan", *source, "--detailed-exitcode", "-o", "json"]) == 2
    (change,) = json.loads(capsys.readouterr().out)["changes"]
    assert change["objects"] == [info.sip_trunk_id for info in livekit.objects() if hasattr(info, "sip_trunk_id")]
    manifests.write(declaring.rule("another"))
    assert run(["apply", *source]) == 3
    assert len(livekit.objects()) == 2
    log = Path(".dialplane/audit.jsonl").read_text()
    written = [json.loads(line) for line in log.splitlines()]
    assert [line["event"] for line in written] == ["apply", "refusal"]
    assert all(line["target"].startswith("livekit:127.0.0.1:") for line in written)
    assert written[0]["changes"]["Trunk"] == {"create": ["default/carrier"]}
    assert (written[0]["details"]["written"], written[0]["details"]["errors"]) == (2, 0)
    assert not any(livekit.environment[name] in log for name in ("LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"))


def test_a_plan_is_saved_and_carried_out_and_a_stale_or_strange_one_is_refused(
    livekit: Telephony, manifests: Manifests, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at_a_shell(livekit, manifests, monkeypatch)
    source = [str(manifests.folder), "--target", "livekit"]
    rule = declaring.rule(trunkRefs=[{"name": "carrier"}])
    manifests.write(declaring.trunk(), rule)
    assert run(["plan", *source, "--out", "first.json", "-o", "markdown"]) == 0
    assert "**What becomes of calls:** 1 number is answered now" in capsys.readouterr().out
    assert run(["apply", str(manifests.folder), "--plan", "first.json", "--target", "tables"]) == 1
    assert "is a plan for --target livekit, leave out --target tables" in capsys.readouterr().err
    assert run(["apply", str(manifests.folder), "--plan", "first.json"]) == 0
    assert len(livekit.objects()) == 2
    assert run(["apply", str(manifests.folder), "--plan", "first.json"]) == 1
    told = capsys.readouterr().err
    assert "what LiveKit holds has changed since it was made" in told
    assert f"reconcile plan {manifests.folder} --target livekit --out first.json" in told
    manifests.write(declaring.trunk(net=2), rule)
    assert run(["plan", *source, "--out", "second.json"]) == 0
    livekit.sip("create_inbound_trunk", sip.CreateSIPInboundTrunkRequest(trunk={"numbers": ["+15"], "name": "other"}))
    assert run(["apply", str(manifests.folder), "--plan", "second.json"]) == 1
    assert run(["plan", *source, "--out", "second.json"]) == 0
    monkeypatch.setenv("LIVEKIT_URL", "ws://localhost:1")
    assert run(["apply", str(manifests.folder), "--plan", "second.json"]) == 1
    assert "not for livekit:localhost:1" in capsys.readouterr().err
    assert manifests.plan()
    monkeypatch.setenv("LIVEKIT_URL", livekit.url)
    assert run(["apply", str(manifests.folder), "--plan", "second.json"]) == 0
    assert not manifests.plan()


def test_an_adoption_is_a_part_of_the_plan_that_is_saved(
    livekit: Telephony, manifests: Manifests, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at_a_shell(livekit, manifests, monkeypatch)
    manifests.write(declaring.trunk("unrelated", inbound={"allowedAddresses": ["10.9.0.0/16"]}))
    assert run(["apply", str(manifests.folder), "--target", "livekit"]) == 0
    made = livekit.sip("create_inbound_trunk", sip.CreateSIPInboundTrunkRequest(trunk={"numbers": ["+14155550100"]}))
    manifests.write(
        declaring.trunk("unrelated", inbound={"allowedAddresses": ["10.9.0.0/16"]}),
        declaring.trunk(inbound={"allowedAddresses": ["10.1.0.0/16"], "calledNumbers": "declared"}),
        declaring.number(trunkRef={"name": "carrier"}),
    )
    adopting = ["--adopt", f"{made.sip_trunk_id}=default/carrier"]
    monkeypatch.setenv("DIALPLANE_SECRET_KEY", base64.b64encode(bytes(64)).decode())
    assert run(["plan", str(manifests.folder), "--target", "livekit", *adopting, "--out", "p.json"]) == 0
    assert run(["apply", "--plan", "p.json", *adopting]) == 1
    assert "p.json says what is adopted" in capsys.readouterr().err
    assert run(["apply", "--plan", "p.json"]) == 0
    assert {id_of(info) for info in livekit.objects() if marker_of(info)} >= {made.sip_trunk_id}
    assert not manifests.plan()


@pytest.mark.parametrize("remembers", [True, False])
@settings(
    max_examples=25,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_after_any_two_applies_there_is_nothing_left_to_do(
    livekit: Telephony, tmp_path_factory: pytest.TempPathFactory, remembers: bool, data: st.DataObject
) -> None:
    livekit.empty()
    work = tmp_path_factory.mktemp("any")
    store = SqliteStore(str(work / "memory.db")) if remembers else None
    manifests = Manifests(livekit, work / "manifests", store=store)
    for _ in range(2):
        manifests.write(*data.draw(folders))
        planned = manifests.apply()
        codes = {problem.code for problem in planned.desired.problems if problem.is_error}
        assert "livekit-failed" not in codes
        assert not planned.refused
        # What LiveKit itself refuses (it knows clashes that we do not) stays to be done; nothing else may.
        if not codes & {"livekit-refused", "livekit-waits"}:
            assert lines(manifests.plan())[1:] == []
    if store is not None:
        store.close()
