from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifests.reading import read_file
from schemas.problems import Severity
from schemas.resources import effect
from schemas.resources.routing_test import RoutingTest
from schemas.tables.rows import Kind
from tests.reconciler.manifests.writing import number


@pytest.fixture
def without_effect(monkeypatch):
    """Every field has an effect now, so that one is taken out."""
    monkeypatch.setitem(effect.NOT_YET, "DispatchRule", {"spec.noiseCancellation": "it is not looked at"})
    effect._field_steps.cache_clear()
    yield
    effect._field_steps.cache_clear()


def cleaned(name: str) -> str:
    """A rule with the field that has no effect, in its sixth line."""
    return (
        "apiVersion: dialplane.dev/v1alpha1\nkind: DispatchRule\n"
        f"metadata: {{name: {name}}}\nspec:\n  rule: {{direct: {{room: lobby}}}}\n  noiseCancellation: true\n"
    )


def read(text: str, before=None):
    return read_file(text.encode(), "f.yaml", before)


def codes(text: str) -> list[str]:
    return [f"{p.where.line}:{p.where.column} {p.code}" for p in read(text).problems]


def test_a_good_document_is_a_source_with_its_key_and_place():
    reading = read("# mine\n---\n" + number("a"))
    (source,) = reading.sources.sources
    assert source.key == (Kind.NUMBER, "default/a")
    assert source.document.spec.number == "+14155550100"
    assert str(source.place) == "f.yaml:3:1"
    assert str(source.where(("spec", "number"))) == "f.yaml:7:11"
    assert reading.sources.whole
    assert reading.problems == []


def test_all_complaints_of_a_document_come_at_once_each_at_its_place():
    text = number("a", trunk_ref="{name: t}", direction="in").replace('"+14155550100"', "+14155550100")
    assert codes(text) == ["5:11 unquoted-number", "8:14 bad-choice", "7:3 unknown-field"]


def test_a_broken_document_stays_a_source_with_what_is_readable():
    (source,) = read(number("a", trunkRef="{name: t}", colour="red")).sources.sources
    assert source.document is None
    assert source.key == (Kind.NUMBER, "default/a")
    assert source.written("spec", "trunkRef", "name") == "t"
    assert {p.object_id for p in source.problems} == {"PhoneNumber/default/a"}


def test_a_syntax_error_leaves_the_name_readable_and_the_file_not_whole():
    reading = read(number("a") + "  x: 'open\n---\n" + number("b"))
    broken, good = reading.sources.sources
    assert (broken.key, broken.document) == ((Kind.NUMBER, "default/a"), None)
    assert good.document is not None
    assert not reading.sources.whole


def test_a_schema_error_leaves_the_file_whole():
    assert read(number("a", colour="red")).sources.whole


def test_a_file_that_is_no_text_is_not_whole():
    reading = read_file(b"\xff", "f.yaml")
    assert not reading.sources.whole
    assert [p.code for p in reading.problems] == ["not-utf-8"]


@pytest.mark.parametrize("version", ["apps/v1", "v1", "kustomize.config.k8s.io/v1beta1", "example.com/v1alpha1"])
def test_documents_of_other_groups_are_noted_and_left_alone(version):
    reading = read(f"apiVersion: {version}\nkind: Deployment\nmetadata: {{name: x}}\n")
    assert reading.sources.sources == ()
    (note,) = reading.notes
    assert note.severity is Severity.WARNING
    assert version in note.what


@pytest.mark.parametrize("version", ["dialplan.dev/v1alpha1", "Dialplane.dev/v1alpha1", "dialplane.dev/v1", "v1alpha1"])
def test_a_misspelt_api_version_of_ours_is_an_error(version):
    assert codes(number("a").replace("dialplane.dev/v1alpha1", version)) == ["1:13 bad-api-version"]


def test_an_unknown_kind_of_ours_is_an_error():
    assert codes("apiVersion: dialplane.dev/v1alpha1\nkind: PhoneNumbr\n") == ["2:7 unknown-kind"]


@pytest.mark.parametrize("kind", ["{a: b}", "[Trunk]", "", "5"])
@pytest.mark.parametrize("version", ["v1", "dialplane.dev/v1alpha1", "{a: b}", "5"])
def test_a_kind_or_version_that_is_no_text_never_stops_the_reading(kind, version):
    reading = read(f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: [x]}}\n---\n" + number("a"))
    assert reading.sources.sources[-1].document is not None


@pytest.mark.parametrize("text", ["just text", "- a\n- b\n", "5"])
def test_a_document_that_is_no_map_is_an_error(text):
    assert codes(text) == ["1:1 wrong-type"]


def test_a_list_of_our_documents_is_an_error_that_says_what_to_do():
    text = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: dialplane.dev/v1alpha1, kind: Trunk}\n"
    (problem,) = read(text).problems
    assert problem.code == "list"
    assert "---" in problem.hint


