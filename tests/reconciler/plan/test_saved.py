from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.plan.changes import diff
from reconciler.plan.gates import Allowances
from reconciler.plan.saved import Order, SavedPlanError, check, decode, encode, saved
from schemas.seal import KEY_BYTES
from schemas.tables.rows import NumberRow, Rows, RuleRow, TrunkRow
from tests.any_rows import any_row

KEY = b"k" * KEY_BYTES
keys = st.sampled_from([None, KEY])


def rows(given_rows):
    made = Rows()
    homes = {TrunkRow: made.trunks, RuleRow: made.rules, NumberRow: made.numbers}
    for row in given_rows:
        homes[type(row)][row.id] = row
    return made


def plan_file(plan, key, allowed=Allowances()):  # noqa: B008
    order = Order("me", "m", allowed, adopt=("ST_a=default/carrier",), take_over="them")
    return saved(plan, order, revision=3, digest="d", key=key)


@settings(max_examples=60, deadline=None)
@given(st.lists(any_row(), max_size=3), st.lists(any_row(), max_size=3), keys)
def test_a_plan_comes_back_from_its_file_and_is_what_it_was(before, after, key):
    plan = diff(rows(before), rows(after))
    file = plan_file(plan, key, Allowances(2, frozenset({"a", "b"})))
    again = decode(encode(file, key), key)
    assert again == file
    check(again, plan, "d", key)


@settings(max_examples=60, deadline=None)
@given(st.lists(any_row(), max_size=2), st.lists(any_row(), max_size=2))
def test_another_plan_is_refused_unless_only_claims_are_of_another_age(one, other):
    file, now = plan_file(diff(Rows(), rows(one)), None), diff(Rows(), rows(other))
    bare = plan_file(now, None).changes
    if bare == file.changes:
        check(file, now, "d", None)
    else:
        with pytest.raises(SavedPlanError):
            check(file, now, "d", None)


def test_every_byte_of_a_signed_file_counts():
    data = encode(plan_file(diff(Rows(), rows([NumberRow("default/n", "+1")])), KEY), KEY)
    for place in range(len(data) - 2):
        if data[place : place + 1].isalnum():
            edited = data[:place] + (b"7" if data[place : place + 1] != b"7" else b"8") + data[place + 1 :]
            with pytest.raises(SavedPlanError):
                decode(edited, KEY)
