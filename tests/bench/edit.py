"""From a saved edit to a bridge that routes by it: one of 10,000 files is changed, as an editor or a deployment does.

    python -m tests.bench.edit [--documents N] [--edits N]

A real `reconcile watch` and a real `bridge run`. An edit is live when the bridge acknowledges its revision; for some
edits a caller also calls the number that the edit opens, again and again, until an INVITE is answered. Beside it
stands a reference in the same run: a bare watcher that does the least possible work (watchfiles, read the file, write
one row into SQLite with the same durability, no quiet waited for) and a reader that polls every 10 ms, as bridges do.
"""

from __future__ import annotations

import argparse
import base64
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from schemas.stores import open_tables
from tests.bench.figures import Figure, report, spread
from tests.bench.phones import Signalling, status_of
from tests.peers import ROOT, free_port, wait_for

KEY = base64.b64encode(bytes(64)).decode()
LOOK_S = 0.001
BRIDGE_POLL_S = 0.010
WAIT_S_MAX = 60.0
PAUSE_S = 0.12
"""Between two edits, so that each is a change of its own."""
CALLED_EDITS = 20
CALL_EVERY_S = 0.005

RULES_EVERY = 9
"""More than a thousand rules among 10,000 documents: then a refusal examines only what the indexes yield, and the many
refused INVITEs of this measurement do not keep the bridge from what is measured."""
TRUNKS = 9
FIRST_RULE = 9

BARE = """
import os, sqlite3, sys
from watchfiles import watch
folder, tables = sys.argv[1:]
db = sqlite3.connect(tables, isolation_level=None)
db.execute("PRAGMA journal_mode=WAL"); db.execute("PRAGMA synchronous=FULL")
db.execute("CREATE TABLE IF NOT EXISTS rows (id TEXT PRIMARY KEY, data BLOB)")
print("watching", flush=True)
for changes in watch(folder, debounce=50, step=5, watch_filter=None):
    for _, path in changes:
        if path.endswith(".yaml") and os.path.exists(path):
            with open(path, "rb") as file:
                db.execute("INSERT OR REPLACE INTO rows VALUES (?, ?)", (path, file.read()))
"""


def document(index: int, version: int = 0) -> str:
    """The text of one file: mostly numbers, some rules, a few trunks. A rule's version is the number that it takes."""
    head = "apiVersion: dialplane.dev/v1alpha1\n"
    if index < TRUNKS:
        spec = f"{{inbound: {{allowedAddresses: [127.0.{index}.0/24]}}}}"
        return f"{head}kind: Trunk\nmetadata: {{name: trunk-{index}}}\nspec: {spec}\n"
    if index % RULES_EVERY == 0:
        spec = f"  trunkRefs: [{{name: trunk-0}}]\n  match: {{to: ['{opened(index, version)}']}}\n"
        spec += "  rule: {direct: {room: room}}\n"
        return f"{head}kind: DispatchRule\nmetadata: {{name: rule-{index}}}\nspec:\n{spec}"
    rule = max(FIRST_RULE, index - index % RULES_EVERY)
    spec = f"  number: '+1415{index:07}'\n  trunkRef: {{name: trunk-{index % TRUNKS}}}\n"
    spec += f"  dispatchRuleRef: {{name: rule-{rule}}}\n"
    return f"{head}kind: PhoneNumber\nmetadata: {{name: number-{index}}}\nspec:\n{spec}"


def opened(index: int, version: int) -> str:
    """The called number that a rule takes in one version of its document."""
    return f"+19{version:04}{index:07}"


def write(folder: Path, index: int, version: int = 0) -> None:
    """Put one document in place atomically, as editors and deployments do."""
    path = folder / f"{index:06}.yaml"
    fresh = folder / f".{index:06}.tmp"
    fresh.write_text(document(index, version))
    os.replace(fresh, path)


def edits(folder: Path, rules: list[int], count: int, version: Callable[[], int]) -> list[float]:
    """Edit one rule after the other; the milliseconds until `version` is another one, of each."""
    out = []
    for number in range(count):
        before = version()
        began = time.perf_counter()
        write(folder, rules[number % len(rules)], number + 1)
        while version() == before:
            if time.perf_counter() - began > WAIT_S_MAX:
                raise SystemExit("an edit did not become live")
            time.sleep(LOOK_S)
        out.append((time.perf_counter() - began) * 1000)
        time.sleep(PAUSE_S)
    return out


def edits_called(folder: Path, rules: list[int], count: int, port: int) -> list[float]:
    """Edit, and call the number that the edit opens: milliseconds until an INVITE was sent that is answered 200."""
    out = []
    with closing(Signalling(("127.0.0.1", port))) as caller:
        caller.sock.setblocking(False)
        for number in range(count):
            index, version = rules[-1 - number], 9000 + number
            began = time.perf_counter()
            write(folder, index, version)
            out.append((first_answered(caller, opened(index, version)) - began) * 1000)
            time.sleep(PAUSE_S)
    return out


