"""`bridge answer`, `bridge dial` and `bridge transfer` as a user types them, with phones that we did not write."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.interop.test_dialling import KEYS, OURS, SCENARIOS, THEIRS, Calling
from tests.peers import ROOT, Baresip, BridgeProcess, free_port, free_sip_port, lesson, sipp, wait_for
from tests.sound import SPEECH_PCMU, fit, speech

IDENTITY = f"sip_{THEIRS}"
TO = "tel:+15550105555"


class Phone:
    """`bridge answer` on a port of its own, listening when its `with` block begins."""

    def __init__(self, work: Path, *options: str, transport: str = "udp", port: int = 0) -> None:
        self.port = port or free_sip_port()
        command = [sys.executable, "-m", "runtime", "answer", "--listen", f"{transport}://127.0.0.1:{self.port}"]
        self._log = work / "phone.log"
        self._stderr = self._log.open("w")
        self.process = subprocess.Popen(
            [*command, *options], cwd=ROOT, stdout=subprocess.PIPE, stderr=self._stderr, text=True
        )

    def __enter__(self) -> Phone:
        wait_for(lambda: "waits for a call" in self.log(), "the phone to listen")
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        self._stderr.close()

    def log(self) -> str:
        return self._log.read_text()

    def told(self, code: int = 0) -> str:
        """What it says when its call is over."""
        out, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == code, self.log()
        return out


def asked(bridge: BridgeProcess, *words: str, code: int = 0, keys: dict[str, str] = KEYS) -> str:
    """What a command on this bridge's state folder prints; on standard error where it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "runtime", *words, "--state", str(bridge.state)],
        cwd=ROOT, capture_output=True, text=True, timeout=90, check=False, env={**os.environ, **keys},
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout or done.stderr


def dialled(bridge: BridgeProcess, *options: str, code: int = 0, **more: Any) -> str:
    return asked(bridge, "dial", THEIRS, "--trunk", "out", "--room", "lobby", *options, code=code, **more)


@contextmanager
def pair(work: Path, *options: str, transport: str = "udp") -> Iterator[tuple[Phone, Calling]]:
    """A phone that waits, and a bridge whose trunk it is."""
    with Phone(work, *options, transport=transport) as phone, Calling(work, phone.port, transport) as bridge:
        yield phone, bridge


@pytest.mark.peer("sipp")
@pytest.mark.xdist_group("sipp")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_sipp_calls_the_phone_that_waits(tmp_path: Path, transport: str) -> None:
    (tmp_path / "speech.ul").write_bytes(SPEECH_PCMU)
    (tmp_path / "to.csv").write_text(f"SEQUENTIAL\n{THEIRS};\n")
    heard, said = tmp_path / "heard.wav", speech(tmp_path / "said.wav", 3.0)
    with Phone(tmp_path, "--seconds", "300", "--record", str(heard), "-o", "json", transport=transport) as phone:
        done = sipp(
            f"127.0.0.1:{phone.port}", tmp_path, "-sf", str(SCENARIOS / "uac-g711.xml"), "-inf", "to.csv",
            "-m", "1", "-d", "4000", "-t", transport[0] + "1",
        )  # fmt: skip
        told = json.loads(phone.told())
    assert done.returncode == 0, done.stdout[-2000:]
    assert (told["to"], told["answered"], told["sipStatus"], told["endedByPeer"]) == (THEIRS, True, 200, True)
    assert told["heard"].endswith("of other sound came, not your own speech")
    assert fit(said, heard) > 0.6


def test_the_bridge_calls_the_phone_which_hears_itself(tmp_path: Path) -> None:
    with pair(tmp_path, "-o", "json") as (phone, bridge):
        told = json.loads(dialled(bridge, "--wait", "--identity", "desk", "-o", "json"))
        assert (told["answered"], told["room"], told["identity"], told["callId"][:4]) == (True, "lobby", "desk", "SCL_")
        heard = json.loads(phone.told())
    assert (heard["from"], heard["to"], heard["endedByPeer"]) == (OURS, THEIRS, False)
    assert 0.3 < heard["echoDelayS"] < 0.8
    assert heard["transfer"] is None


def test_the_phone_tells_the_keys_that_were_pressed(tmp_path: Path) -> None:
    with pair(tmp_path, transport="tcp") as (phone, bridge):
        assert dialled(bridge, "--dtmf", "5w7#") == f"{THEIRS} is being called, into room lobby as {IDENTITY}\n"
        assert "digits received: 57#\n" in phone.told()


def test_a_phone_is_sent_on_and_says_where(tmp_path: Path) -> None:
    with pair(tmp_path, "--seconds", "300") as (phone, bridge):
        assert dialled(bridge, "--wait") == f"{THEIRS} answered, and is in room lobby as {IDENTITY}\n"
        done = asked(bridge, "transfer", "--room", "lobby", "--identity", IDENTITY, TO)
        assert done == f"{IDENTITY} was sent on to {TO}\n"
        assert f"sent on to {TO}\n" in phone.told()
        [record] = wait_for(bridge.records, "the record")
    assert record["reason"] == "transferred"


