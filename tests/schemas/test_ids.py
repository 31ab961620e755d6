"""Names, numbers and derived ids."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import (
    ID_ALPHABET,
    derived_id,
    is_e164,
    is_name,
    is_namespace,
    normalise_number,
    normalise_pattern,
    random_id,
    random_suffix,
)


@pytest.mark.parametrize(
    "text", ["19793169351", "+19793169351", "+1 979-316-9351", "+1 (979) 3169351", " 1979 3169351"]
)
def test_one_number_has_one_form(text):
    assert normalise_number(text) == "+19793169351"


@pytest.mark.parametrize("text", ["", "alice", "1979.316", "*72", "+", "-- ()", "++1", "1+2", "+1415*", "٣٣"])
def test_what_is_no_number_stays_untouched(text):
    assert normalise_number(text) == text


def test_no_dial_plan_is_applied():
    assert normalise_number("0044 20") == "+004420" != normalise_number("+44 20")


@given(st.text(alphabet="+0123456789 -()a*", max_size=20))
def test_normalising_twice_is_normalising_once(text):
    once = normalise_number(text)
    assert normalise_number(once) == once
    assert once == text or re.fullmatch(r"\+[0-9]+", once)


@pytest.mark.parametrize(
    ("text", "pattern"), [("+1 415*", "+1415*"), ("1415*", "+1415*"), ("*", "*"), ("+*", "+*"), ("1 (415)", "+1415")]
)
def test_patterns_have_one_form(text, pattern):
    assert normalise_pattern(text) == pattern


@pytest.mark.parametrize(
    ("text", "good"),
    [("+14155550100", True), ("+49", True), ("+1", False), ("+049", False), ("14155550100", False), ("+1" * 9, False)],
)
def test_e164_is_plus_and_up_to_fifteen_digits(text, good):
    assert is_e164(text) is good
    assert is_e164("+" + "1" * 15)
    assert not is_e164("+" + "1" * 16)


def test_names_are_dns_subdomains_and_namespaces_are_labels():
    assert all(map(is_name, ["a", "a-b", "a.b-c.d", "9", "x" * 253]))
    assert not any(map(is_name, ["", "A", "-a", "a-", "a..b", "a_b", "x" * 254, "a\n"]))
    assert all(map(is_namespace, ["default", "a-1", "x" * 63]))
    assert not any(map(is_namespace, ["", "a.b", "x" * 64, "-a", "A"]))


def test_a_derived_id_is_livekits_shape_and_always_the_same():
    made = derived_id("ST", "default", "twilio-us")
    assert made == derived_id("ST", "default", "twilio-us")
    assert re.fullmatch(rf"ST_[{ID_ALPHABET}]{{12}}", made)


@given(
    st.lists(
        st.tuples(st.sampled_from(["ST", "SDR"]), st.text("ab", min_size=1), st.text("ab", min_size=1)), unique=True
    )
)
def test_different_objects_have_different_ids(objects):
    made = {derived_id(prefix, namespace, name) for prefix, namespace, name in objects}
    assert len(made) == len(objects)


@given(st.binary(min_size=12, max_size=20))
def test_random_ids_come_from_the_entropy_alone(entropy):
    assert random_id("SCL", entropy) == f"SCL_{random_suffix(entropy)}"
    assert re.fullmatch(rf"[{ID_ALPHABET}]{{12}}", random_suffix(entropy))


def test_the_alphabet_has_no_look_alikes():
    assert len(ID_ALPHABET) == len(set(ID_ALPHABET))
    assert not set(ID_ALPHABET) & set("01OIl")