def test_a_value_that_lost_its_type_is_shown_as_it_was_written():
    text = number("a").replace("name: a", "name: 0123")
    (problem,) = read(text).problems
    assert problem.hint == 'quote it: "0123"'


def test_a_complaint_about_a_secret_does_not_repeat_it():
    trunk = (
        "apiVersion: dialplane.dev/v1alpha1\nkind: Trunk\nmetadata: {name: t}\nspec:\n  inbound:\n"
        "    allowedAddresses: [10.0.0.1]\n    auth: {username: u, passwordFrom: SECRET}\n"
    )
    for secret in ("hunter2", "4711", "+4711222", "*hunter2", "{hunter2}", "{hunter2: 4711}", "{env: 4711}", "[4711]"):
        problems = read(trunk.replace("SECRET", secret)).problems
        assert problems
        words = " ".join(f"{p} {p.where.path}" for p in problems)
        assert "hunter2" not in words
        assert "4711" not in words


@pytest.mark.parametrize(
    "text",
    [
        number('"a\\e[2Jb"'),
        number("a", namespace='"x\\tb"'),
        number("a", **{'"col\\e[31mour"': "red"}),
        number("a").replace("spec:", 'metadata2: {"\\e]0;x": {"\\a": 1}}\nspec:'),
        'apiVersion: "x\\ey/v1"\nkind: Trunk\n',
    ],
)
def test_nothing_that_a_file_says_can_steer_a_terminal(text):
    reading = read(text)
    told = [*reading.problems, *reading.notes]
    assert told
    assert all((str(problem) + problem.object_id).isprintable() for problem in told)


def test_the_lines_of_a_long_file_are_found_at_once():
    documents = 20_000
    reading = read("kind: Nothing\n---\n" * documents)
    began = time.process_time()
    lines = {reading.line(problem.where.line) for problem in reading.problems}
    assert lines == {"kind: Nothing"}
    assert time.process_time() - began < 1.0, "a search through all documents for each would take many"


@pytest.mark.usefixtures("without_effect")
def test_a_field_without_effect_is_a_warning_at_its_key():
    reading = read(cleaned("a"))
    assert [(p.code, p.severity, p.where.line) for p in reading.problems] == [("not-in-effect", Severity.WARNING, 6)]
    assert reading.sources.sources[0].document is not None


def test_a_routing_test_is_a_source_without_a_key():
    text = "apiVersion: dialplane.dev/v1alpha1\nkind: RoutingTest\nmetadata: {name: t}\nspec: {}\n"
    (source,) = read(text).sources.sources
    assert source.key is None
    assert source.document is None or isinstance(source.document, RoutingTest)


def test_unchanged_documents_of_a_changed_file_stay_the_same_sources():
    before = read(number("a") + "---\n" + number("b") + "---\n" + number("c", colour="red"))
    after = read(
        number("a") + "---\n" + number("b", trunkRef="{name: t}") + "---\n" + number("c", colour="red"), before
    )
    old, new = before.sources.sources, after.sources.sources
    assert new[0] is old[0]
    assert new[1] is not old[1]
    assert [str(p.where) for p in new[2].problems] == ["f.yaml:22:3"]


def test_a_document_that_only_moved_keeps_its_value_at_its_new_place():
    before = read("---\n" + number("a"))
    after = read("# one\n# two\n---\nx\n---\n" + number("a"), before)
    assert after.sources.sources[1].document is before.sources.sources[0].document
    assert str(after.sources.sources[1].place) == "f.yaml:6:1"
    assert str(after.sources.sources[1].where(("kind",))) == "f.yaml:7:7"


@pytest.mark.usefixtures("without_effect")
def test_a_document_that_moved_keeps_its_warnings_at_their_new_place():
    text = cleaned("a")
    after = read("# above\n---\n" + text, read("---\n" + text))
    assert [(p.code, p.where.line) for p in after.problems] == [("not-in-effect", 8)]


FRAGMENTS = [
    cleaned("w"),
    number("a"),
    number("b"),
    number("a", colour="red"),
    "x: [\n",
    "# c\n",
    "kind: Trunk\n",
    "apiVersion: v1\n",
]


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=5), st.lists(st.sampled_from(FRAGMENTS), max_size=5))
def test_reading_after_another_version_gives_what_reading_afresh_gives(first, second):
    fresh, after = read("---\n".join(second)), read("---\n".join(second), read("---\n".join(first)))
    assert after.problems == fresh.problems
    for mine, theirs in zip(after.sources.sources, fresh.sources.sources, strict=True):
        assert (mine.key, mine.document, mine.data, mine.place) == (
            theirs.key,
            theirs.document,
            theirs.data,
            theirs.place,
        )
        assert mine.where(("metadata", "name")) == theirs.where(("metadata", "name"))


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=6))
def test_a_line_is_what_stands_in_the_file(parts):
    text = "---\n".join(parts)
    reading = read(text)
    for problem in reading.problems:
        assert reading.line(problem.where.line) == text.split("\n")[problem.where.line - 1]
