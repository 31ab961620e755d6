"""Documents as YAML: read again they are the same, for our reader and for others, and they are pleasant to read."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.manifests.reading import read_file
from reconciler.manifests.yaml_text import MODELINE, Remarked, yaml_text
from tests.reconciler import declaring
from tests.schemas.resources import given as documents

_OLDER = ("no", "On", "y", "~", "null", "1e3", "0o17", "0x1f", "012", "12:30", "2026-01-01", ".5", "1_000", "=", "<<")
_SIGNS = ("+1415", "[a", "{a}", "*a", "&a", "!a", "%a", "@a", "`a", "'", '"', "...", ":", "a:", "?", "-", "|", ">")
_WORDS = (*_OLDER, *_SIGNS, "::/0", "2001:db8::/32", "a:1", "\U0001f600")
_LINES = (
    "a: b",
    "- a",
    "# a",
    "a #b",
    " a ",
    "",
    "a\nb",
    "a\n\nb\n\n",
    " a\nb\n",
    "a \nb\n",
    "a\rb",
    "a\tb\n",
    "---\na\n",
)
_words = st.sampled_from([*_WORDS, *_LINES, "\x85", "\u2028", "\ufeff"])
_texts = st.one_of(_words, st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200))


def read(text: str) -> list[Any]:
    return [entry.located.data for entry in read_file(text.encode(), "a.yaml").entries]


def with_text(text: str) -> dict[str, Any]:
    return declaring.rule(
        metadata=text, attributes={"a": text}, room={"agents": [{"agentName": "a", "metadata": text}]}
    )


@given(_texts)
@example("+14155550100")
def test_any_text_comes_back(text: str) -> None:
    data = with_text(text)
    assert read(yaml_text([Remarked(data)])) == [data]


@given(_words)
def test_a_reader_of_older_yaml_finds_the_same(text: str) -> None:
    data = with_text(text)
    assert yaml.safe_load(yaml_text([Remarked(data)])) == data


@given(st.lists(declaring.any_document, max_size=3), st.text(max_size=20))
def test_documents_come_back_in_order_whatever_stands_above_them(data: list[Any], remark: str) -> None:
    text = yaml_text([Remarked(one, remark) for one in data])
    assert text.startswith(MODELINE)
    assert read(text) == data


@pytest.mark.parametrize("index", range(5))
def test_a_document_with_every_field_comes_back(index: int) -> None:
    data = documents.everything()[index]
    assert read(yaml_text([Remarked(data)])) == [data]


def test_it_reads_as_a_person_would_write_it() -> None:
    trunk = declaring.trunk(
        inbound={"allowedAddresses": ["54.172.60.0/30"], "calledNumbers": "declared"}, metadata="no"
    )
    number = declaring.number(trunkRef={"name": "carrier"})
    assert yaml_text([Remarked(trunk, 'ST_a "Our carrier"'), Remarked(number)]) == (
        """\
# yaml-language-server: $schema=dialplane.json
# ST_a "Our carrier"
apiVersion: dialplane.dev/v1alpha1
kind: Trunk
metadata: {name: carrier}
spec:
  inbound:
    allowedAddresses: [54.172.60.0/30]
    calledNumbers: declared
  metadata: "no"
---
apiVersion: dialplane.dev/v1alpha1
kind: PhoneNumber
metadata: {name: main}
spec:
  number: "+14155550100"
  trunkRef: {name: carrier}
"""
    )
