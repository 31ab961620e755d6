from __future__ import annotations

import io
import os
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.manifests import files
from reconciler.manifests import folder as module
from reconciler.manifests.folder import Folder, read_documents
from tests.reconciler.manifests.writing import names, number, problems, write


def relative(reading, folder) -> list[str]:
    return sorted(os.path.relpath(path, folder) for path in reading.changed)


def test_every_file_is_read_in_the_order_of_its_name(tmp_path):
    write(tmp_path, b=number("b"), a__z=number("z"), a=number("a1") + "---\n" + number("a2"))
    assert names(Folder(str(tmp_path)).refresh()) == ["a1", "a2", "z", "b"]


def test_problems_of_all_files_come_at_once_in_order(tmp_path):
    write(tmp_path, b="x: [", a=number("a", colour="red") + "---\n" + number("b", size="1"), c=b"\xff", d="kind: Trunk")
    write(tmp_path, kustomization="")
    assert problems(tmp_path) == [
        "a.yaml:7:3 unknown-field",
        "a.yaml:15:3 unknown-field",
        "b.yaml:1:4 syntax",
        "c.yaml:1:1 not-utf-8",
        "d.yaml:1:1 missing",
        "d.yaml:1:1 missing",
        "d.yaml:1:1 missing",
        "kustomization.yaml kustomization",
    ]


def test_a_second_look_finds_no_change_and_keeps_every_source(tmp_path):
    write(tmp_path, a=number("a"), b="x: [")
    folder = Folder(str(tmp_path))
    first, second = folder.refresh(), folder.refresh()
    assert relative(first, tmp_path) == ["a.yaml", "b.yaml"]
    assert second.changed == frozenset()
    assert all(second.sources[path] is first.sources[path] for path in first.sources)


def test_only_files_with_another_stamp_are_read_again(tmp_path, monkeypatch):
    write(tmp_path, a=number("a"), b=number("b"))
    monkeypatch.setattr(module, "FRESH_NS", -(10**18))
    folder = Folder(str(tmp_path))
    folder.refresh()
    looked_at = []
    monkeypatch.setattr(module, "read_bytes_of", lambda path: looked_at.append(path) or module_read(path))
    write(tmp_path, b=number("b", 4155550199))
    assert relative(folder.refresh(), tmp_path) == ["b.yaml"]
    assert looked_at == [f"{tmp_path}/b.yaml"]


module_read = module.read_bytes_of


def test_a_change_within_the_grain_of_the_time_stamp_is_seen(tmp_path, monkeypatch):
    moment = time.time_ns()
    monkeypatch.setattr(files, "_stamp", lambda status: (moment, moment, status.st_size, status.st_ino))
    write(tmp_path, a=number("a", 4155550100))
    folder = Folder(str(tmp_path))
    folder.refresh()
    write(tmp_path, a=number("a", 4155550111))
    assert relative(folder.refresh(), tmp_path) == ["a.yaml"]


def test_a_rewrite_with_the_same_bytes_is_no_change(tmp_path):
    write(tmp_path, a=number("a"))
    folder = Folder(str(tmp_path))
    folder.refresh()
    (tmp_path / "new").write_text(number("a"))
    os.replace(tmp_path / "new", tmp_path / "a.yaml")
    assert folder.refresh().changed == frozenset()


def test_named_paths_are_looked_at_and_no_others(tmp_path):
    write(tmp_path, a=number("a"), b=number("b"))
    folder = Folder(str(tmp_path))
    folder.refresh()
    write(tmp_path, a=number("a2"), b=number("b2"), c=number("c"), d=number("d"))
    reading = folder.refresh({f"{tmp_path}/a.yaml", f"{tmp_path}/c.yaml", f"{tmp_path}/gone.yaml", f"{tmp_path}/x.txt"})
    assert relative(reading, tmp_path) == ["a.yaml", "c.yaml"]
    assert names(reading) == ["a2", "b", "c"]


def test_a_removed_file_is_a_change(tmp_path):
    write(tmp_path, a=number("a"), b=number("b"))
    folder = Folder(str(tmp_path))
    folder.refresh()
    (tmp_path / "a.yaml").unlink()
    assert names(folder.refresh({f"{tmp_path}/a.yaml"})) == ["b"]
    (tmp_path / "b.yaml").unlink()
    reading = folder.refresh()
    assert (names(reading), reading.found, relative(reading, tmp_path)) == ([], True, ["b.yaml"])


def test_a_folder_that_is_gone_keeps_what_it_said_and_complains(tmp_path):
    home = tmp_path / "home"
    write(home, a=number("a"))
    folder = Folder(str(home))
    folder.refresh()
    os.rename(home, tmp_path / "away")
    gone = folder.refresh()
    assert (names(gone), gone.found, [p.code for p in gone.problems]) == (["a"], False, ["no-such-folder"])
    assert folder.refresh().changed == frozenset()
    os.rename(tmp_path / "away", home)
    back = folder.refresh()
    assert (names(back), back.found, back.problems, bool(back.changed)) == (["a"], True, [], True)


