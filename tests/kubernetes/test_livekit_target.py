"""What a cluster declares, kept at a genuine livekit-server: applied, put back, retained, and said in the status."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from livekit.protocol import sip

from tests.kubernetes.operating import OperatorProcess, Place, reason
from tests.livekit_peers import needs_livekit
from tests.livekit_telephony import Telephony
from tests.peers import wait_for

pytestmark = [
    needs_livekit,
    pytest.mark.peer("kubectl", "redis-server"),
    pytest.mark.xdist_group("kubernetes"),
]


@pytest.fixture
def livekit(tmp_path: Path) -> Iterator[Telephony]:
    with Telephony(tmp_path / "livekit") as server:
        assert isinstance(server, Telephony)
        yield server


@pytest.fixture
def operator(place: Place, livekit: Telephony) -> Iterator[OperatorProcess]:
    with place.operator("--target", "livekit", environment=livekit.environment) as started:
        started.said("this operator leads")
        yield started


def trunks(livekit: Telephony) -> list[str]:
    """The addresses of the inbound trunks that it holds."""
    found = livekit.sip("list_inbound_trunk", sip.ListSIPInboundTrunkRequest()).items
    return sorted(address for trunk in found for address in trunk.allowed_addresses)


def trunk(place: Place, name: str, net: int, **spec: Any) -> dict[str, Any]:
    """A Trunk; LiveKit wants no two for any caller."""
    inbound = {"allowedAddresses": [f"10.{net}.0.0/16"], "allowedNumbers": [f"+141555501{len(name):02}"]}
    return place.trunk(name, inbound=inbound, **spec)


def test_objects_are_kept_there_and_away_is_said(place: Place, livekit: Telephony, operator: OperatorProcess) -> None:
    rule = place.rule(trunkRefs=[{"name": "carrier"}])
    place.apply(trunk(place, "carrier", 1), trunk(place, "kept", 2, deletionPolicy="Retain"), rule)
    for kind, name in (("trunk", "carrier"), ("trunk", "kept"), ("dispatchrule", "support")):
        place.until(kind, name, "Ready", reason("Ready"))
    assert trunks(livekit) == ["10.1.0.0/16", "10.2.0.0/16"]
    place.apply(trunk(place, "carrier", 3))
    wait_for(lambda: trunks(livekit) == ["10.2.0.0/16", "10.3.0.0/16"], "the other network")
    place.kubectl("delete", "trunk", "kept")
    assert trunks(livekit) == ["10.2.0.0/16", "10.3.0.0/16"], "deletionPolicy: Retain"
    livekit.kill()
    place.apply(trunk(place, "carrier", 4))
    away = place.until("trunk", "carrier", "Ready", reason("RemoteError"))
    assert away["status"] == "Unknown"
    livekit.start()
    place.until("trunk", "carrier", "Ready", reason("Ready"), within_s=90)


def test_what_livekit_refuses_is_said_in_its_words(place: Place, operator: OperatorProcess) -> None:
    place.apply(place.trunk())
    place.until("trunk", "carrier", "Ready", reason("Ready"))
    place.apply(place.trunk("second", net=2))
    found = place.until("trunk", "second", "Ready", reason("Rejected"))
    assert "Conflicting inbound SIP Trunks" in found["message"]
    assert place.condition("trunk", "carrier", "Ready")["status"] == "True"
