"""What tables in Redis cost, each figure beside bare redis-py doing the least possible work with the same server.

    python -m tests.bench.redis_store [--numbers 100000] [--edits 100] [--documents 10000]

Measures: from the start of a publish, and from a saved file, to a bridge that answers by it; publishing all numbers at
once; loading them. The server is a redis-server of its own on loopback that appends to its disk once a second.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from redis import Redis

from runtime.workers.tables_reader import TablesReader
from schemas.stores import Publish, open_tables
from schemas.stores.door import Store
from schemas.tables.codec import encode_row
from schemas.tables.rows import Delta
from schemas.tables.tables import Tables
from tests.bench import edit
from tests.bench.figures import Figure, report, spread
from tests.bench.store import LOADS, in_a_fresh_process, number
from tests.peers import program
from tests.redis_server import RedisServer

AT_ONCE = 1_000
PAUSE_S = 0.02


def publish_numbers(store: Store, count: int) -> float:
    """Seconds that one publish of so many new numbers takes."""
    rows = tuple(number(i) for i in range(count))
    began = time.perf_counter()
    store.publish(Publish(store.head().digest, Delta(rows), owner="default", now=time.time()))
    return time.perf_counter() - began


def bare_insert(client: Redis, count: int) -> float:
    """Seconds that the same rows take as fields of one hash, their bytes made beforehand, 1,000 at a time."""
    rows = [(row.id, encode_row(row)) for row in (number(i) for i in range(count))]
    began = time.perf_counter()
    for start in range(0, count, AT_ONCE):
        client.hset("bare", mapping=dict(rows[start : start + AT_ONCE]))
    return time.perf_counter() - began


def reach(told: Callable[[int], object], follower: Callable[[Connection], object], edits: int) -> list[float]:
    """Milliseconds from each edit that `told` makes to the word of the follower, which runs in another process."""
    context = get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=follower, args=(theirs,), daemon=True)
    process.start()
    ours.recv()
    out = []
    for i in range(edits):
        time.sleep(PAUSE_S)
        began = time.monotonic()
        told(i)
        out.append((ours.recv() - began) * 1000)
    process.terminate()
    process.join()
    return out


def published(url: str, edits: int) -> list[float]:
    """From the start of a publish of one row to a bridge's reader thread that has handed over the tables with it."""

    def follow(pipe: Connection) -> None:
        reader = TablesReader(
            lambda: open_tables(url), lambda *_: pipe.send(time.monotonic()), print, "bench", "", lambda: None
        )
        reader.start()
        threading.Event().wait()

    with open_tables(url) as store:

        def publish(i: int) -> None:
            row = number(i, digits=f"44{i:03}")
            store.publish(Publish(store.head().digest, Delta((row,)), owner="default", now=time.time()))

        return reach(publish, follow, edits)


def bare_told(port: int, edits: int) -> list[float]:
    """From a SET and an XADD to a reader that waits on the stream."""

    def follow(pipe: Connection) -> None:
        client, last = Redis(port=port), "0"
        pipe.send(time.monotonic())
        while True:
            [[_, entries]] = client.xread({"told": last}, block=10_000) or [["", []]]
            for at, _ in entries:
                last = at
                pipe.send(time.monotonic())

    client = Redis(port=port)

    def tell(i: int) -> None:
        client.set("value", str(i))
        client.xadd("told", {"i": i})

    return reach(tell, follow, edits)


def load(url: str, port: int) -> dict[str, Any]:
    """All numbers into tables; the reference scans the bare hash into a dict."""

    def ours() -> object:
        with open_tables(url) as store:
            return Tables.build(store.load(origins=False).rows)

    def reference() -> object:
        return dict(Redis(port=port).hscan_iter("bare", count=2_000))

    out = {}
    for name, work in {"ours": ours, "bare": reference}.items():
        out[name] = min((in_a_fresh_process(work) for _ in range(LOADS)), key=lambda one: one["cpu_s"])
    return out


def edited(root: Path, url: str, documents: int, edits: int) -> list[float]:
    """From a saved file to the bridge's acknowledgement, with a real watcher and a real bridge."""
    folder = root / "manifests"
    folder.mkdir()
    for index in range(documents):
        edit.write(folder, index)
    rules = list(range(edit.FIRST_RULE, documents, edit.RULES_EVERY))
    return edit.ours(root, folder, rules, edits, url)[0]


def main() -> None:
    """Measure and report."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--numbers", type=int, default=100_000)
    options.add_argument("--edits", type=int, default=100)
    options.add_argument("--documents", type=int, default=10_000)
    asked = options.parse_args()
    if program("redis-server") is None:
        print("needs redis-server on PATH", file=sys.stderr)
        return
    with (
        tempfile.TemporaryDirectory() as place,
        RedisServer(Path(place) / "redis", "--appendonly", "yes") as server,
        open_tables(server.url()) as store,
    ):
        at_once, at_once_bare = (
            publish_numbers(store, asked.numbers),
            bare_insert(Redis(port=server.port), asked.numbers),
        )
        to_reader = spread(published(server.url(), asked.edits))
        to_bare = spread(bare_told(server.port, asked.edits))
        loading = load(server.url(), server.port)
        to_ack = spread(edited(Path(place), server.url("edit"), asked.documents, asked.edits))
    numbers, least = f"{asked.numbers:,} numbers", "bare redis-py: SET, XADD and a reader in XREAD"
    one, how = f"one row of {numbers} published to Redis -> a bridge has its tables", f"wall clock of {asked.edits}"
    saved = f"one edited file among {asked.documents:,} -> the bridge acknowledges it, by Redis"
    report(
        [
            Figure(
                id="redis-edit-p50", what=f"{saved}, p50", how=how, value=to_ack["p50"], unit="ms",
                reference=to_bare["p50"], beside=least, budget=50.0,
            ),
            Figure(
                id="redis-edit-p99", what=f"{saved}, p99", how=how, value=to_ack["p99"], unit="ms",
                reference=to_bare["p99"], beside=least, budget=150.0,
            ),
            Figure(
                id="redis-publish-p50", what=f"{one}, p50", how=how, value=to_reader["p50"], unit="ms",
                reference=to_bare["p50"], beside=least,
            ),
            Figure(
                id="redis-publish-p99", what=f"{one}, p99", how=how, value=to_reader["p99"], unit="ms",
                reference=to_bare["p99"], beside=least,
            ),
            Figure(
                id="redis-publish-all", what=f"{numbers} published to Redis at once", how="wall clock, once",
                value=at_once, unit="s", reference=at_once_bare, beside="the same bytes by HSET, 1,000 at a time",
            ),
            Figure(
                id="redis-load", what=f"{numbers} from Redis into tables", how=f"CPU, best of {LOADS} processes",
                value=loading["ours"]["cpu_s"], unit="s", reference=loading["bare"]["cpu_s"],
                beside="the bare hash scanned into a dict",
            ),
        ],
        to_acknowledgement_ms=to_ack, to_reader_ms=to_reader, bare_ms=to_bare, load=loading,
    )  # fmt: skip


if __name__ == "__main__":
    main()
