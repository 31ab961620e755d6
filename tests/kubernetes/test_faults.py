"""What goes wrong between an operator, its API server and its target: calls go on, and no status lies."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from schemas.stores import open_tables
from tests.kubernetes.cluster import Cluster, needs_kubernetes
from tests.kubernetes.emulated import EmulatedCluster
from tests.kubernetes.faulty import Faulty, too_many
from tests.kubernetes.operating import Place, place_in, reason
from tests.peers import wait_for
from tests.redis_server import RedisServer

pytestmark = [pytest.mark.peer("kubectl"), pytest.mark.xdist_group("kubernetes")]
KEY = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3ODkrLw=="
NO_BRIDGE = reason("NoBridge")


@pytest.fixture(params=[pytest.param(Cluster, marks=needs_kubernetes, id="genuine"), EmulatedCluster])
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A place on an API server that the test may kill."""
    with request.param(tmp_path / "cluster") as cluster:
        yield place_in(cluster.with_crds(), "alone", tmp_path)


@pytest.fixture
def faulty(place: Place) -> Iterator[tuple[Place, Faulty, Path]]:
    """A place, a way to its API server that may fail, and the kubeconfig for it."""
    token = place.cluster.token(place.namespace, "operator")
    with Faulty(place.cluster) as way:
        yield place, way, place.cluster.kubeconfig(f"{place.namespace}-faulty", token, place.namespace, way.url)


def test_an_api_server_that_goes_and_comes_back_with_its_past_forgotten(own: Place) -> None:
    with own.operator() as operator:
        own.apply(own.trunk(), own.rule())
        own.until("trunk", "carrier", "Programmed", NO_BRIDGE)
        own.cluster.stop()
        assert operator.ids() == {"carrier", "support"}
        own.cluster.start()
        own.cluster.compact()
        own.apply(own.trunk("second", net=2))
        own.until("trunk", "second", "Programmed", NO_BRIDGE, within_s=90)
        own.kubectl("delete", "dispatchrule", "support")
        own.gone("dispatchrule", "support")
        assert operator.ids() == {"carrier", "second"}
        assert "Traceback" not in operator.log()


def test_an_api_server_that_is_busy_is_left_alone_and_then_told(faulty: tuple[Place, Faulty, Path]) -> None:
    place, way, config = faulty
    busy = threading.Event()
    busy.set()

    def fault(request: web.Request) -> web.Response | None:
        return too_many() if busy.is_set() and request.method == "PATCH" else None

    way.fault = fault
    with place.operator(config=config) as operator:
        place.apply(place.trunk(), place.rule())
        wait_for(lambda: operator.log().count("created, published") == 2, "the rows")
        wait_for(lambda: sum(method == "PATCH" for method, _ in way.requests) >= 2, "a refused status")
        assert place.condition("trunk", "carrier", "Ready") == {}
        refused = sum(method == "PATCH" for method, _ in way.requests)
        busy.clear()
        place.until("trunk", "carrier", "Ready", NO_BRIDGE)
        place.until("dispatchrule", "support", "Ready", NO_BRIDGE)
        assert refused < 60, "it is not asked again and again"


