"""SIPp calls the bridge: calls with media, hold, late offer, refusals. Its scenarios check every answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.peers import BridgeProcess, sipp, wait_for
from tests.sound import SPEECH_PCMU

pytestmark = [pytest.mark.peer("sipp"), pytest.mark.xdist_group("sipp")]
SCENARIOS = Path(__file__).parent / "scenarios"
both = pytest.mark.parametrize("transport", ["u1", "t1"])
"""SIPp's words for UDP, and for one TCP connection."""


def run(bridge: BridgeProcess, work: Path, name: str, *options: str, called: str = "+16660000001") -> None:
    """One scenario, which must succeed."""
    done = sipp(bridge.target, work, "-sf", str(SCENARIOS / f"{name}.xml"), "-s", called, "-m", "1", *options)
    errors = work / "sipp-errors.log"
    told = errors.read_text() if errors.exists() else ""
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{told}\n{bridge.log()}"


def record_of(bridge: BridgeProcess, before: int) -> dict[str, object]:
    """The record that came after the first `before` ones."""
    return dict(wait_for(lambda: bridge.records()[before:], "a call record")[0])


@pytest.mark.parametrize("calls", [1, 20])
def test_g711_calls_with_media_are_answered_and_heard(shared_bridge: BridgeProcess, tmp_path: Path, calls: int) -> None:
    (tmp_path / "speech.ul").write_bytes(SPEECH_PCMU)
    numbers = "".join(f"+1666{n // 2 + 1:07d};\n" for n in range(calls))
    (tmp_path / "to.csv").write_text("SEQUENTIAL\n" + numbers)
    before = len(shared_bridge.records())
    done = sipp(
        shared_bridge.target, tmp_path, "-sf", str(SCENARIOS / "uac-g711.xml"), "-inf", "to.csv",
        "-m", str(calls), "-l", str(calls), "-r", "20", "-d", "2500",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    records = wait_for(
        lambda: shared_bridge.records()[before:] if len(shared_bridge.records()) >= before + calls else None, "records"
    )
    assert {(r["sipStatus"], r["reason"], r["endedBy"]) for r in records} == {(200, "hangup", "caller")}
    for record in records:
        media = record["media"]
        assert media["packetsReceived"] > 100, "the caller's speech came in"
        assert media["packetsSent"] > 100, "the caller heard something"


@both
def test_hold_resume_and_a_changed_codec_are_answered_truly(
    shared_bridge: BridgeProcess, tmp_path: Path, transport: str
) -> None:
    run(shared_bridge, tmp_path, "hold", "-t", transport)


@both
def test_an_invite_without_an_offer_gets_ours_and_the_answer_in_the_ack(
    shared_bridge: BridgeProcess, tmp_path: Path, transport: str
) -> None:
    before = len(shared_bridge.records())
    run(shared_bridge, tmp_path, "late-offer", "-t", transport)
    record = record_of(shared_bridge, before)
    assert (record["audioCodec"], record["reason"]) == ("pcmu", "hangup")


@both
def test_every_media_line_is_answered_and_what_cannot_be_taken_gets_port_zero(
    shared_bridge: BridgeProcess, tmp_path: Path, transport: str
) -> None:
    run(shared_bridge, tmp_path, "many-lines", "-t", transport)


@both
def test_options_tells_what_is_allowed(shared_bridge: BridgeProcess, tmp_path: Path, transport: str) -> None:
    run(shared_bridge, tmp_path, "options", "-t", transport)


@both
def test_a_codec_that_nobody_speaks_is_refused_with_a_reason(
    shared_bridge: BridgeProcess, tmp_path: Path, transport: str
) -> None:
    before = len(shared_bridge.records())
    run(shared_bridge, tmp_path, "refused-488", "-t", transport)
    record = record_of(shared_bridge, before)
    assert (record["sipStatus"], record["reason"]) == (488, "media")
    assert "not answered, SIP 488" in shared_bridge.log()


def test_a_call_that_no_rule_takes_is_refused_and_explained(bridge: BridgeProcess, tmp_path: Path) -> None:
    for file in bridge.manifests.glob("*.yaml"):
        file.write_text(
            file.read_text().replace(
                "callee: {roomPrefix: line}", "callee: {roomPrefix: line}\n  match: {to: ['+1777*']}"
            )
        )
    wait_for(lambda: bridge.counters()["revision"] >= 2, "the edit to be live")
    run(bridge, tmp_path, "refused-404")
    record = record_of(bridge, 0)
    assert (record["sipStatus"], record["reason"], record["trunk"]) == (404, "no-rule", "default/this-machine")
    assert any("+1777*" in line for line in record["trail"]), record["trail"]


def test_a_stranger_is_refused_and_told_nothing(bridge: BridgeProcess, tmp_path: Path) -> None:
    for file in bridge.manifests.glob("*.yaml"):
        file.write_text(file.read_text().replace("127.0.0.1/32", "192.0.2.0/24"))
    wait_for(lambda: bridge.counters()["revision"] >= 2, "the edit to be live")
    run(bridge, tmp_path, "refused-403")
    record = record_of(bridge, 0)
    assert (record["sipStatus"], record["reason"]) == (403, "source-not-allowed")
    assert any("192.0.2.0/24" in line for line in record["trail"]), "the operator is told everything"
