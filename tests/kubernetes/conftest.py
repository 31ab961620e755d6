"""One API server for all tests of this folder that a process runs; those that kill it start their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kubernetes.cluster import Cluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """An API server that knows our kinds."""
    with Cluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started.with_crds()
