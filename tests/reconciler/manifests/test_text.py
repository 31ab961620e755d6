from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifests import text as module
from reconciler.manifests.text import Unreadable, decode, position, source_line, split


def test_a_byte_order_mark_in_front_is_no_part_of_the_text():
    assert decode(b"\xef\xbb\xbfa: 1\n") == "a: 1\n"


@pytest.mark.parametrize(
    ("data", "code", "line", "column"),
    [
        (b"a: 1\nb: \xff\n", "not-utf-8", 2, 4),
        ("ä: \x07".encode(), "control-character", 1, 4),
        (b"a\r\nb\x00", "control-character", 2, 2),
        ("a: 1\n\ufeffb: 2".encode(), "control-character", 2, 1),
        ("a: x\u2028y".encode(), "control-character", 1, 5),
        ("a: 1".encode("utf-16"), "not-utf-8", 1, 1),
        (b"\xed\xa0\x80", "not-utf-8", 1, 1),
    ],
)
def test_bytes_that_are_no_text_have_a_place(data, code, line, column):
    verdict = decode(data)
    assert isinstance(verdict, Unreadable)
    assert (verdict.code, verdict.line, verdict.column) == (code, line, column)
    assert verdict.hint


def test_a_file_larger_than_the_bound_is_not_looked_at(monkeypatch):
    monkeypatch.setattr(module, "FILE_BYTES_MAX", 10)
    assert decode(b"a" * 10) == "a" * 10
    assert isinstance(decode(b"a" * 11), Unreadable)


def test_old_mac_line_ends_are_line_ends():
    assert decode(b"a: 1\rb: 2\r\n") == "a: 1\nb: 2\r\n"


def pieces(text):
    return [(piece.text, piece.line, piece.value_line) for piece in split(text)]


def test_documents_are_cut_at_their_markers():
    assert pieces("a: 1\n---\nb: 2\n--- {c: 3}\n") == [
        ("a: 1\n", 1, 1),
        ("---\nb: 2\n", 2, 3),
        ("--- {c: 3}\n", 4, 4),
    ]


def test_dashes_that_do_not_stand_alone_at_the_line_start_do_not_cut():
    text = "a: |\n  ---\n  x\nb: ----\n ---\n---x\n"
    assert pieces(text) == [(text, 1, 1)]


def test_comments_in_front_stay_with_the_document_and_do_not_count_as_one():
    assert pieces("# licence\n\n---\n# about a\na: 1\n") == [("# licence\n\n---\n# about a\na: 1\n", 1, 5)]


def test_a_directive_stays_with_its_document_behind_an_end_marker():
    assert pieces("a: 1\n...\n%YAML 1.2\n---\nb: 2\n") == [
        ("a: 1\n...\n", 1, 1),
        ("%YAML 1.2\n---\nb: 2\n", 3, 5),
    ]


@given(st.lists(st.sampled_from(["---\n", "...\n", "a: 1\n", "# c\n", "\n", "--- x\r\n", " ---\n", "%TAG\n", "---"])))
def test_every_piece_begins_on_the_line_it_says(parts):
    text = "".join(parts)
    for piece in split(text):
        start = sum(len(line) for line in text.splitlines(keepends=True)[: piece.line - 1])
        assert text[start:].startswith(piece.text)
        assert piece.line <= piece.value_line


@given(st.text(alphabet="a\r\nä", max_size=30))
def test_a_position_is_where_the_line_says(text):
    line, column = position(text)
    assert source_line(text + "X", line)[column - 1 :] == "X"


def test_a_line_that_does_not_exist_is_empty():
    assert source_line("a\nb", 0) == source_line("a\nb", 3) == ""
