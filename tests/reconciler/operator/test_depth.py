"""What an object nests too deeply hurts itself, and no list that it stands in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.operator.depth import DEPTH_MAX, _cut_text, cut, read_json
from tests.reconciler.declaring import trunk
from tests.reconciler.operator.test_gathered import body, gathered

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('[]{}"\\x', max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('[]{}"\\x', max_size=4), inner, max_size=3),
)


def nested(depth: int, within: Any = 1) -> Any:
    for _ in range(depth):
        within = [within]
    return within


@pytest.mark.parametrize("deep", ["[" * 9_000 + "]" * 9_000, '{"a":' * 9_000 + "1" + "}" * 9_000])
def test_a_list_is_read_whatever_one_of_its_objects_holds(deep: str) -> None:
    found = read_json('{"items": [{"spec": ' + deep + '}, {"spec": {"a]": "\\"}"}}], "last": 2}')
    assert found["items"][1] == {"spec": {"a]": '"}'}}
    assert found["last"] == 2


@given(VALUES, st.integers(0, 2 * DEPTH_MAX))
def test_text_is_cut_as_values_are_and_only_where_it_is_too_deep(value: Any, around: int) -> None:
    whole = nested(around, value)
    assert json.loads(_cut_text(json.dumps(whole))) == cut(whole)
    if around < DEPTH_MAX // 2:
        assert cut(whole) == whole


@pytest.mark.parametrize("depth", [500, 900, 950, 980])
def test_an_object_that_is_just_read_is_invalid_and_nothing_worse(depth: int) -> None:
    for version in (1, 2):
        known = gathered(body(trunk(allowedNamespaces=nested(depth)), version))
    (seen,) = known
    assert seen.source.document is None
    assert seen.source.problems
    assert not known.put(body(trunk(allowedNamespaces=nested(depth)), 3))
