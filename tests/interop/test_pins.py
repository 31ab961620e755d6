"""SIPp, baresip and our own test phone are asked for a PIN: what they press is heard, and they hear the prompts."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.rooms.files import load_sound
from runtime.rooms.prompts import OWN_PROMPTS
from tests.peers import ROOT, Baresip, BridgeProcess, sipp, wait_for
from tests.sound import GOOD_FIT, fit, samples, speech, write_wav

PIN, WRONG = "739146", "444000"
BOARD = "+15550100000"
SCENARIOS = Path(__file__).parent / "scenarios"
ASKED_S, IN_ROOM_S = 4.0, 4.0
"""How much of the question, and of the room, is listened to."""
MANIFESTS = """\
apiVersion: dialplane.dev/v1alpha1
kind: Trunk
metadata: {name: here}
spec: {inbound: {allowedAddresses: [127.0.0.1/32]}}
---
apiVersion: dialplane.dev/v1alpha1
kind: DispatchRule
metadata: {name: board}
spec:
  pinFrom: {file: board.pin}
  pinPrompts: {goodbye: goodbye-board.wav}
  rule: {direct: {room: board}}
"""


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeProcess]:
    """A bridge whose one rule has a PIN and a goodbye of its own."""
    work = tmp_path_factory.mktemp("pins")
    manifests = work / "manifests"
    (manifests / "prompts").mkdir(parents=True)
    (manifests / "rules.yaml").write_text(MANIFESTS)
    (manifests / "board.pin").write_text(PIN + "\n")
    speech(manifests / "prompts" / "goodbye-board.wav", 2.0, reverse=True)
    with BridgeProcess(manifests, work) as running:
        yield running
    told = running.log() + (running.state / "records.jsonl").read_text()
    assert PIN not in told, "no PIN is in a log or a record"
    assert WRONG not in told, "and no guess"


def record_of(bridge: BridgeProcess, caller: str) -> dict[str, object]:
    """The record of this caller's call."""
    return dict(wait_for(lambda: [r for r in bridge.records() if r["from"] == caller], f"the record of {caller}")[0])


