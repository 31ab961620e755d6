"""How soon what was applied to a Kubernetes cluster is Ready, beside a bare kopf operator that only writes a status.

    KUBE_APISERVER=… python -m tests.bench.operator [--many 1000] [--most 10000]

Both follow the same genuine API server, one after the other, each in a namespace of its own. The bare one has one
handler for creations, which writes one field of the status, as the first page of kopf's manual would do it. Ours
publishes to SQLite, and Ready means that a running bridge has acknowledged it. Objects are PhoneNumbers, created by
`AT_ONCE` requests at a time; how long one takes is seen by a watch.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from tests.bench.figures import Figure, digits, report
from tests.bench.machine import needs
from tests.kubernetes.cluster import PROGRAM, Cluster
from tests.kubernetes.operating import OperatorProcess, RunningBridge, document
from tests.peers import ROOT, wait_for

SINGLES, AT_ONCE = 15, 16
MANY, MOST = 1_000, 10_000
SINGLE_MS_MORE_MAX, MANY_TIMES_MAX = 100.0, 1.5
WITHIN_S = 600.0
BARE = """\
import kopf

@kopf.on.startup()
def configure(settings, **_):
    settings.posting.enabled = False
    settings.scanning.disabled = True

@kopf.on.create("dialplane.dev", "v1alpha1", "phonenumbers")
async def created(patch, **_):
    patch.status["revision"] = 1

@kopf.on.event("dialplane.dev", "v1alpha1", "trunks")
def nothing(**_):
    pass
"""
Done = Callable[[dict[str, Any]], bool]


def is_ready(body: dict[str, Any]) -> bool:
    """Whether our operator has said Ready."""
    conditions = body.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def has_revision(body: dict[str, Any]) -> bool:
    """Whether the bare operator has written its field."""
    return body.get("status", {}).get("revision") == 1


class Script:
    """What creates objects and watches them, over the API alone."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.namespace = namespace
        user = yaml.safe_load(cluster.admin.read_text())["users"][0]["user"]
        self._headers = {"Authorization": f"Bearer {user['token']}"}
        self._context = ssl.create_default_context(cafile=str(cluster.folder / "authority.pem"))
        self._url = f"{cluster.url}/apis/dialplane.dev/v1alpha1/namespaces/{namespace}/phonenumbers"

    def session(self) -> aiohttp.ClientSession:
        """A session as admin."""
        connector = aiohttp.TCPConnector(limit=AT_ONCE + 2, ssl=self._context)
        timeout = aiohttp.ClientTimeout(total=None)
        return aiohttp.ClientSession(connector=connector, headers=self._headers, timeout=timeout)

    async def took(self, first: int, count: int, done: Done) -> float:
        """Seconds from the first request that creates one of so many objects until all of them are done."""
        async with self.session() as session:
            waited = asyncio.create_task(self._seen(session, {f"n{i}" for i in range(first, first + count)}, done))
            await asyncio.sleep(0.2)
            began, slots = time.perf_counter(), asyncio.Semaphore(AT_ONCE)
            await asyncio.gather(*(self._create(session, i, slots) for i in range(first, first + count)))
            await asyncio.wait_for(waited, WITHIN_S)
            return time.perf_counter() - began

    async def _create(self, session: aiohttp.ClientSession, i: int, slots: asyncio.Semaphore) -> None:
        body = document("PhoneNumber", f"n{i}", {"number": f"+1415{i:07}"}, self.namespace)
        async with slots, session.post(self._url, json=body) as answer:
            assert answer.status == 201, await answer.text()

    async def _seen(self, session: aiohttp.ClientSession, names: set[str], done: Done) -> None:
        """Watch until all of these are done."""
        async with session.get(f"{self._url}?limit=1") as answer:
            since = (await answer.json())["metadata"]["resourceVersion"]
        while names:
            async with session.get(f"{self._url}?watch=true&resourceVersion={since}", read_bufsize=2**20) as events:
                async for line in events.content:
                    body = json.loads(line)["object"]
                    since = body["metadata"].get("resourceVersion", since)
                    if body["metadata"].get("name") in names and done(body):
                        names.discard(body["metadata"]["name"])
                        if not names:
                            return


