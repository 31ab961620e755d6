"""The profiles that are shipped: each reads, says where its facts are from, and has a word for every one."""

from __future__ import annotations

import datetime as dt
from typing import get_args

import pytest
from pydantic import ValidationError

from schemas.providers.profiles import NAMES, Fact, Facts, profile
from schemas.resources.media import CODECS
from schemas.resources.trunk import Provider


def test_a_trunk_may_name_each_provider_and_one_that_is_none_of_them() -> None:
    assert {*get_args(Provider)} == {*NAMES, "generic"}
    assert profile("generic") is None
    assert profile("../secret") is None


@pytest.mark.parametrize("name", NAMES)
def test_each_fact_has_its_public_source_and_a_date_or_is_unverified(name: str) -> None:
    known = profile(name)
    assert known is not None
    facts = {field: getattr(known.facts, field) for field in Facts.model_fields}
    for field, fact in facts.items():
        verified = fact.status == "verified"
        assert (fact.source is not None, fact.date is not None) == (verified, verified), field
        assert fact.known == (fact.value if verified else None)
        if verified:
            assert fact.source.startswith("https://"), field
            assert dt.date(2016, 1, 1) < fact.date <= dt.date(2026, 11, 27), field
    assert any(fact.status == "verified" for fact in facts.values())
    assert {codec for codec in known.facts.codecs.value if codec in CODECS}


def test_every_fact_has_a_word_for_people() -> None:
    assert all(info.description for info in Facts.model_fields.values())


@pytest.mark.parametrize(
    "data",
    [
        {"value": 1, "status": "verified"},
        {"value": 1, "status": "verified", "source": "https://example.com"},
        {"value": 1, "status": "verified", "source": "no url", "date": "2026-01-01"},
        {"value": 1, "status": "unverified", "source": "https://example.com", "date": "2026-01-01"},
        {"value": 1, "status": "unverified", "sauce": ""},
        {"value": 1, "status": "maybe"},
    ],
)
def test_a_fact_without_its_source_is_no_fact(data: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Fact[int].model_validate(data)
