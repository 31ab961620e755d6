"""Files are there whole or not at all, on the disk, and nothing is left beside them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from schemas import whole_file
from schemas.whole_file import write_whole


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize("alone", [False, True])
def test_it_is_its_owners_alone_and_on_the_disk_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: bool
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def note(handle: int) -> None:
        fsync(handle)
        synced.append(os.readlink(f"/proc/self/fd/{handle}"))

    monkeypatch.setattr(whole_file.os, "fsync", note)
    assert write_whole(tmp_path / "a", b"1", replace=True, alone=alone)
    assert ((tmp_path / "a").read_bytes(), (tmp_path / "a").stat().st_mode & 0o777) == (b"1", 0o600)
    assert (len(synced), synced[1]) == (2, str(tmp_path)), "what is in it, and then its name"
    assert names(tmp_path) == ["a"]


def test_what_is_there_stays_where_it_is_not_to_be_replaced(tmp_path: Path) -> None:
    assert write_whole(tmp_path / "a", b"1", replace=False)
    with pytest.raises(FileExistsError):
        write_whole(tmp_path / "a", b"2", replace=False)
    assert (names(tmp_path), (tmp_path / "a").read_bytes()) == (["a"], b"1")


def test_what_is_there_stays_where_the_last_check_says_so_or_raises(tmp_path: Path) -> None:
    def gone() -> bool:
        raise FileNotFoundError("a")

    write_whole(tmp_path / "a", b"1", replace=True)
    assert not write_whole(tmp_path / "a", b"2", replace=True, check=lambda: False)
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "a", b"2", replace=True, check=gone)
    assert (names(tmp_path), (tmp_path / "a").read_bytes()) == (["a"], b"1")


def test_what_a_killed_process_left_is_written_over(tmp_path: Path) -> None:
    (tmp_path / ".a.new").write_bytes(b"half of it, and longer")
    write_whole(tmp_path / "a", b"1", replace=True, alone=True)
    assert (names(tmp_path), (tmp_path / "a").read_bytes()) == (["a"], b"1")


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"mine")
    (tmp_path / "a").symlink_to("other")
    write_whole(tmp_path / "a", b"1", 0o644, replace=True)
    assert not (tmp_path / "a").is_symlink()
    (tmp_path / ".a.new").symlink_to("other")
    with pytest.raises(OSError, match=r"\.a\.new"):
        write_whole(tmp_path / "a", b"2", replace=True, alone=True)
    assert (tmp_path / "other").read_bytes() == b"mine"
    assert ((tmp_path / "a").read_bytes(), (tmp_path / "a").stat().st_mode & 0o777) == (b"1", 0o644)


def test_a_plain_name_is_one_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert write_whole("a", b"1", replace=True)
    assert names(tmp_path) == ["a"]
