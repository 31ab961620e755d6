"""Keys by SIP INFO, with phones that we did not write."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.test_dialling import Calling, ended_well, sipp_phone
from tests.interop.test_sessions import run
from tests.peers import Baresip, BridgeProcess, bridge_with, wait_for
from tests.sound import speech

RULES = """\
apiVersion: dialplane.dev/v1alpha1
kind: Trunk
metadata: {name: here}
spec:
  inbound: {allowedAddresses: [127.0.0.1/32]}
  media: {dtmf: [rfc4733, info]}
---
apiVersion: dialplane.dev/v1alpha1
kind: DispatchRule
metadata: {name: lobby}
spec:
  rule: {direct: {room: lobby}}
"""
CALLED = "+16660000001"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeProcess]:
    """A bridge that takes keys both ways."""
    with bridge_with(RULES, tmp_path_factory.mktemp("keys")) as bridge:
        yield bridge


@pytest.mark.peer("sipp")
@pytest.mark.xdist_group("sipp")
@pytest.mark.parametrize("transport", ["u1", "t1"])
def test_sipp_tells_of_keys_by_info(here: BridgeProcess, tmp_path: Path, transport: str) -> None:
    before = len(here.records())
    run(here, tmp_path, "info", "-t", transport)
    record = wait_for(lambda: here.records()[before:], "the record")[0]
    assert record["media"]["digits"] == 3


@pytest.mark.peer("sipp")
@pytest.mark.xdist_group("sipp")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_phone_without_events_is_told_keys_by_info(tmp_path: Path, transport: str) -> None:
    with sipp_phone("uas-info", tmp_path, transport=transport) as (port, phone), Calling(
        tmp_path, port, transport, media=", dtmf: [rfc4733, info]"
    ) as bridge:  # fmt: skip
        bridge.dial(wait_until_answered=True, dtmf="5#")
        time.sleep(0.2)
        bridge.stop()
        assert ended_well(phone), (tmp_path / "sipp-errors.log").read_text()


@pytest.mark.peer("baresip")
@pytest.mark.xdist_group("baresip")
def test_baresip_presses_keys_by_info(here: BridgeProcess, tmp_path: Path) -> None:
    before = len(here.records())
    with Baresip(tmp_path, "+15550107777", speech(tmp_path / "said.wav", 60), login=";dtmfmode=info") as phone:
        phone.do("dial", f"sip:{CALLED}@{here.target}")
        wait_for(lambda: here.counters()["live"], "the call")
        wait_for(lambda: "Call established" in phone.log(), "baresip to notice")
        for key in "7#":
            phone.do("sndcode", key)
            time.sleep(0.3)
        wait_for(lambda: here.counters()["live"][0]["media"]["digits"] == 2, f"two keys: {phone.log()[-800:]}")
        phone.do("hangup")
        wait_for(lambda: here.records()[before:], "the record")
