"""Edits under live calls: the next call follows, nobody who is talking notices, a broken edit changes nothing."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest

from tests.peers import STEADY, BridgeProcess, sipp, talk_share, wait_for
from tests.sound import SPEECH_PCMU

pytestmark = [pytest.mark.peer("sipp"), pytest.mark.xdist_group("sipp")]
SCENARIO = Path(__file__).parent / "scenarios" / "uac-g711.xml"
CALLS = 20
TALK_MS = 9000


def dial(bridge: BridgeProcess, work: Path, calls: int, talk_ms: int) -> subprocess.CompletedProcess[str]:
    """So many calls of SIPp with speech, two to each called number but the last, which is the lobby's."""
    work.mkdir(exist_ok=True)
    (work / "speech.ul").write_bytes(SPEECH_PCMU)
    (work / "to.csv").write_text("SEQUENTIAL\n" + "+15550100000;\n" * calls)
    options = ["-sf", str(SCENARIO), "-inf", "to.csv", "-m", str(calls), "-l", str(calls), "-r", "40"]
    return sipp(bridge.target, work, *options, "-d", str(talk_ms))


def edit(bridge: BridgeProcess, old: str, new: str) -> None:
    """One change in one file, saved as an editor does: a new file renamed over the old one."""
    for file in bridge.manifests.glob("*.yaml"):
        text = file.read_text()
        if old in text:
            fresh = file.with_suffix(".new")
            fresh.write_text(text.replace(old, new))
            fresh.replace(file)
            return
    raise AssertionError(f"{old!r} is in no manifest")


def rooms(bridge: BridgeProcess) -> list[str]:
    """The rooms of the calls that are up."""
    return [call["room"] for call in bridge.counters()["live"]]


def test_an_edit_moves_the_next_call_and_disturbs_none_of_those_that_are_up(
    bridge: BridgeProcess, tmp_path: Path
) -> None:
    done: list[subprocess.CompletedProcess[str]] = []
    talking = threading.Thread(target=lambda: done.append(dial(bridge, tmp_path / "many", CALLS, TALK_MS)))
    talking.start()
    try:
        wait_for(lambda: len(bridge.counters()["live"]) == CALLS, "all calls to be up")
        before = bridge.counters()["revision"]

        edit(bridge, "direct: {room: lobby}", "direct: {room: hall}")
        wait_for(lambda: bridge.counters()["revision"] == before + 1, "the edit to be live")
        assert dial(bridge, tmp_path / "one", 1, 300).returncode == 0
        assert bridge.records()[-1]["room"] == "hall"

        edit(bridge, "direct: {room: hall}", "direct: {rooom: hell}")
        wait_for(lambda: "rooom" in bridge.log(), "a message about the broken edit")
        assert dial(bridge, tmp_path / "two", 1, 300).returncode == 0
        assert bridge.records()[-1]["room"] == "hall", "the last good version stays live"
        assert bridge.counters()["revision"] == before + 1
        assert rooms(bridge) == ["lobby"] * CALLS, "calls that are up keep their room"
    finally:
        talking.join()
    assert done[0].returncode == 0, done[0].stdout[-2000:]
    ended = [record for record in bridge.records() if record["room"] == "lobby"]
    assert [record["reason"] for record in ended] == ["hangup"] * CALLS
    for record in ended:
        assert talk_share(record) > STEADY, "audio never stopped"
        assert record["revision"] == before


def test_losing_reconciler_and_tables_touches_no_call_and_new_ones_go_on(bridge: BridgeProcess, tmp_path: Path) -> None:
    done: list[subprocess.CompletedProcess[str]] = []
    talking = threading.Thread(target=lambda: done.append(dial(bridge, tmp_path / "long", 1, TALK_MS)))
    talking.start()
    try:
        wait_for(lambda: rooms(bridge) == ["lobby"], "the long call")
        subprocess.run(["kill", "-9", child_of(bridge)], check=True)
        for file in bridge.state.glob("tables.db*"):
            file.unlink()
        assert dial(bridge, tmp_path / "meanwhile", 1, 300).returncode == 0, "the last good tables answer"
        wait_for(lambda: "the reconciler ended" in bridge.log(), "a message")
        edit(bridge, "direct: {room: lobby}", "direct: {room: hall}")
        wait_for(lambda: dial(bridge, tmp_path / "after", 1, 200).returncode == 0 and in_hall(bridge), "the edit, live")
        assert rooms(bridge) == ["lobby"]
    finally:
        talking.join()
    assert done[0].returncode == 0, done[0].stdout[-2000:]
    [record] = [record for record in bridge.records() if record["endedAt"] - record["answeredAt"] > TALK_MS / 2000]
    assert talk_share(record) > STEADY


def child_of(bridge: BridgeProcess) -> str:
    """The process id of the reconciler that `bridge up` keeps."""
    [child] = Path(f"/proc/{bridge.process.pid}/task/{bridge.process.pid}/children").read_text().split()
    return child


def in_hall(bridge: BridgeProcess) -> bool:
    """Whether the newest ended call was in the new room."""
    return bool(bridge.records()[-1]["room"] == "hall")
