"""Reading secrets: each kind of place, each way in which one can be missing, and what is there later."""

from __future__ import annotations

import os

import pytest

from reconciler.manifests.vault import Vault
from reconciler.model.secrets import Unreadable
from schemas.seal import KEY_BYTES, SECRET_BYTES_MAX, Sealer
from tests.reconciler.declaring import declared, rule


def vault(environ=None, folder="", *, sealer=None, needed=True):
    return Vault(str(folder), environ if environ is not None else {}, sealer, needed=needed)


def files(place, name="a.yaml"):
    return declared({name: [rule(pinFrom=place)]}).files


def opened(place, environ=None, folder="", name="a.yaml"):
    (found,) = vault(environ, folder).open(files(place, name)).found.values()
    return found


def test_an_environment_variable():
    assert opened({"env": "PIN"}, {"PIN": "1234"}) == b"1234"
    assert opened({"env": "PIN"}, {"PIN": "pé"}) == "pé".encode()


def test_a_file_beside_its_manifest_without_the_line_end_of_editors(tmp_path):
    (tmp_path / "pin").write_bytes(b"1234\n")
    manifest = str(tmp_path / "a.yaml")
    assert opened({"file": "pin"}, name=manifest) == b"1234"
    assert opened({"file": str(tmp_path / "pin")}) == b"1234"
    for written, read in ((b"a\r\n", b"a"), (b"a\n\n", b"a\n"), (b" a ", b" a "), (b"a", b"a")):
        (tmp_path / "pin").write_bytes(written)
        assert opened({"file": "pin"}, name=manifest) == read


def test_a_key_of_a_secret_in_the_folder_that_stands_in_for_a_cluster(tmp_path):
    (tmp_path / "pins").mkdir()
    (tmp_path / "pins" / "one").write_text("1234")
    assert opened({"secretKeyRef": {"name": "pins", "key": "one"}}, folder=tmp_path) == b"1234"


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (
            {"env": "PIN"},
            "the environment variable PIN is not set, set it where the reconciler runs and start it again",
        ),
        ({"env": "EMPTY"}, "the environment variable EMPTY is empty"),
        ({"file": "none"}, "none cannot be read: no such file or directory"),
        ({"file": "empty"}, "empty is empty"),
        ({"file": "lines"}, "lines is empty"),
        ({"file": "."}, "is no regular file"),
        ({"file": "long"}, f"holds more than {SECRET_BYTES_MAX} bytes"),
        ({"secretKeyRef": {"name": "pins", "key": "none"}}, "pins/none cannot be read"),
        ({"secretKeyRef": {"name": "pins", "key": ".."}}, "is no regular file"),
    ],
)
def test_what_is_missing_is_said(tmp_path, place, words):
    (tmp_path / "empty").write_text("")
    (tmp_path / "lines").write_text("\n")
    (tmp_path / "long").write_text("x" * (SECRET_BYTES_MAX + 1))
    (tmp_path / "pins").mkdir()
    found = opened(place, {"EMPTY": ""}, tmp_path, str(tmp_path / "a.yaml"))
    assert isinstance(found, Unreadable)
    assert words in f"{found.what}, {found.hint}"


def test_a_relative_path_is_explained(tmp_path):
    found = opened({"file": "none"}, name="somewhere/a.yaml")
    assert found.hint == "a path begins at the manifest's folder"


def test_a_secret_without_a_folder_for_secrets_is_said():
    found = opened({"secretKeyRef": {"name": "pins", "key": "one"}})
    assert "pins/one" in found.what
    assert "--secrets DIR" in found.hint


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_does_not_hold_anybody_up(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert isinstance(opened({"file": str(tmp_path / "pipe")}), Unreadable)


def test_a_key_is_asked_for_only_when_there_is_something_to_seal():
    made = []

    def sealer():
        made.append(Sealer(bytes(KEY_BYTES)))
        return made[-1]

    assert vault(sealer=sealer).open(declared({"a.yaml": [rule()]}).files).sealer is None
    assert vault(sealer=sealer).open(files({"env": "PIN"})).sealer is None
    assert not made
    assert vault({"PIN": "1"}, sealer=sealer).open(files({"env": "PIN"})).sealer is made[0]


def test_a_change_is_seen_once(tmp_path):
    file, environ = tmp_path / "pin", {"PIN": "1"}
    file.write_text("1234")
    both = declared({"a.yaml": [rule(pinFrom={"file": str(file)}), rule("b", pinFrom={"env": "PIN"})]}).files
    watched = vault(environ)
    watched.open(both)
    assert not watched.has_changed()
    for change in (
        lambda: file.write_text("4321"),
        lambda: environ.update(PIN="2"),
        file.unlink,
        lambda: file.write_text("4321"),
        environ.clear,
    ):
        change()
        assert watched.has_changed()
        assert watched.has_changed(), "until somebody takes it"
        watched.open(both)
        assert not watched.has_changed()


def test_a_link_that_is_switched_over_is_a_change(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pin").write_text(name)
        os.utime(tmp_path / name / "pin", (1_000_000_000, 1_000_000_000))
    (tmp_path / "data").symlink_to("one")
    place = files({"file": str(tmp_path / "data" / "pin")})
    watched = vault()
    watched.open(place)
    (tmp_path / "new").symlink_to("two")
    (tmp_path / "new").replace(tmp_path / "data")
    assert watched.has_changed(), "as Kubernetes puts a new version of a Secret in place"
    assert list(watched.open(place).found.values()) == [b"two"]


def test_an_old_file_that_did_not_change_is_not_read_again(tmp_path, monkeypatch):
    file = tmp_path / "pin"
    file.write_text("1234")
    os.utime(file, (1_000_000_000, 1_000_000_000))
    watched = vault()
    watched.open(files({"file": str(file)}))
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("it was read again"))
    assert not watched.has_changed()


def test_what_is_no_longer_named_is_forgotten():
    watched = vault({"A": "1", "B": "2"})
    watched.open(files({"env": "A"}))
    assert list(watched.open(files({"env": "B"})).found) == ["env:B"]


def test_no_value_is_shown():
    assert "1234" not in repr(vault({"PIN": "1234"}).open(files({"env": "PIN"})))
