"""The whole watch, under live calls: whatever happens to the folder, to the reconciler or beside it, the tables are
whole after it, the next call goes by what is declared, and nobody who is talking notices."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from schemas.stores import SqliteStore
from schemas.tables.digest import digest_of
from tests.interop.test_live_edit import child_of, dial, rooms
from tests.peers import ROOT, STEADY, BridgeProcess, talk_share, wait_for

CALLS = 5
TALK_MS = 40_000

TRUNK = """apiVersion: dialplane.dev/v1alpha1
kind: Trunk
metadata: {name: this-machine}
spec: {inbound: {allowedAddresses: [127.0.0.1/32]}}
"""


def rule(room: str, name: str = "lobby", more: str = "") -> str:
    return (
        "apiVersion: dialplane.dev/v1alpha1\nkind: DispatchRule\n"
        f"metadata: {{name: {name}}}\nspec: {{rule: {{direct: {{room: {room}}}}}{more}}}\n"
    )


def number(index: int) -> str:
    return (
        "apiVersion: dialplane.dev/v1alpha1\nkind: PhoneNumber\n"
        f"metadata: {{name: n{index}}}\nspec: {{number: '+1415555{index:04}', trunkRef: {{name: this-machine}}}}\n"
    )


def fill(folder: Path, room: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "trunk.yaml").write_text(TRUNK)
    (folder / "rule.yaml").write_text(rule(room))
    return folder


def replace(path: Path, text: str) -> None:
    """A save as editors do it: a new file renamed over the old one."""
    fresh = path.with_name(f".{path.name}.tmp")
    fresh.write_text(text)
    fresh.replace(path)


def switch(link: Path, to: str) -> None:
    """A link switched over in one step, as git-sync and ConfigMaps do it."""
    fresh = link.with_name(link.name + ".new")
    fresh.symlink_to(to)
    fresh.replace(link)


class Tables:
    """What is live, looked at beside the bridge; whole, or an assertion fails."""

    def __init__(self, state: Path) -> None:
        self._path = str(state / "tables.db")

    def room(self) -> str:
        with SqliteStore(self._path) as store:
            at = store.load()
            assert digest_of(at.rows) == at.digest
            found = at.rows.rules.get("default/lobby")
            return found.room_name if found is not None else ""

    def numbers(self) -> int:
        with SqliteStore(self._path) as store:
            at = store.load()
            assert digest_of(at.rows) == at.digest
            return len(at.rows.numbers)

    def revision(self) -> int:
        with SqliteStore(self._path) as store:
            return store.head().revision


@contextmanager
def talking(bridge: BridgeProcess, work: Path, talk_ms: int = TALK_MS) -> Iterator[None]:
    """Calls that are up meanwhile; none may lose a packet's worth of audio, or its room."""
    done: list[subprocess.CompletedProcess[str]] = []
    phone = threading.Thread(target=lambda: done.append(dial(bridge, work / "many", CALLS, talk_ms)))
    phone.start()
    try:
        wait_for(lambda: len(bridge.counters()["live"]) == CALLS, "all calls to be up")
        before = rooms(bridge)
        yield
        assert rooms(bridge) == before, "calls that are up keep their room"
    finally:
        phone.join()
    assert done[0].returncode == 0, done[0].stdout[-2000:]
    ended = bridge.records()[-CALLS:]
    assert [record["reason"] for record in ended] == ["hangup"] * CALLS
    for record in ended:
        assert talk_share(record) > STEADY, "audio never stopped"


@pytest.mark.peer("sipp")
@pytest.mark.xdist_group("sipp")
def test_whatever_happens_to_the_folder_no_call_is_touched(tmp_path: Path) -> None:
    fill(tmp_path / "one", "lobby")
    home = tmp_path / "current"
    home.symlink_to("one")
    with BridgeProcess(home, tmp_path) as bridge, talking(bridge, tmp_path):
        for fault in FAULTS:
            fault(tmp_path, home, Tables(bridge.state), bridge)


def half_saved(_work: Path, home: Path, tables: Tables, bridge: BridgeProcess) -> None:
    whole, before = rule("half"), tables.revision()
    (home / "rule.yaml").write_text(whole[: whole.index("direct")])
    wait_for(lambda: "keeps its last good version" in bridge.log(), "word of the half-saved file")
    assert (tables.room(), tables.revision()) == ("lobby", before)
    (home / "rule.yaml").write_text(whole)
    wait_for(lambda: tables.room() == "half", "the rest of the save")


def saved_by_rename(_work: Path, home: Path, tables: Tables, _bridge: BridgeProcess) -> None:
    replace(home / "rule.yaml", rule("renamed"))
    wait_for(lambda: tables.room() == "renamed", "the edit")


def moved(_work: Path, home: Path, tables: Tables, _bridge: BridgeProcess) -> None:
    """A file and a folder under another name declare what they declared: no revision."""
    before = tables.revision()
    (home / "sub").mkdir()
    (home / "rule.yaml").rename(home / "sub" / "lobby.yaml")
    (home / "sub").rename(home / "rules")
    replace(home / "rules" / "lobby.yaml", rule("moved"))
    wait_for(lambda: tables.room() == "moved", "the edit in the moved file")
    assert tables.revision() == before + 1
    (home / "rules" / "lobby.yaml").rename(home / "rule.yaml")


