"""What `bridge doctor` finds wrong."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from runtime.api.status import BridgeStatus, as_json, findings
from runtime.commands.doctor import _show
from runtime.trunks.diagnosis import (
    REGISTRATION_HINT,
    Finding,
    HopStatus,
    RegistrationStatus,
    TrunkStatus,
    UnverifiableTrunk,
)

UP = HopStatus("udp://192.0.2.1:5060", "up", "SIP 200", 100.0, 3.0)
DOWN = HopStatus("udp://192.0.2.2:5060", "down", "no answer", 100.0, 3.0)
NEW = HopStatus("udp://192.0.2.3:5060", "unknown", "", None, None)
REFUSED = "the registrar refuses: SIP 403 Forbidden"
TRUNK = TrunkStatus("default/out", ("carrier.example",), True, (UP,))
WELL = BridgeStatus("0.1.0", "ok", 3, "", ("udp://127.0.0.1:5060",), 0, (TRUNK,))


def found(**trunk: object) -> list[tuple[str, str]]:
    status = replace(WELL, trunks=(replace(TRUNK, **trunk),))
    return [(finding.severity, finding.what) for finding in findings(status)]


def test_nothing_is_wrong_with_a_bridge_that_is_well() -> None:
    assert findings(WELL) == []
    assert found(hops=(NEW,)) == [], "nobody has called there yet"


def test_one_dead_address_of_two_is_a_warning_and_of_one_an_error() -> None:
    words = "udp://192.0.2.2:5060 is passed over: no answer"
    assert found(hops=(UP, DOWN)) == [("warning", words)]
    assert found(hops=(DOWN,)) == [("error", words)]


def test_hosts_that_nobody_knows_and_ways_that_are_not_there() -> None:
    assert found(hops=(), unknown=("carrier.example",)) == [("error", "no address is known for carrier.example")]
    assert found(hops=()) == [("error", "no --listen of this bridge reaches carrier.example")]
    assert found(hops=(), looked_up=False) == [("warning", "its addresses were not found out in time")]


def test_a_registration_that_failed_is_an_error_when_the_registrar_has_us_no_more() -> None:
    failed = RegistrationStatus("failed", REFUSED, 9.0, 0.0, REFUSED)
    assert found(registration=failed)[0][0] == "error"
    assert found(registration=replace(failed, holds_s=20.0))[0][0] == "warning"
    assert found(registration=replace(failed, state="registered", words="for 20 s", holds_s=20.0, failure="")) == []


def test_a_registration_that_is_asked_for_again_after_a_failure_is_not_well() -> None:
    asking = RegistrationStatus("asking", "it is being asked for", 1.0, 0.0)
    assert found(registration=asking) == []
    assert found(registration=replace(asking, failure=REFUSED)) == [("error", f"not registered: {REFUSED}")]


def test_the_bridge_itself() -> None:
    assert findings(replace(WELL, state="no-tables"))[0].where == "tables"
    assert findings(replace(WELL, state="stopping"))[0].severity == "error"
    told = findings(replace(WELL, livekit="ws://x", livekit_fault="it cannot be reached", trunks_left_out=3))
    assert [finding.severity for finding in told] == ["error", "warning"]


def test_trunks_that_verify_callers_where_nobody_is_trusted_for_it() -> None:
    report = [UnverifiableTrunk(f"default/r{n}", "report") for n in range(6)]
    status = replace(WELL, unverifiable=(*report, UnverifiableTrunk("default/strict", "require")))
    error, warning = findings(status)
    assert (error.severity, warning.severity) == ("error", "warning")
    assert error.what.endswith("every call of theirs is refused: default/strict")
    assert warning.what.endswith("default/r0, default/r1, default/r2, default/r3 and 2 more")
    assert error.hint == warning.hint == "name the authorities' certificates: --stir-authorities FILE"
    assert as_json(status)["unverifiable"][6] == {"trunk": "default/strict", "verify": "require"}


def test_machines_and_people_are_told_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    failed = RegistrationStatus("failed", "\x1b[2Jno", 9.0, 0.0, "\x1b[2Jno")
    status = replace(WELL, trunks=(replace(TRUNK, hops=(UP, DOWN, NEW), registration=failed),), region="eu")
    body = json.loads(json.dumps(as_json(status)))
    assert body["trunks"][0]["hops"][1] == {
        "address": "udp://192.0.2.2:5060", "state": "down", "words": "no answer", "forS": 100.0, "agoS": 3.0,
    }  # fmt: skip
    assert body["findings"][0] == {
        "severity": "error", "where": "Trunk default/out", "what": "not registered: \x1b[2Jno",
        "hint": REGISTRATION_HINT,
    }  # fmt: skip
    _show(body)
    out = capsys.readouterr().out
    assert "\x1b" not in out
    for words in ("default/out", "no answer, 3 s ago", "(registration)", "region eu", "error Trunk default/out"):
        assert words in out, out


def test_a_finding_is_a_value() -> None:
    assert Finding("error", "x", "y").hint == ""
