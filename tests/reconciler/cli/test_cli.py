from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.cli import run
from schemas.stores import SqliteStore
from tests.reconciler.declaring import broken, document, number, ref, rule, text, trunk

CALL = ["--to", "+14155550100", "--from", "+14155550199"]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("DIALPLANE_STATE", "DIALPLANE_TABLES", "DIALPLANE_OWNER"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "m").mkdir()
    write("a.yaml", trunk(), rule(), number(trunkRef=ref("carrier"), dispatchRuleRef=ref("support")))
    return tmp_path


def write(name: str, *documents) -> None:
    (Path("m") / name).write_bytes(text(documents))


def said(capsys, *arguments: str) -> tuple[int, str, str]:
    code = run(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def test_help_needs_none_of_the_heavy_parts():
    script = "import sys, reconciler.cli as c; c.run(['--help']); sys.stderr.write(' '.join(sys.modules))"
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert "watch" in done.stdout
    assert not {"pydantic", "yaml", "rich", "asyncio", "sqlite3"} & set(done.stderr.split())


def test_validate_is_zero_for_warnings_and_one_for_errors(capsys):
    assert said(capsys, "validate", "m")[0] == 0
    write("b.yaml", rule("other", priority=1, trunkRefs=[ref("carier")]))
    code, out, _ = said(capsys, "validate", "m")
    assert code == 1
    assert "m/b.yaml:1:" in out
    assert "did you mean carrier?" in out
    assert "4 documents in 2 files: 1 error" in out


def test_validate_speaks_json_and_github(capsys):
    write("b.yaml", broken(rule("other", priority=1)))
    report = json.loads(said(capsys, "validate", "m", "-o", "json")[1])
    assert (report["formatVersion"], report["errors"]) == (1, 1)
    assert said(capsys, "validate", "m", "-o", "github")[1].startswith("::error file=m/b.yaml,line=1,")


def test_plan_and_test_speak_github(capsys):
    call = {"to": "+14155550100", "from": "+14155550199", "address": "192.0.2.1", "expect": {"room": "else"}}
    write("t.yaml", document("RoutingTest", "calls", {"calls": [call]}))
    code, out, err = said(capsys, "test", "m", "-o", "github")
    assert (code, err) == (1, "")
    assert out.splitlines()[0].startswith("::error file=m/t.yaml,line=1,col=")
    assert out.splitlines()[1] == "::notice title=RoutingTest::0 of 1 hold"
    write("b.yaml", broken(rule("other", priority=1)))
    code, out, err = said(capsys, "plan", "m", "-o", "github")
    assert (code, err) == (1, "")
    assert out.splitlines()[0].startswith("::error file=m/b.yaml,line=1,")
    assert out.splitlines()[-1] == "::notice title=plan::Plan: 3 to create, 0 to change, 0 to delete"


def test_validate_reads_standard_input(capsys, monkeypatch):
    class Piped:
        buffer = open(Path("m") / "a.yaml", "rb")  # noqa: SIM115 - closed below

    monkeypatch.setattr(sys, "stdin", Piped)
    code, out, _ = said(capsys, "validate", "-")
    Piped.buffer.close()
    assert (code, out) == (0, out)
    assert "3 documents in 1 file" in out


def test_a_missing_folder_is_one_sentence_and_no_traceback(capsys):
    for command in (["validate"], ["plan"], ["apply"], ["explain", *CALL, "--ip", "10.1.0.1"]):
        code, out, err = said(capsys, *command, "nowhere")
        assert code == 1
        assert "nowhere" in out + err
    assert not Path(".dialplane").exists(), "nothing was touched"


@pytest.mark.parametrize(
    "command",
    [
        "validate m",
        "plan m",
        "status",
        "drift",
        "drift m",
        "history",
        "providers",
        "schema",
        "rollback --to 1 --dry-run",
        "test m",
        f"explain m --ip 10.1.0.1 {' '.join(CALL)}",
    ],
)
def test_what_only_looks_creates_nothing(command, capsys):
    there = sorted(Path().rglob("*"))
    said(capsys, *command.split())
    assert sorted(Path().rglob("*")) == there


def test_plan_changes_nothing_and_tells_by_its_exit_code_when_asked(capsys):
    code, out, _ = said(capsys, "plan", "m")
    assert code == 0
    assert out.endswith("Plan: 3 to create, 0 to change, 0 to delete\n")
    assert not Path(".dialplane").exists()
    assert said(capsys, "plan", "m", "--detailed-exitcode")[0] == 2
    said(capsys, "apply", "m")
    code, out, _ = said(capsys, "plan", "m", "--detailed-exitcode")
    assert (code, out) == (0, "No changes: the tables are as declared.\n")
    (Path("m") / "a.yaml").unlink()
    assert said(capsys, "plan", "m", "--detailed-exitcode")[0] == 3
    write("a.yaml", broken(trunk()))
    assert said(capsys, "plan", "m", "--detailed-exitcode")[0] == 1


def test_plan_json_is_for_machines(capsys):
    report = json.loads(said(capsys, "plan", "m", "-o", "json")[1])
    assert report["summary"] == {"create": 3, "update": 0, "delete": 0, "move": 0}
    assert report["changes"][0]["file"] == "m/a.yaml"


def test_apply_then_apply_again_is_one_revision(capsys):
    assert said(capsys, "apply", "m")[1].endswith("Applied: revision 1 is published.\n")
    assert said(capsys, "apply", "m")[1].endswith("Revision 1 stays.\n")


def test_apply_of_a_broken_document_is_partial_and_one(capsys):
    said(capsys, "apply", "m")
    write(
        "a.yaml", trunk(metadata="x"), broken(rule()), number(trunkRef=ref("carrier"), dispatchRuleRef=ref("support"))
    )
    code, out, err = said(capsys, "apply", "m")
    assert code == 1
    assert "~ Trunk default/carrier" in out
    assert "nonsense" in err


def test_where_all_is_held_back_nothing_is_said_to_be_as_declared(capsys):
    write("a.yaml", broken(trunk()), rule(trunkRefs=[ref("carrier")]), number(trunkRef=ref("carrier")))
    write("b.yaml", broken(routing_test(room="lobby")))
    assert "Nothing would be changed: 3 of 3 documents are held back.\n" in said(capsys, "plan", "m")[1]
    assert "Nothing was changed: 3 of 3 documents are held back.\n" in said(capsys, "apply", "m")[1]
    write("a.yaml", trunk(), broken(rule()), number())
    said(capsys, "apply", "m")
    assert "Nothing was changed: 1 of 3 documents is held back.\n" in said(capsys, "apply", "m")[1]


@pytest.mark.parametrize(
    ("content", "held"),
    [
        (b"", "3 of 3 documents are"),
        (b"\xff", "3 of 3 documents are"),
        (text([trunk(), trunk(), rule(), number()]), "2 of 4 documents are"),
        (text([trunk(), broken(trunk()), rule(), number()]), "2 of 4 documents are"),
        (text([trunk(), rule(), number(), {"kind": "DispatchRul"}]), "1 of 4 documents is"),
    ],
)
def test_documents_that_are_held_back_are_counted_as_they_are_written(capsys, content, held):
    write("a.yaml", trunk(), rule(), number())
    said(capsys, "apply", "m")
    (Path("m") / "a.yaml").write_bytes(content)
    out = said(capsys, "apply", "m")[1]
    assert f"Nothing was changed: {held} held back.\n" in out


def test_a_file_that_was_never_readable_leaves_nothing_as_declared(capsys):
    said(capsys, "apply", "m")
    (Path("m") / "b.yaml").write_bytes(b"\xff")
    assert "Nothing was changed: 1 file could not be read.\n" in said(capsys, "apply", "m")[1]


def test_apply_of_an_unsafe_change_is_three_and_names_the_flag(capsys):
    said(capsys, "apply", "m")
    (Path("m") / "a.yaml").unlink()
    code, out, _ = said(capsys, "apply", "m")
    assert code == 3
    assert "to allow it: --allow-deletes 3" in out
    assert said(capsys, "apply", "m", "--allow-deletes", "3")[0] == 0


def test_apply_lets_a_named_rule_open_to_any_number(capsys):
    said(capsys, "apply", "m")
    write("a.yaml", trunk(), rule(), number(trunkRef=ref("carrier")))
    code, out, _ = said(capsys, "apply", "m", "-o", "json")
    report = json.loads(out)
    assert (code, report["applied"], report["refusals"][0]["code"]) == (3, False, "becomes-any")
    flags = report["refusals"][0]["flags"].split()
    assert said(capsys, "apply", "m", *flags)[0] == 0


def test_settings_stand_before_or_behind_the_command_or_in_the_environment(capsys, monkeypatch):
    said(capsys, "--state", "one", "apply", "m")
    said(capsys, "apply", "m", "--state", "two")
    monkeypatch.setenv("DIALPLANE_STATE", "three")
    said(capsys, "apply", "m")
    said(capsys, "apply", "m", "--tables", "sqlite:///four.db")
    assert all(Path(file).exists() for file in ("one/tables.db", "two/tables.db", "three/tables.db", "four.db"))


def test_a_store_that_cannot_be_opened_is_one_sentence(capsys):
    Path("text.db").write_text("this is no database at all, but a text that is long enough to be read as one" * 20)
    code, _, err = said(capsys, "apply", "m", "--tables", "sqlite:///text.db")
    assert code == 1
    assert err.startswith("error: ")
    assert len(err.splitlines()) == 1


def test_explain_says_where_a_call_goes_by_manifests_and_by_the_live_tables(capsys):
    offline = said(capsys, "explain", "m", *CALL, "--ip", "10.1.0.1")
    assert offline[0] == 0
    assert "room lobby by DispatchRule default/support on Trunk default/carrier" in offline[1]
    said(capsys, "apply", "m")
    assert said(capsys, "explain", "--tables", *CALL, "--ip", "10.1.0.1") == offline


def test_explain_of_a_refused_call_is_a_decision_too(capsys):
    code, out, _ = said(capsys, "explain", "m", *CALL, "--ip", "192.0.2.1", "-o", "json")
    assert code == 0
    assert json.loads(out)["decision"]["reason"] == "source-not-allowed"


GUARDED = {"allowedAddresses": ["10.1.0.0/16"], "auth": {"username": "acme", "passwordFrom": {"env": "NOT_SET"}}}


def test_explain_says_who_is_asked_for_a_password_and_what_becomes_of_who_knows_it(capsys):
    write("a.yaml", trunk(inbound=GUARDED), rule())
    asked = "asks for a password: 401 by Trunk default/carrier"
    for user, outcome in (([], asked), (["--user", "eve"], asked), (["--user", "acme"], "admitted: room lobby")):
        code, out, _ = said(capsys, "explain", "m", *CALL, "--ip", "10.1.0.1", *user)
        assert code == 0
        assert outcome in out
    decision = json.loads(said(capsys, "explain", "m", *CALL, "--ip", "10.1.0.1", "-o", "json")[1])["decision"]
    assert decision == {"outcome": "challenged", "trunk": "default/carrier"}


def test_explain_decides_nothing_by_a_pin_that_it_does_not_know(capsys, monkeypatch):
    write("a.yaml", trunk(), rule(pinFrom={"env": "BOARD_PIN"}))
    asking = [*CALL, "--ip", "10.1.0.1", "--pin", "99"]
    code, out, _ = said(capsys, "explain", "m", *asking)
    assert code == 1
    assert "its PIN is not known here (the environment variable BOARD_PIN is not set)" in out
    assert "cannot be decided" in out
    monkeypatch.setenv("BOARD_PIN", "1234")
    code, out, _ = said(capsys, "explain", "m", *asking)
    assert code == 0
    assert "has another PIN than the one entered" in out
    said(capsys, "apply", "m")
    assert said(capsys, "explain", "--tables", *asking)[:2] == (code, out)
    Path(".dialplane/secret.key").unlink()
    code, out, _ = said(capsys, "explain", "--tables", *asking)
    assert code == 1
    assert "not known here (it is sealed, and .dialplane has no key)" in out


def test_explain_takes_the_keys_as_they_are_pressed(capsys, monkeypatch):
    monkeypatch.setenv("BOARD_PIN", "12A4")
    lobby = rule("open", rule={"direct": {"room": "foyer"}})
    write("a.yaml", trunk(), rule(pinFrom={"env": "BOARD_PIN"}), lobby)
    for keys, outcome in (("#", "room foyer"), ("", "room foyer"), ("12A4#", "room lobby"), ("12a4", "room lobby")):
        code, out, _ = said(capsys, "explain", "m", *CALL, "--ip", "10.1.0.1", "--pin", keys)
        assert code == 0
        assert outcome in out, keys


@pytest.mark.parametrize("keys", ["12x4", "12#34", "##", "12 34", "\u0661"])
def test_keys_that_no_phone_has_are_refused_and_not_repeated(capsys, keys):
    code, _, err = said(capsys, "explain", "m", *CALL, "--ip", "10.1.0.1", "--pin", keys)
    assert code == 1
    assert "0-9, *, A-D" in err
    assert keys == "##" or keys not in err


def test_a_routing_test_whose_pin_is_not_known_fails_and_says_so(capsys):
    call = {"to": "+14155550100", "from": "+14155550199", "address": "10.1.0.1", "pin": "99"}
    calls = [call | {"expect": {"reason": "wrong-pin"}}]
    write("a.yaml", trunk(), rule(pinFrom={"env": "BOARD_PIN"}), document("RoutingTest", "routes", {"calls": calls}))
    code, out, _ = said(capsys, "test", "m")
    assert code == 1
    assert "FAILED" in out
    assert "cannot be decided: the PIN of DispatchRule default/support is not known here" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ["m", "--ip", "nonsense"],
        ["--ip", "10.1.0.1"],
        ["m", "--tables", "--ip", "10.1.0.1"],
        ["--tables", "--ip", "::1"],
    ],
)
def test_explain_says_what_it_lacks(capsys, arguments):
    code, _, err = said(capsys, "explain", *CALL, *arguments)
    assert code == 1
    assert err.startswith("error: ")


