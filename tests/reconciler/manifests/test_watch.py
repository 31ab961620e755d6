"""The watch against a real file system: what tools do to folders, each seen through events before the regular look."""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import replace

import pytest

from reconciler.manifests import watch as module
from reconciler.manifests.folder import Folder
from reconciler.manifests.watch import Sieve, target_of, watch
from tests.reconciler.manifests.writing import names, number, write

PATIENCE_S = 20


class Watching:
    """A watched source; `until` follows its batches until its reading is as expected."""

    def __init__(self, source, sweep_ok: bool = False):
        self.folder = Folder(str(source))
        self.batches = watch(self.folder)
        self.sweep_ok = sweep_ok
        self.reading = None
        self.seen = []

    async def until(self, expected):
        self.seen = []
        async with asyncio.timeout(PATIENCE_S):
            while self.reading is None or not expected(self.reading):
                batch = await anext(self.batches)
                assert self.sweep_ok or not batch.swept, "seen only by the regular look"
                self.reading = self.folder.refresh(batch.to_refresh)
                self.seen.append(batch)
        return self.reading

    async def __aenter__(self):
        batch = await anext(self.batches)
        assert batch.everything
        self.reading = self.folder.refresh()
        return self

    async def __aexit__(self, *_):
        await self.batches.aclose()


@pytest.fixture(autouse=True)
def _events_alone_must_do(monkeypatch):
    monkeypatch.setattr(module, "SWEEP_EVERY_S", PATIENCE_S)


def declares(*wanted):
    return lambda reading: sorted(names(reading)) == sorted(wanted)


def test_an_edit_in_place_and_an_atomic_replacement_are_one_file_each(tmp_path):
    async def scene():
        write(tmp_path, a=number("a"), b=number("b"))
        async with Watching(tmp_path) as watching:
            write(tmp_path, a=number("a2"))
            await watching.until(declares("a2", "b"))
            assert all(batch.paths == {f"{tmp_path}/a.yaml"} for batch in watching.seen)
            (tmp_path / ".a.tmp").write_text(number("a3"))
            os.replace(tmp_path / ".a.tmp", tmp_path / "a.yaml")
            await watching.until(declares("a3", "b"))
            assert all(batch.paths == {f"{tmp_path}/a.yaml"} for batch in watching.seen)

    asyncio.run(scene())


def test_renames_removals_and_new_folders_are_seen(tmp_path):
    async def scene():
        write(tmp_path, a=number("a"))
        async with Watching(tmp_path) as watching:
            os.rename(tmp_path / "a.yaml", tmp_path / "b.yaml")
            await watching.until(lambda r: list(r.sources) == [f"{tmp_path}/b.yaml"])
            write(tmp_path, sub__deep__c=number("c"))
            await watching.until(declares("a", "c"))
            write(tmp_path, sub__deep__c=number("c2"))
            await watching.until(declares("a", "c2"))
            shutil.rmtree(tmp_path / "sub")
            await watching.until(declares("a"))

    asyncio.run(scene())


def test_a_half_saved_file_is_unreadable_until_it_is_written_whole(tmp_path):
    async def scene():
        write(tmp_path, a=number("a"))
        async with Watching(tmp_path) as watching:
            write(tmp_path, a=number("a") + "  trunkRef: {na")
            reading = await watching.until(lambda r: not r.sources[f"{tmp_path}/a.yaml"].whole)
            assert [p.code for p in reading.problems] == ["syntax"]
            write(tmp_path, a=number("a", trunkRef="{name: t}"))
            await watching.until(lambda r: r.sources[f"{tmp_path}/a.yaml"].whole and not r.problems)

    asyncio.run(scene())


def test_a_thousand_files_at_once_are_few_batches(tmp_path):
    async def scene():
        async with Watching(tmp_path) as watching:
            write(tmp_path, **{f"n{i}": number(f"n{i}", 4150000000 + i) for i in range(1000)})
            await watching.until(lambda r: len(r.sources) == 1000)
            assert len(watching.seen) <= 3

    asyncio.run(scene())


