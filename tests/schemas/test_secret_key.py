"""The key of the state folder: where it is looked for, how it is made, and what is said when it is none."""

from __future__ import annotations

import base64
import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from schemas.seal import KEY_BYTES
from schemas.secret_key import KEY_FILE, SecretKeyError, read_key, read_or_make_key

KEY = bytes(range(KEY_BYTES))
TEXT = base64.b64encode(KEY).decode()


def test_there_is_none_until_it_is_made_and_then_it_stays(tmp_path):
    state = str(tmp_path / "state")
    assert read_key(state, {}) is None
    assert not os.path.exists(state), "looking makes nothing"
    made = read_or_make_key(state, {})
    assert len(made) == KEY_BYTES
    assert made == read_or_make_key(state, {}) == read_key(state, {})
    assert made != read_or_make_key(str(tmp_path / "other"), {})


def test_only_its_owner_can_read_it_and_git_does_not_see_it(tmp_path):
    state = tmp_path / "state"
    read_or_make_key(str(state), {})
    assert stat.S_IMODE((state / KEY_FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert (state / ".gitignore").read_text() == "*\n"
    assert sorted(os.listdir(state)) == [".gitignore", KEY_FILE], "and nothing else is left there"


def test_several_at_once_make_one_key(tmp_path):
    state = str(tmp_path / "state")
    os.mkdir(state)
    with ThreadPoolExecutor(16) as pool:
        made = set(pool.map(lambda _: read_or_make_key(state, {}), range(64)))
    assert len(made) == 1


def test_the_environment_goes_before_the_file(tmp_path):
    state, file = str(tmp_path / "state"), tmp_path / "key"
    read_or_make_key(state, {})
    file.write_text(f"{TEXT[:40]}\n{TEXT[40:]}\n")
    assert read_key(state, {"DIALPLANE_SECRET_KEY": TEXT}) == KEY
    assert read_key(state, {"DIALPLANE_SECRET_KEY_FILE": str(file)}) == KEY, "as openssl breaks its lines"
    assert read_key(state, {"DIALPLANE_SECRET_KEY": "", "DIALPLANE_SECRET_KEY_FILE": ""}) == read_key(state, {})


@pytest.mark.parametrize("text", ["tiger", TEXT[:-4], TEXT + "AAAA", "é" * 88, "-" * 88])
def test_what_is_no_key_is_said_and_not_repeated(tmp_path, text):
    with pytest.raises(SecretKeyError) as refused:
        read_key(str(tmp_path), {"DIALPLANE_SECRET_KEY": text})
    assert "DIALPLANE_SECRET_KEY: this is no key" in str(refused.value)
    assert "openssl rand -base64 64" in str(refused.value)
    assert text not in str(refused.value)


def test_an_empty_file_is_no_key(tmp_path):
    (tmp_path / KEY_FILE).write_text("")
    with pytest.raises(SecretKeyError, match="this is no key"):
        read_or_make_key(str(tmp_path), {})
    assert (tmp_path / KEY_FILE).read_text() == "", "and is not replaced: secrets may have been sealed with it"


def test_a_named_file_that_is_missing_is_said(tmp_path):
    with pytest.raises(SecretKeyError, match="there is no such file"):
        read_or_make_key(str(tmp_path), {"DIALPLANE_SECRET_KEY_FILE": str(tmp_path / "none")})


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_said_and_not_waited_for(tmp_path, make):
    make(tmp_path / "key")
    with pytest.raises(SecretKeyError, match="this is no regular file"):
        read_key(str(tmp_path), {"DIALPLANE_SECRET_KEY_FILE": str(tmp_path / "key")})


def test_a_state_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SecretKeyError, match="--state DIR"):
        read_or_make_key(str(tmp_path / "file" / "state"), {})


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_key_that_others_may_write_is_refused(tmp_path, mode):
    state = tmp_path / "state"
    read_or_make_key(str(state), {})
    for environ in ({}, {"DIALPLANE_SECRET_KEY_FILE": str(state / KEY_FILE)}):
        (state / KEY_FILE).chmod(mode)
        with pytest.raises(SecretKeyError, match=f"cannot be trusted: others may write to it .mode {mode:04o}."):
            read_key(str(state), environ)
        (state / KEY_FILE).chmod(0o640)
        assert read_key(str(state), environ)


def test_a_key_in_a_folder_that_others_may_write_to_is_refused_unless_it_was_named(tmp_path):
    state = tmp_path / "state"
    read_or_make_key(str(state), {})
    state.chmod(0o775)
    for ask in (read_key, read_or_make_key):
        with pytest.raises(SecretKeyError, match=r"state: cannot be trusted: others may write to it \(mode 0775\)"):
            ask(str(state), {})
    assert read_key(str(state), {"DIALPLANE_SECRET_KEY_FILE": str(state / KEY_FILE)})


def test_a_key_of_another_user_is_refused_but_not_one_of_root(tmp_path, monkeypatch):
    state, me = tmp_path / "state", os.geteuid()
    read_or_make_key(str(state), {})
    if me:
        other = me
        monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    else:
        other = 12345
        monkeypatch.setattr(os, "geteuid", lambda: 4321)
        assert read_key(str(state), {})
        os.chown(state / KEY_FILE, other, -1)
    with pytest.raises(SecretKeyError, match=f"it belongs to another user .number {other}., chown it"):
        read_key(str(state), {})


def test_a_key_is_not_looked_for_behind_a_link_unless_it_was_named(tmp_path):
    state = tmp_path / "state"
    read_or_make_key(str(state), {})
    (state / KEY_FILE).rename(tmp_path / "key")
    (state / KEY_FILE).symlink_to(tmp_path / "key")
    with pytest.raises(SecretKeyError, match="cannot be read: it is a link"):
        read_key(str(state), {})
    assert read_key(str(state), {"DIALPLANE_SECRET_KEY_FILE": str(state / KEY_FILE)})
