"""What the store costs, each figure beside a bare `sqlite3` doing the least possible work on the same disk.

    python -m tests.bench.store [--numbers 1000000] [--edits 200] [--folder DIR]

Measures: publishing one row among 10,000 and 100,000; publishing 100,000 numbers at once; how long a commit takes to
reach a polling reader; loading all numbers into the tables that calls are answered from.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from typing import Any

from schemas.stores import Declared, Publish, SqliteStore
from schemas.tables.codec import encode_row
from schemas.tables.rows import Delta, Kind, NumberRow
from schemas.tables.tables import Tables
from tests.bench.figures import Figure, percentile, report

POLL_S = 0.01
PORTION = 100_000
LOADS = 3


def number(i: int, digits: str = "1415") -> NumberRow:
    """A number as a folder of manifests declares them: few trunks and rules, one claim."""
    return NumberRow(f"default/n-{i:07}", f"+{digits}{i:07}", "default/twilio-us", "default/support", claimed_since=1)


def publish_numbers(store: SqliteStore, start: int, count: int) -> float:
    """Seconds that one publish of new numbers takes, their places included."""
    rows = tuple(number(i) for i in range(start, start + count))
    declared = {(Kind.NUMBER, row.id): Declared("numbers.yaml", 8 * i + 1, 1) for i, row in enumerate(rows)}
    began = time.perf_counter()
    store.publish(Publish(store.head().digest, Delta(rows), owner="default", now=time.time(), declared=declared))
    return time.perf_counter() - began


def bare(path: str) -> sqlite3.Connection:
    """The reference: SQLite in the same mode, one table of ids and bytes."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE IF NOT EXISTS rows (id TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT, WITHOUT ROWID")
    return db


def bare_insert(db: sqlite3.Connection, start: int, count: int) -> float:
    """Seconds that the reference takes for the same rows, their bytes made beforehand."""
    rows = [(row.id, encode_row(row)) for row in (number(i) for i in range(start, start + count))]
    began = time.perf_counter()
    db.execute("BEGIN IMMEDIATE")
    db.executemany("INSERT INTO rows VALUES (?, ?)", rows)
    db.execute("COMMIT")
    return time.perf_counter() - began


def milliseconds(samples: list[float]) -> dict[str, float]:
    """Median and 99th percentile."""
    return {
        "p50_ms": round(statistics.median(samples) * 1000, 3),
        "p99_ms": round(percentile(samples, 99) * 1000, 3),
    }


def timed(edit: Callable[[int], object], count: int) -> dict[str, float]:
    """How long `edit(i)` takes."""
    samples = []
    for i in range(count):
        began = time.perf_counter()
        edit(i)
        samples.append(time.perf_counter() - began)
    return milliseconds(samples)


def one_row_among(folder: str, count: int, edits: int) -> dict[str, Any]:
    """One changed row per publish; the reference updates one row per transaction."""
    store, db = SqliteStore(f"{folder}/one-{count}.db"), bare(f"{folder}/bare-{count}.db")
    publish_numbers(store, 0, count)
    bare_insert(db, 0, count)

    def publish(i: int) -> None:
        row = number(i * 37 % count, digits=f"44{i:03}")
        store.publish(Publish(store.head().digest, Delta((row,)), owner="default", now=time.time()))

    def update(i: int) -> None:
        row = number(i * 37 % count, digits=f"44{i:03}")
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE rows SET data = ? WHERE id = ?", (encode_row(row), row.id))
        db.execute("COMMIT")

    with contextlib.closing(db), store:
        return {"rows": count, "ours": timed(publish, edits), "bare": timed(update, edits)}


def bulk(folder: str) -> dict[str, Any]:
    """100,000 new numbers in one publish."""
    with SqliteStore(f"{folder}/bulk.db") as store, contextlib.closing(bare(f"{folder}/bulk-bare.db")) as db:
        ours, reference = publish_numbers(store, 0, PORTION), bare_insert(db, 0, PORTION)
    return {"rows": PORTION, "ours_s": round(ours, 2), "bare_s": round(reference, 2)}


def seen(folder: str, edits: int) -> dict[str, Any]:
    """From the start of a publish, and from its end, to the moment when a reader that polls every 10 ms has the row."""
    path = f"{folder}/seen.db"
    store = SqliteStore(path)
    publish_numbers(store, 0, 10_000)
    context = get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=follow, args=(path, theirs, edits))
    child.start()
    ours.recv()
    from_start, from_end = [], []
    for i in range(edits):
        time.sleep(POLL_S * (i % 10) / 10)  # not in step with the poll
        began = time.monotonic()
        row = number(i, digits=f"44{i:03}")
        store.publish(Publish(store.head().digest, Delta((row,)), owner="default", now=time.time()))
        ended = time.monotonic()
        at = ours.recv()
        from_start.append(at - began)
        from_end.append(max(0.0, at - ended))
    polls_cpu = ours.recv()
    child.join()
    store.close()
    return {
        "poll_ms": POLL_S * 1000,
        "from_publish": milliseconds(from_start),
        "from_commit": milliseconds(from_end),
        "least_possible_p50_ms": POLL_S * 500,
        "poll_cpu_percent": polls_cpu,
    }


