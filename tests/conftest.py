"""Peers: tests marked `peer("sipp", …)` need these programs; PEERS=required turns a missing one into a failure."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.peers import program

# A slow machine is no failure: what a property says does not depend on how long it took to say it.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip by name, or fail, when a peer is missing."""
    wanted = [name for mark in item.iter_markers("peer") for name in mark.args]
    missing = [name for name in wanted if program(name) is None]
    if missing:
        debian = "sip-tester, baresip-core, linphone-cli, sipsak, sipvicious, kamailio, kamailio-tls-modules, stunnel4"
        debian += ", coturn, kamailio-websocket-modules, redis-server, chromium, tshark, kubernetes-client"
        words = f"needs {', '.join(missing)} on PATH (Debian: {debian}; JsSIP: npm ci in tests/browser)"
        if os.environ.get("PEERS") == "required":
            pytest.fail(f"PEERS=required: {words}", pytrace=False)
        pytest.skip(words)
