"""A genuine livekit-server and participants by LiveKit's own client, for tests that speak to them.

Debian has neither livekit-server nor livekit-agents: the one is found on PATH or named by LIVEKIT_SERVER, the other is
installed beside us or LIVEKIT_AGENTS_PYTHON names a Python that has it. Without them these tests are skipped by name,
under PEERS=required too.
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import pytest
from livekit import api

from runtime.settings import LiveKitServer
from tests.peers import ROOT, free_port, wait_for

KEY, SECRET = "devkey", "devsecretdevsecretdevsecretdevsecret"
CONFIG = """\
port: {port}
bind_addresses: ["127.0.0.1"]
rtc: {{udp_port: {udp}, tcp_port: {tcp}, use_external_ip: false, node_ip: 127.0.0.1}}
keys: {{{key}: {secret}}}
logging: {{level: info}}
"""
PROGRAM = os.environ.get("LIVEKIT_SERVER") or shutil.which("livekit-server") or ""
needs_livekit = pytest.mark.skipif(
    not (PROGRAM and os.access(PROGRAM, os.X_OK)),
    reason="no livekit-server: put it on PATH or name it in LIVEKIT_SERVER",
)
AGENTS_PYTHON = os.environ.get("LIVEKIT_AGENTS_PYTHON") or (sys.executable if find_spec("livekit.agents") else "")
needs_agents = pytest.mark.skipif(
    not AGENTS_PYTHON, reason="no livekit-agents: install it, or name a Python that has it in LIVEKIT_AGENTS_PYTHON"
)


class LiveKit:
    """A livekit-server of this test's own."""

    def __init__(self, work: Path) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self.port = free_port(socket.SOCK_STREAM)
        self.config, self.log_path = work / "livekit.yaml", work / "livekit.log"
        self.config.write_text(
            CONFIG.format(port=self.port, udp=free_port(), tcp=free_port(socket.SOCK_STREAM), key=KEY, secret=SECRET)
        )
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a bridge must know of it."""
        return {"LIVEKIT_URL": self.url, "LIVEKIT_API_KEY": KEY, "LIVEKIT_API_SECRET": SECRET}

    @property
    def settings(self) -> LiveKitServer:
        return LiveKitServer(self.url, KEY, SECRET)

    def start(self) -> None:
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen([PROGRAM, "--config", str(self.config)], stdout=log, stderr=log)
        wait_for(self._listens, "livekit-server to listen")

    def kill(self) -> None:
        """As a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def __enter__(self) -> LiveKit:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def token(self, identity: str, room: str) -> str:
        grants = api.VideoGrants(room_join=True, room=room)
        return api.AccessToken(KEY, SECRET).with_identity(identity).with_grants(grants).to_jwt()

    def ask(self, what: str, room: str = "") -> list[Any]:
        """`rooms`, or the agent `dispatches` of a room."""

        async def answer() -> list[Any]:
            async with api.LiveKitAPI(self.url, KEY, SECRET) as server:
                if what == "rooms":
                    return list((await server.room.list_rooms(api.ListRoomsRequest())).rooms)
                return list(await server.agent_dispatch.list_dispatch(room))

        return asyncio.run(answer())

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Talker:
    """A program that says what happens in lines of JSON with an `event`; `events` are all that it said so far."""

    first = ""
    """The event that says that it is ready."""

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **environment},
        )
        self.events: list[dict[str, Any]] = []
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Self:
        self.await_event(lambda e: e["event"] == self.first)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.quit()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def quit(self) -> None:
        """Ask it to end."""
        self.process.terminate()

    def await_event(self, wanted: Callable[[dict[str, Any]], bool], within_s: float = 20.0) -> dict[str, Any]:
        """The first event so far, or to come, that is wanted."""

        def found() -> dict[str, Any] | None:
            while not self._lines.empty():
                self.events.append(self._lines.get())
            return next((e for e in self.events if wanted(e)), None)

        return dict(wait_for(found, f"an event of the room; so far {self.events}", within_s))

    def _read(self) -> None:
        assert self.process.stdout is not None
        try:
            for line in self.process.stdout:
                if line.startswith('{"event"'):
                    self._lines.put(json.loads(line))
        except ValueError:
            pass  # closed under our eyes: the test is over


class Client(Talker):
    """`tests.room_client` as a child process."""

    first = "joined"

    def __init__(self, server: LiveKit, identity: str, room: str, play: Path | None = None) -> None:
        command = [sys.executable, "-m", "tests.room_client", server.url, server.token(identity, room)]
        command += ["--play", str(play)] if play else []
        super().__init__(command, server.environment)

    def quit(self) -> None:
        """Let it leave its room."""
        self.do("quit")

    def do(self, what: str, **fields: Any) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({"do": what, **fields}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass

    def heard(self, identity: str, path: Path) -> Path:
        self.do("heard", identity=identity, path=str(path))
        self.await_event(lambda e: e["event"] == "written" and e["path"] == str(path))
        return path


class Agent(Talker):
    """`tests/agent_worker.py`, a worker of LiveKit's agents framework whose LIVEKIT_URL is `url`."""

    first = "registered"

    def __init__(self, url: str) -> None:
        program = ROOT / "tests" / "agent_worker.py"
        environment = {"LIVEKIT_URL": url, "LIVEKIT_API_KEY": KEY, "LIVEKIT_API_SECRET": SECRET}
        super().__init__([AGENTS_PYTHON, str(program), "start"], environment)