def test_a_folder_removed_and_made_again_is_followed(tmp_path):
    async def scene():
        home = tmp_path / "home"
        write(home, a=number("a"))
        async with Watching(home) as watching:
            shutil.rmtree(home)
            reading = await watching.until(lambda r: not r.found)
            assert names(reading) in (["a"], [])
            write(home, b=number("b"))
            await watching.until(lambda r: r.found and names(r) == ["b"])
            write(home, b=number("b2"))
            await watching.until(declares("b2"))

    asyncio.run(scene())


def test_a_folder_exchanged_for_another_in_one_go_is_followed(tmp_path):
    async def scene():
        home = tmp_path / "home"
        write(home, a=number("a"))
        write(tmp_path / "new", a=number("a2"))
        async with Watching(home) as watching:
            os.rename(home, tmp_path / "old")
            os.rename(tmp_path / "new", home)
            await watching.until(declares("a2"))
            write(home, a=number("a3"))
            await watching.until(declares("a3"))

    asyncio.run(scene())


@pytest.mark.parametrize("same_inode", [True, False])
def test_a_folder_made_again_before_anyone_looked_is_followed(tmp_path, monkeypatch, same_inode):
    if same_inode:
        genuine = module.target_of
        monkeypatch.setattr(module, "target_of", lambda source: replace(genuine(source), identity=(0, 0)))

    async def scene():
        home = tmp_path / "home"
        write(home, a=number("a"))
        async with Watching(home) as watching:
            shutil.rmtree(home)
            write(home, a=number("a2"))
            await watching.until(declares("a2"))
            write(home, a=number("a3"))
            await watching.until(declares("a3"))

    asyncio.run(scene())


def test_a_folder_that_is_not_there_yet_is_waited_for(tmp_path):
    async def scene():
        async with Watching(tmp_path / "later") as watching:
            assert not watching.reading.found
            write(tmp_path / "later", a=number("a"))
            await watching.until(declares("a"))

    asyncio.run(scene())


def test_git_sync_switching_its_link_is_followed(tmp_path):
    async def scene():
        write(tmp_path / "rev1", m__a=number("a"))
        write(tmp_path / "rev2", m__a=number("a2"))
        os.symlink("rev1", tmp_path / "current")
        async with Watching(tmp_path / "current" / "m") as watching:
            os.symlink("rev2", tmp_path / "next")
            os.replace(tmp_path / "next", tmp_path / "current")
            await watching.until(declares("a2"))
            write(tmp_path / "rev2", m__a=number("a3"))
            await watching.until(declares("a3"))

    asyncio.run(scene())


@pytest.mark.parametrize("source", ["mount", "mount/a.yaml"])
def test_a_config_map_switching_its_data_is_followed(tmp_path, source):
    async def scene():
        mount = tmp_path / "mount"
        write(mount / "..v1", a=number("a"))
        os.symlink("..v1", mount / "..data")
        os.symlink("..data/a.yaml", mount / "a.yaml")
        async with Watching(tmp_path / source) as watching:
            assert names(watching.reading) == ["a"]
            write(mount / "..v2", a=number("a2"))
            os.symlink("..v2", mount / "..data_tmp")
            os.replace(mount / "..data_tmp", mount / "..data")
            shutil.rmtree(mount / "..v1")
            await watching.until(declares("a2"))

    asyncio.run(scene())


def test_a_single_file_is_watched_through_replacement_and_removal(tmp_path):
    async def scene():
        write(tmp_path, a=number("a"), other=number("o"))
        async with Watching(tmp_path / "a.yaml") as watching:
            (tmp_path / "tmp").write_text(number("a2"))
            os.replace(tmp_path / "tmp", tmp_path / "a.yaml")
            await watching.until(declares("a2"))
            (tmp_path / "a.yaml").unlink()
            await watching.until(lambda r: not r.found)
            write(tmp_path, a=number("a3"))
            await watching.until(lambda r: r.found and names(r) == ["a3"])

    asyncio.run(scene())


