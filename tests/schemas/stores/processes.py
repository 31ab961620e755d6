"""Several processes at one store, and processes that are killed: run as a program by test_sqlite_processes.

`python processes.py SCENARIO FILE` forks the processes itself (a program of one thread may), and fails by assertion.
"""

from __future__ import annotations

import os
import random
import signal
import sys

from schemas.stores import Outdated, Publish, open_tables
from schemas.tables.digest import digest_of
from schemas.tables.rows import Delta, Kind, NumberRow

OWNER = "default"
ROWS = 5


def state_after(revision: int) -> Delta:
    """A change that shows its revision in every row, and makes one more row come or go."""
    put = tuple(NumberRow(f"default/n-{i}", f"+{revision}") for i in range(ROWS))
    guest = NumberRow("default/guest", "+1")
    return Delta((*put, guest)) if revision % 2 else Delta(put, ((Kind.NUMBER, guest.id),))


def publish_next(store) -> int:
    at = store.head()
    wanted = at.revision + 1
    return store.publish(
        Publish(
            at.digest,
            state_after(wanted),
            owner=OWNER,
            now=float(wanted),
            goods={"a.yaml": b"%d" % wanted},
            note="test",
        )
    )


def check_whole(url: str) -> int:
    """Whatever happened, the file holds one whole revision, and nothing of another."""
    store = open_tables(url)
    assert store._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    at = store.load()
    assert digest_of(at.rows) == at.digest
    if at.revision:
        assert {at.rows.numbers[f"default/n-{i}"].number for i in range(ROWS)} == {f"+{at.revision}"}
        assert ("default/guest" in at.rows.numbers) == bool(at.revision % 2)
        assert store.goods(OWNER) == {"a.yaml": b"%d" % at.revision}
        assert [revision for revision, _ in store.changes(0)] == list(range(1, at.revision + 1))
        assert store.history(1)[0].numbers == len(at.rows.numbers)
    store.close()
    return at.revision


def forked(work, *args) -> int:
    child = os.fork()
    if child:
        return child
    try:
        work(*args)
        os._exit(0)
    except BaseException as error:
        print(repr(error), file=sys.stderr)
        os._exit(1)


def ended_well(*children: int) -> bool:
    """Whether all of them did; waits for each."""
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * len(children)


def die_at(url: str, statement: int) -> None:
    """Publish once, but be killed when that many SQL statements have been begun."""
    store = open_tables(url)
    begun = 0

    def count(_: str) -> None:
        nonlocal begun
        begun += 1
        if begun == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    store._db.set_trace_callback(count)
    publish_next(store)


def killed_at_every_statement(url: str) -> None:
    before, statement, outcomes = 0, 0, set()
    while True:
        statement += 1
        survived = ended_well(forked(die_at, url, statement))
        after = check_whole(url)
        assert after - before in (0, 1)
        outcomes.add(after - before)
        before = after
        if survived:
            break
    assert statement > 20, "the publish was not followed statement by statement"
    assert outcomes == {0, 1}


def publish_and_tell(url: str, pipe: int) -> None:
    store = open_tables(url)
    store._db.set_trace_callback(lambda _: os.write(pipe, b".") and None)
    while True:
        publish_next(store)


def killed_at_random(url: str) -> None:
    """The killer hears of each statement through a pipe, and strikes while the work goes on."""
    dice, before = random.Random(20), 0
    for _ in range(30):
        hears, tells = os.pipe()
        child = forked(publish_and_tell, url, tells)
        for _ in range(dice.randrange(1, 150)):
            assert os.read(hears, 1)
        os.kill(child, signal.SIGKILL)
        assert not ended_well(child)
        os.close(hears)
        os.close(tells)
        after = check_whole(url)
        assert after >= before
        before = after
    assert before > 10


def race(url: str, times: int) -> None:
    store, published = open_tables(url), 0
    while published < times:
        try:
            publish_next(store)
        except Outdated:
            continue
        published += 1
    store.close()


def published_at_once(url: str) -> None:
    """Nobody's publish is lost, and none is built on a state that is no more; the fresh file is made by all of them."""
    children = [forked(race, url, 25) for _ in range(4)]
    assert ended_well(*children)
    assert check_whole(url) == 100


def opened_at_once(url: str) -> None:
    path = url.removeprefix("sqlite:///")
    for _ in range(20):
        children = [forked(lambda: open_tables(url).close()) for _ in range(6)]
        assert ended_well(*children)
        assert check_whole(url) == 0
        os.unlink(path)


if __name__ == "__main__":
    scenario, file = sys.argv[1:]
    globals()[scenario]("sqlite:///" + file)
