"""A reconciler and a bridge that are killed at every SQL statement of their work: run as a program by test_killed.

`python killed.py SCENARIO FOLDER` forks the processes itself, and fails by assertion. A statement that begins is the
finest step there is: SQLite does nothing for us between two of them.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import threading

from reconciler.plan.gates import Allowances
from reconciler.targets.rollback import Rollback, release, roll_back
from reconciler.targets.tables import TablesTarget
from runtime.workers.tables_reader import TablesReader
from schemas.seal import unseals_nothing
from schemas.stores import open_tables, sqlite_schema
from schemas.tables.digest import digest_of
from tests.reconciler.declaring import broken, declared, number, ref, rule, text, trunk

STATEMENTS_MAX = 300
GOOD = Allowances(100)


def folder(version: int, *, torn: bool = False):
    """A folder that shows its version in every kind of row, and has one more object, or one fewer."""
    numbers = [
        number(f"n{i}", f"+1415555{i:04}", trunkRef=ref("carrier"), dispatchRuleRef=ref("support"))
        for i in range(3 + version % 2)
    ]
    hall = rule(room=f"room-{version}")
    return declared(
        {
            "trunk.yaml": [trunk(metadata=f"version {version}")],
            "rule.yaml": [broken(hall) if torn else hall],
            "numbers.yaml": "\n---\n".join(text([one]).decode() for one in numbers),
        }
    )


def apply(url: str, version: int, *, torn: bool = False) -> None:
    with open_tables(url) as store:
        TablesTarget(store, "default", wall=lambda: 1000.0).apply(folder(version, torn=torn), GOOD, note="apply m/")


def follow(url: str, _version: int) -> None:
    """What a bridge does at its start, and until it has said which revision it answers from."""
    has_read, said = threading.Event(), threading.Event()

    class Telling(TablesReader):
        def _acknowledge(self, store, head):
            done = super()._acknowledge(store, head)
            said.set()
            return done

    reader = Telling(lambda: open_tables(url), lambda *_: has_read.set(), print, "killed", "", lambda: None)
    reader.start()
    assert has_read.wait(20)
    assert said.wait(20)
    reader.stop()


def dies_at(statement: int, work, *args) -> bool:
    """Whether the work came to its end before that many statements had begun."""
    child = os.fork()
    if not child:
        connect, begun = sqlite_schema._connect, 0

        def count(_: str) -> None:
            nonlocal begun
            begun += 1
            if begun == statement:
                os.kill(os.getpid(), signal.SIGKILL)

        def counted(path: str) -> sqlite3.Connection:
            db = connect(path)
            db.set_trace_callback(count)
            return db

        sqlite_schema._connect = counted
        work(*args)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), code
    return code == 0


def version_of(url: str) -> int:
    """The version that the tables show: whole, or this fails; 0 = nothing was published."""
    with open_tables(url) as store:
        assert store._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        at = store.load()
        assert digest_of(at.rows) == at.digest
        if not at.revision:
            assert not any((at.rows.trunks, at.rows.rules, at.rows.numbers, store.goods("default")))
            return 0
        version = int(at.rows.trunks["default/carrier"].metadata.removeprefix("version "))
        assert at.rows.rules["default/support"].room_name == f"room-{version}"
        assert len(at.rows.numbers) == 3 + version % 2
        assert len(store.goods("default")) == 2 + len(at.rows.numbers)
        assert {place.file for place in at.declared.values()} == {"trunk.yaml", "rule.yaml", "numbers.yaml"}
        return version


def every_statement(url: str, work, *, fresh: bool) -> None:
    """Kill the work at its first statement, at its second, and so on until it survives; nothing may be lost."""
    outcomes = set()
    for statement in range(1, STATEMENTS_MAX):
        if fresh:
            for name in ("", "-wal", "-shm"):
                if os.path.exists(url.removeprefix("sqlite:///") + name):
                    os.unlink(url.removeprefix("sqlite:///") + name)
        before = 0 if fresh else version_of(url)
        survived = dies_at(statement, work, url, before + 1)
        after = version_of(url)
        assert after in (before, before + 1)
        outcomes.add(after - before)
        apply(url, before + 2)  # whoever comes next finds nothing in the way
        assert version_of(url) == before + 2
        if survived:
            assert statement > 10, "the work was not followed statement by statement"
            assert outcomes == ({0} if work is follow else {0, 1})
            return
    raise AssertionError("the work never came to its end")


def a_first_apply(url: str) -> None:
    every_statement(url, apply, fresh=True)


def an_apply(url: str) -> None:
    apply(url, 1)
    every_statement(url, apply, fresh=False)


def a_bridge(url: str) -> None:
    apply(url, 1)
    every_statement(url, follow, fresh=False)


def a_restart_with_a_broken_file(url: str) -> None:
    """The reconciler is killed at any statement of a pass over a broken file: the last good version stays."""
    apply(url, 1)
    for statement in range(1, STATEMENTS_MAX):
        survived = dies_at(statement, lambda: apply(url, 1, torn=True))
        assert version_of(url) == 1
        if survived:
            assert statement > 5
            return
    raise AssertionError("the pass never came to its end")


def a_rollback(url: str) -> None:
    """Rows, documents and the pin come back together, or none of them does."""

    def roll() -> None:
        with open_tables(url) as store:
            head = store.head().revision
            roll_back(store, "default", Rollback(head - 1, GOOD, unseals_nothing), wall=lambda: 1000.0)

    outcomes = set()
    for statement in range(1, STATEMENTS_MAX):
        apply(url, 1)
        apply(url, 2)
        survived = dies_at(statement, roll)
        with open_tables(url) as store:
            is_back = store.load().rows.rules["default/support"].room_name == "room-1"
            assert store.load().rows.trunks["default/carrier"].metadata == f"version {1 if is_back else 2}"
            assert len(store.load().rows.numbers) == len(store.goods("default")) - 2 == (4 if is_back else 3)
            assert (b"room-1" in store.goods("default")["DispatchRule/default/support"]) == is_back
            assert (store.aim("default").pinned_to > 0) == is_back
            release(store, "default")
        outcomes.add(is_back)
        if survived:
            assert outcomes == {True, False}
            return
    raise AssertionError("the rollback never came to its end")


if __name__ == "__main__":
    scenario, place = sys.argv[1:]
    globals()[scenario](f"sqlite:///{place}/tables.db")
