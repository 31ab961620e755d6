from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.loop import Loop
from reconciler.manifests.folder import Folder
from reconciler.manifests.quiet import Batch
from reconciler.plan.gates import Allowances
from reconciler.targets.rollback import Rollback, release, roll_back
from reconciler.targets.tables import TablesTarget
from schemas.seal import unseals_nothing
from schemas.stores import SqliteStore, StoreError
from tests.reconciler.declaring import broken, declared, number, ref, rule, text, trunk

ALL = Batch(everything=True)
SWEEP = Batch(everything=True, swept=True)


class Watched:
    """A loop over a folder, with what it says; times are left out."""

    def __init__(self, place: Path, store: SqliteStore) -> None:
        self.folder = place / "m"
        self.folder.mkdir()
        self.store = store
        self.lines: list[str] = []
        self.problems: list[str] = []
        target = TablesTarget(store, "default", wall=lambda: 1000.0)
        self.loop = Loop(Folder(str(self.folder)), target, self._say, self._report)

    def _say(self, line: str) -> None:
        self.lines.append(re.sub(r"in \d+ ms", "in 0 ms", line.replace(str(self.folder), "m")))

    def _report(self, _reading, problems) -> None:
        self.problems += [problem.code for problem in problems]

    def write(self, name: str, *documents) -> None:
        (self.folder / name).write_bytes(text(documents))

    def edit(self, name: str, *documents) -> None:
        self.write(name, *documents)
        self.loop.one_pass(Batch(frozenset({str(self.folder / name)})))


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with SqliteStore(str(tmp_path / "tables.db")) as store:
        made = Watched(tmp_path, store)
        made.write("trunk.yaml", trunk())
        made.write("rule.yaml", rule(room="lobby"))
        yield made


def test_the_first_line_says_what_is_watched(watched):
    watched.loop.one_pass(ALL)
    assert watched.lines == [
        "watching m (2 documents), revision 1",
        "revision 1: Trunk default/carrier created, published in 0 ms",
        "revision 1: DispatchRule default/support created, published in 0 ms",
    ]


def test_an_edit_is_one_revision_and_one_line(watched):
    watched.loop.one_pass(ALL)
    watched.edit("rule.yaml", rule(room="hall"))
    assert (
        watched.lines[-1] == "revision 2: DispatchRule default/support changed (room: lobby -> hall), published in 0 ms"
    )
    assert watched.store.load().rows.rules["default/support"].room_name == "hall"


def test_a_broken_edit_changes_nothing_but_the_message_which_is_told_once(watched):
    watched.loop.one_pass(ALL)
    said = len(watched.lines)
    watched.edit("rule.yaml", broken(rule(room="hall")))
    watched.edit("trunk.yaml", trunk(metadata="x"))
    assert watched.problems.count("unknown-field") == 1
    assert watched.store.load().rows.rules["default/support"].room_name == "lobby"
    watched.edit("rule.yaml", rule(room="hall"))
    assert watched.lines[-2:] == ["all errors are mended", "DispatchRule default/support is as declared again"]
    assert len(watched.lines) == said + 5


def test_an_unsafe_change_keeps_the_tables_and_is_told_once_with_the_apply_that_allows_it(watched):
    watched.loop.one_pass(ALL)
    for file in watched.folder.iterdir():
        file.unlink()
    watched.loop.one_pass(ALL)
    watched.write("note.yaml")
    watched.loop.one_pass(ALL)
    refusals = [line for line in watched.lines if "refused as unsafe" in line]
    assert len(refusals) == 1
    assert refusals[0].endswith("to allow it: reconcile apply DIR --allow-deletes 2")
    assert watched.store.head().revision == 1


def test_a_renamed_trunk_is_told_by_its_cause_before_the_flag_that_would_let_it_go(watched, monkeypatch):
    watched.write("rule.yaml", rule(trunkRefs=[ref("carrier")]))
    watched.loop.one_pass(ALL)
    told: list[str] = []
    monkeypatch.setattr(watched.loop._telling, "_say", told.append)
    monkeypatch.setattr(watched.loop._telling, "_report", lambda _, problems: told.extend(map(str, problems)))
    watched.edit("trunk.yaml", trunk("carrier-2"))
    cause = next(index for index, line in enumerate(told) if "did you mean carrier-2?" in line)
    assert cause < next(index for index, line in enumerate(told) if "--allow-deletes 1" in line)


