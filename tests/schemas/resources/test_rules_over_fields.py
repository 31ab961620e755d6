from __future__ import annotations

import pytest

from schemas.resources.routing_test import REASONS
from schemas.tables.decisions import Reason
from tests.schemas.resources import given


@pytest.mark.parametrize("addresses", [{}, {"allowedAddresses": []}])
def test_a_trunk_that_lets_everyone_in_by_omission_is_refused(addresses):
    found = given.complaints(given.document("Trunk", {"inbound": {"calledNumbers": "any", **addresses}}))
    assert found["spec.inbound.allowedAddresses"].startswith("`allowedAddresses` is required unless `auth` is set")


def test_a_password_may_stand_in_for_addresses():
    auth = {"username": "a", "passwordFrom": {"env": "P"}}
    assert given.accepted(given.document("Trunk", {"inbound": {"auth": auth}})).spec.inbound.allowed_addresses == ()


def test_a_trunk_takes_calls_or_places_them():
    assert "neither `inbound` nor `outbound`" in given.complaints(given.document("Trunk", {}))["spec"]
    given.accepted(given.outbound())


def test_an_outbound_trunk_needs_addresses():
    assert given.complaints(given.document("Trunk", {"outbound": {}})) == {
        "spec.outbound.addresses": "`addresses` is missing"
    }
    assert "spec.outbound.addresses" in given.complaints(given.outbound(addresses=[]))


def test_exactly_one_kind_of_rule():
    none = given.complaints(given.rule(rule={}))
    assert none["spec.rule"].startswith("one of `direct`, `individual` and `callee` is missing")
    two = given.complaints(given.rule(rule={"direct": {"room": "a"}, "callee": {}}))
    assert two == {
        "spec.rule.callee": "`callee` stands beside `direct`, keep one of `direct`, `individual` and `callee`"
    }


def test_trunks_by_name_or_by_label_or_neither():
    selector = {"matchLabels": {"region": "us"}}
    given.accepted(given.rule(trunkSelector=selector))
    given.accepted(given.rule())
    found = given.complaints(given.rule(trunkSelector=selector, trunkRefs=[{"name": "a"}]))
    assert list(found) == ["spec.trunkSelector"]


@pytest.mark.parametrize("empty", [{"trunkRefs": []}, {"trunkSelector": {"matchLabels": {}}}, {"trunkSelector": {}}])
def test_an_empty_choice_of_trunks_is_never_read_as_all(empty):
    assert given.complaints(given.rule(**empty))


def test_a_number_is_named_or_bought_or_both_once_it_is_bought():
    bought = {"from": "livekit", "countryCode": "US"}
    given.accepted(given.document("PhoneNumber", {"purchase": bought}))
    assert "spec" in given.complaints(given.document("PhoneNumber", {}))
    given.accepted(given.number(purchase=bought))
    found = given.complaints(given.document("PhoneNumber", {"purchase": bought, "trunkRef": {"name": "a"}}))
    assert list(found) == ["spec.trunkRef"]


def test_rules_over_fields_are_told_beside_faults_of_single_fields():
    found = given.complaints(
        given.document("Trunk", {"inbound": {"ringingTimeout": "never", "noise": 1}, "media": {"timeout": "11m"}})
    )
    assert set(found) == {
        "spec.inbound.allowedAddresses",
        "spec.inbound.ringingTimeout",
        "spec.inbound.noise",
        "spec.media.timeout",
    }


def test_a_refused_call_is_expected_without_rule_and_room():
    def expecting(**expect):
        call = {"to": "+14155550100", "from": "+441", "address": "192.0.2.1", "expect": expect}
        return given.document("RoutingTest", {"calls": [call]})

    given.accepted(expecting(reason="no-rule", trunk="a"))
    assert "spec.calls.0.expect" in given.complaints(expecting())
    assert set(given.complaints(expecting(reason="no-rule", rule="a", room="b"))) == {
        "spec.calls.0.expect.rule",
        "spec.calls.0.expect.room",
    }


