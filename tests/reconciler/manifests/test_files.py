from __future__ import annotations

import os

import pytest

from reconciler.manifests import files
from reconciler.manifests.files import find_files, read_bytes_of
from reconciler.manifests.folder import Folder
from tests.reconciler.manifests.writing import write


def found(folder) -> list[str]:
    return [os.path.relpath(path, folder) for path in find_files(str(folder)).files]


def complaints(source) -> list[tuple[str, str]]:
    return [(os.path.basename(p.where.file), p.code) for p in find_files(str(source)).problems]


def test_only_yaml_files_are_found_and_dot_entries_never(tmp_path):
    write(tmp_path, b="x", sub__a="x", _dot="x")
    for name in ("c.yml", "d.json", "e.yaml~", ".f.yaml", "g.yaml.swp", "README.md"):
        (tmp_path / name).write_text("x")
    write(tmp_path / ".git", x="x")
    write(tmp_path / "..2026", x="x")
    assert sorted(found(tmp_path)) == ["_dot.yaml", "b.yaml", "c.yml", "sub/a.yaml"]
    assert complaints(tmp_path) == []


def test_a_file_may_be_named_itself_whatever_it_is_called(tmp_path):
    (tmp_path / "x.json").write_text("{}")
    assert found(tmp_path / "x.json") == ["."]


def test_the_current_folder_adds_nothing_to_the_names(tmp_path, monkeypatch):
    write(tmp_path, a="x", sub__b="x")
    monkeypatch.chdir(tmp_path)
    assert sorted(find_files(".").files) == ["a.yaml", "sub/b.yaml"]
    assert sorted(find_files("sub/").files) == ["sub/b.yaml"]


def test_links_within_the_folder_are_followed_and_loops_end(tmp_path):
    write(tmp_path, own="x", _real__a="x")
    os.symlink(tmp_path / "_real", tmp_path / "linked")
    os.symlink(tmp_path, tmp_path / "loop")
    os.symlink("_real/a.yaml", tmp_path / "file.yaml")
    assert sorted(found(tmp_path)) == ["_real/a.yaml", "file.yaml", "own.yaml"]
    assert complaints(tmp_path) == []


@pytest.mark.parametrize("target", ["elsewhere", "elsewhere/secret.yaml", "dir-beside/secret.yaml"])
def test_a_link_that_leaves_the_folder_is_refused_and_nothing_behind_it_shown(tmp_path, target):
    write(tmp_path, elsewhere__secret="root:x:0:0", **{"dir-beside__secret": "root:x:0:0"})
    folder = tmp_path / "dir"
    write(folder, own="x")
    os.symlink(tmp_path / target, folder / "link.yaml")
    assert found(folder) == ["own.yaml"]
    assert complaints(folder) == [("link.yaml", "link-outside")]
    known = Folder(str(folder))
    for paths in (None, [f"{folder}/link.yaml"], None):
        reading = known.refresh(paths)
        of_link = [p for p in reading.problems if p.where.file.endswith("link.yaml")]
        assert {p.code for p in of_link} == {"link-outside"}
        assert not any(reading.line(p.where) for p in of_link)


def test_the_source_may_be_a_link_and_what_is_in_it_lead_to_a_hidden_folder_beside_it(tmp_path):
    write(tmp_path / "worktrees" / "one" / "..data", a="x")
    os.symlink("..data/a.yaml", tmp_path / "worktrees" / "one" / "a.yaml")
    os.symlink("worktrees/one", tmp_path / "current")
    assert found(tmp_path / "current") == ["a.yaml"]
    assert complaints(tmp_path / "current") == []


def test_a_folder_that_two_ways_lead_to_is_read_once(tmp_path):
    write(tmp_path, b__x="x")
    os.symlink("b", tmp_path / "a")
    assert found(tmp_path) == ["a/x.yaml"]


def test_what_cannot_be_read_is_a_problem_of_its_own(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    os.symlink("nowhere", tmp_path / "dangling.yaml")
    os.symlink("self.yaml", tmp_path / "self.yaml")
    (tmp_path / "folder.yaml").mkdir()
    write(tmp_path, good="x")
    assert found(tmp_path) == ["good.yaml"]
    assert complaints(tmp_path) == [
        ("dangling.yaml", "unreadable"),
        ("pipe.yaml", "not-a-file"),
        ("self.yaml", "unreadable"),
    ]


def test_a_kustomization_says_how_to_build_it(tmp_path):
    write(tmp_path, overlay__kustomization="resources: []", a="x")
    (problem,) = find_files(str(tmp_path)).problems
    assert problem.code == "kustomization"
    assert f"kustomize build {tmp_path}/overlay | reconcile plan -" in problem.hint
    assert found(tmp_path) == ["a.yaml"]


@pytest.mark.parametrize("name", ["missing", "missing/below", "a.yaml/below", "nul\0byte"])
def test_a_source_that_is_not_there_is_a_problem(tmp_path, name):
    write(tmp_path, a="x")
    result = find_files(f"{tmp_path}/{name}")
    assert not result.exists
    assert len(result.problems) == 1


def test_a_source_that_is_neither_folder_nor_file_is_a_problem(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert complaints(tmp_path / "pipe") == [("pipe", "not-a-file")]


def test_too_many_files_are_a_problem(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "FILES_MAX", 2)
    write(tmp_path, a="x", b="x", c="x")
    assert complaints(tmp_path) == [(tmp_path.name, "too-many")]


def test_folders_nested_too_deep_are_a_problem(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "FOLDER_DEPTH_MAX", 2)
    write(tmp_path, a__b__c__d="x")
    assert complaints(tmp_path) == [("b", "too-many")]


def test_a_file_is_never_read_beyond_the_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "FILE_BYTES_MAX", 10)
    write(tmp_path, a="x" * 100)
    assert len(read_bytes_of(f"{tmp_path}/a.yaml")) == 11


def test_a_file_that_is_gone_is_none_and_one_that_cannot_be_opened_a_problem(tmp_path):
    assert read_bytes_of(f"{tmp_path}/gone.yaml") is None
    assert read_bytes_of(str(tmp_path)).code == "unreadable"


@pytest.mark.parametrize("name", ["a\n::error::b.yaml", "a\x1b[2J.yml", "d\nr/b.yaml", os.fsdecode(b"a\xff.yaml")])
def test_a_name_that_would_begin_a_command_of_its_own_is_not_read_and_said_printably(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("x")
    (tmp_path / "Icon\r").write_text("x")
    assert found(tmp_path) == []
    [problem] = find_files(str(tmp_path)).problems
    assert problem.code == "odd-name"
    assert str(problem).isprintable()
    assert Folder(str(tmp_path)).refresh([str(tmp_path / name)]).files == {}