def git_sync(work: Path, home: Path, tables: Tables, _bridge: BridgeProcess) -> None:
    fill(work / "two", "synced")
    switch(home, "two")
    wait_for(lambda: tables.room() == "synced", "the other work tree")
    shutil.rmtree(work / "one")


def config_map(_work: Path, home: Path, tables: Tables, _bridge: BridgeProcess) -> None:
    for name, room in (("..one", "mapped"), ("..two", "mapped-again")):
        fill(home / name, room)
    switch(home / "..data", "..one")
    for file in ("rule.yaml", "trunk.yaml"):
        switch(home / file, f"..data/{file}")
    wait_for(lambda: tables.room() == "mapped", "the first map")
    switch(home / "..data", "..two")
    wait_for(lambda: tables.room() == "mapped-again", "the second map")


def a_thousand_at_once(_work: Path, home: Path, tables: Tables, _bridge: BridgeProcess) -> None:
    before = tables.revision()
    for index in range(1000):
        (home / f"n{index}.yaml").write_text(number(index))
    wait_for(lambda: tables.numbers() == 1000, "a thousand files")
    assert tables.revision() <= before + 8, "many files are few revisions"


def emptied(_work: Path, home: Path, tables: Tables, bridge: BridgeProcess) -> None:
    aside = home.resolve().with_name("aside")
    aside.mkdir()
    for path in [path for path in home.resolve().iterdir() if path.name[0] != "."]:
        path.rename(aside / path.name)
    wait_for(lambda: "nothing is declared any more" in bridge.log(), "the refusal")
    assert "--allow-deletes 1002" in bridge.log()
    assert (tables.room(), tables.numbers()) == ("mapped-again", 1000)
    for path in list(aside.iterdir()):
        path.rename(home.resolve() / path.name)
    aside.rmdir()


def removed(_work: Path, home: Path, tables: Tables, bridge: BridgeProcess) -> None:
    real = home.resolve()
    real.rename(real.with_name("away"))
    wait_for(lambda: f"without {home} the tables stay as they are" in bridge.log(), "word of the missing folder")
    assert (tables.room(), tables.numbers()) == ("mapped-again", 1000)
    real.with_name("away").rename(real)
    for file in ("rule.yaml", "trunk.yaml"):
        (real / file).unlink()
    (real / "trunk.yaml").write_text(TRUNK)
    (real / "rule.yaml").write_text(rule("back"))
    wait_for(lambda: tables.room() == "back", "the folder again")


def restarted_with_a_broken_file(_work: Path, home: Path, tables: Tables, bridge: BridgeProcess) -> None:
    before, told = tables.revision(), bridge.log().count("watching ")
    subprocess.run(["kill", "-9", child_of(bridge)], check=True)
    (home / "rule.yaml").write_text(rule("broken") + "  nonsense: [")
    wait_for(lambda: bridge.log().count("watching ") > told, "the new reconciler")
    assert (tables.room(), tables.revision()) == ("back", before)
    replace(home / "rule.yaml", rule("lobby"))
    wait_for(lambda: tables.room() == "lobby", "the mended file")


Fault = Callable[[Path, Path, Tables, BridgeProcess], None]
FAULTS: list[Fault] = [
    half_saved, saved_by_rename, moved, git_sync, config_map, a_thousand_at_once, emptied, removed,
    restarted_with_a_broken_file,
]  # fmt: skip


@contextmanager
def watching(folder: Path, state: Path, owner: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "reconciler", "watch", str(folder), "--state", str(state), "--owner", owner]
    log = folder.with_name(f"{folder.name}-{owner}-{os.urandom(2).hex()}.log")
    with log.open("w") as out, subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out, text=True) as process:
        try:
            wait_for(lambda: "watching " in log.read_text(), "the watcher")
            yield process
        finally:
            process.kill()


def test_two_watchers_of_one_folder_and_one_of_another_owner_lose_nothing(tmp_path: Path) -> None:
    mine, theirs, state = fill(tmp_path / "mine", "room-0"), tmp_path / "theirs", tmp_path / "state"
    theirs.mkdir()
    (theirs / "rule.yaml").write_text(rule("their-0", "theirs", ", priority: 5"))
    tables = Tables(state)
    with watching(mine, state, "default"), watching(mine, state, "default"), watching(theirs, state, "team-b"):
        before = tables.revision()
        for edit in range(1, 11):
            replace(mine / "rule.yaml", rule(f"room-{edit}"))
            replace(theirs / "rule.yaml", rule(f"their-{edit}", "theirs", ", priority: 5"))
            wait_for(lambda edit=edit: tables.room() == f"room-{edit}", "my edit")  # type: ignore[misc]
        with SqliteStore(str(state / "tables.db")) as store:
            wait_for(lambda: store.load().rows.rules["default/theirs"].room_name == "their-10", "their edit")
            owners = {id_: owner for (_, id_), owner in store.load().owners.items()}
        assert owners == {
            "default/this-machine": "default",
            "default/lobby": "default",
            "default/theirs": "team-b",
        }
        assert tables.revision() <= before + 20, "of two watchers of one folder the second finds nothing left to do"
