"""News of a file: what concerns it is heard at once, other files of its folder are not."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest

from schemas.stores.folder_news import FolderNews

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


@pytest.mark.parametrize("name", ["tables.db", "tables.db-wal"])
def test_a_write_to_the_file_or_its_companions_is_heard(tmp_path: Path, name: str) -> None:
    news = FolderNews(str(tmp_path / "tables.db"))
    assert news.works
    assert not news.wait(0)
    writer = threading.Timer(0.05, (tmp_path / name).write_bytes, [b"new"])
    writer.start()
    began = time.monotonic()
    assert news.wait(10)
    assert time.monotonic() - began < 5
    writer.join()
    news.close()


def test_a_file_that_takes_its_place_is_heard(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    other = tmp_path / "elsewhere" / "new.db"
    other.write_bytes(b"another")
    news = FolderNews(str(tmp_path / "tables.db"))
    other.rename(tmp_path / "tables.db")
    assert news.wait(10)
    news.close()


def test_other_files_are_not_heard(tmp_path: Path) -> None:
    news = FolderNews(str(tmp_path / "tables.db"))
    (tmp_path / "records.jsonl").write_bytes(b"{}")
    assert not news.wait(0.05)
    news.close()
    news.close()


def test_a_folder_that_cannot_be_watched_is_told(tmp_path: Path) -> None:
    assert not FolderNews(str(tmp_path / "missing" / "tables.db")).works
