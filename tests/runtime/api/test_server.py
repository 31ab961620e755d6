"""The HTTP API: who may ask, and what it says."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from runtime.api.server import Api


def ask(path: str, key: str | None) -> tuple[int, dict[str, Any]]:
    """One request to a server that lives as long as the request."""

    async def run() -> tuple[int, dict[str, Any]]:
        api = Api("the-key", lambda: {"live": []}, lambda: {"status": "ok"})
        host, port = await api.start("127.0.0.1", 0)
        try:
            return await asyncio.to_thread(fetch, f"http://{host}:{port}{path}", key)
        finally:
            await api.stop()

    return asyncio.run(run())


def fetch(url: str, key: str | None) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"} if key is not None else {})
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


def test_other_paths_are_not_told_apart_without_a_key() -> None:
    assert ask("/v1/secrets", None)[0] == 401
    assert ask("/v1/secrets", "the-key")[0] == 404
