"""Phones that send their call on, with peers that we did not write."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.test_dialling import ended_well, sipp_phone
from tests.interop.test_sessions import run
from tests.peers import BridgeProcess, wait_for

RULES = """\
apiVersion: dialplane.dev/v1alpha1
kind: Trunk
metadata: {{name: here}}
spec:
  inbound: {{allowedAddresses: [127.0.0.1/32]}}
  outbound: {{addresses: ["127.0.0.1:{port}"], transport: {transport}, allowedDestinations: ["+1555*"]}}
  acceptRefer: true
---
apiVersion: dialplane.dev/v1alpha1
kind: PhoneNumber
metadata: {{name: ours}}
spec: {{number: "+15550100000", trunkRef: {{name: here}}, dispatchRuleRef: {{name: lobby}}}}
---
apiVersion: dialplane.dev/v1alpha1
kind: DispatchRule
metadata: {{name: lobby}}
spec:
  rule: {{direct: {{room: lobby}}}}
"""


@pytest.mark.peer("sipp")
@pytest.mark.xdist_group("sipp")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_another_phone_takes_the_place_of_the_one_that_refers(tmp_path: Path, transport: str) -> None:
    manifests, calling, called = tmp_path / "manifests", tmp_path / "calling", tmp_path / "called"
    for folder in (manifests, calling, called):
        folder.mkdir()
    with sipp_phone("uas-referred", called, transport=transport) as (port, phone):
        (manifests / "rules.yaml").write_text(RULES.format(port=port, transport=transport))
        with BridgeProcess(manifests, tmp_path) as bridge:
            run(bridge, calling, "refer", "-t", f"{transport[0]}1", called="+15550100000")
            [live] = wait_for(lambda: bridge.counters()["live"], "the call to go on")
            assert (live["room"], live["state"]) == ("lobby", "active")
            bridge.stop()
        assert ended_well(phone), (called / "sipp-errors.log").read_text()
