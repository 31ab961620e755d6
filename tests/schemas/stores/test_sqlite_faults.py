"""Whatever is wrong with the file: a StoreError that says where, what and what to do, and nothing changed."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing

import pytest

from schemas.stores import Publish, SqliteStore, StoreError, sqlite_schema
from schemas.stores.sqlite_errors import store_error
from schemas.tables.rows import Delta, NumberRow

MANY = Delta(tuple(NumberRow(f"default/n-{i}", "+1") for i in range(2_000)))


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "tables.db")


def refusal(path: str) -> str:
    with pytest.raises(StoreError) as refused:
        SqliteStore(path)
    assert refused.value.where == path
    assert refused.value.hint
    return str(refused.value)


def raw(path: str):
    return closing(sqlite3.connect(path, isolation_level=None))


def test_a_fresh_file_and_its_companions_are_for_their_owner_alone(path):
    old = os.umask(0)
    try:
        with SqliteStore(path) as store:
            store.publish(Publish(store.head().digest, MANY, owner="default", now=1.0))
            modes = {name: stat.S_IMODE(os.stat(path + name).st_mode) for name in ("", "-wal", "-shm")}
    finally:
        os.umask(old)
    assert modes == {"": 0o600, "-wal": 0o600, "-shm": 0o600}


def test_making_the_file_leaves_nothing_else_behind(path, tmp_path):
    SqliteStore(path).close()
    assert os.listdir(tmp_path) == ["tables.db"]


def test_a_missing_folder_is_named(path, tmp_path):
    assert f"there is no folder {tmp_path / 'none'}; make it" in refusal(str(tmp_path / "none" / "tables.db"))


def test_a_folder_is_no_file(tmp_path):
    assert "no file that can be read and written" in refusal(str(tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_refused(path, tmp_path):
    tmp_path.chmod(0o500)
    assert "cannot be made: Permission denied; give this user write access" in refusal(path)


def test_a_folder_that_refuses_new_files_is_told(path, monkeypatch):
    def refuse(*_args, **_more):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(sqlite_schema.tempfile, "mkstemp", refuse)
    assert "cannot be made: Permission denied; give this user write access" in refusal(path)


def test_a_read_only_file_is_refused(path, monkeypatch):
    SqliteStore(path).close()
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "no file that can be read and written" in refusal(path)


def test_a_file_that_another_program_makes_meanwhile_is_as_good(path, monkeypatch):
    original = os.link

    def overtaken(draft, target):
        original(draft, target)
        original(draft, target)

    monkeypatch.setattr(os, "link", overtaken)
    with SqliteStore(path) as store:
        assert store.head().revision == 0


def test_another_programs_database_is_refused_and_left_as_it_was(path):
    with raw(path) as db:
        db.execute("CREATE TABLE songs (title)")
    with open(path, "rb") as file:
        before = file.read()
    assert "another program's file" in refusal(path)
    with open(path, "rb") as file:
        assert file.read() == before


def test_an_empty_file_is_refused(path):
    open(path, "w").close()
    assert "an empty one; choose another with --tables" in refusal(path)


def test_a_text_file_is_no_database(path):
    with open(path, "w") as file:
        file.write("kind: Trunk\n" * 200)
    assert "this file is no database; choose another" in refusal(path)


def test_a_newer_file_asks_for_a_newer_program(path):
    SqliteStore(path).close()
    with raw(path) as db:
        db.execute(f"PRAGMA user_version = {sqlite_schema.FILE_VERSION + 1}")
    assert "newer dialplane wrote this file (version 3, this one knows 2); upgrade" in refusal(path)


def test_a_file_of_no_known_version_and_one_without_our_tables_are_refused(path):
    SqliteStore(path).close()
    with raw(path) as db:
        db.execute("PRAGMA user_version = 0")
    assert "of version 0, which no dialplane has written; move it away" in refusal(path)
    with raw(path) as db:
        db.execute(f"PRAGMA user_version = {sqlite_schema.FILE_VERSION}")
        db.execute("DROP TABLE goods")
    assert "has no table goods: it is damaged, or another program's" in refusal(path)


def test_an_old_sqlite_is_named(path, monkeypatch):
    monkeypatch.setattr(sqlite_schema.sqlite3, "sqlite_version_info", (3, 34, 1))
    assert "is too old, 3.37.0 is needed" in refusal(path)


def test_a_full_disk_changes_nothing_and_is_told(path):
    with SqliteStore(path) as store:
        before = store.load()
        (pages,) = store._db.execute("PRAGMA page_count").fetchone()
        store._db.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(StoreError, match="disk is full, nothing was changed; free some space"):
            store.publish(Publish(before.digest, MANY, owner="default", now=1.0, goods={"a.yaml": b"x"}))
        assert store.load() == before
        store._db.execute("PRAGMA max_page_count = 100000")
        assert store.publish(Publish(before.digest, MANY, owner="default", now=1.0)) == 1


def test_a_damaged_file_is_told_with_the_way_out(path):
    with SqliteStore(path) as store:
        store.publish(Publish(store.head().digest, MANY, owner="default", now=1.0))
    with open(path, "r+b") as file:
        file.seek(4096 * 2)
        file.write(b"\xff" * (os.path.getsize(path) - 4096 * 3))
    with SqliteStore(path) as store, pytest.raises(StoreError, match=r"damaged; move the file away .* apply again"):
        store.load()


def tampered(path: str, data: bytes) -> None:
    with SqliteStore(path) as store:
        store.publish(Publish(store.head().digest, MANY, owner="default", now=1.0))
    with raw(path) as db:
        db.execute("UPDATE rows SET data = ? WHERE id = 'default/n-7'", (data,))


def test_a_row_of_a_newer_program_is_named(path):
    tampered(path, b'{"colour":"red","number":"+1"}')
    with SqliteStore(path) as store, pytest.raises(StoreError, match=r"PhoneNumber/default/n-7.*colour.*upgrade"):
        store.load()


def test_a_row_changed_behind_the_digests_back_is_found_when_it_is_edited(path):
    tampered(path, b'{"number":"+666"}')
    edit = Delta((NumberRow("default/n-7", "+2"),))
    with SqliteStore(path) as store:
        with pytest.raises(StoreError, match="rows are not those that were published; move the file away"):
            store.publish(Publish(store.head().digest, edit, owner="default", now=1.0))
        assert store.head().revision == 1


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (sqlite3.SQLITE_READONLY_DBMOVED, "read-only; give this user write access"),
        (sqlite3.SQLITE_CANTOPEN, "cannot be opened; check that its folder exists"),
        (sqlite3.SQLITE_IOERR_FSYNC, "reading or writing the disk failed; check the disk"),
        (sqlite3.SQLITE_BUSY_RECOVERY, "another publisher has held the tables for 5 s; wait"),
        (sqlite3.SQLITE_AUTH, "the store failed: odd"),
    ],
)
def test_each_family_of_sqlite_errors_has_its_sentence(code, text):
    error = sqlite3.OperationalError("odd")
    error.sqlite_errorcode = code
    assert text in str(store_error("/t.db", error))


def test_an_error_of_the_module_itself_has_a_sentence_too(path):
    store = SqliteStore(path)
    store.close()
    with pytest.raises(StoreError, match="the store failed: Cannot operate on a closed database"):
        store.head()
