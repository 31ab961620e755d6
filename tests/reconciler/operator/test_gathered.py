"""A cluster's objects as documents: the same tables as a folder's, and the same set in whatever order events come."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifests.files import STDIN_NAME
from reconciler.manifests.reading import read_file
from reconciler.model.desired import desire
from reconciler.model.live import Live
from reconciler.model.memo import Memo
from reconciler.model.secrets import Secrets
from reconciler.model.standing import Declared
from reconciler.operator.gathered import Gathered
from reconciler.operator.leaving import QUIET_S, TOGETHER_S, Leaving
from schemas.resources import bounds
from schemas.resources.conditions import Reason
from schemas.tables.codec import encode_row
from schemas.tables.rows import Kind
from tests.reconciler.declaring import any_document, broken, declared, number, rule, text, trunk

Body = dict[str, Any]
documents = st.lists(any_document, max_size=8, unique_by=lambda one: (one["kind"], one["metadata"]["name"]))


def body(document: Body, version: int = 1, born: str = "2026-01-01T00:00:00Z", **metadata: Any) -> Body:
    """A document as an API server tells it."""
    name = document["metadata"]["name"]
    told = {
        "namespace": "default",
        "uid": f"uid-{document['kind']}-{name}",
        "resourceVersion": str(version),
        "generation": 1,
        "creationTimestamp": born,
        "managedFields": [{"manager": "kubectl"}],
        "generateName": "any-",
        "annotations": {"example.com/too-long-for-a-manifest": "x" * 100_000},
        **document["metadata"],
        **metadata,
    }
    return {**document, "metadata": told, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}


def gathered(*bodies: Body) -> Gathered:
    out = Gathered()
    for one in bodies:
        out.put(one)
    return out


def of_cluster(found: Gathered) -> Declared:
    return Declared(found.files(), secrets=Secrets(of_cluster=True))


def table(declared_: Declared) -> list[bytes]:
    """The bytes of all rows."""
    rows = desire(declared_, Live()).rows
    return [encode_row(row) for rows_ in (rows.trunks, rows.rules, rows.numbers) for _, row in sorted(rows_.items())]


@given(documents, st.randoms(use_true_random=False))
def test_folder_stdin_and_cluster_give_the_same_tables(these: list[Body], luck: random.Random) -> None:
    folder = declared({f"{index % 3}.yaml": these[index % 3 :: 3] for index in range(min(3, len(these)))})
    found = desire(folder, Live())
    # Two newcomers that clash are both refused in a folder; in a cluster the older one is taken.
    if any(verdict.reason is Reason.CONFLICTED for verdict in found.verdicts.values()):
        return
    stdin = Declared({STDIN_NAME: read_file(text(these), STDIN_NAME).sources})
    shuffled = luck.sample(these, len(these))
    cluster = of_cluster(gathered(*map(body, shuffled)))
    assert table(folder) == table(stdin) == table(cluster)
    reasons = {key: (verdict.type, verdict.reason) for key, verdict in found.verdicts.items()}
    held = desire(cluster, Live()).verdicts
    assert {key: (verdict.type, verdict.reason) for key, verdict in held.items()} == reasons


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["put", "remove"])), max_size=12), st.randoms())
def test_late_and_doubled_events_end_in_the_same_set(story: list[tuple[str, str]], luck: random.Random) -> None:
    """Each name's life as the server has it; then its events again, in another order, and a list at the end."""
    events: list[tuple[str, Body]] = []
    alive: dict[str, Body] = {}
    lives = dict.fromkeys("abc", 0)
    for version, (name, what) in enumerate(story, start=1):
        if what == "put":
            uid = f"{name}-{lives[name]}"
            alive[name] = body(trunk(name, net=version), version, uid=uid)
            events.append(("put", alive[name]))
        elif name in alive:
            gone = alive.pop(name)
            lives[name] += 1
            events.append(("remove", {**gone, "metadata": {**gone["metadata"], "resourceVersion": str(version)}}))
    found = Gathered()
    for what, one in luck.sample(events * 2, len(events) * 2):
        (found.put if what == "put" else found.remove)(one)
    found.replace(alive.values(), len(story) + 1, lambda key: key[0] is Kind.TRUNK)
    assert {one.key[1]: one.version for one in found} == {
        f"default/{name}": int(one["metadata"]["resourceVersion"]) for name, one in alive.items()
    }


def test_a_list_takes_away_what_it_has_not_but_not_what_came_after_it() -> None:
    found = gathered(body(trunk("old"), 3), body(trunk("new"), 9), body(rule("kept"), 3))
    assert found.replace([], 5, lambda key: key[0] is Kind.TRUNK)
    assert {one.key[1] for one in found} == {"default/new", "default/kept"}
    assert not found.put(body(trunk("old"), 4)), "it is gone, and this is a late word of it"