@pytest.mark.parametrize(
    ("expect", "wrong"),
    [
        ({"asks": "pin", "room": "a"}, "room"),
        ({"asks": "password", "rule": "a"}, "rule"),
        ({"asks": "password", "reason": "no-rule"}, "asks"),
    ],
)
def test_a_caller_who_is_asked_first_is_neither_refused_nor_in_a_room(expect, wrong):
    call = {"to": "+14155550100", "from": "+441", "address": "192.0.2.1", "expect": expect}
    assert list(given.complaints(given.document("RoutingTest", {"calls": [call]}))) == [f"spec.calls.0.expect.{wrong}"]


@pytest.mark.parametrize("expect", [{"asks": "pin", "rule": "a", "trunk": "b"}, {"asks": "password", "trunk": "b"}])
def test_of_a_caller_who_is_asked_first_it_may_be_known_where(expect):
    call = {"to": "+14155550100", "from": "+441", "address": "192.0.2.1", "expect": expect}
    given.accepted(given.document("RoutingTest", {"calls": [call]}))


def test_the_reasons_that_a_test_may_expect_are_the_matchers():
    assert {*REASONS} == {reason.value for reason in Reason} - {"pin-required"}


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (given.document("Trunk", {"inbound": {"allowed_addresses": ["10.0.0.1"]}}), "spec.inbound.allowed_addresses"),
        (given.document("PhoneNumber", {"numbr": "+14155550100"}), "spec.numbr"),
        (given.document("PhoneNumber", {"phoneNumber": "+14155550100"}), "spec.phoneNumber"),
        (given.document("Trunk", {"inbuond": {"allowedAddresses": ["10.0.0.1"]}}), "spec.inbuond"),
        (given.rule(rule={"direct": {"rooom": "lobby"}}), "spec.rule.direct.rooom"),
    ],
)
def test_a_misspelt_field_is_one_complaint_and_not_also_missing(document, path):
    assert list(given.complaints(document)) == [path]


def verified(**check: object) -> dict[str, object]:
    return given.document("Trunk", {"inbound": {"allowedAddresses": ["192.0.2.1"], "identity": check}})


def test_nothing_is_fetched_from_hosts_that_nobody_has_named():
    for verify in ("report", "require"):
        [(field, words)] = given.complaints(verified(verify=verify)).items()
        assert field == "spec.inbound.identity.certificateHosts"
        assert words.startswith("`certificateHosts` is missing")
    given.accepted(verified(verify="off"))
    assert "spec.inbound.identity.verify" in given.complaints(verified(certificateHosts=["a.example"]))
    assert "spec.inbound.identity.certificateHosts" in given.complaints(verified(verify="off", certificateHosts=[]))


def test_hosts_of_certificates():
    hosts = [
        "CR.example.com",
        "*.example.net",
        "*",
        "*:8443",
        "cr.example.org:8443",
        "[2001:db8::1]:443",
        "*.example.org:8443",
    ]
    found = given.accepted(verified(verify="report", certificateHosts=hosts)).spec.inbound.identity
    assert found.certificate_hosts == tuple(host.lower() for host in hosts)
    for wrong in (
        "https://cr.example.com",
        "cr.example.com/c.pem",
        "*.192.0.2.1",
        "a*.example",
        "**",
        "",
        "a@b",
        "*:0",
    ):
        assert given.complaints(verified(verify="report", certificateHosts=[wrong])), wrong


@pytest.mark.parametrize("name", ["sip.verstat", "sip.attestation", "sip.origID", "sip.carrierVerstat"])
def test_no_header_says_what_was_verified(name: str):
    inbound = {"allowedAddresses": ["192.0.2.1"], "headersToAttributes": {"X-V": name}}
    found = given.complaints(given.document("Trunk", {"inbound": inbound}))
    assert "says what the bridge has verified" in found["spec.inbound.headersToAttributes.X-V"]