def routing_test(user: str = "", **expect: str):
    call = {"to": "+14155550100", "from": "+14155550199", "address": "10.1.0.1", "expect": expect}
    call |= {"user": user} if user else {}
    return document("RoutingTest", "routes", {"calls": [call]})


def test_routing_tests_hold_or_fail_with_the_trail(capsys):
    write("t.yaml", routing_test(room="lobby", rule="support", trunk="carrier"))
    assert said(capsys, "test", "m")[:2] == (
        0,
        "ok      routes: call to +14155550100 from +14155550199 at 10.1.0.1\n1 of 1 hold\n",
    )
    write("t.yaml", routing_test(room="hall"))
    code, out, _ = said(capsys, "test", "m")
    assert code == 1
    assert "room is lobby, expected hall" in out
    assert "Trunk default/carrier" in out


def test_a_routing_test_may_expect_a_refusal(capsys):
    write("t.yaml", routing_test(reason="no-rule"))
    code, out, _ = said(capsys, "test", "m", "-o", "json")
    assert code == 1
    assert json.loads(out)["calls"][0]["faults"] == ["reason is none, expected no-rule"]


def test_a_routing_test_may_prove_a_user_name(capsys):
    write("a.yaml", trunk(inbound=GUARDED), rule())
    write("t.yaml", routing_test("acme", room="lobby", rule="support"))
    assert said(capsys, "test", "m")[0] == 0
    write("t.yaml", routing_test(room="lobby"))
    code, out, _ = said(capsys, "test", "m")
    assert code == 1
    assert "room is none, expected lobby" in out
    assert "asks for a password: 401" in out


