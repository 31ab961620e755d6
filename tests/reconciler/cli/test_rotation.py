"""A secret that was changed at its place: plan says so, apply and the watcher put it into force, wherever that is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.cli import run
from reconciler.commands.common import vault_of
from reconciler.loop import Loop
from reconciler.manifests.folder import Folder
from reconciler.manifests.quiet import Batch
from reconciler.settings import Settings
from reconciler.targets.tables import TablesTarget
from schemas.seal import INBOUND_PASSWORD, Place, Sealer
from schemas.secret_key import read_key
from schemas.stores import SqliteStore
from schemas.tables.rows import Kind
from tests.reconciler.declaring import text, trunk

PLACES = {
    "env": {"env": "PW"},
    "file": {"file": "pw"},
    "secretKeyRef": {"secretKeyRef": {"name": "carrier", "key": "pw"}},
}
CHANGED = "inbound.auth.passwordFrom: (secret {0}) -> (secret {0}), changed"
NAMES = {"env": "env:PW", "file": "file:pw", "secretKeyRef": "secret:carrier/pw"}


@pytest.fixture(params=list(PLACES))
def kind(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    for name in ("STATE", "TABLES", "OWNER", "SECRETS", "SECRET_KEY", "SECRET_KEY_FILE"):
        monkeypatch.delenv(f"DIALPLANE_{name}", raising=False)
    Path("m").mkdir()
    auth = {"username": "acme", "passwordFrom": PLACES[request.param]}
    Path("m/a.yaml").write_bytes(text([trunk(inbound={"allowedAddresses": ["10.1.0.0/16"], "auth": auth})]))
    put(request.param, "Tiger", monkeypatch)
    return request.param


def put(kind: str, secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As each place is written to: a variable, a file, a folder of a Secret that is switched over as a whole."""
    if kind == "env":
        monkeypatch.setenv("PW", secret)
    elif kind == "file":
        Path("m/pw").write_text(f"{secret}\n")
    else:
        home = Path("s/carrier")
        (home / f"..{secret}").mkdir(parents=True)
        (home / f"..{secret}" / "pw").write_text(secret)
        (home / "..tmp").symlink_to(f"..{secret}")
        (home / "..tmp").replace(home / "..data")
        if not (home / "pw").is_symlink():
            (home / "pw").symlink_to("..data/pw")


def live() -> bytes | None:
    key = read_key(".dialplane", {})
    assert key is not None
    with SqliteStore(".dialplane/tables.db") as store:
        inbound = store.load().rows.trunks["default/carrier"].inbound
    assert inbound is not None
    assert inbound.auth is not None
    return Sealer(key).unseal(Place(Kind.TRUNK, "default/carrier", INBOUND_PASSWORD), inbound.auth.password.sealed)


def test_plan_says_changed_and_apply_puts_it_into_force(kind, monkeypatch, capsys):
    assert run(["apply", "m", "--secrets", "s"]) == 0
    assert live() == b"Tiger"
    put(kind, "Lion", monkeypatch)
    capsys.readouterr()
    assert run(["plan", "m", "--secrets", "s", "--detailed-exitcode"]) == 2
    out = capsys.readouterr().out
    assert CHANGED.format(NAMES[kind]) in out
    assert "Lion" not in out
    assert run(["plan", "m", "--secrets", "s", "-o", "json"]) == 0
    (change,) = json.loads(capsys.readouterr().out)["changes"]
    assert change["fields"][0]["new"].endswith(", changed")
    assert run(["apply", "m", "--secrets", "s"]) == 0
    assert live() == b"Lion"
    assert run(["plan", "m", "--secrets", "s", "--detailed-exitcode"]) == 0


def test_the_watcher_takes_it_up_at_its_next_look(kind, monkeypatch):
    Path(".dialplane").mkdir()
    vault = vault_of(Settings(secrets="s"), ["m"], needed=True)
    lines: list[str] = []
    with SqliteStore(".dialplane/tables.db") as store:
        target = TablesTarget(store, "default")
        loop = Loop(Folder("m"), target, lines.append, lambda _reading, _problems: None, vault=vault)
        loop.one_pass(Batch(everything=True))
        put(kind, "Lion", monkeypatch)
        loop.one_pass(Batch(everything=True, swept=True))
        loop.one_pass(Batch(everything=True, swept=True))
        assert store.head().revision == 2
    assert live() == b"Lion"
    (told,) = (line for line in lines if line.startswith("revision 2"))
    assert "Trunk default/carrier changed" in told
    assert "Lion" not in "".join(lines)
