"""A LiveKit-compatible API of a test's own: its tables, requests to it, and what a server behind it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import aiohttp
from aiohttp import web
from livekit import api

from runtime.api.livekit.server import LiveKitApiServer
from runtime.settings import LiveKitApi, LiveKitServer
from schemas.ids import derived_id
from schemas.tables.rows import (
    Auth,
    Direction,
    Inbound,
    Media,
    NumberRow,
    Outbound,
    RoomKind,
    Rows,
    RuleRow,
    Secret,
    TrunkRow,
)
from schemas.tables.tables import Tables
from tests.runtime.api.livekit.switch import Switch

KEY, SECRET = "devkey", "devsecretdevsecretdevsecretdevsecret"
CARRIER, DIALLER = derived_id("ST", "default", "carrier"), derived_id("ST", "shop", "dialler")
PASSWORD = Auth("alice", Secret("env:TRUNK_PASSWORD", b"sealed-bytes"), "example.org")
PIN = Secret("env:PIN")
TABLES = Tables.build(
    Rows(
        trunks={
            row.id: row
            for row in (
                TrunkRow(
                    "default/carrier",
                    inbound=Inbound(networks=("192.0.2.0/24",), called_declared_only=True, auth=PASSWORD),
                    media=Media(codecs=("pcmu",), encryption="allow", timeout_ms=15_500),
                    metadata="gold",
                ),
                TrunkRow("shop/dialler", outbound=Outbound(("sip.example.com:5061",), "tls", auth=PASSWORD)),
            )
        },
        rules={
            row.id: row
            for row in (
                RuleRow("default/support", RoomKind.DIRECT, "lobby", trunks=("default/carrier",), pin=PIN),
                RuleRow("default/any", RoomKind.INDIVIDUAL, "call-", randomize=True, to=("+1415*",)),
                RuleRow("default/none", RoomKind.CALLEE, "", trunks=()),
            )
        },
        numbers={
            row.id: row
            for row in (
                NumberRow("default/a", "+15550100000", "default/carrier", "default/support"),
                NumberRow("default/b", "+15550100001", "shop/dialler", direction=Direction.OUTBOUND),
            )
        },
    )
)
DECLARED = {("Trunk", "default/carrier"): "trunks.yaml:3", ("DispatchRule", "default/support"): "rules.yaml:9"}


def serving(
    scenario: Callable[[str], Awaitable[Any]],
    behind: LiveKitServer | None = None,
    log: Callable[..., None] = lambda *_, **__: None,
) -> Any:
    """Run `scenario(url)` against a server of its own."""
    return asyncio.run(served(scenario, behind, log=log))


def switching(scenario: Callable[[str, Switch], Awaitable[Any]]) -> Any:
    """Run `scenario(url, switch)` against a server whose orders `switch` carries out."""

    async def run() -> Any:
        switch = Switch()
        return await served(lambda url: scenario(url, switch), None, switch)

    return asyncio.run(run())


def passing(app: web.Application, scenario: Callable[[str], Awaitable[Any]]) -> Any:
    """The same with `app` behind it."""

    async def run() -> Any:
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            port = runner.addresses[0][1]
            return await served(scenario, LiveKitServer(f"ws://127.0.0.1:{port}", KEY, SECRET))
        finally:
            await runner.cleanup()

    return asyncio.run(run())


async def served(
    scenario: Callable[[str], Awaitable[Any]],
    behind: LiveKitServer | None,
    switch: Switch | None = None,
    log: Callable[..., None] = lambda *_, **__: None,
) -> Any:
    """The same within a loop that runs: the server has stopped when this returns."""
    settings = LiveKitApi("127.0.0.1", 0, KEY, SECRET, behind)
    control = switch if switch is not None else Switch()
    server = LiveKitApiServer(
        settings, lambda: TABLES, lambda kind, row_id: DECLARED.get((str(kind), row_id), ""), control, log
    )
    host, port = await server.start()
    try:
        return await asyncio.wait_for(scenario(f"http://{host}:{port}"), 20)
    finally:
        await server.stop()


def asking(what: Callable[[api.LiveKitAPI], Awaitable[Any]], key: str = KEY, secret: str = SECRET) -> Any:
    """What LiveKit's client gets, or the error that it raises."""

    async def scenario(url: str) -> Any:
        async with api.LiveKitAPI(url, key, secret) as client:
            try:
                return await what(client)
            except api.TwirpError as fault:
                return fault

    return serving(scenario)


def token(life_s: int = 600, **grants: bool) -> str:
    made = api.AccessToken(KEY, SECRET).with_ttl(timedelta(seconds=life_s))
    return made.with_sip_grants(api.SIPGrants(**grants)).to_jwt()


def posted(method: str, body: bytes, form: str = "application/json", **headers: str) -> tuple[int, dict[str, Any]]:
    """Status and JSON of one raw request by an administrator."""

    async def scenario(url: str) -> tuple[int, dict[str, Any]]:
        sent = {"Authorization": f"Bearer {token(admin=True, call=True)}", "Content-Type": form, **headers}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{url}/twirp/livekit.SIP/{method}", data=body, headers=sent) as answer,
        ):
            return answer.status, await answer.json()

    status, told = serving(scenario)
    return int(status), dict(told)
