"""Tests that share a peer's machine time, or a costly fixture, are run by one worker of pytest-xdist."""

from __future__ import annotations

import os

import pytest


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="no workers: everything is run by one process")
@pytest.mark.xdist_group("grouped")
def test_groups_are_in_effect(request: pytest.FixtureRequest) -> None:
    """pytest-xdist tells its workers by the end of a test's id; a pytest that it does not know yet lost that."""
    assert request.node.nodeid.endswith("@grouped")