def measured(script: Script, done: Done, rss_mib: Callable[[], float], many: int, most: int) -> dict[str, float]:
    """One object, many at once, and what the process holds when there are most."""
    singles = [asyncio.run(script.took(i, 1, done)) * 1000 for i in range(SINGLES)]
    many_s = asyncio.run(script.took(SINGLES, many, done))
    most_s = asyncio.run(script.took(SINGLES + many, most - many - SINGLES, done))
    return {
        "single_ms": digits(statistics.median(singles)),
        "many_s": digits(many_s),
        "rest_s": digits(most_s),
        "rss_mib": digits(rss_mib()),
    }


@contextmanager
def bare_operator(cluster: Cluster, place: Path) -> Iterator[Callable[[], float]]:
    """The reference, in the namespace `bare`; how much memory it has."""
    (place / "bare.py").write_text(BARE)
    words = [sys.executable, "-m", "kopf", "run", "--standalone", "--quiet", "-n", "bare", str(place / "bare.py")]
    with (place / "bare.log").open("wb") as log:
        process = subprocess.Popen(
            words, stdout=log, stderr=log, cwd=ROOT, env={**os.environ, "KUBECONFIG": str(cluster.admin)}
        )
    try:
        time.sleep(4)
        yield lambda: int(Path(f"/proc/{process.pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024
    finally:
        process.terminate()
        process.wait(30)


def ours(cluster: Cluster, place: Path, many: int, most: int) -> dict[str, float]:
    """Ours, in the namespace `ours`, with a bridge that answers by its tables."""
    with OperatorProcess(cluster.admin, place / "operator", "-n", "ours", "--lease", "ours/ours") as operator:
        operator.said("this operator leads")
        wait_for(lambda: (operator.state / "tables.db").exists(), "the tables")
        with RunningBridge(operator.tables, place):
            return measured(Script(cluster, "ours"), is_ready, operator.rss_mib, many, most)


def main() -> None:
    """Measure and report."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--many", type=int, default=MANY)
    options.add_argument("--most", type=int, default=MOST)
    given = options.parse_args()
    for peer in (PROGRAM or "kube-apiserver", "etcd", "kubectl"):
        needs(peer)
    with tempfile.TemporaryDirectory() as place, Cluster(Path(place) / "cluster") as cluster:
        cluster.with_crds()
        for namespace in ("bare", "ours"):
            cluster.namespace(namespace)
        with bare_operator(cluster, Path(place)) as rss_mib:
            bare = measured(Script(cluster, "bare"), has_revision, rss_mib, given.many, given.most)
        mine = ours(cluster, Path(place), given.many, given.most)
    beside, wall = "a bare kopf operator that writes one status", "wall clock"
    report(
        [
            Figure(
                id="operator-single", what="an object applied to a cluster until a bridge answers by it",
                how=f"{wall}, median of {SINGLES}", value=mine["single_ms"], unit="ms",
                reference=bare["single_ms"], beside=beside, budget=bare["single_ms"] + SINGLE_MS_MORE_MAX,
            ),
            Figure(
                id="operator-many", what=f"{given.many:,} objects at once until all are Ready",
                how=f"{wall}, once", value=mine["many_s"], unit="s", reference=bare["many_s"], beside=beside,
                budget=MANY_TIMES_MAX, budget_is_ratio=True,
            ),
            Figure(
                id="operator-memory", what=f"the operator's memory with {given.most:,} objects",
                how="resident, once", value=mine["rss_mib"], unit="MiB", reference=bare["rss_mib"], beside=beside,
            ),
        ],
        ours=mine, bare=bare,
    )  # fmt: skip


if __name__ == "__main__":
    main()
