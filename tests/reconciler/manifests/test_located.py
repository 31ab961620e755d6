from __future__ import annotations

import json
import time

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.manifests import text as text_module
from reconciler.manifests.located import path_text, read_bytes
from reconciler.manifests.scalars import resolve
from reconciler.manifests.text import source_line

KEYS = st.text(alphabet="abcdefgh", min_size=1, max_size=4)
CHARACTERS = st.characters(
    codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\ufeff\ufffe\uffff"
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet=CHARACTERS, max_size=12)
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, min_size=1, max_size=5)
STYLES = st.fixed_dictionaries(
    {"default_flow_style": st.sampled_from([None, True, False]), "indent": st.sampled_from([2, 4])}
)


def read(text: str | bytes):
    return read_bytes(text if isinstance(text, bytes) else text.encode(), "f.yaml")


def one(text: str):
    (document,) = read(text).documents
    return document


def codes(text: str) -> list[str]:
    file = read(text)
    return [p.code for p in file.problems] + [p.code for d in file.documents for p in d.problems]


@given(st.binary(max_size=400))
@example(b"\x00")
@example(b"--- !!binary |\n x\n")
@example(b"? [a]\n: *b")
@example(b"%TAG ! !\n---\n!x")
def test_whatever_the_bytes_are_reading_gives_documents_or_problems(data):
    check_sane(data)


MARKS = [*"[]{}\"'#\t\\%@~é\r\n\u2028\x00", ",", ": ", "? ", "- ", "|\n", ">-\n", "---\n", "...\n", "\r\n"]
WORDS = ["a", "b: ", "  ", "    ", "&x ", "*x", "!t ", "!!str ", "<<: ", "+14155550100", "0o7"]
YAMLISH = st.lists(st.sampled_from([*MARKS, *WORDS]), max_size=40)


@given(YAMLISH)
def test_whatever_the_text_is_reading_gives_documents_or_problems(parts):
    check_sane("".join(parts).encode())


def check_sane(data: bytes) -> None:
    file = read(data)
    lines = len(data.splitlines()) + 2
    for problem in [*file.problems, *(p for d in file.documents for p in d.problems)]:
        assert problem.what
        assert 0 <= problem.where.line <= lines
    for document in file.documents:
        assert document.complete or document.problems
        assert document.where(("no", 0, "such")).line >= document.line


@given(DOCUMENTS)
def test_json_is_read_as_it_says(data):
    assert one(json.dumps(data, ensure_ascii=False)).data == data


PLAIN_DOCUMENTS = DOCUMENTS.filter(lambda data: all(reads_alike(value) for _, value in leaves(data)))


def reads_alike(value) -> bool:
    """Whether a YAML 1.1 writer, which leaves `1e3` and `0o7` unquoted, writes what YAML 1.2 reads as the same."""
    return not isinstance(value, str) or isinstance(resolve(value), str)


@given(PLAIN_DOCUMENTS, STYLES)
def test_what_a_yaml_writer_writes_is_read_as_it_was(data, style):
    document = one(yaml.safe_dump(data, allow_unicode=True, **style))
    assert document.problems == ()
    assert document.data == data


def leaves(value, path=()):
    if isinstance(value, dict):
        for key, child in value.items():
            yield from leaves(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from leaves(child, (*path, index))
    else:
        yield path, value


@given(
    st.recursive(
        st.just("x"),
        lambda v: st.lists(v, min_size=1, max_size=3) | st.dictionaries(KEYS, v, min_size=1, max_size=3),
        max_leaves=15,
    ),
    STYLES,
    st.integers(0, 3),
)
def test_the_place_of_a_path_is_where_its_value_stands(shape, style, lines_above):
    numbered = iter(range(10_000))

    def name(value):
        if isinstance(value, dict):
            return {key: name(child) for key, child in value.items()}
        return [name(child) for child in value] if isinstance(value, list) else f"leaf{next(numbered)}é"

    data = {"root": name(shape)}
    text = "# comment\n" * lines_above + "---\n" + yaml.safe_dump(data, allow_unicode=True, **style)
    document = one(text)
    for path, value in leaves(data):
        where = document.where(path)
        assert source_line(text, where.line)[where.column - 1 :].startswith(value)
        assert document.source(path) == value
        if isinstance(path[-1], str):
            key = document.where(path, key=True)
            assert source_line(text, key.line)[key.column - 1 :].startswith(path[-1])


@given(st.lists(DOCUMENTS, min_size=1, max_size=4))
def test_documents_of_one_file_are_read_as_if_each_stood_alone(documents):
    texts = [yaml.safe_dump(document) for document in documents]
    joined = read("---\n".join(texts))
    assert [d.data for d in joined.documents] == [one(text).data for text in texts]
    assert [d.index for d in joined.documents] == list(range(len(texts)))


def test_a_broken_document_does_not_hide_the_others():
    file = read("a: 1\n---\nb: [1\n---\nc: 1\nc: 2\n---\nd: 4\n")
    assert [d.data for d in file.documents] == [{"a": 1}, {"b": [1]}, {"c": 2}, {"d": 4}]
    assert [d.complete for d in file.documents] == [True, False, True, True]
    assert [[p.code for p in d.problems] for d in file.documents] == [[], ["syntax"], ["duplicate-key"], []]


def test_what_stands_before_a_syntax_error_stays_readable():
    document = one("kind: Trunk\nmetadata: {name: a}\nspec:\n  inbound:\n    x: 'open\n")
    assert document.data == {"kind": "Trunk", "metadata": {"name": "a"}, "spec": {"inbound": {}}}
    assert not document.complete


def test_empty_documents_and_comments_are_no_documents():
    assert read("# nothing\n---\n---\n# still nothing\n...\n").documents == ()
    assert read("").documents == ()


def test_a_duplicate_key_names_both_places():
    (problem,) = one("---\na: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n").problems
    assert (problem.where.line, problem.where.column, problem.where.path) == (6, 3, "b.c")
    assert "first at f.yaml:4:3" in problem.what


def test_an_unquoted_number_is_kept_as_written_and_complained_about_once():
    document = one("spec:\n  numbers: ['+1', +14155550100]\n")
    assert document.data["spec"]["numbers"][1] == "+14155550100"
    (problem,) = document.problems
    assert (problem.where.line, problem.where.column, problem.where.path) == (2, 19, "spec.numbers[1]")
    assert problem.hint == 'quote it: "+14155550100"'


def test_a_complaint_never_repeats_a_secret():
    for text in ("password: +14155550100", "pin: *4711x", "password: !hunter2x", "passwordFrom: {4711: 4712}"):
        words = " ".join(str(p) for p in one(text).problems)
        assert words
        assert not any(secret in words for secret in ("4155", "4711", "hunter"))


def test_the_source_of_a_value_is_what_was_written():
    document = one("a: 0123\nb: [0o17, ~]\n")
    assert document.data == {"a": 123, "b": [15, None]}
    assert [document.source(path) for path in (("a",), ("b", 0), ("b", 1), ("b",))] == ["0123", "0o17", "~", None]


def test_the_place_of_what_is_missing_is_what_should_hold_it():
    document = one("a: 1\nspec:\n  inbound: {}\n")
    where = document.where(("spec", "outbound", "addresses", 0))
    assert (where.line, where.column, where.path) == (2, 1, "spec.outbound.addresses[0]")


def test_an_alias_is_a_copy_of_its_anchor():
    document = one("a: &x {b: [1, '2']}\nc: *x\nd: &s text\ne: *s\n")
    assert document.data["c"] == document.data["a"] == {"b": [1, "2"]}
    assert document.data["c"] is not document.data["a"]
    assert document.data["e"] == "text"
    assert document.where(("c", "b", 0)).line == 2


def test_many_small_alias_bombs_make_no_more_values_than_the_file_has_characters():
    levels = [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 5)]
    bomb = "\n".join([f"a0: &a0 [{'x,' * 10}]", *levels])
    file = read_bytes("\n---\n".join([bomb] * 200).encode(), "m.yaml")
    assert {problem.code for document in file.documents for problem in document.problems} == {"too-many-values"}
    assert sum(_values(document.data) for document in file.documents) <= 3 * len(file.text)


