"""Writes of statuses: what an API server fails at waits alone, and what it is busy with holds for all."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from reconciler.operator.api import Api, Refused
from reconciler.operator.gathered import Gathered
from reconciler.operator.told import Told
from reconciler.operator.wishes import Wish
from reconciler.operator.writing import PAUSE_S, Writer
from schemas.tables.rows import Kind
from tests.reconciler.declaring import trunk
from tests.reconciler.operator.test_gathered import body, gathered

HEAVY = (Kind.TRUNK, "default/heavy")
LIGHT = [(Kind.TRUNK, f"default/light{n}") for n in range(20)]


class Server:
    """Takes statuses, but answers a number to those of `heavy`."""

    def __init__(self, known: Gathered, status: int) -> None:
        self.known, self.status = known, status
        self.tried: list[float] = []
        self.written: dict[str, float] = {}
        self.refused = asyncio.Event()

    async def done(self, method: str, path: str, *_: Any) -> dict[str, Any]:
        now, name = asyncio.get_running_loop().time(), path.split("/")[-2]
        if name == "heavy" and self.status:
            self.tried.append(now)
            self.refused.set()
            raise Refused(self.status, "etcdserver: request is too large")
        self.written[name] = now
        return body(trunk(name), 2)


async def took_s(status: int, seconds: float) -> tuple[Server, float]:
    """How long after the first refusal the last of all others was written, within so many seconds."""
    known = gathered(*(body(trunk(key[1].partition("/")[2])) for key in (HEAVY, *LIGHT)))
    server, said = Server(known, status), []
    writer = Writer(cast(Api, server), known, lambda: True, known.put, said.append, "me")
    running = asyncio.create_task(writer.run())
    writer.wish(HEAVY, Wish(Told(1, 1)))
    await server.refused.wait()
    for key in LIGHT:
        writer.wish(key, Wish(Told(1, 1)))
    await asyncio.sleep(seconds)
    server.status = 0
    running.cancel()
    return server, max(server.written.values(), default=float("inf")) - server.tried[0]


def test_one_object_that_cannot_be_written_holds_up_no_other() -> None:
    server, seconds = asyncio.run(took_s(500, 0.4))
    assert len(server.written) == len(LIGHT)
    assert seconds < PAUSE_S / 2
    assert len(server.tried) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_is_busy_is_left_alone_by_all(status: int) -> None:
    server, _ = asyncio.run(took_s(status, 0.4))
    assert server.written == {}


def test_it_is_tried_again_after_longer_pauses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reconciler.operator.writing.PAUSE_S", 0.02)
    server, _ = asyncio.run(took_s(500, 0.5))
    pauses = [later - sooner for sooner, later in zip(server.tried, server.tried[1:], strict=False)]
    assert pauses, "it is tried again"
    assert all(pause >= 0.018 * 2**number for number, pause in enumerate(pauses))
