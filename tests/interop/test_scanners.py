"""Scanners from an address that no trunk names: they find nothing, are counted, and disturb nobody."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.peers import BridgeProcess, free_port, sipp, wait_for
from tests.sound import SPEECH_PCMU

pytestmark = pytest.mark.xdist_group("sipp")
STRANGER = "127.0.0.2"  # the first example allows 127.0.0.1 alone
SCENARIOS = Path(__file__).parent / "scenarios"


def scan(*command: str) -> str:
    """A scanner's whole output; it stops by itself."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    return done.stdout + done.stderr


@pytest.mark.peer("sipp", "svmap", "svwar", "sipsak")
def test_scans_find_nothing_open_and_disturb_nothing(shared_bridge: BridgeProcess, tmp_path: Path) -> None:
    port = str(shared_bridge.port)
    (tmp_path / "speech.ul").write_bytes(SPEECH_PCMU)
    (tmp_path / "to.csv").write_text("SEQUENTIAL\n" + "+16660000001;\n" * 4)
    command = ["sipp", shared_bridge.target, "-i", "127.0.0.1", "-mi", "127.0.0.1", "-p", str(free_port()), "-nostdin",
               "-sf", str(SCENARIOS / "uac-g711.xml"), "-inf", "to.csv", "-m", "4", "-l", "4",
               "-d", "12000"]  # fmt: skip
    calls = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: len(shared_bridge.counters()["live"]) == 4, "the calls to be up")
        map_port, war_port = str(free_port()), str(free_port())
        mapped = scan("svmap", "-b", STRANGER, "-P", map_port, "-p", port, "127.0.0.1")
        invited = scan("svmap", "-b", STRANGER, "-P", map_port, "-p", port, "-m", "INVITE", "127.0.0.1")
        guessed = scan(
            "svwar", "-b", STRANGER, "-P", war_port, "-p", port, "-e", "100-120", "--force", "--maximumtime", "5",
            "127.0.0.1",
        )  # fmt: skip
        told = shared_bridge.counters()
    finally:
        calls.wait(60)
    for found in (mapped, invited):
        assert f"127.0.0.1:{port}" not in found, "nothing answers a scanner"
    assert "found nothing" in guessed
    assert told["dropped"]["scanner"] >= 2
    assert calls.returncode == 0, "the calls that were up went on"


@pytest.mark.peer("sipsak")
def test_sipsak_gets_an_answer_where_a_trunk_names_it(shared_bridge: BridgeProcess) -> None:
    known = scan("sipsak", "-v", "-s", f"sip:ping@127.0.0.1:{shared_bridge.port}")
    assert "200" in known


@pytest.mark.peer("sipp")
def test_a_stranger_that_is_no_scanner_is_told_three_times_a_minute(bridge: BridgeProcess, tmp_path: Path) -> None:
    for file in bridge.manifests.glob("*.yaml"):
        file.write_text(file.read_text().replace("127.0.0.1/32", "192.0.2.0/24"))
    wait_for(lambda: bridge.counters()["revision"] >= 2, "the edit to be live")
    scenario = ["-sf", str(SCENARIOS / "refused-403.xml"), "-s", "+16660000001"]
    done = sipp(bridge.target, tmp_path, *scenario, "-m", "3", "-r", "5")
    assert done.returncode == 0, done.stdout[-1000:]
    silent = sipp(bridge.target, tmp_path, *scenario, "-m", "1", "-recv_timeout", "1500", "-timeout", "3")
    assert silent.returncode != 0
    assert bridge.counters()["dropped"]["stranger-invite"] >= 1
    assert len(bridge.records()) == 3
