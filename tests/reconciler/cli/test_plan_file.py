from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from reconciler.cli import run
from schemas.stores import SqliteStore
from tests.reconciler.declaring import number, ref, rule, text, trunk

PASSWORD = "Tiger-in-a-plan"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("DIALPLANE_STATE", "DIALPLANE_TABLES", "DIALPLANE_OWNER", "DIALPLANE_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PW", PASSWORD)
    (tmp_path / "m").mkdir()
    write(rule())
    return tmp_path


def write(*documents) -> None:
    auth = {"username": "acme", "passwordFrom": {"env": "PW"}}
    locked = trunk(inbound={"allowedAddresses": ["10.1.0.0/16"], "auth": auth})
    (Path("m") / "a.yaml").write_bytes(text([locked, number(dispatchRuleRef=ref("support")), *documents]))


def said(capsys, *arguments: str) -> tuple[int, str, str]:
    code = run(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def revision() -> int:
    with SqliteStore(".dialplane/tables.db") as store:
        return store.head().revision


def test_a_saved_plan_is_applied_once_and_the_tables_are_as_declared(capsys):
    assert said(capsys, "plan", "m", "--out", "p.json")[0] == 0
    code, out, _ = said(capsys, "apply", "m", "--plan", "p.json")
    assert (code, revision()) == (0, 1)
    assert "Applied: revision 1" in out
    assert "No changes" in said(capsys, "plan", "m")[1]
    write(rule(room="hall"))
    said(capsys, "plan", "m", "--out", "p.json")
    assert said(capsys, "apply", "--plan", "p.json")[0] == 0
    code, _, err = said(capsys, "apply", "--plan", "p.json")
    assert code == 1
    assert "made on revision 1, and the tables have changed since" in err
    assert "reconcile plan m --out p.json" in err
    assert revision() == 2


def test_the_file_is_for_its_owner_alone_and_holds_no_secret(capsys, monkeypatch):
    said(capsys, "apply", "m")
    monkeypatch.setenv("PW", f"{PASSWORD}-2")
    said(capsys, "plan", "m", "--out", "p.json")
    assert stat.S_IMODE(Path("p.json").stat().st_mode) == 0o600
    held = Path("p.json").read_text()
    assert PASSWORD not in held
    (change,) = json.loads(held)["changes"].values()
    assert len(change["secrets"]["inbound.auth.passwordFrom"]) == 64
    assert "sealed" not in held


def test_without_the_key_a_secret_is_unknown_and_no_change(capsys, monkeypatch):
    said(capsys, "apply", "m")
    Path(".dialplane/secret.key").rename("away")
    assert "No changes" in said(capsys, "plan", "m")[1]
    write(rule(room="hall"), trunk("second", 2, limits={"callsPerSecond": 1}))
    said(capsys, "plan", "m", "--out", "p.json")
    Path("away").rename(".dialplane/secret.key")
    code, _, err = said(capsys, "apply", "m", "--plan", "p.json")
    assert (code, revision()) == (1, 1)
    assert "it is not signed with the key that is here, make the plan again" in err


def test_manifests_that_come_to_something_else_are_refused_by_name(capsys):
    said(capsys, "plan", "m", "--out", "p.json")
    write(rule(room="hall"), rule("other", priority=1))
    code, _, err = said(capsys, "apply", "m", "--plan", "p.json")
    assert code == 1
    assert "DispatchRule default/other would change too" in err
    assert "DispatchRule default/support would become something else" in err
    assert not Path(".dialplane/tables.db").exists() or revision() == 0


def test_a_secret_that_is_another_one_now_is_refused(capsys, monkeypatch):
    said(capsys, "apply", "m")
    write(rule(room="hall"))
    monkeypatch.setenv("PW", "planned")
    said(capsys, "plan", "m", "--out", "p.json")
    monkeypatch.setenv("PW", "other")
    code, _, err = said(capsys, "apply", "--plan", "p.json")
    assert code == 1
    assert "Trunk default/carrier would have another secret for inbound.auth.passwordFrom" in err


def test_an_edited_file_a_foreign_one_and_one_of_another_owner_are_refused(capsys):
    said(capsys, "apply", "m")
    write(rule(room="hall"))
    said(capsys, "plan", "m", "--out", "p.json")
    good = Path("p.json").read_text()
    Path("p.json").write_text(good.replace('"deletes": null', '"deletes": 9'))
    assert "it was edited" in said(capsys, "apply", "--plan", "p.json")[2]
    Path("p.json").write_text(json.dumps({**json.loads(good), "mac": "", "source": "elsewhere"}))
    for named in ((), ("m",)):
        assert "it is not signed with the key" in said(capsys, "apply", *named, "--plan", "p.json")[2]
    assert revision() == 1
    for other in ("{}", "no json", "[" * 100_000, good.replace('"formatVersion": 1', '"formatVersion": 2')):
        Path("p.json").write_text(other)
        code, _, err = said(capsys, "apply", "--plan", "p.json")
        assert (code, revision()) == (1, 1)
        assert "it is no plan" in err or "its format is not 1" in err
    Path("p.json").write_text(good)
    assert "owner default" in said(capsys, "apply", "--plan", "p.json", "--owner", "eve")[2]
    assert "cannot be read" in said(capsys, "apply", "--plan", "nowhere.json")[2]
    Path(".dialplane/secret.key").unlink()
    assert "made with a key that is not here" in said(capsys, "apply", "--plan", "p.json")[2]


def test_what_a_plan_allows_is_written_into_it_and_an_unsafe_plan_is_not_written(capsys):
    said(capsys, "apply", "m")
    (Path("m") / "a.yaml").write_bytes(text([rule("other")]))
    code, _, err = said(capsys, "plan", "m", "--out", "p.json")
    assert code == 3
    assert "p.json is not written" in err
    assert not Path("p.json").exists()
    assert said(capsys, "plan", "m", "--allow-deletes", "3", "--out", "p.json")[0] == 0
    assert said(capsys, "apply", "--plan", "p.json", "--allow-deletes", "3")[0] == 1, "the file says it"
    assert said(capsys, "apply", "--plan", "p.json")[0] == 0


def test_an_unsigned_file_allows_nothing_that_apply_does_not_repeat(capsys):
    (Path("m") / "a.yaml").write_bytes(text([trunk(), rule("one")]))
    said(capsys, "apply", "m")
    (Path("m") / "a.yaml").write_bytes(text([rule("other")]))
    said(capsys, "plan", "m", "--allow-deletes", "2", "--out", "p.json")
    assert json.loads(Path("p.json").read_text())["mac"] == ""
    code, _, err = said(capsys, "apply", "--plan", "p.json", "--allow-deletes", "2")
    assert code == 1
    assert "p.json is not signed, and cannot say which folder is applied, name it: reconcile apply DIR" in err
    assert said(capsys, "apply", "m", "--plan", "p.json")[0] == 3
    assert said(capsys, "apply", "m", "--plan", "p.json", "--allow-deletes", "2")[0] == 0


def test_a_plan_is_applied_from_another_checkout_when_that_is_named(capsys, tmp_path):
    said(capsys, "apply", "m")
    write(rule(room="hall"))
    said(capsys, "plan", "m", "--out", "p.json")
    Path("m").rename("n")
    assert said(capsys, "apply", "--plan", "p.json")[0] == 1
    assert said(capsys, "apply", "n", "--plan", "p.json")[0] == 0


def test_apply_needs_something_to_apply(capsys):
    assert "give a folder, or --plan FILE" in said(capsys, "apply")[2]
