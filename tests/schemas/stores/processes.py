"""Several processes at one store, and processes that are killed: run as a program by test_processes.

`python processes.py SCENARIO URL` forks the processes itself (a program of one thread may), and fails by assertion.
"""

from __future__ import annotations

import os
import random
import signal
import sys

from schemas.stores import Head, Outdated, Publish, SqliteStore, open_tables
from schemas.stores.redis import staging
from schemas.tables.digest import EMPTY_DIGEST, digest_of
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
    if isinstance(store, SqliteStore):
        assert store._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    at = store.load()
    assert digest_of(at.rows) == at.digest
    if at.revision:
        assert {at.rows.numbers[f"default/n-{i}"].number for i in range(ROWS)} == {f"+{at.revision}"}
        assert ("default/guest" in at.rows.numbers) == bool(at.revision % 2)
        assert store.goods(OWNER) == {"a.yaml": b"%d" % at.revision}
        assert [head.revision for head, _ in store.changes(Head(0, EMPTY_DIGEST))] == list(range(1, at.revision + 1))
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


def followed(store, tell) -> None:
    """Have `tell()` called at each step of the store: an SQL statement that begins, a question to Redis and its answer.

    The store does nothing that others could see between two of them.
    """
    if isinstance(store, SqliteStore):
        store._db.set_trace_callback(lambda _: tell())
        return
    ask = store._wire._ask

    def told(question):
        tell()
        answer = ask(question)
        tell()
        return answer

    store._wire._ask = told


def die_at(url: str, step: int) -> None:
    """Publish once, but be killed at that step."""
    store = open_tables(url)
    begun = 0

    def count() -> None:
        nonlocal begun
        begun += 1
        if begun == step:
            os.kill(os.getpid(), signal.SIGKILL)

    followed(store, count)
    publish_next(store)


def killed_at_every_step(url: str) -> None:
    before, step, outcomes = 0, 0, set()
    while True:
        step += 1
        survived = ended_well(forked(die_at, url, step))
        after = check_whole(url)
        assert after - before in (0, 1)
        outcomes.add(after - before)
        before = after
        if survived:
            break
    assert step > 10, "the publish was not followed step by step"
    assert outcomes == {0, 1}


def publish_and_tell(url: str, pipe: int) -> None:
    store = open_tables(url)
    followed(store, lambda: os.write(pipe, b"."))
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


def killed_while_staging(url: str) -> None:
    """A publish that is put down in pieces and taken in in pieces: at each step it is all there, or not at all."""
    staging.DIRECT_FIELDS_MAX, staging.FIELDS_AT_ONCE, staging.MERGED_AT_ONCE = 0, 2, 2
    killed_at_every_step(url)
    with open_tables(url) as store:
        publish_next(store)  # takes in what the last one has left
        left = [key for key in store._wire.do("KEYS", store._keys.named("*")) if b":staged:" in key]
        assert left, "none was killed before it was done"
        lives = store._wire.in_a_row([("PTTL", key) for key in left])
        assert all(0 < life <= staging.STAGED_MS for life in lives), "what nobody names any more goes by itself"


if __name__ == "__main__":
    name, where = sys.argv[1:]
    globals()[name](where)