def _values(data) -> int:
    inner = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return 1 + sum(map(_values, inner))


def test_aliases_that_people_write_are_within_that():
    networks = ", ".join(f"203.0.113.{n}/32" for n in range(100))
    text = f"a: &a [{networks}]\n" + "".join(f"b{n}: *a\n" for n in range(15))
    assert codes(text) == []


def test_an_alias_bomb_is_cut_short():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    began = time.process_time()
    assert codes("\n".join(lines)) == ["too-many-values"]
    assert time.process_time() - began < 2


def test_a_bomb_of_one_long_string_is_cut_short():
    text = f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 1000)}]\n"
    assert codes(text) == ["too-many-values"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[" * 100_000, "too-deep"),
        ("- " * 100_000, "too-deep"),
        ("{a: " * 100_000, "too-deep"),
        ("? " * 100_000, "key-not-a-string"),
        ("[" + "0," * 200_000 + "]", "too-many-values"),
        ("a" * (1024 * 1024 + 1), "document-too-large"),
        ("a: &x [*x]", "alias-loop"),
        ("a: *x", "unknown-alias"),
        ("a: &x 1\n*x : 2", "key-not-a-string"),
        ("1: a", "key-not-a-string"),
        ("~: a", "key-not-a-string"),
        ("[a]: b", "key-not-a-string"),
        ("a: {{ b }}", "key-not-a-string"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", "merge-key"),
        ("a: !foo b", "tag"),
        ("a: !!binary b", "tag"),
        ("a:\n\tb: 1", "tab"),
        ("a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> x\n", "merge-conflict"),
    ],
)  # fmt: skip
def test_what_manifests_may_not_hold_is_said_by_its_name(text, code):
    assert codes(text) == [code]


def test_explicit_strings_are_strings():
    assert one("a: !!str 1\nb: ! c\nc: '1'\nd: \"no\"\n").data == {"a": "1", "b": "c", "c": "1", "d": "no"}


def test_more_documents_in_a_file_than_the_bound_are_not_read(monkeypatch):
    monkeypatch.setattr(text_module, "DOCUMENTS_PER_FILE_MAX", 3)
    assert codes("---\n" * 2 + "a: 1") == []
    assert codes("---\n" * 4 + "a: 1") == ["file-too-large"]


def test_a_thousand_mistakes_in_one_document_are_bounded():
    assert len(codes("\n".join(f"a{i}: +14155550100" for i in range(1000)))) < 110


def test_documents_read_before_are_taken_over_by_their_text():
    before = read("a: 1\n---\nb: 2\n---\nc: +14155550100\n")
    known = {document.text: document for document in before.documents}
    after = read_bytes(b"a: 9\n---\nnew: 0\n---\nb: 2\n---\nc: +14155550100\n", "f.yaml", known)
    fresh = read("a: 9\n---\nnew: 0\n---\nb: 2\n---\nc: +14155550100\n")
    assert after == fresh
    assert after.documents[2].data is before.documents[1].data


def test_paths_are_written_as_people_write_them():
    assert path_text(("spec", "inbound", "allowedAddresses", 0, "x")) == "spec.inbound.allowedAddresses[0].x"
