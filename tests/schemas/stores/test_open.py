"""Stores are opened by URL; a URL that names none is answered with the forms that do, and never repeated."""

from __future__ import annotations

import os
import stat

import pytest

from schemas.stores import SqliteStore, StoreError, default_url, open_tables


def test_three_slashes_are_relative_and_four_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with open_tables("sqlite:///relative.db") as store:
        assert store.path == str(tmp_path / "relative.db")
    with open_tables(f"sqlite:///{tmp_path}/absolute.db") as store:
        assert isinstance(store, SqliteStore)
        assert store.path == str(tmp_path / "absolute.db")


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("postgres://u:hunter2@host/db", "no store is known by this scheme"),
        ("tables.db", "not a URL"),
        ("", "not a URL"),
        ("sqlite://tables.db", "names no file"),
        ("sqlite:///", "names no file"),
        ("sqlite:////", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_anything_else_is_answered_with_the_forms_that_are(url, what):
    with pytest.raises(StoreError, match=what) as refused:
        open_tables(url)
    assert "sqlite:////var/lib/dialplane/tables.db (absolute)" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_the_default_is_in_the_state_folder_which_is_made_private_and_unseen_by_git(tmp_path):
    state = str(tmp_path / "deep" / ".dialplane")
    open_tables(default_url(state)).close()
    assert stat.S_IMODE(os.stat(state).st_mode) == 0o700
    assert sorted(os.listdir(state)) == [".gitignore", "tables.db"]
    assert default_url(state) == f"sqlite:///{state}/tables.db"


def test_a_state_folder_that_others_may_write_to_is_refused(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    for mode in (0o777, 0o770, 0o1777):
        state.chmod(mode)
        with pytest.raises(StoreError, match=f"others may write to it .mode {mode:04o}., chmod go-w it"):
            default_url(str(state))
    state.chmod(0o755)
    assert default_url(str(state))


def test_a_state_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"state folder cannot be used: .*; choose a folder .* --state"):
        default_url(str(tmp_path / "file" / "state"))