def test_a_routing_test_may_expect_that_the_caller_is_asked_for_a_password(capsys):
    write("a.yaml", trunk(inbound=GUARDED), rule())
    write("t.yaml", routing_test(asks="password", trunk="carrier"))
    assert said(capsys, "test", "m")[0] == 0
    write("t.yaml", routing_test("acme", asks="password"))
    code, out, _ = said(capsys, "test", "m")
    assert code == 1
    assert "asks is none, expected password" in out


def test_a_routing_test_may_expect_that_the_caller_is_asked_for_a_pin(capsys):
    write("a.yaml", trunk(), rule(pinFrom={"env": "PIN"}))
    write("t.yaml", routing_test(asks="pin", rule="support"))
    assert said(capsys, "test", "m")[0] == 0
    write("t.yaml", routing_test(asks="password"))
    assert "asks is pin, expected password" in said(capsys, "test", "m")[1]


def test_a_routing_test_that_is_broken_cannot_be_run_and_is_not_taken_for_missing(capsys):
    write("t.yaml", routing_test(reason="no-rul"))
    code, out, _ = said(capsys, "test", "m")
    assert (code, out) == (1, "the RoutingTest at m/t.yaml:1:1 cannot be run until that is mended\n")
    write("u.yaml", routing_test(room="lobby"))
    out = said(capsys, "test", "m")[1]
    assert out.endswith("1 of 1 hold\nthe RoutingTest at m/t.yaml:1:1 cannot be run until that is mended\n")
    assert json.loads(said(capsys, "test", "m", "-o", "json")[1])["notRun"] == ["the RoutingTest at m/t.yaml:1:1"]
    (Path("m") / "t.yaml").write_bytes(b"\xff")
    assert "what m/t.yaml may hold cannot be run until that is mended" in said(capsys, "test", "m")[1]


