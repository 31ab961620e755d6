from __future__ import annotations

import pytest

from schemas.resources.documents import KINDS
from schemas.resources.effect import HONOURED, NOT_YET, not_in_effect
from schemas.resources.shape import leaves
from tests.schemas.resources import given


def warned(data):
    return {".".join(map(str, path)): what for path, what in not_in_effect(given.accepted(data))}


def covering(path, table):
    steps = path.split(".")
    return [".".join(steps[:n]) for n in range(1, len(steps) + 1) if ".".join(steps[:n]) in table]


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_honoured_or_warned_about_and_never_both(kind):
    tables = [HONOURED[kind], NOT_YET[kind]]
    for path in leaves(KINDS[kind]):
        found = [cover for table in tables for cover in covering(path, table)]
        assert len(found) == 1, f"{kind}.{path} is covered by {found}"


@pytest.mark.parametrize("kind", KINDS)
def test_no_line_of_the_tables_is_about_a_field_that_does_not_exist(kind):
    known = {path for leaf in leaves(KINDS[kind]) for path in [".".join(leaf.split(".")[:n]) for n in range(1, 9)]}
    assert {*HONOURED[kind], *NOT_YET[kind]} <= known


@pytest.mark.parametrize("make", [given.trunk, given.rule, given.number])
def test_a_field_that_nobody_wrote_is_not_mentioned(make):
    assert warned(make()) == {}


def test_what_happens_instead_is_said():
    assert list(warned(given.outbound(transport="udp"))) == []


@pytest.mark.parametrize(
    "data",
    [
        given.trunk(media={"codecs": ["opus", "g722"], "dtmf": ["rfc4733"], "timeout": "15s", "encryption": "require"}),
        given.trunk(regions=["eu"], allowedNamespaces="All", deletionPolicy="Retain", provider="generic", metadata="m"),
        given.inbound(allowedNumbers=["+1*"], calledNumbers="declared", maxCallDuration="2h"),
        given.inbound(noiseCancellation=True),
        given.outbound(destinationCountry="US"),
        given.trunk(media={"dtmf": ["inband"]}, holdMusic="builtIn"),
        given.rule(noiseCancellation=True, ringback="in", holdMusic="hold.wav", recording={"format": "opus"}),
        given.inbound(auth={"username": "a", "passwordFrom": {"env": "P"}, "algorithms": ["MD5"]}),
        given.inbound(
            noiseCancellation=False, headers={"X-A": "b"}, includeHeaders="x", headersToAttributes={"X-A": "a"}
        ),
        given.rule(match={"to": ["+1*"], "from": ["+1*"]}, priority=3, attributes={"a": "b"}, metadata="m"),
        given.rule(hidePhoneNumber=True, answer="immediately", trunkRefs=[{"name": "a"}], media={"timeout": "20s"}),
        given.rule(room={"agents": [{"agentName": "a"}], "emptyTimeout": "1m"}, fallback={"sipCode": 503}),
        given.rule(media={"roomCodec": "opus"}),
        given.rule(rule={"individual": {"roomPrefix": "a", "randomize": False}}),
        given.number(
            direction="inbound", trunkRef={"name": "a"}, dispatchRuleRef={"name": "b"}, deletionPolicy="Delete"
        ),
    ],
)
def test_what_the_bridge_does_is_not_warned_about(data):
    assert warned(data) == {}


def test_the_complete_documents_warn_about_every_line_of_the_tables():
    found = {
        (doc["kind"], ".".join(step for step in path if isinstance(step, str)))
        for doc in given.everything()
        for path, _ in not_in_effect(given.accepted(doc))
    }
    expected = {(kind, path) for kind in KINDS for path in NOT_YET[kind]}
    assert found == expected
