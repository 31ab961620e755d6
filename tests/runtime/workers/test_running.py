"""How other commands find the running bridge, and the key of its API."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from runtime.errors import BridgeError
from runtime.workers.running import FILE, RunningBridge, announce, api_key, find, own_folder, withdraw


def test_a_bridge_is_found_while_its_process_lives(tmp_path: Path) -> None:
    assert find(tmp_path) is None
    bridge = RunningBridge(os.getpid(), ("udp://127.0.0.1:5060", "tcp://127.0.0.1:5060"), "http://127.0.0.1:8080")
    announce(tmp_path, bridge)
    assert find(tmp_path) == bridge
    withdraw(tmp_path)
    assert find(tmp_path) is None


def test_the_livekit_compatible_api_is_named_and_a_file_without_it_is_read(tmp_path: Path) -> None:
    bridge = RunningBridge(os.getpid(), ("udp://127.0.0.1:5060",), "", "ws://127.0.0.1:7800")
    announce(tmp_path, bridge)
    assert find(tmp_path) == bridge
    (tmp_path / FILE).write_text(f'{{"pid": {os.getpid()}, "listen": [], "api": ""}}')
    assert find(tmp_path) == RunningBridge(os.getpid(), (), "")


def test_a_dead_bridge_and_a_broken_file_are_none(tmp_path: Path) -> None:
    announce(tmp_path, RunningBridge(2**22 + 1, ("udp://127.0.0.1:5060",), ""))
    assert find(tmp_path) is None
    for text in ("", "{}", "[]", '{"pid": "x"}', '{"pid": 1, "listen": "udp://h:1", "api": ""}', "\0"):
        (tmp_path / FILE).write_text(text)
        assert find(tmp_path) is None


def test_a_bridge_does_not_withdraw_another_ones_file(tmp_path: Path) -> None:
    announce(tmp_path, RunningBridge(1, ("udp://127.0.0.1:5060",), ""))
    withdraw(tmp_path)
    assert (tmp_path / FILE).exists()


def test_the_key_is_made_once_and_for_this_user_alone(tmp_path: Path) -> None:
    key = api_key(tmp_path)
    assert len(key) >= 32
    assert api_key(tmp_path) == key
    assert stat.S_IMODE((tmp_path / "api.key").stat().st_mode) == 0o600


def test_a_state_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BridgeError, match="cannot make the folder"):
        own_folder(tmp_path / "file" / "state", "--state")


def test_a_state_folder_that_was_open_to_others_is_closed_to_them(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert own_folder(tmp_path, "--record").stat().st_mode & 0o777 == 0o755
    assert own_folder(tmp_path, "--state", private=True).stat().st_mode & 0o777 == 0o700
