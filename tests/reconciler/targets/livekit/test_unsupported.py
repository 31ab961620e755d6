"""Each field that LiveKit cannot hold is told by its name; what asks for nothing is fine."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.desired import desire
from reconciler.model.live import Live
from reconciler.targets.livekit.hints import hints_of
from reconciler.targets.livekit.unsupported import Limits
from schemas.resources.conditions import ConditionType, Reason
from tests.reconciler import declaring

Documents = list[declaring.Document]
INBOUND = {"allowedAddresses": ["10.1.0.0/16"]}
OUTBOUND = {"addresses": ["sip.example.com"]}
PLACE = {"env": "PW"}


def held_back(documents: Documents) -> dict[str, str]:
    """The places of the complaints, by what they are about."""
    declared = declaring.declared({"a.yaml": documents})
    desired = desire(declared, Live(), limits_of=Limits(hints_of(declared, {})))
    for verdict in desired.verdicts.values():
        assert (verdict.type, verdict.reason) == (ConditionType.ACCEPTED, Reason.UNSUPPORTED_BY_TARGET)
    return {problem.where.path: problem.what for problem in desired.problems if problem.code == "unsupported"}


def trunk(**spec: Any) -> Documents:
    return [declaring.trunk(**spec)]


def rule(**spec: Any) -> Documents:
    return [declaring.trunk(), declaring.rule(**spec)]


@pytest.mark.parametrize(
    ("documents", "path"),
    [
        (trunk(inbound={**INBOUND, "allowedNumbers": ["+14155550100", "+1415*"]}), "spec.inbound.allowedNumbers[1]"),
        (
            trunk(inbound={"auth": {"username": "a", "passwordFrom": PLACE, "algorithms": ["SHA-256"]}}),
            "spec.inbound.auth.algorithms",
        ),
        (trunk(outbound={"addresses": ["a.example.com", "b.example.com"]}), "spec.outbound.addresses[1]"),
        (
            trunk(outbound={**OUTBOUND, "register": {}, "auth": {"username": "a", "passwordFrom": PLACE}}),
            "spec.outbound.register",
        ),
        (trunk(outbound={**OUTBOUND, "probe": {}}), "spec.outbound.probe"),
        (trunk(outbound={**OUTBOUND, "tls": {"certificateFrom": PLACE, "keyFrom": PLACE}}), "spec.outbound.tls"),
        (trunk(outbound={**OUTBOUND, "transport": "wss"}), "spec.outbound.transport"),
        (trunk(outbound={**OUTBOUND, "webSocketPath": "/sip"}), "spec.outbound.webSocketPath"),
        (trunk(outbound={**OUTBOUND, "recording": {"format": "wav"}}), "spec.outbound.recording"),
        (trunk(outbound={**OUTBOUND, "allowedDestinations": ["+1*"]}), "spec.outbound.allowedDestinations"),
        (trunk(outbound={**OUTBOUND, "callerForm": "+E.164"}), "spec.outbound.callerForm"),
        (
            trunk(outbound={**OUTBOUND, "auth": {"username": "a", "passwordFrom": PLACE, "realm": "r"}}),
            "spec.outbound.auth.realm",
        ),
        (trunk(media={"roomCodec": "opus"}), "spec.media.roomCodec"),
        (trunk(media={"dtmf": ["info"]}), "spec.media.dtmf"),
        (trunk(media={"keying": ["dtls"]}), "spec.media.keying"),
        (trunk(mediaAddresses=["203.0.113.0/24"]), "spec.mediaAddresses"),
        (trunk(regions=["eu"]), "spec.regions"),
        (trunk(limits={"callsPerSecond": 5}), "spec.limits"),
        (rule(match={"to": ["+1415*"]}), "spec.match.to[0]"),
        (rule(match={"from": ["+1415*"]}), "spec.match.from[0]"),
        (rule(priority=1), "spec.priority"),
        (rule(pinFrom=PLACE, pinPrompts={"ask": "ask.wav"}), "spec.pinPrompts"),
        (rule(answer="immediately"), "spec.answer"),
        (rule(fallback={"sipCode": 486}), "spec.fallback"),
        (rule(trunkSelector={"matchLabels": {"region": "us"}}), "spec.trunkSelector"),
        (rule(media={"roomCodec": "pcmu"}), "spec.media.roomCodec"),
    ],
)
def test_what_livekit_cannot_hold_is_named(documents: Documents, path: str) -> None:
    assert list(held_back(documents)) == [path]


def test_a_rule_cannot_name_a_trunk_that_takes_no_calls() -> None:
    documents = [
        declaring.document("Trunk", "out", {"outbound": OUTBOUND}),
        declaring.rule(trunkRefs=[{"name": "out"}]),
    ]
    assert held_back(documents) == {"spec.trunkRefs": "Trunk default/out takes no calls"}


def test_a_rule_whose_trunk_is_held_back_is_told_so_and_not_to_select_one() -> None:
    documents = [trunk(regions=["eu"])[0], declaring.rule(trunkRefs=[{"name": "carrier"}])]
    declared = declaring.declared({"a.yaml": documents})
    desired = desire(declared, Live(), limits_of=Limits(hints_of(declared, {})))
    assert [problem.where.path for problem in desired.problems if problem.code == "unsupported"] == ["spec.regions"]


def test_what_is_livekits_own_way_may_be_written() -> None:
    assert held_back(rule(answer="whenRoomReady", media={"roomCodec": "auto"}, fallback={"sipCode": 480})) == {}


def test_what_a_provider_fills_in_is_no_wish_of_the_document() -> None:
    assert held_back(trunk(provider="twilio", outbound=OUTBOUND)) == {}
