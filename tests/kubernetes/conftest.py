"""One API server for all tests of this folder that a process runs; those that kill it start their own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kubernetes.cluster import AnyCluster, Cluster, needs_kubernetes
from tests.kubernetes.emulated import EmulatedCluster
from tests.kubernetes.operating import Place, place_in

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """An API server that knows our kinds."""
    with Cluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started.with_crds()


@pytest.fixture(scope="session")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedCluster]:
    """The same without a genuine server."""
    with EmulatedCluster(tmp_path_factory.mktemp("emulated")) as started:
        yield started.with_crds()


@pytest.fixture(params=[pytest.param("cluster", marks=needs_kubernetes, id="genuine"), "emulated"])
def any_cluster(request: pytest.FixtureRequest) -> AnyCluster:
    """One after the other: what holds on one holds on both."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, AnyCluster)
    return found


@pytest.fixture
def place(any_cluster: AnyCluster, tmp_path: Path) -> Place:
    """A namespace of its own with a ServiceAccount that may do there what an operator must, and no more."""
    return place_in(any_cluster, f"t{next(_NUMBERS)}", tmp_path)