def test_a_phone_declines_to_be_sent_on(tmp_path: Path) -> None:
    with pair(tmp_path, "--seconds", "300", "--decline-transfer", "-o", "json") as (phone, bridge):
        dialled(bridge, "--wait")
        words = ["transfer", "--room", "lobby", "--identity", IDENTITY, TO]
        assert f"{IDENTITY} was not sent on: SIP 603 Decline\n" in asked(bridge, *words, code=1)
        told = json.loads(asked(bridge, *words, "-o", "json", code=1))
        assert (told["transferred"], told["sipStatus"], told["reason"]) == (False, 603, "Decline")
        bridge.stop()
        heard = json.loads(phone.told())
    assert heard["transfer"] == {"to": TO, "accepted": False}
    assert heard["endedByPeer"]


@pytest.mark.parametrize("output", ["text", "json"])
def test_a_phone_that_declines_is_told_with_its_status(tmp_path: Path, output: str) -> None:
    with pair(tmp_path, "--decline", "486") as (phone, bridge):
        told = dialled(bridge, "--wait", "-o", output, code=1)
        assert phone.told() == "declined, 486 Busy Here\n"
    if output == "json":
        told = json.loads(told)
        assert (told["answered"], told["sipStatus"], told["reason"]) == (False, 486, "Busy Here")
    else:
        assert f"{THEIRS} was not reached: SIP 486 Busy Here\n" in told
        assert "bridge calls" in told


@pytest.mark.peer("baresip")
@pytest.mark.xdist_group("baresip")
def test_baresip_is_dialled_and_picks_up(tmp_path: Path) -> None:
    said = speech(tmp_path / "said.wav", 20.0)
    with (
        Baresip(tmp_path / "phone", THEIRS, said, answers=True) as phone,
        Calling(tmp_path, phone.port) as bridge,
    ):
        assert f"{THEIRS} answered" in dialled(bridge, "--wait", "--from", OURS)
        phone.do("hangup")
        [record] = wait_for(bridge.records, "the record")
    assert (record["reason"], record["endedBy"], record["from"]) == ("hangup", "callee", OURS)


def test_a_phone_that_nobody_calls_says_so(tmp_path: Path) -> None:
    with Phone(tmp_path, "--wait", "0.5") as phone:
        assert phone.told(1) == "not answered, nobody called within 0.5 s\n"


def test_what_cannot_be_asked_for_is_said_with_a_next_step(tmp_path: Path) -> None:
    with Calling(tmp_path, free_sip_port()) as bridge:
        for words, hint in (
            (dialled(bridge, "--ringing-timeout", "soon", code=1), "30s, 5m"),
            (dialled(bridge, keys={"LIVEKIT_API_KEY": "", "LIVEKIT_API_SECRET": ""}, code=1), ".env"),
            (dialled(bridge, keys={**KEYS, "LIVEKIT_API_SECRET": "x" * 32}, code=1), "LIVEKIT_API_SECRET must be"),
            (dialled(bridge, "--livekit-url", f"ws://127.0.0.1:{free_port()}", code=1), "--livekit-api"),
            (asked(bridge, "dial", THEIRS, "--trunk", "none", "--room", "lobby", code=1), "reconcile status"),
            (asked(bridge, "transfer", "--room", "lobby", "--identity", "x", TO, code=1), "bridge calls"),
            (asked(bridge, "transfer", "--room", "lobby", "--identity", "x", "5555", code=1), "like tel:"),
        ):
            assert re.match(r"error: .+\n  .+", words)
            assert hint in words, words


def test_no_bridge_and_one_without_the_api_are_told_how_to_have_it(
    shared_bridge: BridgeProcess, tmp_path: Path
) -> None:
    told = dialled(shared_bridge, code=1)
    assert "the bridge runs without LiveKit's API" in told
    assert f"--livekit-api 127.0.0.1:7800 --state {shared_bridge.state}" in told
    shared_bridge_less = subprocess.run(
        [sys.executable, "-m", "runtime", "dial", THEIRS, "--trunk", "out", "--room", "lobby", "--state", "none"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert "no bridge runs on the state folder none\n" in shared_bridge_less.stderr


def test_the_lesson_on_calling_out_prints_what_it_says(tmp_path: Path) -> None:
    page = (ROOT / "examples/manifests/08-calling-out/README.md").read_text()
    port, api = free_sip_port(), free_port()
    with lesson("08-calling-out", tmp_path) as manifests:
        trunk = manifests / "trunk.yaml"
        trunk.write_text(trunk.read_text().replace("127.0.0.1:5090", f"127.0.0.1:{port}"))
        options = ["--livekit-api", f"127.0.0.1:{api}"]
        with (
            Phone(tmp_path, "--seconds", "300", port=port) as phone,
            BridgeProcess(manifests, tmp_path, *options, environment=KEYS) as bridge,
        ):
            dial = ["dial", THEIRS, "--trunk", "carrier", "--room", "lobby"]
            printed = asked(bridge, *dial, "--wait")
            guest = asked(bridge, "call", "--seconds", "8", "--record", str(tmp_path / "guest.wav"))
            printed += asked(bridge, "transfer", "--room", "lobby", "--identity", IDENTITY, TO)
            printed += phone.log().replace(str(port), "5090") + f"sent on to {TO}\n"
            assert f"sent on to {TO}\n" in phone.told()
            printed += asked(bridge, "dial", "+442071234567", *dial[2:], code=1)
    assert "of other sound came" in guest
    for line in printed.splitlines():
        assert line.replace(".venv/bin/", "") in page, line
