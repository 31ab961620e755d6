"""What the command line says before any LiveKit server is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.cli import run
from reconciler.commands.target import LIVEKIT, Where
from reconciler.errors import ReconcileError
from reconciler.plan.gates import Allowances
from reconciler.plan.saved import Order
from tests.reconciler import declaring


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"):
        monkeypatch.delenv(name, raising=False)
    Path("a.yaml").write_bytes(declaring.text([declaring.trunk()]))


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_a_missing_variable_is_named(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIVEKIT_URL", "wss://project.livekit.cloud")
    assert run([command, "a.yaml", "--target", "livekit"]) == 1
    assert "LiveKit is reached by LIVEKIT_API_KEY and LIVEKIT_API_SECRET" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--adopt", "ST_a=default/carrier"], "add --target livekit"),
        (["--target", "livekit", "--adopt", "carrier"], "write ST_…=namespace/name"),
    ],
)
def test_an_adoption_that_makes_no_sense_is_an_error(
    options: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (("URL", "http://127.0.0.1:9"), ("API_KEY", "key"), ("API_SECRET", "secret" * 6)):
        monkeypatch.setenv(f"LIVEKIT_{name}", value)
    assert run(["plan", "a.yaml", *options]) == 1
    assert said in capsys.readouterr().err


def test_an_address_that_is_none_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (("URL", "project"), ("API_KEY", "key"), ("API_SECRET", "secret" * 6)):
        monkeypatch.setenv(f"LIVEKIT_{name}", value)
    assert run(["plan", "a.yaml", "--target", "livekit"]) == 1
    assert "wss://project.livekit.cloud" in capsys.readouterr().err


def test_adoptions_of_an_unsigned_plan_are_to_be_given_again() -> None:
    order = Order("default", "m", Allowances(), "livekit:x", adopt=("ST_a=default/carrier",))
    with pytest.raises(ReconcileError, match="adopts objects, and is not signed"):
        Where(LIVEKIT).as_approved(order, "p.json", is_signed=False)
    assert Where().as_approved(order, "p.json", is_signed=True).adopt == order.adopt
    given = Where("", order.adopt).as_approved(order, "p.json", is_signed=False)
    assert (given.name, given.adopt) == (LIVEKIT, order.adopt)
