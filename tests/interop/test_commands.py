"""The commands as a user types them: two of our own programs, over real sockets."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from tests.peers import ROOT, BridgeProcess, free_port, free_sip_port, wait_for
from tests.sound import fit, speech


def bridge_command(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """A `bridge` command."""
    return subprocess.run(
        [sys.executable, "-m", "runtime", *words],
        cwd=cwd, capture_output=True, text=True, timeout=60, check=False, env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )  # fmt: skip


def test_the_test_phone_hears_itself_and_says_so(shared_bridge: BridgeProcess, tmp_path: Path) -> None:
    said, heard = speech(tmp_path / "said.wav", 2.0), tmp_path / "heard.wav"
    told = shared_bridge.command("call", "--play", str(said), "--record", str(heard), "--dtmf", "12", "-o", "json")
    assert told["answered"]
    assert 0.3 < told["echoDelayS"] < 0.7
    assert told["heard"].startswith("your speech came back 0.")
    assert fit(said, heard) > 0.6
    record = wait_for(shared_bridge.records, "the record")[-1]
    assert (record["reason"], record["media"]["digits"]) == ("hangup", 2)


@pytest.mark.parametrize(("codecs", "rate_hz"), [(("opus",), 16_000), (("g722", "pcmu"), 16_000), (("pcma",), 8_000)])
def test_the_test_phone_speaks_the_codecs_that_it_is_told_to(
    shared_bridge: BridgeProcess, tmp_path: Path, codecs: tuple[str, ...], rate_hz: int
) -> None:
    words = [word for codec in codecs for word in ("--codec", codec)]
    told = shared_bridge.command("call", *words, "--record", str(tmp_path / "heard.wav"), "-o", "json")
    assert (told["codec"], told["answered"]) == (codecs[0], True)
    assert told["fit"] > 0.6
    with wave.open(str(tmp_path / "heard.wav")) as file:
        assert file.getframerate() == rate_hz


@pytest.mark.parametrize("how", ["uri", "via"])
def test_the_test_phone_calls_over_tcp(shared_bridge: BridgeProcess, how: str) -> None:
    before = shared_bridge.calls()["connections"]["ended"].get("Connection Closed", 0)
    words = {
        "uri": [f"sip:+15550100000@{shared_bridge.target};transport=tcp"],
        "via": ["sip:+15550100000@example.com", "--via", f"tcp://{shared_bridge.target}"],
    }[how]
    told = shared_bridge.command("call", *words, "-o", "json")
    assert told["answered"]
    assert told["fit"] > 0.6
    wait_for(
        lambda: shared_bridge.calls()["connections"] == {"open": 0, "ended": {"Connection Closed": before + 1}},
        "its one connection to end",
    )


def test_a_phone_that_nobody_listens_to_says_so_at_once() -> None:
    port = free_sip_port()
    done = bridge_command("call", f"sip:1@127.0.0.1:{port};transport=tcp")
    assert done.returncode == 1
    assert f"not answered, nobody listens at tcp://127.0.0.1:{port}\n" in done.stdout


def test_the_running_bridge_says_all_that_it_listens_on(shared_bridge: BridgeProcess) -> None:
    listeners = [f"{transport}://{shared_bridge.target}" for transport in ("udp", "tcp")]
    assert json.loads((shared_bridge.state / "bridge.json").read_text())["listen"] == listeners
    assert " and ".join(listeners) in shared_bridge.log()


def test_without_a_uri_the_running_bridge_is_called_and_the_echo_saved(
    shared_bridge: BridgeProcess, tmp_path: Path
) -> None:
    done = bridge_command("call", "--state", str(shared_bridge.state), "--seconds", "4", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"your speech came back 0\.[3-7] s later, saved to echo\.wav", done.stdout), done.stdout
    assert (tmp_path / "echo.wav").stat().st_size > 16000


def test_a_refused_test_call_says_why_and_fails(shared_bridge: BridgeProcess) -> None:
    done = bridge_command("call", f"sip:nobody@127.0.0.1:{free_port()}", "--seconds", "1")
    assert done.returncode == 1
    assert "not answered" in done.stdout


def test_no_running_bridge_is_said_with_what_to_do(tmp_path: Path) -> None:
    for command in ("call", "calls"):
        done = bridge_command(command, "--state", str(tmp_path))
        assert done.returncode == 1
        assert "no bridge runs on" in done.stderr
        assert "bridge up" in done.stderr


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_taken_port_is_said_with_its_transport_and_another_one(tmp_path: Path, transport: str) -> None:
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        if transport == "tcp":
            other.listen()
        port = other.getsockname()[1]
        listen = [f"--listen={both}://127.0.0.1:{port}" for both in ("udp", "tcp")]
        done = bridge_command("up", "--state", str(tmp_path), *listen, "--api", "off")
    assert done.returncode == 1
    assert f"{transport} port {port} on 127.0.0.1 is taken" in done.stderr
    assert f"make run LISTEN=udp://127.0.0.1:{port + 10}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_bridge_on_one_state_folder_is_refused(shared_bridge: BridgeProcess) -> None:
    done = bridge_command(
        "run", "--state", str(shared_bridge.state), "--listen", f"udp://127.0.0.1:{free_port()}", "--api", "off"
    )
    assert done.returncode == 1
    assert "runs on" in done.stderr


def test_a_bridge_without_tables_says_at_once_where_it_listens_and_how_they_are_made(tmp_path: Path) -> None:
    port, log = free_sip_port(), tmp_path / "log"
    words = ["run", "--state", str(tmp_path / "state"), "--listen", f"udp://127.0.0.1:{port}", "--api", "off"]
    with log.open("w") as stderr, subprocess.Popen([sys.executable, "-m", "runtime", *words], stderr=stderr) as bridge:
        try:
            wait_for(lambda: "calls at once" in log.read_text(), "the first words", within_s=8)
        finally:
            bridge.terminate()
    first, *_ = log.read_text().strip().splitlines()
    assert first == f"The bridge listens on udp://127.0.0.1:{port}, and refuses every call: there are no tables yet"
    assert f"reconcile apply DIR --state {tmp_path}/state\n" in log.read_text()


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    done = bridge_command("up", str(tmp_path / "none"), "--state", str(tmp_path))
    assert done.returncode == 1
    assert "is not there" in done.stderr


def test_a_greeting_is_played_and_a_room_recorded(tmp_path: Path) -> None:
    from tests.peers import lesson

    greeting, records = speech(tmp_path / "greeting.wav", 2.0, reverse=True), tmp_path / "recordings"
    options = ["--play", str(greeting), "--record", str(records), "--log", "json"]
    with lesson("01-one-number", tmp_path) as manifests, BridgeProcess(manifests, tmp_path, *options) as bridge:
        heard = tmp_path / "heard.wav"
        told = bridge.command("call", "--record", str(heard), "--seconds", "4", "-o", "json")
        assert told["answered"]
        assert fit(greeting, heard) > 0.6
        [recording] = wait_for(lambda: list(records.glob("lobby-*.wav")), "the recording")
        wait_for(bridge.records, "the end of the call")
        said = speech(tmp_path / "said.wav", 3.0)
        wait_for(lambda: fit(said, recording) > 0.6, "the caller's voice in it")
        lines = [json.loads(line) for line in bridge.log().splitlines() if line.startswith("{")]
        assert any("the caller hung up" in line["event"] for line in lines)