def test_a_number_left_without_a_route_keeps_the_tables_and_names_what_would_allow_it(watched):
    watched.write("number.yaml", number(trunkRef=ref("carrier"), dispatchRuleRef=ref("support")))
    watched.loop.one_pass(ALL)
    watched.edit("number.yaml", number(trunkRef=ref("carrier")))
    watched.edit("rule.yaml", rule(match={"to": ["+44*"]}))
    (refusal,) = [line for line in watched.lines if "answered by nobody" in line]
    assert refusal.endswith("to allow it: reconcile apply DIR --allow-unrouted PhoneNumber/default/main")
    assert watched.store.load().rows.numbers["default/main"].rule == "default/support"


def test_a_renaming_is_one_move(watched):
    watched.loop.one_pass(ALL)
    moved = rule("helpdesk")
    moved["metadata"]["annotations"] = {"dialplane.dev/renamed-from": "support"}
    watched.edit("rule.yaml", moved)
    assert watched.lines[-1].startswith(
        "revision 2: DispatchRule default/helpdesk moved from default/support, published"
    )


def test_a_sweep_that_finds_nothing_does_nothing(watched):
    watched.loop.one_pass(ALL)
    before = watched.store.data_version(), list(watched.lines)
    watched.loop.one_pass(SWEEP)
    assert (watched.store.data_version(), watched.lines) == before


def test_a_folder_that_is_gone_keeps_everything(watched):
    watched.loop.one_pass(ALL)
    watched.folder.rename(watched.folder.with_name("elsewhere"))
    watched.loop.one_pass(ALL)
    assert watched.store.head().revision == 1
    assert watched.problems == ["no-such-folder"]
    assert watched.lines[-1] == "without m the tables stay as they are"


def test_a_store_that_fails_is_told_once_and_tried_again_at_the_next_look(watched):
    watched.loop.one_pass(ALL)
    publish = watched.store.publish

    def failing(*_args, **_kwargs):
        raise StoreError("tables.db", "the disk is full")

    watched.store.publish = failing
    watched.edit("rule.yaml", rule(room="hall"))
    watched.loop.one_pass(SWEEP)
    assert watched.lines.count("tables.db: the disk is full; the tables stay as they are") == 1
    watched.store.publish = publish
    watched.loop.one_pass(SWEEP)
    assert watched.store.load().rows.rules["default/support"].room_name == "hall"


def test_a_second_watcher_of_the_same_folder_does_no_harm(watched):
    watched.loop.one_pass(ALL)
    lines: list[str] = []
    second = TablesTarget(watched.store, "default", wall=lambda: 1000.0)
    other = Loop(Folder(str(watched.folder)), second, lines.append, lambda *_: None)
    other.one_pass(ALL)
    for room in ("hall", "attic"):
        watched.edit("rule.yaml", rule(room=room))
        other.one_pass(ALL)
    assert watched.store.head().revision == 3
    assert len(lines) == 1


def test_what_another_apply_of_the_same_owner_changed_is_put_back_and_told(watched):
    watched.loop.one_pass(ALL)
    other = TablesTarget(watched.store, "default", wall=lambda: 1000.0)
    other.apply(declared({"x.yaml": [trunk(), rule(room="cellar")]}), Allowances(), note="apply other/")
    before = len(watched.lines)
    watched.loop.one_pass(SWEEP)
    assert watched.store.load().rows.rules["default/support"].room_name == "lobby"
    assert watched.lines[before:] == [
        "`apply other/` of the owner default made revision 2: now as declared again",
        "revision 3: DispatchRule default/support changed (room: cellar -> lobby), published in 0 ms",
    ]
    watched.loop.one_pass(SWEEP)
    assert len(watched.lines) == before + 2


def test_another_owners_apply_is_nothing_to_talk_about(watched):
    watched.loop.one_pass(ALL)
    other = TablesTarget(watched.store, "team-b", wall=lambda: 1000.0)
    other.apply(declared({"x.yaml": [trunk("theirs", 9)]}), Allowances())
    before = list(watched.lines)
    watched.loop.one_pass(SWEEP)
    assert watched.lines == before


def test_an_object_that_breaks_is_told_to_keep_its_last_good_version_or_not_to_be_live(watched):
    watched.loop.one_pass(ALL)
    watched.edit("rule.yaml", broken(rule(room="lobby")), broken(rule("fresh", priority=2)))
    assert watched.lines[-2:] == [
        "DispatchRule default/support keeps its last good version",
        "DispatchRule default/fresh is not live until that is mended",
    ]
    before = len(watched.lines)
    watched.loop.one_pass(SWEEP)
    assert len(watched.lines) == before