def first_answered(caller: Signalling, called: str) -> float:
    """Send an INVITE every few milliseconds; when the first one was sent that is answered 200."""
    sent: dict[int, float] = {}
    deadline = time.perf_counter() + WAIT_S_MAX
    while time.perf_counter() < deadline:
        at = time.perf_counter()
        sent[caller.invite(called, 40_000)] = at
        time.sleep(CALL_EVERY_S)
        for number, data in answers(caller):
            if number not in sent:
                continue
            caller.send("ACK", number, data, 1)
            if status_of(data) == 200:
                caller.send("BYE", number, data, 2)
                return sent[number]
    raise SystemExit("an edit did not become live")


def answers(caller: Signalling) -> Iterator[tuple[int, bytes]]:
    """The final responses that are there: (number of the call, bytes)."""
    while True:
        try:
            data = caller.sock.recv(65_536)
        except BlockingIOError:
            return
        if status_of(data) >= 200 and b" INVITE\r\n" in data:
            yield int(data.partition(b"Call-ID: bench-")[2].partition(b"@")[0]), data


@contextmanager
def started(command: list[str], log: Path, ready: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process, once its log says `ready`; gone when the block ends."""
    with log.open("wb") as out, subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT) as process:
        try:
            wait_for(lambda: ready in log.read_text(), f"{command}: {log.read_text()}", WAIT_S_MAX)
            time.sleep(1)
            yield process
        finally:
            process.terminate()


def ours(root: Path, folder: Path, rules: list[int], count: int, url: str = "") -> tuple[list[float], list[float]]:
    """Milliseconds to the acknowledgement, and to an answered INVITE; `url` names other tables than the usual file."""
    state, port = root / "state", free_port()
    tables = url or f"sqlite:///{state}/tables.db"
    os.environ |= {"DIALPLANE_TABLES": tables, "DIALPLANE_SECRET_KEY": KEY}
    reconcile = [sys.executable, "-m", "reconciler", "--state", str(state)]
    began = time.perf_counter()
    subprocess.run([*reconcile, "apply", str(folder)], check=True, stdout=subprocess.DEVNULL)
    print(f"applied from nothing in {time.perf_counter() - began:.1f} s", file=sys.stderr)
    bridge = [sys.executable, "-m", "runtime", "run", "--state", str(state), "--api", "off"]
    bridge += ["--listen", f"udp://127.0.0.1:{port}"]
    with (
        started([*reconcile, "watch", str(folder)], root / "watch.log", "watching"),
        started(bridge, root / "bridge.log", "new tables"),
        open_tables(tables) as store,
    ):

        def acknowledged() -> int:
            return max(ack.revision for ack in store.bridges(time.time()))

        return edits(folder, rules, count, acknowledged), edits_called(folder, rules, min(count, CALLED_EDITS), port)


def bare(root: Path, folder: Path, rules: list[int], count: int) -> list[float]:
    """The reference: milliseconds until a reader that polls sees the row."""
    tables = root / "bare.db"
    with closing(sqlite3.connect(tables, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        seen, looked = 0, 0.0

        def polled() -> int:
            nonlocal seen, looked
            if time.perf_counter() - looked >= BRIDGE_POLL_S:
                looked = time.perf_counter()
                seen = db.execute("PRAGMA data_version").fetchone()[0]
            return seen

        with started([sys.executable, "-u", "-c", BARE, str(folder), str(tables)], root / "bare.log", "watching"):
            return edits(folder, rules, count, polled)


def main() -> None:
    """Both measurements in one folder each, and the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--edits", type=int, default=100)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        folder = root / "manifests"
        folder.mkdir()
        for index in range(asked.documents):
            write(folder, index)
        rules = list(range(FIRST_RULE, asked.documents, RULES_EVERY))
        to_ack, to_call = (spread(samples) for samples in ours(root, folder, rules, asked.edits))
        reference = spread(bare(root, folder, rules, asked.edits))
    what = f"one edited file among {asked.documents:,} -> the bridge acknowledges it"
    how, least = f"wall clock of {asked.edits} edits", "a bare watcher, SQLite and a reader that polls every 10 ms"
    report(
        [
            Figure(
                id="edit-p50", what=f"{what}, p50", how=how, value=to_ack["p50"], unit="ms", reference=reference["p50"],
                beside=least, budget=50.0,
            ),
            Figure(
                id="edit-p99", what=f"{what}, p99", how=how, value=to_ack["p99"], unit="ms", reference=reference["p99"],
                beside=least, budget=150.0,
            ),
            Figure(
                id="edit-call-p50", what="the same edit -> an INVITE is answered by it, p50",
                how=f"wall clock of {min(asked.edits, CALLED_EDITS)} edits", value=to_call["p50"], unit="ms",
                reference=reference["p50"], beside=least, budget=50.0,
            ),
        ],
        to_acknowledgement_ms=to_ack, to_answered_invite_ms=to_call, bare_ms=reference,
    )  # fmt: skip


if __name__ == "__main__":
    main()
