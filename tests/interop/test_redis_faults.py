"""Tables in Redis, under live calls: whatever happens to the server or on the way to it, nobody who is talking notices,
the next call is answered by the last good tables, the log says what is wrong, and the bridge catches up afterwards."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.stores import StoreError, open_tables
from schemas.tables.digest import digest_of
from tests.interop.test_live_edit import child_of, dial
from tests.interop.test_watch_faults import fill, number, replace, rule, talking
from tests.peers import ROOT, BridgeProcess, wait_for
from tests.redis_server import Proxy, RedisServer

pytestmark = [pytest.mark.peer("sipp", "redis-server"), pytest.mark.xdist_group("sipp")]

TALK_MS = 55_000
"""A partition is noticed after some ten seconds, what a killed reconciler leaves after as many."""

KEY = base64.b64encode(b"k" * 64).decode()


Fault = Callable[["Scene"], None]


class Scene:
    """A bridge with its reconciler, on tables behind a proxy to a server that appends to its disk."""

    def __init__(self, work: Path, server: RedisServer, proxy: Proxy) -> None:
        self.work, self.server, self.proxy = work, server, proxy
        self.url = f"redis://127.0.0.1:{proxy.port}/0"
        self.environment = {"DIALPLANE_TABLES": self.url, "DIALPLANE_SECRET_KEY": KEY}
        self.home = work / "manifests"
        self.bridge = BridgeProcess(self.home, work, "--region", "eu", environment=self.environment)
        self.calls = 0

    def edit(self, room: str) -> None:
        replace(self.home / "rule.yaml", rule(room))

    def room(self) -> str:
        """Where the tables say that calls go; whole, or an assertion fails."""
        try:
            with open_tables(self.url) as store:
                at = store.load()
        except StoreError:
            return ""
        assert digest_of(at.rows) == at.digest
        return at.rows.rules["default/lobby"].room_name if at.revision else ""

    def next_call(self) -> str:
        """Where a call goes now."""
        self.calls += 1
        assert dial(self.bridge, self.work / f"call-{self.calls}", 1, 300).returncode == 0
        return str(self.bridge.records()[-1]["room"])

    def follows(self, room: str) -> None:
        """An edit is live, and a call goes by it."""
        self.edit(room)
        self.is_live(room)

    def is_live(self, room: str) -> None:
        wait_for(lambda: self.room() == room, f"the publish of {room}; the bridge said:\n{self.bridge.log()}", 60)
        revision = self.revision()
        wait_for(lambda: self.bridge.counters()["revision"] == revision, "the bridge to follow")
        assert self.next_call() == room

    def revision(self) -> int:
        with open_tables(self.url) as store:
            return store.head().revision

    def says(self, words: str, times: int = 1) -> None:
        wait_for(lambda: self.bridge.log().count(words) >= times, f"{words!r} in:\n{self.bridge.log()}", 60)

    def told(self, words: str) -> Callable[[], None]:
        """To be called after it: whether it was said once more."""
        before = self.bridge.log().count(words)
        return lambda: self.says(words, before + 1)


def killed_and_back(scene: Scene) -> None:
    told = scene.told("the tables cannot be read, calls go on with revision")
    scene.server.kill()
    told()
    assert scene.next_call() == "lobby"
    scene.edit("while-away")
    scene.server.start()
    scene.says("the tables are read again")
    scene.is_live("while-away")


def emptied(scene: Scene) -> None:
    """Its disk is lost: nobody drops to empty tables, and the reconciler publishes all of them in a new epoch."""
    subprocess.run(["kill", "-STOP", child_of(scene.bridge)], check=True)
    scene.server.restart(empty=True)
    scene.says("the store is empty: it has lost the tables")
    assert scene.next_call() == "while-away"
    subprocess.run(["kill", "-CONT", child_of(scene.bridge)], check=True)
    scene.is_live("while-away")
    assert scene.revision() == 1
    scene.follows("anew")


def partitioned(scene: Scene) -> None:
    told = scene.told("Redis does not answer")
    scene.proxy.stop()
    scene.edit("behind-the-wall")
    told()
    assert scene.next_call() == "anew"
    scene.proxy.go_on()
    scene.is_live("behind-the-wall")


def slow(scene: Scene) -> None:
    scene.proxy.delay_s = 0.1
    scene.follows("slowly")
    scene.proxy.delay_s = 0.0


def refusing(scene: Scene) -> None:
    told = scene.told("Redis has no memory left")
    scene.server.asked("CONFIG", "SET", "maxmemory", "1")
    scene.edit("no-room")
    told()
    assert scene.next_call() == "slowly"
    scene.server.asked("CONFIG", "SET", "maxmemory", "0")
    scene.is_live("no-room")
    told = scene.told("Redis wants a password")
    scene.server.asked("CONFIG", "SET", "requirepass", "hunter2")
    scene.proxy.turn_to(scene.server.port)
    told()
    assert scene.next_call() == "no-room"
    scene.server.restart()
    scene.follows("welcome-again")


def failed_over(scene: Scene) -> None:
    """A replica takes over that the last write had not reached: it is not followed back, and caught up with."""
    with RedisServer(scene.work / "replica") as replica:
        replica.asked("REPLICAOF", "127.0.0.1", str(scene.server.port))
        wait_for(lambda: replica.asked("GET", "{dialplane}:head") != b"$-1", "the replica")
        before = scene.revision()
        replica.asked("REPLICAOF", "NO", "ONE")
        scene.follows("lost")
        subprocess.run(["kill", "-STOP", child_of(scene.bridge)], check=True)
        scene.proxy.turn_to(replica.port)
        scene.says(f"the store is back at revision {before}")
        assert scene.next_call() == "lost"
        subprocess.run(["kill", "-CONT", child_of(scene.bridge)], check=True)
        scene.is_live("lost")
        scene.follows("after-all")
    scene.server.restart(empty=True)
    scene.proxy.turn_to(scene.server.port)
    scene.is_live("after-all")


def reconciler_killed_amid_many(scene: Scene) -> None:
    for index in range(600):
        (scene.home / f"n{index}.yaml").write_text(number(index))
    subprocess.run(["kill", "-9", child_of(scene.bridge)], check=True)
    assert scene.room() == "after-all"
    with open_tables(scene.url) as store:
        wait_for(lambda: len(store.load().rows.numbers) == 600, "the next reconciler", 60)
        assert digest_of(store.load().rows) == store.head().digest
    assert scene.next_call() == "after-all"


@pytest.mark.parametrize(
    "faults",
    [(killed_and_back, emptied, partitioned), (slow, refusing, failed_over, reconciler_killed_amid_many)],
    ids=["the server and the way to it", "what it says and what it has lost"],
)
def test_whatever_happens_to_redis_no_call_is_touched(tmp_path: Path, faults: tuple[Fault, ...]) -> None:
    fill(tmp_path / "manifests", "lobby")
    with RedisServer(tmp_path / "redis", "--appendonly", "yes") as server, Proxy(server.port) as proxy:
        scene = Scene(tmp_path, server, proxy)
        with scene.bridge, talking(scene.bridge, tmp_path, TALK_MS):
            for fault in faults:
                fault(scene)


def test_a_bridge_starts_and_answers_while_redis_is_away_and_catches_up(tmp_path: Path) -> None:
    fill(tmp_path / "manifests", "lobby")
    with RedisServer(tmp_path / "redis", "--appendonly", "yes") as server, Proxy(server.port) as proxy:
        scene = Scene(tmp_path, server, proxy)
        with scene.bridge:
            scene.follows("kept")
            status = reconcile(scene, "status", "-o", "json")
            assert [bridge["region"] for bridge in status["bridges"]] == ["eu"]
            conditions = [found for each in status["objects"] for found in each["conditions"]]
            assert {found["status"] for found in conditions if found["type"] == "Programmed"} == {"True"}
        server.kill()
        scene.bridge = BridgeProcess(scene.home, tmp_path, environment=scene.environment)
        with scene.bridge:
            scene.says("the tables cannot be read, calls go on with revision")
            assert scene.next_call() == "kept"
            server.start()
            scene.says("the tables are read again")
            scene.follows("caught-up")
            assert "there are no last good tables" not in scene.bridge.log()


def reconcile(scene: Scene, *words: str) -> dict:
    command = [sys.executable, "-m", "reconciler", *words]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **scene.environment}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_a_bridge_without_last_good_tables_says_at_once_what_is_wrong(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "runtime", "run", "--state", str(tmp_path / "s"), "--tables"]
    bare = {name: value for name, value in os.environ.items() if not name.startswith("DIALPLANE_")}
    for url, key, words in (
        ("redis://:hunter2@127.0.0.1:1/0", KEY, "redis://127.0.0.1:1/0: Redis cannot be reached"),
        ("redis://:hunter2@127.0.0.1:1/0", "", "tables for several machines need one key that all of them have"),
        ("redis://:hunter2@127.0.0.1:x/0", KEY, "redis://…: this names no server"),
    ):
        done = subprocess.run(
            [*command, url],
            cwd=ROOT,
            env={**bare, "DIALPLANE_SECRET_KEY": key},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 1
        assert words in done.stderr
        assert "hunter2" not in done.stderr + done.stdout