def test_a_restart_with_a_broken_file_says_that_the_last_good_version_stays(watched):
    watched.loop.one_pass(ALL)
    watched.write("rule.yaml", broken(rule(room="hall")))
    lines: list[str] = []
    again = TablesTarget(watched.store, "default", wall=lambda: 1000.0)
    Loop(Folder(str(watched.folder)), again, lines.append, lambda *_: None).one_pass(ALL)
    assert watched.store.load().rows.rules["default/support"].room_name == "lobby"
    assert lines[-1] == "DispatchRule default/support keeps its last good version"


def test_a_file_that_is_emptied_deletes_nothing_also_after_a_restart(watched):
    watched.loop.one_pass(ALL)
    watched.edit("rule.yaml")
    assert watched.problems == ["emptied-file"]
    assert watched.lines[-1] == "DispatchRule default/support keeps its last good version"
    again = Loop(Folder(str(watched.folder)), TablesTarget(watched.store, "default"), watched._say, watched._report)
    again.one_pass(ALL)
    assert watched.problems == ["emptied-file", "emptied-file"]
    assert watched.store.load().rows.rules["default/support"].room_name == "lobby"
    (watched.folder / "rule.yaml").unlink()
    again.one_pass(ALL)
    assert not watched.store.load().rows.rules


def test_what_somebody_else_applies_meanwhile_is_not_undone_by_an_edit_elsewhere(watched):
    watched.loop.one_pass(ALL)
    other = declared({"x.yaml": [number()]})
    TablesTarget(watched.store, "team-b", wall=lambda: 1000.0).apply(other, Allowances())
    watched.edit("rule.yaml", rule(room="hall"))
    rows = watched.store.load().rows
    assert rows.numbers
    assert rows.rules["default/support"].room_name == "hall"


def test_tables_that_somebody_removed_are_made_again(tmp_path):
    path = tmp_path / "tables.db"
    with SqliteStore(str(path)) as store:
        watched = Watched(tmp_path, store)
        watched.write("trunk.yaml", trunk())
        watched.loop.one_pass(ALL)
        for file in tmp_path.glob("tables.db*"):
            file.unlink()
        with SqliteStore(str(path)) as anew:
            assert anew.head().revision == 0
            store.data_version()
            watched.loop.one_pass(SWEEP)
            assert list(anew.load().rows.trunks) == ["default/carrier"]


def test_very_many_changes_are_counted(watched):
    watched.write("numbers.yaml", *(number(f"n{index}", f"+1415555{index:04}") for index in range(100)))
    watched.loop.one_pass(ALL)
    assert watched.lines[-1] == "revision 1: 52 more changes, published in 0 ms"


def test_a_rollback_is_told_once_with_what_waits_and_stays_until_the_manifests_change(watched):
    watched.loop.one_pass(ALL)
    watched.edit("rule.yaml", rule(room="hall"))
    asked = Rollback(1, Allowances(), unseals_nothing)
    roll_back(watched.store, "default", asked, wall=lambda: 1000.0)
    said = len(watched.lines)
    watched.loop.one_pass(SWEEP)
    watched.loop.one_pass(SWEEP)
    assert watched.lines[said:][:1] == [
        "Nothing was changed: pinned to revision 1 by the rollback that made revision 3; "
        "1 change waits until the manifests are others than those applied last, or `reconcile rollback --release`."
    ]
    assert [line for line in watched.lines[said + 1 :] if "pinned" in line] == []
    assert watched.store.load().rows.rules["default/support"].room_name == "lobby"
    watched.edit("rule.yaml", rule(room="third"))
    assert "the manifests have changed: no longer pinned to revision 1" in watched.lines
    assert watched.store.load().rows.rules["default/support"].room_name == "third"


def test_a_release_is_seen_at_the_next_look(watched):
    watched.loop.one_pass(ALL)
    watched.edit("rule.yaml", rule(room="hall"))
    roll_back(watched.store, "default", Rollback(1, Allowances(), unseals_nothing), wall=lambda: 1000.0)
    watched.loop.one_pass(SWEEP)
    release(watched.store, "default", wall=lambda: 1000.0)
    watched.loop.one_pass(SWEEP)
    assert "the pin to revision 1 was released: now as declared again" in watched.lines
    assert watched.store.load().rows.rules["default/support"].room_name == "hall"
