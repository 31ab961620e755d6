"""A bridge in this process: what it has begun ends with it, and with a start that fails."""

from __future__ import annotations

import asyncio
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import BridgeError
from runtime.settings import BridgeSettings, LiveKitApi, Outside, parse_listen
from runtime.workers import outside
from runtime.workers.bridge import Bridge
from runtime.workers.running import find
from tests.peers import free_port


def settings(folder: Path, **more: Any) -> BridgeSettings:
    return BridgeSettings(
        state=folder / "state",
        tables=f"sqlite:///{folder}/tables.db",
        prompts=folder / "prompts",
        listen=(parse_listen(f"udp://127.0.0.1:{free_port()}"),),
        rtp_first=40_000,
        rtp_last=40_099,
        **more,
    )


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if not thread.name.startswith("asyncio")}


@pytest.mark.parametrize("fails", ["sip", "api", "livekit-api", "announce"])
def test_a_start_that_fails_leaves_nothing_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str) -> None:
    async def nobody(_host: str, _port: int) -> None:
        return None

    def refuses(*_: object) -> None:
        raise OSError("no")

    monkeypatch.setattr(outside, "seen_at", nobody)
    if fails == "announce":
        monkeypatch.setattr("runtime.workers.bridge.announce", refuses)
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    api = ("127.0.0.1", port if fails == "api" else 0)
    livekit = LiveKitApi("127.0.0.1", port if fails == "livekit-api" else 0, "key", "secret")
    wanted = settings(tmp_path, outside=Outside(stun=("127.0.0.1", 9)), api=api, api_chosen=True, livekit_api=livekit)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if fails == "sip":
        udp.bind((wanted.listen[0].host, wanted.listen[0].port))
    before = threads()

    async def main() -> None:
        bridge = Bridge(wanted, lambda *_, **__: None, "test")
        with pytest.raises((BridgeError, OSError)):
            await bridge.start()
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        for thread in threads() - before:
            thread.join(timeout=10)
        assert threads() <= before
        if fails != "sip":
            udp.bind((wanted.listen[0].host, wanted.listen[0].port))
        assert find(wanted.state) is None

    with taken, udp:
        asyncio.run(main())
