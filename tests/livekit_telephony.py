"""A genuine livekit-server with its SIP service, which wants Redis, for tests that keep objects there."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from pathlib import Path
from typing import Any

from livekit import api
from livekit.protocol import sip

from reconciler.loop import declared_by
from reconciler.manifests.folder import Folder
from reconciler.manifests.reach import Reach
from reconciler.manifests.vault import Vault
from reconciler.model.standing import Declared
from reconciler.plan.gates import Allowances
from reconciler.settings import LiveKitAccess
from reconciler.targets.livekit.holdings import Info
from schemas.seal import KEY_BYTES, Sealer
from tests.livekit_peers import KEY, SECRET, LiveKit
from tests.peers import free_port, program, wait_for

SEALER = Sealer(bytes(range(KEY_BYTES)))
_NUMBERS = ("+14155550100", "+14155550101", "+442071838750")
ANYTHING = Allowances(1_000_000, frozenset(f"default/{name}" for name in ("a", "b", "c")), frozenset(_NUMBERS))


class Telephony(LiveKit):
    """A livekit-server that keeps trunks and rules, in a Redis of its own."""

    def __init__(self, work: Path) -> None:
        super().__init__(work)
        self.redis_port = free_port(socket.SOCK_STREAM)
        with self.config.open("a") as config:
            config.write(f"redis: {{address: 127.0.0.1:{self.redis_port}}}\n")

    def start(self) -> None:
        redis = program("redis-server") or "redis-server"
        command = [redis, "--port", str(self.redis_port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.redis = subprocess.Popen(command, cwd=self.config.parent, stdout=subprocess.DEVNULL)
        wait_for(lambda: self._redis("PING") == b"+PONG", "Redis to answer")
        super().start()

    def kill(self) -> None:
        super().kill()
        self.redis.kill()
        self.redis.wait()

    def empty(self) -> None:
        """Take everything away."""
        assert self._redis("FLUSHALL") == b"+OK"

    @property
    def access(self) -> LiveKitAccess:
        return LiveKitAccess(self.url, KEY, SECRET)

    def sip(self, method: str, *arguments: Any) -> Any:
        """One call of livekit-api, as a person by hand would make it."""

        async def call() -> Any:
            async with api.LiveKitAPI(self.url, KEY, SECRET) as server:
                return await getattr(server.sip, method)(*arguments)

        return asyncio.run(call())

    def objects(self) -> list[Info]:
        """Everything that it holds."""
        taking = self.sip("list_inbound_trunk", sip.ListSIPInboundTrunkRequest()).items
        placing = self.sip("list_outbound_trunk", sip.ListSIPOutboundTrunkRequest()).items
        return [*taking, *placing, *self.sip("list_dispatch_rule", sip.ListSIPDispatchRuleRequest()).items]

    def _redis(self, command: str) -> bytes:
        try:
            with socket.create_connection(("127.0.0.1", self.redis_port), 2) as connection:
                connection.sendall(f"{command}\r\n".encode())
                return connection.recv(64).strip()
        except OSError:
            return b""


def read_folder(folder: Path, environ: dict[str, str] | None = None) -> Declared:
    """What a folder declares, with its secrets."""
    vault = Vault("", environ or {}, lambda: SEALER, needed=True, reach=Reach((str(folder),)))
    return declared_by(Folder(str(folder)).refresh(), vault)
