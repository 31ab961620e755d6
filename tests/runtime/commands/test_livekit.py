"""Whom `bridge dial` and `bridge transfer` ask, and what they say where nobody can be asked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.commands.livekit import seconds_of, server_of
from runtime.errors import BridgeError
from runtime.workers.running import RunningBridge, announce

URL, SERVER = "ws://127.0.0.1:7800", "ws://127.0.0.1:7880"


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEKIT_API_KEY", "devkey")
    monkeypatch.setenv("LIVEKIT_API_SECRET", "s" * 32)
    monkeypatch.delenv("LIVEKIT_URL", raising=False)


def running(state: Path, livekit_api: str) -> Path:
    announce(state, RunningBridge(os.getpid(), ("udp://127.0.0.1:5060",), "", livekit_api))
    return state


@pytest.mark.parametrize(
    ("announced", "reached"),
    [
        (URL, URL),
        ("ws://0.0.0.0:7800", URL),
        ("ws://[::]:7800", "ws://[::1]:7800"),
        ("ws://192.0.2.1:1", "ws://192.0.2.1:1"),
    ],
)
def test_the_bridge_of_this_state_folder_is_asked(tmp_path: Path, announced: str, reached: str) -> None:
    assert server_of("", running(tmp_path, announced)).url == reached


def test_an_option_goes_before_it_and_the_environment_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A LIVEKIT_URL beside a bridge is the server behind it, which knows none of the bridge's trunks."""
    monkeypatch.setenv("LIVEKIT_URL", SERVER)
    assert server_of("", tmp_path).url == SERVER
    running(tmp_path, URL)
    assert server_of("", tmp_path).url == URL
    assert server_of("wss://elsewhere.example", tmp_path).url == "wss://elsewhere.example"


def test_where_there_is_nobody_to_ask_it_is_said_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(BridgeError, match="no bridge runs on"):
        server_of("", tmp_path)
    with pytest.raises(BridgeError, match="without LiveKit's API") as told:
        server_of("", running(tmp_path, ""))
    assert f"--livekit-api 127.0.0.1:7800 --state {tmp_path}" in told.value.hint


def test_missing_keys_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIVEKIT_API_SECRET")
    with pytest.raises(BridgeError, match="LIVEKIT_API_KEY and LIVEKIT_API_SECRET are not set"):
        server_of(URL, tmp_path)


def test_durations_are_those_of_manifests() -> None:
    assert (seconds_of("30s"), seconds_of("1m30s"), seconds_of("500ms")) == (30.0, 90.0, 0.5)
    with pytest.raises(BridgeError, match="`30` is not a duration"):
        seconds_of("30")


def test_the_command_line_starts_without_livekits_packages() -> None:
    words = (
        "import sys, runtime.cli; print([name for name in sys.modules if name.split('.')[0] in ('livekit', 'google')])"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
