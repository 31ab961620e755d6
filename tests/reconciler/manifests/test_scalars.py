from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifests.scalars import is_unquoted_phone, resolve


@pytest.mark.parametrize("word", ["no", "No", "yes", "on", "off", "y", "n", "nope", "truee", "Nul", "fALSE"])
def test_words_of_yaml_1_1_are_strings(word):
    assert resolve(word) == word


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("NULL", None), ("true", True), ("False", False),
        ("12", 12), ("-12", -12), ("+12", 12), ("0123", 123), ("0o17", 15), ("0x1F", 31), ("1.5", 1.5), (".5", 0.5),
        ("1e3", 1000.0), ("1.", 1.0), ("-.inf", -math.inf), (".Inf", math.inf),
    ],
)  # fmt: skip
def test_the_core_schema_gives_types(text, value):
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


@pytest.mark.parametrize(
    "text", ["12:30", "2026-01-01", "1_000", "0b11", "-0o7", "+1 415", "1415*", "-", "+", ".", "30s"]
)
def test_what_is_not_quite_a_number_is_a_string(text):
    assert resolve(text) == text


def test_not_a_number_is_a_float():
    assert math.isnan(resolve(".nan"))


def test_a_number_of_a_million_digits_is_not_computed():
    assert resolve("9" * 1_000_000) == "9" * 1_000_000


@pytest.mark.parametrize(
    ("text", "phone"), [("+14155550100", True), ("+112", True), ("+5", False), ("14155550100", False)]
)
def test_a_plus_and_digits_is_meant_as_a_phone_number(text, phone):
    assert is_unquoted_phone(text) is phone


@given(st.text(max_size=80))
def test_any_text_resolves_to_a_scalar(text):
    value = resolve(text)
    assert value is None or isinstance(value, str | int | float)
    if isinstance(value, str):
        assert value == text
