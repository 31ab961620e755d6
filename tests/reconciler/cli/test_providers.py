"""`reconcile providers`: the table, the facts with their sources, JSON; and what validate and plan make of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.cli import run
from schemas.providers.profiles import NAMES

PLIVO = """\
apiVersion: dialplane.dev/v1alpha1
kind: Trunk
metadata: {name: plivo}
spec:
  provider: plivo
  outbound: {addresses: [1.zt.plivo.com]}
  media: {codecs: [pcmu, g722]}
"""


def test_the_table_has_every_provider_and_marks_what_is_unverified(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["providers"]) == 0
    told = capsys.readouterr().out
    rows = {line.split()[0]: line for line in told.splitlines() if line.strip()}
    assert {*NAMES} <= rows.keys()
    assert "tcp:5070 tls:443" in rows["exotel"]
    assert "udp:5060 tcp:5060 *" in rows["wavix"]


@pytest.mark.parametrize("name", NAMES)
def test_each_fact_says_where_it_was_read_or_that_nobody_did(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["providers", name]) == 0
    lines = capsys.readouterr().out.splitlines()
    facts = [at for at, line in enumerate(lines) if ": " in line and not line.startswith((" ", "!"))]
    assert len(facts) == 19
    assert all(lines[at + 1].startswith(("  verified 20", "  unverified")) for at in facts)


def test_machines_get_it_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["providers", "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["formatVersion"] == 1
    assert [*told["providers"]] == [*NAMES]
    rate = told["providers"]["plivo"]["facts"]["callsPerSecond"]
    assert (rate["value"], rate["status"], rate["date"]) == (2, "verified", "2026-11-27")
    assert run(["providers", "acme"]) == 1


def test_validate_warns_and_plan_shows_what_the_provider_fills_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "trunk.yaml").write_text(PLIVO)
    assert run(["validate", str(tmp_path / "m"), "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(p["code"], p["line"]) for p in told["problems"] if p["code"] == "provider"] == [("provider", 7)]
    assert run(["plan", str(tmp_path / "m"), "--state", str(tmp_path / "state")]) == 0
    plan = capsys.readouterr().out
    assert "outbound.transport: tcp" in plan
    assert "referTo: sip" in plan
