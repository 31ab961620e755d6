"""What several fields are made of: quoted strings, parameters, lists. What is written is read as the same."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from runtime.sip.fields import parse_addresses, parse_vias
from runtime.sip.grammar import (
    QUOTED,
    QUOTED_CHARS_MAX,
    parse_params,
    quotable,
    quote,
    split_commas,
    unquote,
    write_params,
)
from runtime.sip.message import Headers
from tests.runtime.sip.strategies import name_addrs, params, quotable_text, vias


@given(st.text())
def test_whatever_a_stranger_wrote_stands_between_quotes_as_it_is(words: str) -> None:
    cut = quotable(words)
    assert unquote(f'"{cut}"') == cut
    assert re.fullmatch(r"[ !#-\[\]-~]*", cut)
    assert len(cut) == min(len(words), QUOTED_CHARS_MAX)


@given(quotable_text)
def test_a_quoted_text_reads_as_the_same_text(text):
    quoted = quote(text)
    assert re.fullmatch(QUOTED, quoted)
    assert unquote(quoted) == text


@given(params())
def test_written_parameters_parse_to_the_same_values(given_params):
    assert parse_params(write_params(given_params)) == given_params


@given(st.lists(quotable_text.map(quote) | st.just("<sip:a,b@c>") | st.just("x"), min_size=1, max_size=6))
def test_a_list_is_split_at_the_commas_between_its_elements(parts):
    assert split_commas(", ".join(parts)) == parts


@given(st.lists(vias, min_size=1, max_size=5), st.integers(0, 5))
def test_vias_are_the_same_in_one_line_or_many(chain, cut):
    lines = [chain[:cut], chain[cut:]]
    assert parse_vias(Headers([("Via", ", ".join(map(str, line))) for line in lines if line])) == chain


@given(st.lists(name_addrs, min_size=1, max_size=5))
def test_a_written_route_parses_to_the_same_addresses(route):
    assert parse_addresses(Headers([("Route", ", ".join(map(str, route)))]), "Route") == route