def test_calls_of_a_routing_test_are_told_apart_and_never_by_their_pin(capsys):
    test = routing_test("acme", room="hall")
    test["spec"]["calls"].append({**test["spec"]["calls"][0], "address": "10.1.0.2", "pin": "471147"})
    write("t.yaml", test)
    out = said(capsys, "test", "m")[1]
    assert "from +14155550199 at 10.1.0.1 as user acme: room is lobby" in out
    assert "from +14155550199 at 10.1.0.2 as user acme with a PIN: room is " in out
    assert "471147" not in out


def test_status_shows_conditions_places_and_bridges(capsys):
    code, _, err = said(capsys, "status")
    assert code == 1
    assert "there are no tables at sqlite:///.dialplane/tables.db, run `reconcile apply DIR` first" in err
    said(capsys, "apply", "m")
    with SqliteStore(".dialplane/tables.db") as store:
        import time

        assert store.acknowledge("bridge-1", "", store.head(), time.time())
    write("a.yaml", trunk(), broken(rule()), number(trunkRef=ref("carrier"), dispatchRuleRef=ref("support")))
    said(capsys, "apply", "m")
    code, out, _ = said(capsys, "status")
    assert code == 0
    lines = {line.split("  ")[0]: line for line in out.splitlines()}
    assert "True" in lines["Trunk default/carrier"]
    assert "Invalid: m/a.yaml:3:" in lines["DispatchRule default/support"]
    assert "bridge-1 at revision 1" in out
    report = json.loads(said(capsys, "status", "-o", "json")[1])
    assert [c["type"] for c in report["objects"][0]["conditions"]] == [
        "Accepted",
        "ResolvedRefs",
        "Programmed",
        "Ready",
    ]


