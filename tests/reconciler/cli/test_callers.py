"""Who calls, for `reconcile explain` and `reconcile test`: by another header, by a registration, and verified."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reconciler.cli.test_cli import CALL, said, write
from tests.reconciler.declaring import document, rule, trunk

ADA = "+14155550177"
TRUSTING = {"allowedAddresses": ["10.1.0.0/16"], "trustIdentity": True, "allowedNumbers": [ADA]}
REGISTERED = {
    "addresses": ["sip.carrier.example"],
    "auth": {"username": "acme", "passwordFrom": {"env": "CARRIER_PASSWORD"}},
    "register": {},
}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CARRIER_PASSWORD", "secret")
    (tmp_path / "m").mkdir()


def routes(**call: object):
    full = {"to": "+14155550100", "from": "anonymous", "address": "10.1.0.1", **call}
    return document("RoutingTest", "routes", {"calls": [full]})


def test_a_routing_test_may_say_whom_the_carrier_vouches_for(capsys):
    caller = rule(match={"from": [ADA]}, rule={"individual": {"roomPrefix": "call", "randomize": False}})
    write("a.yaml", trunk(inbound=TRUSTING), caller, routes(asserted=ADA, expect={"room": f"call_{ADA}"}))
    code, out, _ = said(capsys, "test", "m")
    assert (code, out.splitlines()[-1]) == (0, "1 of 1 hold")
    assert f"from anonymous at 10.1.0.1, asserted {ADA}" in out
    write("a.yaml", trunk(inbound=TRUSTING), caller, routes(expect={"reason": "caller-not-allowed"}))
    assert said(capsys, "test", "m")[0] == 0


def test_a_routing_test_may_come_by_a_registration(capsys):
    behind_nat = trunk(inbound={}, outbound=REGISTERED)
    expect = {"trunk": "carrier", "rule": "support"}
    write("a.yaml", behind_nat, rule(), routes(address="192.0.2.9", registered="carrier", expect=expect))
    code, out, _ = said(capsys, "test", "m")
    assert (code, out.splitlines()[-1]) == (0, "1 of 1 hold")
    write("a.yaml", behind_nat, rule(), routes(address="192.0.2.9", expect=expect))
    assert said(capsys, "test", "m")[0] == 1


def test_explain_may_come_by_a_registration(capsys):
    write("a.yaml", trunk(inbound={}, outbound=REGISTERED), rule())
    for name in ("carrier", "default/carrier"):
        code, out, _ = said(capsys, "explain", "m", *CALL, "--ip", "192.0.2.9", "--registered", name)
        assert code == 0
        assert "by the registration of default/carrier" in out
        assert "admitted: room lobby" in out
    assert "admitted" not in said(capsys, "explain", "m", *CALL, "--ip", "192.0.2.9")[1]


@pytest.mark.parametrize(
    ("verify", "words"),
    [
        ("require", "note: Trunk default/carrier then asks for an Identity header that can be verified"),
        ("report", "note: Trunk default/carrier then verifies the Identity header, and shows the result"),
        ("off", ""),
    ],
)
def test_explain_tells_of_what_is_verified_in_the_call(capsys, verify: str, words: str):
    check = {"verify": verify, "certificateHosts": ["cr.example.com"]}
    write("a.yaml", trunk(inbound={"allowedAddresses": ["10.1.0.0/16"], "identity": check}), rule())
    out = said(capsys, "explain", "m", *CALL, "--ip", "10.1.0.1")[1]
    assert "admitted: room lobby" in out
    assert words in out
    assert ("note:" in out) is bool(words)
    assert "note:" not in said(capsys, "explain", "m", *CALL, "--ip", "192.0.2.1")[1]


def test_a_plan_shows_what_is_verified(capsys):
    write("a.yaml", trunk(inbound={"allowedAddresses": ["10.1.0.0/16"]}), rule())
    assert said(capsys, "apply", "m")[0] == 0
    check = {"verify": "require", "certificateHosts": ["CR.example.com"]}
    write("a.yaml", trunk(inbound={"allowedAddresses": ["10.1.0.0/16"], "identity": check}), rule())
    out = said(capsys, "plan", "m")[1]
    assert "inbound.identity.verify" in out
    assert "cr.example.com" in out