def test_what_events_miss_the_regular_look_finds(tmp_path, monkeypatch):
    async def deaf(*_, **__):
        await asyncio.Event().wait()
        yield set()

    monkeypatch.setattr(module, "awatch", deaf)
    monkeypatch.setattr(module, "SWEEP_EVERY_S", 0.01)

    async def scene():
        async with Watching(tmp_path, sweep_ok=True) as watching:
            write(tmp_path, a=number("a"))
            await watching.until(declares("a"))
            assert watching.seen[-1].swept

    asyncio.run(scene())


def test_a_watch_that_breaks_down_is_told_and_set_up_again(tmp_path, monkeypatch):
    attempts = []

    async def failing(*paths, **_):
        attempts.append(paths)
        raise OSError("OS file watch limit reached")
        yield set()

    monkeypatch.setattr(module, "awatch", failing)
    monkeypatch.setattr(module, "SWEEP_EVERY_S", 0.01)

    async def scene():
        async with Watching(tmp_path, sweep_ok=True) as watching:
            write(tmp_path, a=number("a"))
            await watching.until(declares("a"))
            assert "limit" in watching.seen[-1].trouble
        assert len(attempts) >= 4

    asyncio.run(scene())


def test_a_target_tells_a_folder_from_another_of_the_same_name(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "new").mkdir()
    before = target_of(f"{tmp_path}/home")
    assert target_of(f"{tmp_path}/home") == before
    os.rename(tmp_path / "home", tmp_path / "old")
    os.rename(tmp_path / "new", tmp_path / "home")
    assert target_of(f"{tmp_path}/home") != before


def sieve(folder: Folder) -> Sieve:
    folder.refresh()
    return Sieve(folder, target_of(folder.source))


def test_events_are_sifted_to_what_concerns_manifests(tmp_path):
    write(tmp_path, a=number("a"), sub__b=number("b"))
    (tmp_path / "folder").mkdir()
    sift = sieve(Folder(str(tmp_path))).sift
    path = str(tmp_path)
    assert sift([f"{path}/a.yaml", f"{path}/sub/gone.yml"]) == ({f"{path}/a.yaml", f"{path}/sub/gone.yml"}, False)
    for nothing in (
        ".a.yaml.swp",
        "a.yaml~",
        "4913",
        ".git/index.lock",
        ".git/refs/x.yaml",
        "notes.md",
        "sub/.x/y.yaml",
    ):
        assert sift([f"{path}/{nothing}"]) == (set(), False), nothing
    for everything in ("..data", "..2026/a.yaml", "folder", "sub", "new/c.yaml", "kustomization.yaml", "../elsewhere"):
        assert sift([f"{path}/{everything}"]) == (set(), True), everything
    assert sift([path]) == (set(), True)


def test_events_of_a_linked_folder_are_named_as_the_source_names_them(tmp_path, monkeypatch):
    write(tmp_path / "real", a=number("a"))
    os.symlink("real", tmp_path / "link")
    monkeypatch.chdir(tmp_path)
    assert sieve(Folder("link")).sift([f"{tmp_path}/real/a.yaml"]) == ({"link/a.yaml"}, False)
    monkeypatch.chdir(tmp_path / "real")
    assert sieve(Folder(".")).sift([f"{tmp_path}/real/a.yaml"]) == ({"a.yaml"}, False)


def test_a_git_checkout_is_known_by_its_lock(tmp_path):
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    (tmp_path / "repo" / "deep" / "down").mkdir(parents=True)
    assert module._git_lock(f"{tmp_path}/repo/deep/down") == f"{tmp_path}/repo/.git/index.lock"
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / ".git").write_text(f"gitdir: {tmp_path}/repo/.git/worktrees/tree\n")
    assert module._git_lock(f"{tmp_path}/tree") == f"{tmp_path}/repo/.git/worktrees/tree/index.lock"
