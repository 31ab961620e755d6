"""Who calls by P-Asserted-Identity, with a peer that we did not write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.test_sessions import run
from tests.peers import BridgeProcess, bridge_with, wait_for

RULES = """\
apiVersion: dialplane.dev/v1alpha1
kind: Trunk
metadata: {name: here}
spec:
  inbound: {allowedAddresses: [127.0.0.1/32], trustIdentity: true, allowedNumbers: ["+15550107777"]}
---
apiVersion: dialplane.dev/v1alpha1
kind: DispatchRule
metadata: {name: known}
spec:
  match: {from: ["+15550107777"]}
  rule: {direct: {room: known}}
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeProcess]:
    """A bridge whose trunk believes its carrier."""
    with bridge_with(RULES, tmp_path_factory.mktemp("identity")) as bridge:
        yield bridge


@pytest.mark.peer("sipp")
@pytest.mark.xdist_group("sipp")
@pytest.mark.parametrize("transport", ["u1", "t1"])
def test_sipp_is_who_its_carrier_says(here: BridgeProcess, tmp_path: Path, transport: str) -> None:
    before = len(here.records())
    run(here, tmp_path, "identity", "-t", transport)
    record = wait_for(lambda: here.records()[before:], "the record")[0]
    assert (record["room"], record["from"]) == ("known", "+15550107777")