def test_doubled_lost_and_cut_off_events_end_in_what_is_declared(faulty: tuple[Place, Faulty, Path]) -> None:
    place, way, config = faulty
    way.copies = 3
    with place.operator(config=config) as operator:
        place.apply(place.trunk(), place.rule())
        place.until("trunk", "carrier", "Ready", NO_BRIDGE)
        way.copies = 0
        place.apply(place.trunk("lost", net=2))
        place.kubectl("patch", "dispatchrule", "support", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
        place.kubectl("delete", "dispatchrule", "support")
        way.copies = 1
        assert operator.ids() == {"carrier", "support"}
        way.fault = lambda request: web.Response(status=410) if "watch" in request.query else None
        way.cut()
        wait_for(lambda: way.requests.count(("GET", way.requests[-1][1])) > 2, "it to come back")
        way.fault = lambda _: None
        place.until("trunk", "lost", "Ready", NO_BRIDGE, within_s=60)
        wait_for(lambda: operator.ids() == {"carrier", "lost"}, "what was deleted unseen", 60)


def test_a_secret_that_may_not_be_read_hurts_who_names_it(faulty: tuple[Place, Faulty, Path]) -> None:
    place, way, config = faulty

    def fault(request: web.Request) -> web.Response | None:
        if request.path.endswith("/secrets/sip"):
            return web.json_response({"message": "secrets is forbidden", "code": 403}, status=403)
        return None

    way.fault = fault
    auth = {"username": "acme", "passwordFrom": {"secretKeyRef": {"name": "sip", "key": "password"}}}
    with place.operator(config=config):
        place.apply(place.trunk(inbound={"auth": auth}), place.trunk("second", net=2))
        found = place.until("trunk", "carrier", "Ready", reason("SecretNotFound"))
        assert "secrets is forbidden" in found["message"]
        place.until("trunk", "second", "Ready", NO_BRIDGE)


def test_each_object_is_written_twice_and_conflicts_are_read_anew(faulty: tuple[Place, Faulty, Path]) -> None:
    place, way, config = faulty
    conflicts = iter([True, True])

    def fault(request: web.Request) -> web.Response | None:
        if request.method == "PATCH" and next(conflicts, False):
            return web.json_response({"message": "the object has been modified", "code": 409}, status=409)
        return None

    way.fault = fault
    with place.operator(config=config):
        place.apply(place.trunk(), place.rule())
        place.until("trunk", "carrier", "Ready", NO_BRIDGE)
        place.until("dispatchrule", "support", "Ready", NO_BRIDGE)
        writes = sum(method == "PATCH" for method, _ in way.requests)
        assert writes == 2 + 4, "two conflicts; a finalizer and a status for each of two"


def test_killed_between_publish_and_status_it_goes_on_from_there(place: Place) -> None:
    operator = place.operator()
    with operator:
        operator.said("this operator leads")
        place.apply(place.trunk(), place.rule())

        def published() -> bool:
            if not (operator.state / "tables.db").exists():
                return False
            with open_tables(operator.tables) as store:
                return store.head().revision > 0

        wait_for(published, "the rows")
        operator.stop(signal.SIGKILL)
        digest = operator.digest()
        operator.start()
        place.until("trunk", "carrier", "Ready", NO_BRIDGE, within_s=60)
        place.until("dispatchrule", "support", "Ready", NO_BRIDGE)
        assert operator.digest() == digest


@pytest.mark.peer("redis-server")
def test_redis_away_is_said_and_a_deleted_object_stays_until_it_is_back(place: Place, tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis", "--appendonly", "yes", "--appendfsync", "always") as redis:
        environment = {"DIALPLANE_SECRET_KEY": KEY}
        with place.operator("--tables", redis.url(), environment=environment) as operator:
            place.apply(place.trunk(), place.rule())
            place.until("trunk", "carrier", "Ready", NO_BRIDGE)
            redis.kill()
            place.apply(place.trunk("second", net=2))
            place.kubectl("delete", "dispatchrule", "support", "--wait=false")
            away = place.until("trunk", "second", "Ready", reason("RemoteError"))
            assert away["status"] == "Unknown"
            stays = place.until("dispatchrule", "support", "Ready", reason("RemoteError"))
            assert "it is deleted as soon as what was made of it is gone" in stays["message"]
            assert place.condition("trunk", "carrier", "Ready")["reason"] == "NoBridge", "nothing is known otherwise"
            redis.start()
            place.gone("dispatchrule", "support", within_s=60)
            place.until("trunk", "second", "Ready", NO_BRIDGE)
            operator.said("answers again")


def test_one_broken_object_among_many_good_ones(place: Place) -> None:
    objects: list[dict[str, Any]] = [place.trunk(), place.rule()]
    objects += [place.number(f"n{n}", f"+1415{n:07d}", trunkRef={"name": "carrier"}) for n in range(1000)]
    objects.append(place.trunk("broken", inbound={"allowedAddresses": ["10.0.0.0/40"]}))
    with place.operator() as operator:
        place.apply(*objects)
        place.until("trunk", "broken", "Accepted", reason("Invalid"))
        place.until("phonenumber", "n999", "Programmed", NO_BRIDGE)
        wait_for(lambda: len(operator.ids()) == 1002, "all others")


def test_two_operators_take_turns_and_publish_once(place: Place, tmp_path: Path) -> None:
    tables = f"sqlite:///{tmp_path}/shared/tables.db"
    os.mkdir(tmp_path / "shared", mode=0o700)
    with (
        place.operator("--tables", tables, name="one") as one,
        place.operator("--tables", tables, name="two") as two,
    ):
        wait_for(lambda: ("this operator leads" in one.log()) != ("this operator leads" in two.log()), "a leader")
        place.apply(place.trunk())
        place.until("trunk", "carrier", "Ready", NO_BRIDGE)
        leader, other = (one, two) if "this operator leads" in one.log() else (two, one)
        leader.stop(signal.SIGKILL)
        place.apply(place.rule())
        other.said("this operator leads", within_s=60)
        place.until("dispatchrule", "support", "Ready", NO_BRIDGE)
        with open_tables(tables) as store:
            assert [entry.put for entry in store.history()] == [1, 1]
