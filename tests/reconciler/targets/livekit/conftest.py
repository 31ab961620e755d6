from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.livekit_applies import Applies
from tests.livekit_faults import Front
from tests.livekit_peers import needs_livekit
from tests.livekit_stand_in import StandIn
from tests.livekit_telephony import Telephony

GENUINE = pytest.param(
    "genuine", marks=[needs_livekit, pytest.mark.peer("redis-server"), pytest.mark.xdist_group("livekit-telephony")]
)


@pytest.fixture(scope="session", params=["stand-in", GENUINE])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    if request.param == "stand-in":
        with Front(StandIn()) as front:
            yield front
        return
    with Telephony(tmp_path_factory.mktemp("livekit")) as server, Front(server) as front:
        assert isinstance(server, Telephony)
        yield front


@pytest.fixture
def front(running: Front) -> Front:
    running.empty()
    return running


@pytest.fixture
def applies(front: Front, tmp_path: Path) -> Applies:
    return Applies(front, tmp_path / "manifests")