def test_a_folder_that_never_was_declares_nothing_and_says_so(tmp_path):
    reading = Folder(str(tmp_path / "missing")).refresh()
    assert (names(reading), reading.found) == ([], False)


def test_a_link_that_is_switched_over_is_read_from_its_new_place(tmp_path):
    write(tmp_path / "rev1", a=number("a"), b=number("b"))
    write(tmp_path / "rev2", a=number("a"), b=number("b", 4155550111))
    os.symlink("rev1", tmp_path / "current")
    folder = Folder(str(tmp_path / "current"))
    before = folder.refresh()
    os.symlink("rev2", tmp_path / "next")
    os.replace(tmp_path / "next", tmp_path / "current")
    after = folder.refresh()
    assert relative(after, tmp_path) == ["current/b.yaml"]
    path = f"{tmp_path}/current/a.yaml"
    assert after.sources[path] is before.sources[path]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_not_whole(tmp_path):
    write(tmp_path, a=number("a"))
    (tmp_path / "a.yaml").chmod(0)
    reading = Folder(str(tmp_path)).refresh()
    assert not reading.sources[f"{tmp_path}/a.yaml"].whole


def test_a_file_that_cannot_be_read_is_not_whole_and_is_tried_again(tmp_path):
    write(tmp_path, a=number("a"))
    folder = Folder(str(tmp_path))
    folder.refresh()
    (tmp_path / "a.yaml").unlink()
    (tmp_path / "a.yaml").mkdir()
    reading = folder.refresh({f"{tmp_path}/a.yaml"})
    assert not reading.sources[f"{tmp_path}/a.yaml"].whole
    (tmp_path / "a.yaml").rmdir()
    write(tmp_path, a=number("a"))
    assert names(folder.refresh()) == ["a"]


def test_standard_input_is_a_source(monkeypatch):
    class Input:
        buffer = io.BytesIO((number("a") + "---\nx: [").encode())

    monkeypatch.setattr("sys.stdin", Input)
    reading = read_documents(["-"])
    assert names(reading) == ["a"]
    assert [str(p.where) for p in reading.problems] == ["<stdin>:8:4"]


def test_several_sources_are_read_as_one(tmp_path):
    write(tmp_path, x__a=number("a"), y__b=number("b"))
    reading = read_documents([f"{tmp_path}/x", f"{tmp_path}/y", f"{tmp_path}/x", f"{tmp_path}/z"])
    assert names(reading) == ["a", "b"]
    assert not reading.found


def test_the_line_in_question_is_shown_unless_it_may_hold_a_secret(tmp_path):
    trunk = (
        "apiVersion: dialplane.dev/v1alpha1\nkind: Trunk\nmetadata: {name: t}\nspec:\n  inbound:\n"
        "    allowed: [10.0.0.1]\n    auth: {user: u, password: hunter2, realms: r}\n"
    )
    write(tmp_path, t=trunk)
    reading = Folder(str(tmp_path)).refresh()
    lines = {problem.where.path.rpartition(".")[2]: reading.line(problem.where) for problem in reading.problems}
    assert lines["allowed"] == "    allowed: [10.0.0.1]"
    assert lines["user"] == "    auth: {user: u, ****"
    assert lines["password"] == lines["realms"] == ""


NAMES = st.sampled_from(["a", "b", "sub/c"])
CONTENTS = st.sampled_from([number("a"), number("b"), number("a") + "---\n" + number("c"), "x: [", "", None])
STEPS = st.lists(st.tuples(NAMES, CONTENTS, st.booleans()), max_size=8)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_many_small_looks_give_what_one_look_gives(tmp_path_factory, steps):
    root = tmp_path_factory.mktemp("folder")
    folder = Folder(str(root))
    folder.refresh()
    for name, content, by_path in steps:
        path = root / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        if content is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(content)
        reading = folder.refresh({str(path)} if by_path else None)
    afresh = Folder(str(root)).refresh()
    if steps:
        assert reading.problems == afresh.problems
        assert names(reading) == names(afresh)
        assert list(reading.sources) == list(afresh.sources)


def test_a_pass_over_unchanged_files_does_not_open_them(tmp_path, monkeypatch):
    write(tmp_path, **{f"n{i}": number(f"n{i}") for i in range(300)})
    old = time.time_ns() - 10**10
    for path in tmp_path.iterdir():
        os.utime(path, ns=(old, old))
    folder = Folder(str(tmp_path))
    folder.refresh()
    monkeypatch.setattr(module, "read_bytes_of", lambda path: pytest.fail(f"{path} was opened"))
    assert folder.refresh().changed == frozenset()


def test_a_look_that_was_taken_before_the_last_refresh_is_not_believed(tmp_path):
    write(tmp_path, a=number("a"))
    folder = Folder(str(tmp_path))
    folder.refresh()
    look = folder.look()
    write(tmp_path, b=number("b", 4155550101))
    folder.refresh({f"{tmp_path}/b.yaml"})
    assert names(folder.refresh(None, look)) == ["a", "b"]
    look = folder.look()
    assert folder.refresh(None, look).changed == frozenset()