@pytest.mark.parametrize("wrong", [broken(rule()), rule(room="hall", trunkRefs=[ref("nowhere")])])
def test_the_place_of_what_is_held_back_follows_to_the_folder_that_was_applied_last(capsys, wrong):
    said(capsys, "apply", "m")
    write("a.yaml", trunk(), number(), wrong)
    write("b.yaml", broken(number("never-live")))
    said(capsys, "apply", "m")
    Path("m").rename("newer")
    said(capsys, "apply", "newer")
    report = json.loads(said(capsys, "status", "-o", "json")[1])
    assert len(report["objects"]) == 4
    assert {one["place"].partition("/")[0] for one in report["objects"]} == {"newer"}


def test_schema_prints_the_published_schemas(capsys):
    assert json.loads(said(capsys, "schema")[1])["title"] == "dialplane"
    assert json.loads(said(capsys, "schema", "trunk")[1])["properties"]["kind"]["const"] == "Trunk"


def test_a_wrong_command_or_option_is_one_and_not_two(capsys):
    code, _, err = said(capsys, "aply", "m")
    assert code == 1
    assert "did you mean apply?" in err
    assert said(capsys, "plan", "m", "--nonsense")[0] == 1
    assert said(capsys, "plan")[0] == 1


def test_nothing_asked_shows_the_help(capsys):
    code, out, _ = said(capsys)
    assert code == 0
    assert "Commands:" in out


def test_standard_input_cannot_be_watched(capsys):
    code, _, err = said(capsys, "--watch", "-")
    assert code == 1
    assert "cannot be watched" in err


@pytest.mark.parametrize("command", [["status"], ["plan", "m"]])
def test_a_state_that_cannot_be_looked_into_is_told_and_not_taken_for_empty(capsys, command):
    Path("state").write_text("no folder")
    code, out, err = said(capsys, *command, "--state", "state")
    assert (code, out) == (1, "")
    assert "state/tables.db cannot be read: Not a directory, name another with --state or --tables" in err
