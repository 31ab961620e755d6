"""Both stores behind one door: tests that ask for `store` or `place` run once over each."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest

from schemas.stores import open_tables
from schemas.stores.door import Store
from tests.redis_server import RedisServer


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One for all tests of a process; each has a prefix of its own."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.peer("redis-server"))])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Gives the URL of tables that nobody has used, at each call."""
    if request.param == "sqlite":
        return lambda: f"sqlite:///{tmp_path_factory.mktemp('store')}/tables.db"
    server: RedisServer = request.getfixturevalue("redis_server")
    return lambda: server.url(uuid.uuid4().hex)


@pytest.fixture
def url(place: Callable[[], str]) -> str:
    return place()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with open_tables(url) as opened:
        yield opened


@pytest.fixture
def reader(url: str, store: Store) -> Iterator[Store]:
    with open_tables(url) as opened:
        yield opened
