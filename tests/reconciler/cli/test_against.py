from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from reconciler.cli import run
from tests.reconciler.declaring import broken, number, ref, rule, text, trunk

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("DIALPLANE_STATE", "DIALPLANE_TABLES", "DIALPLANE_OWNER", "DIALPLANE_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    write("m")
    return tmp_path


def write(folder: str, room: str = "lobby", *more, **spec) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    documents = [
        trunk(),
        rule(room=room, **spec),
        number(trunkRef=ref("carrier"), dispatchRuleRef=ref("support")),
        *more,
    ]
    (Path(folder) / "a.yaml").write_bytes(text(documents))


def said(capsys, *arguments: str) -> tuple[int, str, str]:
    code = run(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def git(*arguments: str) -> str:
    names = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    done = subprocess.run(["git", *arguments], check=True, capture_output=True, text=True, env={**os.environ, **names})
    return done.stdout


@pytest.fixture
def repository(place: Path) -> Path:
    git("init", "-q", "-b", "main")
    git("add", "m")
    git("commit", "-q", "-m", "one")
    return place


def test_another_folder_stands_in_for_the_tables_and_no_state_is_made(capsys):
    write("n", "hall", pinFrom={"file": "pin"})
    write("m", "lobby", pinFrom={"file": "pin"})
    code, out, err = said(capsys, "plan", "n", "--against", "m", "--detailed-exitcode")
    assert (code, err) == (2, "")
    assert "~ DispatchRule default/support  (n/a.yaml:" in out
    assert "rule.direct.room: lobby -> hall" in out
    assert "pinFrom" not in out, "the place of a secret begins at its manifest's folder"
    assert "+14155550100: support/lobby after a PIN -> support/hall after a PIN" in out
    assert not Path(".dialplane").exists()


def test_the_exit_code_tells_nothing_errors_and_what_is_unsafe(capsys):
    write("n")
    assert said(capsys, "plan", "n", "--against", "m", "--detailed-exitcode")[:2] == (
        0,
        "No changes: calls go as by m.\n",
    )
    write("n", "lobby", broken(rule("other", priority=1)))
    assert said(capsys, "plan", "n", "--against", "m", "--detailed-exitcode")[0] == 1
    (Path("n") / "a.yaml").unlink()
    assert said(capsys, "plan", "n", "--against", "m", "--detailed-exitcode")[0] == 3
    assert said(capsys, "plan", "n", "--against", "nowhere")[0] == 1


def test_a_document_that_breaks_keeps_what_it_was_there(capsys):
    Path("n").mkdir()
    (Path("n") / "a.yaml").write_bytes(text([trunk(), broken(rule()), number(trunkRef=ref("carrier"))]))
    _, out, _ = said(capsys, "plan", "n", "--against", "m")
    assert "DispatchRule" not in out.partition("What becomes")[0]


def test_errors_over_there_are_counted(capsys):
    write("n", "lobby", broken(rule("other", priority=1)))
    code, _, err = said(capsys, "plan", "m", "--against", "n")
    assert (code, err) == (0, "n: 1 error, and what has it is left out of the comparison\n")


@needs_git
def test_a_commit_stands_in_for_the_tables_and_the_work_tree_stays_as_it_is(capsys, repository):
    write("m", "hall")
    git("add", "m")
    write("m", "third")
    before = git("status", "--porcelain=v2")
    code, out, _ = said(capsys, "plan", "m", "--against", "git:main", "-o", "json", "--detailed-exitcode")
    assert code == 2
    report = json.loads(out)
    assert report["against"] == "git:main"
    assert report["changes"][0]["fields"] == [{"field": "rule.direct.room", "old": "lobby", "new": "third"}]
    assert git("status", "--porcelain=v2") == before


@needs_git
def test_a_folder_below_and_a_single_file_are_found_in_the_commit(capsys, repository, monkeypatch):
    write("m", "hall")
    assert "lobby -> hall" in said(capsys, "plan", "m/a.yaml", "--against", "git:HEAD")[1]
    monkeypatch.chdir("m")
    assert "lobby -> hall" in said(capsys, "plan", ".", "--against", "git:HEAD")[1]


@needs_git
def test_attributes_of_the_repository_hide_nothing(capsys, repository):
    Path(".gitattributes").write_text("*.yaml export-ignore\n")
    git("add", ".gitattributes")
    git("commit", "-q", "-m", "two")
    assert said(capsys, "plan", "m", "--against", "git:main")[1] == "No changes: calls go as by git:main.\n"


@needs_git
@pytest.mark.parametrize("reference", ["nowhere", "--output=x", "-h", "main:m", ""])
def test_a_reference_that_is_no_commit_is_one_sentence(capsys, repository, reference):
    code, out, err = said(capsys, "plan", "m", "--against", f"git:{reference}")
    assert (code, out) == (1, "")
    assert "git knows no such commit here" in err
    assert not Path("x").exists()


@needs_git
def test_links_and_dot_entries_of_a_commit_are_not_read(capsys, repository):
    (Path("m") / ".hidden").mkdir()
    (Path("m") / ".hidden" / "b.yaml").write_bytes(text([rule("hidden", priority=3)]))
    (Path("m") / "link.yaml").symlink_to("a.yaml")
    git("add", "m")
    git("commit", "-q", "-m", "two")
    (Path("m") / "link.yaml").unlink()
    _, out, err = said(capsys, "plan", "m", "--against", "git:main")
    assert "No changes" in out
    assert "1 error" in err


@needs_git
def test_manifests_that_look_like_a_bare_repository_are_compared_with_their_own(capsys, repository):
    write("m", "hall")
    git("init", "-q", "-b", "main", "bare")
    (Path("bare") / "a.yaml").write_bytes((Path("m") / "a.yaml").read_bytes())
    git("-C", "bare", "add", "a.yaml")
    git("-C", "bare", "commit", "-q", "-m", "one")
    for name in ("HEAD", "objects", "refs"):
        (Path("bare/.git") / name).rename(Path("m") / name)
    Path("m/config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = true\n")
    assert git("-C", "m", "rev-parse", "--is-bare-repository") == "true\n"
    assert "lobby -> hall" in said(capsys, "plan", "m", "--against", "git:HEAD")[1]
    assert "lobby -> hall" in said(capsys, "plan", "m/a.yaml", "--against", "git:HEAD")[1]


@needs_git
def test_a_folder_reached_by_a_link_is_refused_since_git_holds_the_link_alone(capsys, repository, monkeypatch):
    write("n", "hall")
    git("add", "n")
    git("commit", "-q", "-m", "two")
    Path("m/a.yaml").unlink()
    Path("m").rmdir()
    Path("m").symlink_to("n")
    outside = repository.parent / "outside"
    outside.mkdir()
    Path("o").symlink_to(outside)
    write("o/p")
    git("init", "-q", "o/p")
    for source in ("m", "m/", "m/a.yaml", str(repository / "m"), "o/p", "o/p/a.yaml"):
        code, out, err = said(capsys, "plan", source, "--against", "git:HEAD")
        assert (code, out) == (1, ""), source
        assert "is a link, and a commit holds nothing" in err
    code, _, err = said(capsys, "plan", "o/../m", "--against", "git:HEAD")
    assert code == 1


@needs_git
def test_a_work_tree_that_is_reached_over_a_link_is_one(capsys, repository):
    write("m", "hall")
    link = repository.parent / "link"
    link.symlink_to(repository)
    assert "lobby -> hall" in said(capsys, "plan", str(link / "m"), "--against", "git:HEAD")[1]


@needs_git
def test_a_submodule_is_refused_and_one_below_is_counted(capsys, repository):
    git("init", "-q", "-b", "main", "m/sub")
    write("m/sub", "hall")
    git("-C", "m/sub", "add", ".")
    git("-C", "m/sub", "commit", "-q", "-m", "one")
    git("-c", "advice.addEmbeddedRepo=false", "add", "m/sub")
    git("commit", "-q", "-m", "two")
    code, _, err = said(capsys, "plan", "m/sub", "--against", "git:HEAD")
    assert code == 1
    assert "is a submodule of" in err
    assert "1 error, and what has it is left out" in said(capsys, "plan", "m", "--against", "git:HEAD")[2]


@needs_git
def test_a_folder_whose_name_looks_like_an_option_is_a_folder(capsys, repository):
    write("-r")
    assert "everything is new" in said(capsys, "plan", "--against", "git:HEAD", "--", "-r")[2]


def test_outside_of_a_repository_that_is_said(capsys):
    code, _, err = said(capsys, "plan", "m", "--against", "git:main")
    assert code == 1
    assert "m is in no work tree of git" in err


def test_a_comparison_is_not_saved(capsys):
    assert said(capsys, "plan", "m", "--against", "m", "--out", "p.json")[0] == 1
    assert not Path("p.json").exists()
