"""Reading secrets: each kind of place, each way in which one can be missing, and what is there later."""

from __future__ import annotations

import os

import pytest

from reconciler.manifests.reach import Reach, folders_of
from reconciler.manifests.vault import Vault
from reconciler.model.secrets import Unreadable
from schemas.seal import KEY_BYTES, SECRET_BYTES_MAX, Sealer
from tests.reconciler.declaring import declared, rule

ANYWHERE = Reach(("/",))


def vault(environ=None, folder="", *, sealer=None, needed=True, reach=ANYWHERE):
    return Vault(str(folder), environ if environ is not None else {}, sealer, needed=needed, reach=reach)


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


def read_within(path, reach):
    (found,) = vault(reach=reach).open(files({"file": str(path)})).found.values()
    return found


@pytest.fixture
def places(tmp_path):
    for name in ("manifests", "manifests/state", "manifests2", "operator", "operator/..2026"):
        (tmp_path / name).mkdir()
    for name in ("manifests/pin", "manifests/state/api.key", "manifests2/pin", "operator/..2026/pin", "shadow"):
        (tmp_path / name).write_text("1234")
    (tmp_path / "operator" / "..data").symlink_to("..2026")
    (tmp_path / "operator" / "pin").symlink_to("..data/pin")
    (tmp_path / "manifests" / "out").symlink_to(tmp_path / "shadow")
    (tmp_path / "manifests" / "beside").symlink_to("../manifests2")
    (tmp_path / "manifests" / "in").symlink_to("pin")
    (tmp_path / "manifests" / "granted").symlink_to(tmp_path / "operator" / "pin")
    (tmp_path / "current").symlink_to("manifests")
    return tmp_path


def test_a_file_is_read_below_the_manifests_and_below_what_the_operator_names(places):
    reach = Reach((*folders_of([str(places / "current")]), str(places / "operator")))
    for name in ("manifests/pin", "current/pin", "manifests/in", "operator/pin", "manifests/granted"):
        assert read_within(places / name, reach) == b"1234", name


@pytest.mark.parametrize(
    "name", ["shadow", "manifests/out", "manifests/../shadow", "manifests/beside/pin", "operator/pin"]
)
def test_no_other_file_is_read_wherever_a_link_leads(places, name):
    found = read_within(places / name, Reach(folders_of([str(places / "manifests")])))
    assert isinstance(found, Unreadable)
    assert found.what == f"the file {places / name} is outside of the folders that manifests may read"
    assert "--secret-files DIR" in found.hint


def test_the_state_folder_is_closed_even_among_the_manifests(places):
    reach = Reach((str(places),), (str(places / "manifests" / "state"),))
    found = read_within(places / "manifests" / "state" / "api.key", reach)
    assert isinstance(found, Unreadable)
    assert "dialplane's own" in found.what


def test_sources_open_their_own_folders_and_standard_input_none(tmp_path):
    (tmp_path / "a.yaml").touch()
    assert folders_of([str(tmp_path), str(tmp_path / "a.yaml"), "a.yaml", "-"]) == (str(tmp_path), str(tmp_path), ".")


@pytest.mark.parametrize(
    "name", ["DIALPLANE_SECRET_KEY", "LIVEKIT_API_SECRET", "PATH", "HOME", "LD_PRELOAD", "PYTHONPATH"]
)
def test_a_variable_that_is_nobodys_secret_is_not_read(name):
    found = opened({"env": name}, {name: "1234"})
    assert isinstance(found, Unreadable)
    assert found.what == f"the environment variable {name} is not for manifests"