@pytest.mark.peer("sipp")
@pytest.mark.xdist_group("sipp")
@pytest.mark.skipif(os.geteuid() != 0, reason="SIPp needs raw sockets to play events")
@pytest.mark.parametrize(
    ("scenario", "pressed", "caller", "ended"),
    [
        ("pin-right", f"{PIN}#", "+15551003001", ("hangup", "board", "caller")),
        ("pin-wrong", f"{WRONG}#", "+15551003002", ("wrong-pin", "", "bridge")),
    ],
)
def test_what_sipp_plays_as_events_is_the_entry(
    asking: BridgeProcess, tmp_path: Path, scenario: str, pressed: str, caller: str, ended: tuple[str, str, str]
) -> None:
    (tmp_path / "keys.csv").write_text(f"SEQUENTIAL\n{pressed};\n")
    done = sipp(
        asking.target, tmp_path, "-sf", str(SCENARIOS / f"{scenario}.xml"), "-s", BOARD, "-inf", "keys.csv",
        "-m", "1", "-d", "4000",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    record = record_of(asking, caller)
    assert (record["reason"], record["room"], record["endedBy"]) == ended


def state_of(bridge: BridgeProcess, caller: str) -> tuple[str, str]:
    """State and room of this caller's live call; empty when there is none."""
    live = (call for call in bridge.counters()["live"] if call["from"] == caller)
    return next(((call["state"], call["room"]) for call in live), ("", ""))


def heard_s(phone: Baresip) -> float:
    """How much of the call baresip has heard so far; it writes 16-bit samples, 8,000 a second, as they come."""
    return sum(file.stat().st_size for file in phone.work.glob("dump-*-dec.wav")) / 16_000


def enter(phone: Baresip, keys: str) -> None:
    """Press keys as a person does, one after the other."""
    for key in keys:
        phone.do("sndcode", key)
        time.sleep(0.4)


@pytest.mark.peer("baresip")
@pytest.mark.xdist_group("baresip")
def test_baresip_hears_the_question_enters_the_pin_and_hears_the_room(asking: BridgeProcess, tmp_path: Path) -> None:
    said = speech(tmp_path / "said.wav", 60.0)
    with Baresip(tmp_path / "a", "+15551003003", said) as phone:
        phone.do("dial", f"sip:{BOARD}@{asking.target}")
        wait_for(lambda: "Call established" in phone.log(), f"an answer: {phone.log()}")
        wait_for(lambda: heard_s(phone) > ASKED_S, "the question")
        assert state_of(asking, "+15551003003") == ("prompting", "")
        enter(phone, PIN + "#")
        wait_for(lambda: state_of(asking, "+15551003003")[1] == "board", f"the room: {phone.log()[-2000:]}")
        enough_s = heard_s(phone) + IN_ROOM_S
        wait_for(lambda: heard_s(phone) > enough_s, "sound of the room")
        phone.do("hangup")
        wait_for(lambda: "terminated" in phone.log().lower(), "the end of the call")
        heard = phone.heard()
    before, after = parts(heard, tmp_path, ASKED_S)
    assert fit(prompt_pcm("ask", tmp_path), before) > GOOD_FIT, "it was asked"
    assert fit(said, after) > GOOD_FIT, "it heard itself in the room"
    assert record_of(asking, "+15551003003")["reason"] == "hangup"


@pytest.mark.peer("baresip")
@pytest.mark.xdist_group("baresip")
def test_baresip_with_three_wrong_pins_hears_the_rules_own_goodbye_and_is_locked_out(
    asking: BridgeProcess, tmp_path: Path
) -> None:
    said = speech(tmp_path / "said.wav", 60.0)
    with Baresip(tmp_path / "a", "+15551003004", said) as phone:
        phone.do("dial", f"sip:{BOARD}@{asking.target}")
        wait_for(lambda: "Call established" in phone.log(), f"an answer: {phone.log()}")
        wait_for(lambda: state_of(asking, "+15551003004")[0] == "prompting", "the question")
        for _ in range(3):
            enter(phone, WRONG + "#")
        wait_for(lambda: "terminated" in phone.log().lower(), f"the BYE: {phone.log()[-2000:]}")
        heard = phone.heard()
        phone.do("dial", f"sip:{BOARD}@{asking.target}")
        wait_for(lambda: "403" in phone.log(), f"the refusal: {phone.log()[-2000:]}")
    goodbye = asking.manifests / "prompts" / "goodbye-board.wav"
    assert fit(goodbye, heard) > GOOD_FIT, "the rule's own prompt"
    record = record_of(asking, "+15551003004")
    assert (record["reason"], record["words"]) == ("wrong-pin", "3 wrong PINs were entered")
    assert [r["reason"] for r in asking.records() if r["from"] == "+15551003004"] == ["wrong-pin", "pin-locked-out"]


def test_the_test_phone_enters_a_pin(asking: BridgeProcess, tmp_path: Path) -> None:
    heard = tmp_path / "heard.wav"
    done = subprocess.run(
        [sys.executable, "-m", "runtime", "call", f"sip:{BOARD}@{asking.target}", "--from", "+15551003005",
         "--dtmf", f"www{PIN}#", "--seconds", "9", "--record", str(heard)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "your speech came back" in done.stdout, done.stdout
    assert record_of(asking, "+15551003005")["room"] == "board"


def prompt_pcm(name: str, work: Path) -> Path:
    """A shipped prompt as a linear WAV file."""
    sound = load_sound(OWN_PROMPTS / f"{name}.wav")
    return write_wav(work / f"{name}-linear.wav", sound.linear(8000))


def parts(heard: Path, work: Path, at_s: float) -> tuple[Path, Path]:
    """A recording before and after this moment."""
    pcm, at = samples(heard), int(at_s * 8000) * 2
    return write_wav(work / "before.wav", pcm[:at]), write_wav(work / "after.wav", pcm[at:])
