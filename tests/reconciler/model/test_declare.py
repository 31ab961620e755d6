"""Rows as documents: reading what was written gives the row again, and no default is written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.compile import number_row, rule_row, trunk_row
from reconciler.model.declare import document_of
from reconciler.model.references import Resolution
from schemas.resources.check import check
from schemas.resources.dispatch_rule import DispatchRule
from schemas.resources.documents import Document
from schemas.resources.phone_number import PhoneNumber
from schemas.resources.trunk import Trunk
from schemas.tables.rows import Row, RuleRow
from tests.reconciler import declaring
from tests.schemas.resources import given as documents


def read(data: dict[str, Any]) -> Document:
    document, complaints = check(data)
    assert document is not None, complaints
    return document


def row_of(document: Document) -> Row | None:
    """The row, with references by name alone."""
    home = document.metadata.namespace
    if isinstance(document, Trunk):
        return trunk_row(document, 0)
    if isinstance(document, DispatchRule):
        refs = document.spec.trunk_refs
        trunks = tuple(f"{ref.namespace or home}/{ref.name}" for ref in refs) if refs is not None else None
        return rule_row(document, Resolution(trunks), 0)
    assert isinstance(document, PhoneNumber)
    trunk, rule = document.spec.trunk_ref, document.spec.dispatch_rule_ref
    named = (f"{trunk.namespace or home}/{trunk.name}",) if trunk is not None else None
    return number_row(document, Resolution(named, f"{home}/{rule.name}" if rule is not None else ""), 0)


def assert_returns(data: dict[str, Any]) -> None:
    row = row_of(read(data))
    assert row is not None
    written = document_of(row)
    assert row_of(read(written)) == row
    assert document_of(row) == written


@pytest.mark.parametrize("index", range(3))
def test_a_document_with_every_field_comes_back(index: int) -> None:
    assert_returns(documents.everything()[index])


valid = st.one_of(declaring.any_document).filter(lambda data: check(data)[0] is not None)


@given(valid)
def test_the_row_of_the_document_of_a_row_is_the_row(data: dict[str, Any]) -> None:
    assert_returns(data)


@given(valid)
def test_no_default_is_written(data: dict[str, Any]) -> None:
    row = row_of(read(data))
    assert row is not None
    written = read(document_of(row))

    def unsaid(part: Any) -> list[str]:
        fields = type(part).model_fields
        return [
            name
            for name in part.model_fields_set
            if not fields[name].is_required() and getattr(part, name) == fields[name].default
        ]

    assert unsaid(written.spec) == []
    for half in (getattr(written.spec, "inbound", None), getattr(written.spec, "outbound", None)):
        assert half is None or unsaid(half) == []


def test_a_rule_of_no_trunk_has_no_document() -> None:
    row = row_of(read(declaring.rule()))
    assert isinstance(row, RuleRow)
    with pytest.raises(AssertionError):
        document_of(replace(row, trunks=()))
