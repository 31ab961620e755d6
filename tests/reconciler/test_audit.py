"""The audit log: whole lines, on the disk, for its owner alone, bounded, and without any value of a manifest."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler import audit
from reconciler.audit import AuditError, AuditLog
from reconciler.cli import run
from reconciler.plan.changes import diff
from reconciler.plan.entry import NAMES_MAX, Entry, Event
from schemas.tables.rows import NumberRow, Rows
from tests.reconciler.declaring import number, rule, text, trunk

ENTRY = Entry(Event.APPLY, "tables", "default", "apply m")


def split(file: Path) -> list[str]:
    return file.read_text().splitlines()


def lines(place: Path) -> list[dict]:
    return [json.loads(line) for line in split(place / "audit.jsonl")]


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    return AuditLog(str(tmp_path / "state"), wall=lambda: 1_795_735_277.25)


def test_a_line_has_a_version_a_time_and_whoever_ran_it(log, tmp_path):
    log.append(replace(ENTRY, before=3, after=4, digest="ab"))
    (line,) = lines(tmp_path / "state")
    assert (line["formatVersion"], line["time"]) == (1, "2026-11-26T23:21:17.250Z")
    assert line["revision"] == {"before": 3, "after": 4}
    assert line["user"]


def test_the_file_is_for_its_owner_alone_and_in_a_folder_that_is(log, tmp_path):
    log.append(ENTRY)
    assert stat.S_IMODE(os.stat(log.path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(tmp_path / "state").st_mode) == 0o700


def test_a_line_is_on_the_disk_before_append_returns(log, monkeypatch):
    synced = []
    monkeypatch.setattr(audit.os, "fsync", lambda handle: synced.append(os.fstat(handle).st_size))
    log.append(ENTRY)
    assert synced == [os.path.getsize(log.path)]


def test_names_are_cut_and_counts_are_whole(log, tmp_path):
    rows = Rows(numbers={f"default/{i:04}": NumberRow(f"default/{i:04}", "+1") for i in range(NAMES_MAX + 7)})
    log.append(replace(ENTRY, plan=diff(Rows(), rows)))
    (line,) = lines(tmp_path / "state")
    assert line["summary"]["create"] == NAMES_MAX + 7
    assert len(line["changes"]["PhoneNumber"]["create"]) == NAMES_MAX


def test_full_files_are_set_aside_and_the_oldest_goes(tmp_path):
    log = AuditLog(str(tmp_path), bytes_max=900, kept=2)
    for revision in range(20):
        log.append(replace(ENTRY, after=revision))
    found = sorted(tmp_path.glob("audit.jsonl*"))
    assert [file.name for file in found] == ["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2"]
    assert all(file.stat().st_size <= 900 for file in found)
    kept = [line["revision"]["after"] for file in reversed(found) for line in map(json.loads, split(file))]
    assert kept == list(range(kept[0], 20))


def test_a_line_that_a_crash_has_cut_off_spoils_no_other(log):
    log.append(ENTRY)
    with open(log.path, "a") as file:
        file.write('{"formatVersion":1,"ti')
    log.append(replace(ENTRY, after=2))
    torn = Path(log.path).read_text().splitlines()
    assert len(torn) == 3
    assert json.loads(torn[2])["revision"]["after"] == 2


def test_processes_that_write_at_once_lose_and_mix_no_line(tmp_path):
    program = (
        "import sys; from reconciler.audit import AuditLog; from reconciler.plan.entry import Entry, Event\n"
        "log = AuditLog(sys.argv[1], bytes_max=8000, kept=50)\n"
        "for i in range(40): log.append(Entry(Event.APPLY, 'tables', sys.argv[2], 'n', after=i))\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path), name]) for name in ("a", "b", "c")]
    assert [process.wait() for process in running] == [0, 0, 0]
    found = [json.loads(line) for file in tmp_path.glob("audit.jsonl*") for line in split(file)]
    assert sorted((line["owner"], line["revision"]["after"]) for line in found) == [
        (name, i) for name in "abc" for i in range(40)
    ]


def test_a_link_in_its_place_is_not_followed(log, tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "audit.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AuditError, match="symbolic link"):
        log.append(ENTRY)
    assert not (tmp_path / "elsewhere").exists()


def test_whoever_holds_the_file_too_long_is_not_waited_for(log, monkeypatch):
    log.append(ENTRY)
    monkeypatch.setattr(audit, "LOCK_PATIENCE_S", 0.0)
    with open(log.path) as held:
        audit.fcntl.flock(held, audit.fcntl.LOCK_EX)
        with pytest.raises(AuditError, match="cannot be written"):
            log.append(ENTRY)


# As the commands write it


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("DIALPLANE_STATE", "DIALPLANE_TABLES", "DIALPLANE_OWNER", "DIALPLANE_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PW", "Tiger-in-the-log")
    (tmp_path / "m").mkdir()
    auth = {"username": "acme", "passwordFrom": {"env": "PW"}}
    write(trunk(inbound={"allowedAddresses": ["10.1.0.0/16"], "auth": auth}), rule(room="very-private"), number())
    return tmp_path


def write(*documents) -> None:
    (Path("m") / "a.yaml").write_bytes(text(documents))


def test_apply_leaves_a_line_with_the_names_and_no_value(place):
    assert run(["apply", "m"]) == 0
    assert run(["apply", "m"]) == 0, "which changes nothing, and is not noted"
    (line,) = lines(place / ".dialplane")
    assert (line["event"], line["target"], line["owner"], line["note"]) == ("apply", "tables", "default", "apply m")
    assert line["revision"] == {"before": 0, "after": 1}
    assert len(line["digest"]) == 64
    assert line["changes"] == {
        "Trunk": {"create": ["default/carrier"]},
        "DispatchRule": {"create": ["default/support"]},
        "PhoneNumber": {"create": ["default/main"]},
    }
    held = (place / ".dialplane" / "audit.jsonl").read_text()
    assert "Tiger-in-the-log" not in held
    assert "very-private" not in held


def test_a_refusal_and_what_allowed_it_are_noted(place):
    run(["apply", "m"])
    (Path("m") / "a.yaml").unlink()
    assert run(["apply", "m"]) == 3
    assert run(["apply", "m", "--allow-deletes", "3"]) == 0
    _, refused, allowed = lines(place / ".dialplane")
    assert (refused["event"], refused["revision"]) == ("refusal", {"before": 1, "after": 1})
    assert refused["refusals"][0]["code"] == "empty-desired-state"
    assert (allowed["event"], allowed["details"]) == ("apply", {"allowed": {"deletes": 3}})


def test_a_log_that_cannot_be_written_is_told_and_undoes_nothing(place, capsys):
    (place / ".dialplane").mkdir()
    (place / ".dialplane" / "audit.jsonl").mkdir()
    assert run(["apply", "m"]) == 0
    out, err = capsys.readouterr()
    assert "Applied: revision 1 is published" in out
    assert "the audit log .dialplane/audit.jsonl lacks a line" in err
    assert "what was done stays" in err
