"""A bridge with --metrics: what probes and Prometheus are told while calls come and go."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.peers import ROOT, BridgeProcess, free_port, sipp, wait_for
from tests.sound import SPEECH_PCMU

SCENARIOS = Path(__file__).parent / "scenarios"


def told(url: str) -> dict[tuple[str, ...], float]:
    """The samples, by name and the values of their labels, in the order of the labels' names."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    assert not [word for word in ("+1555", "default/") if word in text], "neither numbers nor names"
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {
        (s.name.removeprefix("dialplane_bridge_"), *(s.labels[key] for key in sorted(s.labels))): s.value
        for s in samples
    }


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code


@pytest.mark.peer("sipp")
@pytest.mark.xdist_group("sipp")
def test_calls_and_refusals_are_counted_and_probes_answered(tmp_path: Path) -> None:
    rules = (ROOT / "examples" / "manifests" / "01-one-number" / "routes.yaml").read_text().split("---\n")
    trunk = (ROOT / "examples" / "manifests" / "01-one-number" / "trunk.yaml").read_text()
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "all.yaml").write_text("---\n".join([trunk, *rules[:2]]))
    with BridgeProcess(tmp_path / "manifests", tmp_path, "--metrics", "127.0.0.1:0") as bridge:
        [url] = re.findall(r"metrics and probes.*(http://[\d.:]+)", bridge.log())
        assert (status_of(f"{url}/livez"), status_of(f"{url}/readyz"), status_of(f"{url}/v1/calls")) == (200, 200, 404)
        (tmp_path / "speech.ul").write_bytes(SPEECH_PCMU)
        words = ["-sf", str(SCENARIOS / "uac-g711.xml"), "-inf", "to.csv", "-m", "1", "-d", "6000"]
        for number, code in (("+15550100000", 0), ("+19990000001", 1)):
            (tmp_path / "to.csv").write_text(f"SEQUENTIAL\n{number};\n")
            assert sipp(bridge.target, tmp_path, *words).returncode == code
        wait_for(lambda: len(bridge.records()) >= 2, "both records")
        now = told(url)
    assert now[("ready",)] == 1
    assert now[("calls_ended_total", "true", "inbound", "hangup")] == 1
    assert now[("calls_ended_total", "false", "inbound", "no-rule")] == 1
    assert now[("call_setup_seconds_count", "inbound")] == 1
    assert now[("call_mos_count", "bridge")] == 1
    assert now[("media_packets_total", "received")] > 50
    assert now[("calls_active", "inbound")] == 0
    assert now[("tables_revision",)] >= 1
    assert now[("store_heard_timestamp_seconds",)] > 1e9
    assert now[("store_faults",)] == 0


def test_without_tables_it_lives_and_is_not_ready(tmp_path: Path) -> None:
    port = free_port()
    words = ["run", "--state", str(tmp_path / "state"), "--api", "off", "--metrics", "127.0.0.1:0"]
    listening = ["--listen", f"udp://127.0.0.1:{port}", "--listen", f"tcp://127.0.0.1:{port}"]
    log = tmp_path / "log"
    with log.open("w") as out:
        bridge = subprocess.Popen([sys.executable, "-m", "runtime", *words, *listening], stderr=out, cwd=ROOT)
    try:
        url = wait_for(lambda: re.findall(r"metrics and probes.*(http://[\d.:]+)", log.read_text()), "its URL")[0]
        assert (status_of(f"{url}/livez"), status_of(f"{url}/readyz")) == (200, 503)
        assert told(url)[("ready",)] == 0
    finally:
        bridge.terminate()
        bridge.wait()
