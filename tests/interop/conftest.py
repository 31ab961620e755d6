"""A bridge on the first example, for the tests that only call it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers import BridgeProcess, lesson


@pytest.fixture
def bridge(tmp_path: Path) -> Iterator[BridgeProcess]:
    """`bridge up` on a copy of the first example."""
    with lesson("01-one-number", tmp_path) as manifests, BridgeProcess(manifests, tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def shared_bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeProcess]:
    """The same, one for all tests of a module: they must not edit its manifests."""
    work = tmp_path_factory.mktemp("bridge")
    with lesson("01-one-number", work) as manifests, BridgeProcess(manifests, work) as running:
        yield running