def follow(path: str, pipe, edits: int) -> None:
    """The reader of `seen`: tells when it has each revision, and at the end what polling costs."""
    with SqliteStore(path) as reader:
        head, version = reader.load().head, reader.data_version()
        pipe.send(head.revision)
        last = head.revision + edits
        while head.revision < last:
            time.sleep(POLL_S)
            now_at = reader.data_version()
            if now_at != version:
                version = now_at
                for now, _ in reader.changes(head) or ():
                    head = now
                    pipe.send(time.monotonic())
        began = time.process_time()
        for _ in range(10_000):
            reader.data_version()
        pipe.send(round((time.process_time() - began) / 10_000 / POLL_S * 100, 3))


def resident() -> int:
    """Bytes of memory that this process holds."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def in_a_fresh_process(work: Callable[[], object]) -> dict[str, float]:
    """Seconds, CPU seconds and bytes that `work` takes, measured where nothing else has left memory behind."""
    context = get_context("fork")
    ours, theirs = context.Pipe()

    def child() -> None:
        gc.collect()
        before, began, cpu = resident(), time.perf_counter(), time.process_time()
        kept = work()
        theirs.send((time.perf_counter() - began, time.process_time() - cpu, resident() - before))
        del kept

    process = context.Process(target=child)
    process.start()
    seconds, cpu_s, grown = ours.recv()
    process.join()
    return {"s": round(seconds, 2), "cpu_s": round(cpu_s, 2), "bytes": grown}


def load(folder: str, count: int) -> dict[str, Any]:
    """Every number out of the file; the reference only fetches ids and bytes into a dict."""
    path, bare_path = f"{folder}/load.db", f"{folder}/load-bare.db"
    with SqliteStore(path) as store, contextlib.closing(bare(bare_path)) as db:
        for start in range(0, count, PORTION):
            publish_numbers(store, start, min(PORTION, count - start))
            bare_insert(db, start, min(PORTION, count - start))

    def ours() -> object:
        with SqliteStore(path) as store:
            return Tables.build(store.load(origins=False).rows)

    def reference() -> object:
        with contextlib.closing(bare(bare_path)) as db:
            return dict(db.execute("SELECT id, data FROM rows"))

    out: dict[str, Any] = {"rows": count, "file_bytes": os.path.getsize(path)}
    for name, work in {"ours": ours, "bare": reference}.items():
        measured = min((in_a_fresh_process(work) for _ in range(LOADS)), key=lambda one: one["cpu_s"])
        out[name] = {**measured, "bytes_per_row": round(measured["bytes"] / count)}
    return out


def main() -> None:
    """Measure and report."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--numbers", type=int, default=1_000_000)
    options.add_argument("--edits", type=int, default=200)
    options.add_argument("--folder", default=None, help="on the disk to be measured (default: the system's temporary)")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        small, large = one_row_among(folder, 10_000, given.edits), one_row_among(folder, 100_000, given.edits)
        at_once, reaching = bulk(folder), seen(folder, given.edits)
        loading = load(folder, given.numbers)
    numbers, update = f"{given.numbers:,} numbers", "one UPDATE in bare sqlite3"
    fetched, edits = "ids and bytes fetched into a dict", f"wall clock of {given.edits}"
    report(
        [
            Figure(
                id="load-million", what=f"{numbers} from the store into tables", how=f"CPU, best of {LOADS} processes",
                value=loading["ours"]["cpu_s"], unit="s", reference=loading["bare"]["cpu_s"], beside=fetched,
                budget=5.0,
            ),
            Figure(
                id="load-million-rss", what=f"memory of the process per number, {numbers} loaded", how="RSS",
                value=loading["ours"]["bytes_per_row"], unit="bytes", reference=loading["bare"]["bytes_per_row"],
                beside=fetched,
            ),
            Figure(
                id="publish-one", what="one row published among 100,000, p50", how=edits, value=large["ours"]["p50_ms"],
                unit="ms", reference=large["bare"]["p50_ms"], beside=update,
            ),
            Figure(
                id="publish-100k", what="100,000 rows published at once", how="wall clock, once",
                value=at_once["ours_s"], unit="s", reference=at_once["bare_s"], beside="the same bytes by executemany",
            ),
            Figure(
                id="publish-seen", what="from a publish to a reader that polls every 10 ms, p50", how=edits,
                value=reaching["from_publish"]["p50_ms"], unit="ms", reference=reaching["least_possible_p50_ms"],
                beside="half the poll",
            ),
        ],
        one_row_among_10k=small, one_row_among_100k=large, bulk=at_once, seen=reaching, load=loading,
    )  # fmt: skip


if __name__ == "__main__":
    main()
