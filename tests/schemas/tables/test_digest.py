"""The digest: the same for the same rows whatever their history, another for any other rows, cheap to edit."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.tables.codec import encode_row
from schemas.tables.digest import (
    BRANCH,
    BUCKET,
    BUCKETS,
    EMPTY_DIGEST,
    ROOT,
    Edit,
    NodesInMemory,
    TreeMismatchError,
    digest_of,
    update,
)
from schemas.tables.rows import Kind, NumberRow, RoomKind, Rows, RuleRow, TrunkRow, kind_of
from tests.any_rows import any_row


def rows_of(*rows) -> Rows:
    out = Rows()
    homes = {Kind.TRUNK: out.trunks, Kind.RULE: out.rules, Kind.NUMBER: out.numbers}
    for row in rows:
        homes[kind_of(row)][row.id] = row
    return out


def edit(before=None, after=None) -> Edit:
    row = before or after
    return Edit(kind_of(row), row.id, before and encode_row(before), after and encode_row(after))


def many(count: int) -> list[NumberRow]:
    return [NumberRow(f"default/n-{i:06}", f"+1415{i:06}") for i in range(count)]


distinct_rows = st.lists(any_row(), max_size=12, unique_by=lambda row: (kind_of(row), row.id))


@given(distinct_rows, st.randoms(use_true_random=False), st.integers(1, 12))
def test_the_order_and_the_portions_of_edits_do_not_matter(rows, shuffler, portion):
    nodes, digest, shuffled = NodesInMemory(), EMPTY_DIGEST, list(rows)
    shuffler.shuffle(shuffled)
    for at in range(0, len(shuffled), portion):
        digest = update(nodes, [edit(after=row) for row in shuffled[at : at + portion]])
    assert digest == digest_of(rows_of(*rows))


@given(distinct_rows, distinct_rows)
def test_equal_digests_mean_equal_rows(some, others):
    one, other = rows_of(*some), rows_of(*others)
    assert (digest_of(one) == digest_of(other)) == (one == other)


@given(distinct_rows, any_row())
def test_what_is_put_and_taken_out_again_leaves_no_trace(rows, guest):
    rows = [row for row in rows if (kind_of(row), row.id) != (kind_of(guest), guest.id)]
    nodes = NodesInMemory()
    before = update(nodes, [edit(after=row) for row in rows])
    contents = dict(nodes.contents)
    assert update(nodes, [edit(after=guest)]) != before
    assert update(nodes, [edit(before=guest)]) == before
    assert nodes.contents == contents


def test_tables_without_rows_have_the_empty_digest():
    assert digest_of(Rows()) == EMPTY_DIGEST == update(NodesInMemory(), [])


def test_the_same_bytes_under_another_id_or_kind_are_another_digest():
    digests = {
        digest_of(rows_of(row))
        for row in (TrunkRow("a/b"), TrunkRow("a/c"), RuleRow("a/b", RoomKind.DIRECT, ""), NumberRow("a/b", ""))
    }
    assert len(digests) == 4


def test_a_claim_is_part_of_the_digest():
    row = NumberRow("default/n", "+1")
    assert digest_of(rows_of(row)) != digest_of(rows_of(dataclasses.replace(row, claimed_since=1)))


def test_the_digest_of_these_rows_is_this_on_every_python():
    rows = rows_of(TrunkRow("default/us"), RuleRow("default/r", RoomKind.DIRECT, "lobby"), *many(3))
    assert digest_of(rows) == "4023855781888bda20004b1a7e2b3fe7adc697d9d9708f907670abed118a3c1e"


@dataclass
class CountingNodes(NodesInMemory):
    touched: list[int] = field(default_factory=list)

    def read(self, level, slot):
        self.touched.append(level)
        return super().read(level, slot)


def test_one_edit_among_many_reads_one_path():
    rows, nodes = many(5_000), CountingNodes()
    update(nodes, [edit(after=row) for row in rows])
    nodes.touched.clear()
    digest = update(nodes, [edit(rows[7], dataclasses.replace(rows[7], number="+1"))])
    assert nodes.touched == [BUCKET, BRANCH, ROOT]
    rows[7] = dataclasses.replace(rows[7], number="+1")
    assert digest == digest_of(rows_of(*rows))


def test_names_in_sequence_spread_over_the_buckets():
    nodes = NodesInMemory()
    update(nodes, [edit(after=row) for row in many(20_000)])
    sizes = [len(content) // 32 for (level, _), content in nodes.contents.items() if level == BUCKET]
    assert sum(sizes) == 20_000
    assert len(sizes) > 0.9 * BUCKETS
    assert max(sizes) < 5 * 20_000 / BUCKETS


def test_taking_out_a_row_that_is_not_there_is_found_out():
    row, nodes = NumberRow("default/n", "+1"), NodesInMemory()
    update(nodes, [edit(after=row)])
    with pytest.raises(TreeMismatchError):
        update(nodes, [edit(before=dataclasses.replace(row, number="+2"))])


def test_the_order_does_not_matter_within_a_bucket_either():
    rows, nodes = many(10_000), NodesInMemory()
    update(nodes, [edit(after=row) for row in reversed(rows[5_000:])])
    assert update(nodes, [edit(after=row) for row in rows[:5_000]]) == digest_of(rows_of(*rows))
