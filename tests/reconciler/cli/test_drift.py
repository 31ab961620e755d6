from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from livekit.protocol import sip

from reconciler.cli import run
from schemas.stores import Publish, SqliteStore
from schemas.tables.rows import Delta
from tests.livekit_faults import Fault, Front, always
from tests.livekit_stand_in import StandIn
from tests.reconciler.declaring import broken, ref, rule, text, trunk

LIVEKIT = ["--target", "livekit"]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m").mkdir()
    write(trunk(), rule(trunkRefs=[ref("carrier")]))


@pytest.fixture
def front(monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    with Front(StandIn()) as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


def write(*documents) -> None:
    (Path("m") / "a.yaml").write_bytes(text(documents))


def said(capsys, *arguments: str) -> tuple[int, str, str]:
    code = run(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def edit_by_hand(front: Front) -> None:
    held = next(info for info in front.objects() if isinstance(info, sip.SIPDispatchRuleInfo))
    held.rule.dispatch_rule_direct.room_name = "elsewhere"
    asked = sip.UpdateSIPDispatchRuleRequest(sip_dispatch_rule_id=held.sip_dispatch_rule_id, replace=held)
    front.by_hand("UpdateSIPDispatchRule", asked)


def test_what_somebody_did_at_livekit_is_drift_from_what_was_applied(front, capsys):
    code, _, err = said(capsys, "drift", *LIVEKIT)
    assert code == 1
    assert "nothing is known here of what was applied to 127.0.0.1:" in err
    assert said(capsys, "apply", "m", *LIVEKIT)[0] == 0
    assert said(capsys, "drift", *LIVEKIT)[:2] == (0, "No drift: LiveKit is as applied last.\n")
    edit_by_hand(front)
    held = next(info for info in front.objects() if isinstance(info, sip.SIPInboundTrunkInfo))
    front.by_hand("DeleteSIPTrunk", sip.DeleteSIPTrunkRequest(sip_trunk_id=held.sip_trunk_id))
    code, out, _ = said(capsys, "drift", *LIVEKIT)
    assert code == 2
    assert "- Trunk default/carrier: is gone" in out
    assert "rule.direct.room: lobby -> elsewhere" in out
    assert "Drift: 1 gone, 1 not the same, 0 from elsewhere" in out
    code, out, _ = said(capsys, "drift", *LIVEKIT, "-o", "json")
    report = json.loads(out)
    assert (code, report["drifted"], report["target"]) == (2, True, "livekit")
    assert [change["action"] for change in report["changes"]] == ["delete", "update"]


def test_with_a_folder_it_is_drift_from_what_is_declared_there(front, capsys):
    assert said(capsys, "apply", "m", *LIVEKIT)[0] == 0
    write(trunk(), rule(room="hall", trunkRefs=[ref("carrier")]))
    assert said(capsys, "drift", *LIVEKIT)[0] == 0
    code, out, _ = said(capsys, "drift", "m", *LIVEKIT)
    assert code == 2
    assert "rule.direct.room: hall -> lobby" in out
    front.faults = always("List", Fault(401, "unauthenticated"))
    assert said(capsys, "drift", "m", *LIVEKIT)[0] == 1


def test_the_tables_drift_only_where_somebody_writes_past_the_documents(capsys):
    code, _, err = said(capsys, "drift")
    assert code == 1
    assert "there are no tables" in err
    said(capsys, "apply", "m")
    assert said(capsys, "drift")[:2] == (0, "No drift: the tables are as applied last.\n")
    with SqliteStore(".dialplane/tables.db") as store:
        row = replace(store.load().rows.rules["default/support"], room_name="elsewhere")
        store.publish(Publish(store.head().digest, Delta((row,)), owner="default", now=1.0))
    code, out, _ = said(capsys, "drift")
    assert code == 2
    assert "rule.direct.room: lobby -> elsewhere" in out


def test_status_says_of_each_object_how_it_is_at_livekit(front, capsys):
    write(trunk(), rule(trunkRefs=[ref("carrier")]), trunk("far", 7, regions=["eu"]))
    said(capsys, "apply", "m", *LIVEKIT)
    code, out, _ = said(capsys, "status", *LIVEKIT)
    assert code == 0
    rows = {line.split()[1]: line for line in out.splitlines() if line.startswith(("Trunk", "DispatchRule"))}
    assert rows["default/carrier"].split()[2] == "True"
    assert "UnsupportedByTarget" in rows["default/far"]
    assert out.splitlines()[-1].startswith("LiveKit at 127.0.0.1:")
    edit_by_hand(front)
    rule_line = next(
        line for line in said(capsys, "status", *LIVEKIT)[1].splitlines() if line.startswith("DispatchRule")
    )
    assert "Pending: not at LiveKit as it was applied" in rule_line
    assert "room: lobby -> elsewhere" in rule_line


def test_status_tells_what_was_held_back_what_failed_and_when_nobody_answers(front, capsys):
    said(capsys, "apply", "m", *LIVEKIT)
    front.faults = always("UpdateSIPDispatchRule", Fault(400, "invalid_argument"))
    write(broken(trunk()), rule(room="hall", trunkRefs=[ref("carrier")]))
    said(capsys, "apply", "m", *LIVEKIT)
    report = json.loads(said(capsys, "status", *LIVEKIT, "-o", "json")[1])
    found = {one["name"]: {c["type"]: c["reason"] for c in one["conditions"]} for one in report["objects"]}
    assert found["carrier"]["Accepted"] == "Invalid"
    assert found["support"]["Programmed"] == "Rejected"
    front.well()
    (Path("m") / "a.yaml").unlink()
    assert said(capsys, "apply", "m", *LIVEKIT)[0] == 3
    assert said(capsys, "status", *LIVEKIT)[1].count("BlockedBySafety") == 2
    front.faults = always("List", Fault(400, "invalid_argument"))
    code, out, _ = said(capsys, "status", *LIVEKIT)
    assert code == 1
    assert "cannot be asked: the front says 400" in out