def test_only_what_means_something_touches() -> None:
    found = gathered(body(trunk("a"), 1))
    found.touched.clear()
    assert not found.put(body(trunk("a"), 2))
    assert not found.put(body(trunk("a"), 3, finalizers=["dialplane.dev/finalizer"]))
    assert found.files()["Trunk/default/a"] is found.files()["Trunk/default/a"]
    assert found.put(body(trunk("a"), 4, deletionTimestamp="2026-01-02T00:00:00Z"))
    assert found.files() == {}
    assert found.touched == {(Kind.TRUNK, "default/a")}


def test_a_broken_object_says_where_and_keeps_to_itself() -> None:
    found = gathered(body(broken(trunk("a"))), body(rule("b")))
    desired = desire(of_cluster(found), Live(), Memo())
    assert set(desired.rows.rules) == {"default/b"}
    verdict = desired.verdicts[(Kind.TRUNK, "default/a")]
    assert verdict.reason is Reason.INVALID
    assert verdict.message.startswith("spec.nonsense: ")


def test_of_new_claims_the_oldest_is_taken_then_by_name() -> None:
    def numbers(**born: str) -> dict[str, Reason]:
        bodies = [body(number(name, trunkRef={"name": "carrier"}), born=at) for name, at in born.items()]
        desired = desire(of_cluster(gathered(body(trunk()), body(rule()), *bodies)), Live())
        assert len(desired.rows.numbers) == 1
        return {key[1]: verdict.reason for key, verdict in desired.verdicts.items()}

    conflicted = Reason.CONFLICTED
    assert numbers(ant="2026-01-02T", bee="2026-01-01T") == {"default/ant": conflicted}
    assert numbers(ant="2026-01-01T", bee="2026-01-01T") == {"default/bee": conflicted}
    assert numbers(a="2026-01-03T", b="2026-01-01T", c="2026-01-02T") == dict.fromkeys(
        ["default/a", "default/c"], conflicted
    )


def test_who_is_refused_is_in_nobodys_way() -> None:
    """The middle one clashes with both others, which do not clash with each other."""
    rules = [
        rule("first", match={"to": ["+14155550100"]}),
        rule("middle", match={"to": ["+14155550100", "+14155550101"]}),
        rule("last", match={"to": ["+14155550101"]}),
    ]
    bodies = [body(one, born=f"2026-01-0{day}T") for day, one in enumerate(rules, start=1)]
    desired = desire(of_cluster(gathered(body(trunk()), *bodies)), Live())
    assert set(desired.rows.rules) == {"default/first", "default/last"}
    assert set(desired.verdicts) == {(Kind.RULE, "default/middle")}


def test_deletions_are_taken_together() -> None:
    leaving, found = Leaving(), gathered(*(body(number(f"n{n}", f"+1415555{n:04d}")) for n in range(3)))
    for n, at in ((0, 10.0), (1, 10.9)):
        found.remove(body(number(f"n{n}", f"+1415555{n:04d}")))
        leaving.note(found.departed, at)
        found.departed.clear()
        assert len(leaving.with_them(found.files(), at)) == 3
    assert leaving.due_at() == 10.9 + QUIET_S
    found.put(body(number("n1", "+14155550999"), 9, uid="again"))
    back = leaving.with_them(found.files(), 11.0)
    assert len(back) == 3
    assert back["PhoneNumber/default/n1"] is found.files()["PhoneNumber/default/n1"]
    assert len(leaving.with_them(found.files(), 10.9 + QUIET_S)) == 2
    assert leaving.due_at() is None


def test_an_endless_drip_of_deletions_waits_no_longer_than_it_says() -> None:
    leaving, found = Leaving(), gathered(body(trunk("a")))
    found.put(body(trunk("a"), 2, deletionTimestamp="2026-01-02T00:00:00Z"))
    departed = dict(found.departed)
    at = 0.0
    while at < TOGETHER_S:
        leaving.note(departed, at)
        assert leaving.with_them(found.files(), at)
        at += QUIET_S / 2
    assert leaving.due_at() == TOGETHER_S
    assert not leaving.with_them(found.files(), TOGETHER_S)


def test_who_stands_by_keeps_no_word_of_what_is_gone() -> None:
    found = gathered(*(body(trunk(f"t{n}", net=n)) for n in range(5)))
    for n in range(4):
        found.remove(body(trunk(f"t{n}", net=n)))
    found.stand_by()
    assert not found.departed
    assert found.touched == {(Kind.TRUNK, "default/t4")}


def test_of_a_megabyte_of_labels_no_more_is_kept_than_says_that_they_are_too_many() -> None:
    labels = {f"example.com/l{n:05d}": "x" * 60 for n in range(10_000)}
    known = gathered(body(trunk(labels=labels)))
    (seen,) = known
    assert len(seen.source.data["metadata"]["labels"]) == bounds.LABELS_MAX + 1
    assert any("too many entries" in str(problem) for problem in seen.source.problems)
    assert not known.put(body(trunk(labels=labels), 2)), "it says the same"
