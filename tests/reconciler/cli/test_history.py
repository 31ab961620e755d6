"""history and rollback as a person uses them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.cli import run
from tests.reconciler.declaring import broken, number, ref, rule, text, trunk


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    names = ("STATE", "TABLES", "OWNER", "SECRET_KEY", "REVISIONS_KEPT")
    for name in names:
        monkeypatch.delenv(f"DIALPLANE_{name}", raising=False)
    monkeypatch.setenv("PW", "Tiger-of-old")
    (tmp_path / "m").mkdir()
    return tmp_path


def write(room: str, *more) -> None:
    auth = {"username": "acme", "passwordFrom": {"env": "PW"}}
    locked = trunk(inbound={"allowedAddresses": ["10.1.0.0/16"], "auth": auth})
    documents = [locked, rule(room=room), number(dispatchRuleRef=ref("support")), *more]
    (Path("m") / "a.yaml").write_bytes(text(documents))


def said(capsys, *arguments: str) -> tuple[int, str, str]:
    code = run(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def report(capsys, *arguments: str) -> dict:
    return json.loads(said(capsys, *arguments, "-o", "json")[1])


@pytest.fixture
def two(capsys) -> None:
    """Two revisions: the room lobby, then hall."""
    for room in ("lobby", "hall"):
        write(room)
        assert said(capsys, "apply", "m")[0] == 0


def test_history_lists_revisions_and_shows_one_like_a_plan(capsys, two):
    lines = said(capsys, "history")[1].splitlines()
    assert [line.split()[0] for line in lines] == ["REVISION", "2", "1"]
    assert "default  apply m  1 put" in lines[1]
    out = said(capsys, "history", "2")[1]
    assert "rule.direct.room: lobby -> hall" in out
    assert "+14155550100: support/lobby after a password -> support/hall after a password" in out
    assert "In all 0 created, 1 changed, 0 deleted." in out


def test_history_as_json_is_whole(capsys, two):
    listed = report(capsys, "history")
    assert (listed["formatVersion"], listed["pinned"]) == (1, None)
    newest, oldest = listed["revisions"]
    assert (newest["revision"], newest["put"], newest["kept"], newest["note"]) == (2, 1, True, "apply m")
    assert (oldest["trunks"], oldest["rules"], oldest["numbers"]) == (1, 1, 1)
    shown = report(capsys, "history", "1")
    assert shown["summary"]["create"] == 3
    assert shown["revision"]["revision"] == 1


def test_what_is_not_kept_is_said(capsys, two):
    write("third")
    assert said(capsys, "apply", "m", "--revisions-kept", "1")[0] == 0
    assert "What revision 2 and those before it changed is not kept." in said(capsys, "history")[1]
    code, _, err = said(capsys, "history", "2")
    assert code == 1
    assert "the oldest that can be gone back to is 2" in err
    assert said(capsys, "apply", "m", "--revisions-kept", "many")[0] == 1
    code, _, err = said(capsys, "history", "9")
    assert (code, "there is no revision 9, the tables are at revision" in err) == (1, True)


def test_a_rollback_shows_what_it_does_and_holds(capsys, two):
    code, out, _ = said(capsys, "rollback", "--to", "1", "--dry-run")
    assert code == 0
    assert "rule.direct.room: hall -> lobby" in out
    assert "Nothing was changed: revision 2 stays." in out
    code, out, _ = said(capsys, "rollback", "--to", "1")
    assert code == 0
    assert "Rolled back: revision 3 has the rows of revision 1." in out
    for command in ("plan", "apply"):
        code, out, _ = said(capsys, command, "m")
        assert code == 0
        assert "pinned to revision 1 by the rollback that made revision 3; 1 change waits" in out
        assert "rule.direct.room: lobby -> hall" in out
    assert said(capsys, "plan", "m", "--detailed-exitcode")[0] == 0
    (waiting,) = report(capsys, "plan", "m")["pinned"]["waiting"]
    assert waiting["name"] == "support"
    applied = report(capsys, "apply", "m")
    assert (applied["applied"], applied["pinned"]["to"], applied["changes"]) == (False, 1, [])


def test_status_and_history_show_the_pin_until_it_is_released(capsys, two):
    said(capsys, "rollback", "--to", "1")
    assert "pinned to revision 1" in said(capsys, "status")[1]
    assert report(capsys, "status")["pinned"]["to"] == report(capsys, "history")["pinned"]["to"] == 1
    assert "No longer pinned to revision 1" in said(capsys, "rollback", "--release")[1]
    assert report(capsys, "status")["pinned"] is None
    assert "Nothing of the owner default is pinned." in said(capsys, "rollback", "--release")[1]
    assert "revision 4 is published" in said(capsys, "apply", "m")[1]


def test_other_manifests_end_the_pin_and_apply_says_so(capsys, two):
    said(capsys, "rollback", "--to", "1")
    write("third")
    assert "It is no longer pinned to revision 1." in said(capsys, "apply", "m")[1]
    assert report(capsys, "status")["pinned"] is None


def test_an_unsafe_rollback_is_refused_with_what_allows_it(capsys, two):
    code, out, _ = said(capsys, "rollback", "--to", "0")
    assert code == 3
    assert "--allow-deletes 3" in out
    assert said(capsys, "rollback", "--to", "0", "--allow-deletes", "3")[0] == 0


def test_an_old_secret_comes_back_and_one_of_a_lost_key_does_not(capsys, two, monkeypatch):
    monkeypatch.setenv("PW", "Tiger-of-today")
    said(capsys, "apply", "m")
    code, out, _ = said(capsys, "rollback", "--to", "2")
    assert code == 0
    assert "(secret env:PW), changed" in out
    said(capsys, "rollback", "--release")
    Path(".dialplane/secret.key").unlink()
    said(capsys, "apply", "m")
    code, out, err = said(capsys, "rollback", "--to", "1")
    assert code == 1
    assert "the secret of Trunk default/carrier at inbound.auth.passwordFrom was sealed with another key" in err
    assert "--live-secrets" in err
    assert "Nothing was changed" in out
    assert said(capsys, "rollback", "--to", "1", "--live-secrets")[0] == 0
    written = Path(".dialplane/audit.jsonl").read_text()
    assert "Tiger" not in written
    events = [json.loads(line)["event"] for line in written.splitlines()]
    assert events == ["apply", "apply", "apply", "rollback", "release", "apply", "refusal", "rollback"]


@pytest.mark.parametrize(
    "options", [[], ["--to", "1", "--release"], ["--release", "--dry-run"], ["--release", "--allow-deletes", "1"]]
)
def test_a_rollback_that_makes_no_sense_changes_nothing(capsys, two, options):
    assert said(capsys, "rollback", *options)[0] == 1
    assert report(capsys, "status")["revision"] == 2


def test_without_tables_there_is_no_history(capsys):
    assert "there are no tables" in said(capsys, "history")[2]
    assert "there are no tables" in said(capsys, "rollback", "--to", "1")[2]
    assert not Path(".dialplane").exists()


def test_a_broken_manifest_does_not_end_the_pin(capsys, two):
    said(capsys, "rollback", "--to", "1")
    write("hall", broken(rule("other")))
    code, out, _ = said(capsys, "apply", "m")
    assert code == 1
    assert "pinned to revision 1" in out
