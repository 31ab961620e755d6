"""The HTTP API: who may ask, and what it says."""

from __future__ import annotations

import asyncio
import contextlib
import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from runtime.api import server
from runtime.api.server import Api


async def status() -> dict[str, object]:
    return {"formatVersion": 1, "findings": []}


def no_log(event: str, **_: object) -> None:
    raise AssertionError(event)


async def steer(call: str, verb: str) -> dict[str, Any] | tuple[int, str]:
    """A bridge with one call, which can be held."""
    return {"callId": call, "hold": "local"} if (call, verb) == ("SCL_1", "hold") else (409, f"no {verb}")


def ask(path: str, key: str | None, method: str = "GET", **headers: str) -> tuple[int, dict[str, Any]]:
    """One request to a server that lives as long as the request."""

    async def run() -> tuple[int, dict[str, Any]]:
        api = Api("the-key", lambda: {"live": []}, lambda: {"status": "ok"}, status, no_log, steer)
        host, port = await api.start("127.0.0.1", 0)
        try:
            return await asyncio.to_thread(fetch, f"http://{host}:{port}{path}", key, method, **headers)
        finally:
            await api.stop()

    return asyncio.run(run())


def fetch(url: str, key: str | None, method: str = "GET", **headers: str) -> tuple[int, dict[str, Any]]:
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        with refused:
            body = refused.read()
            return refused.code, json.loads(body) if body.startswith(b"{") else {}


def test_health_needs_no_key() -> None:
    assert ask("/healthz", None) == (200, {"status": "ok"})


def test_calls_are_told_to_the_holder_of_the_key() -> None:
    assert ask("/v1/calls", "the-key") == (200, {"live": []})


@pytest.mark.parametrize("key", [None, "", "the-ke", "the-keyy"])
def test_calls_are_told_to_nobody_else(key: str | None) -> None:
    status, body = ask("/v1/calls", key)
    assert status == 401
    assert "api.key" in body["hint"]
    assert "the-key" not in json.dumps(body)


def test_a_call_is_steered_by_the_holder_of_the_key_alone() -> None:
    assert ask("/v1/calls/SCL_1/hold", "the-key", "POST") == (200, {"callId": "SCL_1", "hold": "local"})
    status, body = ask("/v1/calls/SCL_1/answer", "the-key", "POST")
    assert (status, body["error"]) == (409, "no answer")
    assert ask("/v1/calls/SCL_1/hold", None, "POST")[0] == 401
    assert ask("/v1/calls/SCL_1/hold", "the-key")[0] == 405
    assert ask("/v1/calls/SCL_1/destroy", "the-key", "POST")[0] == 404


def test_other_paths_are_not_told_apart_without_a_key() -> None:
    assert ask("/v1/secrets", None)[0] == 401
    assert ask("/v1/secrets", "the-key")[0] == 404


@pytest.mark.parametrize("path", ["/healthz", "/v1/calls"])
def test_a_name_that_somebody_has_pointed_at_the_loopback_is_refused(path: str) -> None:
    assert ask(path, "the-key", Host="evil.example.com:8080")[0] == 421
    for host in ("localhost:1", "127.0.0.1", "[::1]:8080"):
        assert ask(path, "the-key", Host=host)[0] == 200


def test_connections_are_few_and_one_that_says_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "API_CONNECTIONS_MAX", 2)
    monkeypatch.setattr(server, "API_HEAD_S", 0.3)

    async def run() -> None:
        api = Api("the-key", dict, lambda: {"status": "ok"}, status, no_log, steer)
        address = await api.start("127.0.0.1", 0)
        slow = [await asyncio.open_connection(*address) for _ in range(2)]
        await asyncio.sleep(0)
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200 OK" in await asyncio.wait_for(reader.read(), 0.25), "a third takes the place of a silent one"
        writer.close()
        slow[1][1].write(b"GET /healthz HTTP/1.1\r\n")
        for reader, writer in slow:
            with contextlib.suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200 OK" in await asyncio.wait_for(reader.read(), 5), "and closed when it is answered"
        writer.close()
        await api.stop()

    asyncio.run(run())


def test_what_is_no_http_is_told_in_one_short_line_that_quotes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []

    async def run() -> None:
        api = Api("the-key", dict, lambda: {"status": "ok"}, status, lambda event, **_: told.append(event), steer)
        address = await api.start("127.0.0.1", 0)
        for _ in range(3):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nBroken secret\r\n\r\n")
            assert b"400 Bad Request" in await asyncio.wait_for(reader.read(), 5)
            writer.close()
        await api.stop()

    asyncio.run(run())
    assert told == ["the HTTP API was sent what is no HTTP request (told once a minute)"]
    assert not caplog.records
