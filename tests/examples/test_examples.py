from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from reconciler.cli import run
from schemas.resources.check import check
from schemas.resources.effect import not_in_effect

ROOT = Path(__file__).parents[2]
LESSONS = sorted(path for path in (ROOT / "examples/manifests").iterdir() if path.is_dir())
MANIFESTS = sorted(path for lesson in LESSONS for path in lesson.glob("*.yaml"))
README_LINES_MAX = 40
MODELINE = re.compile(r"# yaml-language-server: \$schema=(\S+)")


def name_of(path):
    return path.relative_to(ROOT / "examples/manifests").as_posix()


def documents(lesson):
    return [
        check(data)[0] for path in sorted(lesson.glob("*.yaml")) for data in yaml.safe_load_all(path.read_text("utf-8"))
    ]


@cache
def validator(path):
    return Draft202012Validator(json.loads(path.read_text("utf-8")))


def test_the_lessons_are_numbered_without_a_gap():
    assert [lesson.name[:3] for lesson in LESSONS] == [f"{n:02}-" for n in range(1, len(LESSONS) + 1)]
    assert all(1 <= len(list(lesson.glob("*.yaml"))) <= 2 for lesson in LESSONS)


@pytest.mark.parametrize("manifest", MANIFESTS, ids=name_of)
def test_an_example_fits_the_schema_that_its_first_line_names_and_the_models(manifest):
    text = manifest.read_text("utf-8")
    modeline = MODELINE.fullmatch(text.partition("\n")[0])
    assert modeline
    schema = (manifest.parent / modeline[1]).resolve()
    assert schema == ROOT / "schemas/published/json-schema/dialplane.json"
    for data in yaml.safe_load_all(text):
        assert [error.message for error in validator(schema).iter_errors(data)] == []
        assert check(data)[1] == []


def test_a_schema_that_is_written_beside_manifests_is_found_by_the_line_that_is_printed(tmp_path, capsys):
    assert run(["schema", "--out", str(tmp_path / "dialplane.json")]) == 0
    line, _, rest = capsys.readouterr().out.partition("\n")
    assert rest == ""
    assert f"    {line}\n" in (ROOT / "reconciler/docs.md").read_text("utf-8")
    schema = (tmp_path / MODELINE.fullmatch(line)[1]).resolve()
    for manifest in MANIFESTS:
        (tmp_path / "m.yaml").write_text(f"{line}\n{manifest.read_text('utf-8').partition(chr(10))[2]}")
        for data in yaml.safe_load_all((tmp_path / "m.yaml").read_text("utf-8")):
            assert [error.message for error in validator(schema).iter_errors(data)] == []
    assert run(["validate", str(tmp_path)]) == 0
    assert run(["schema", "--out", str(tmp_path / "no" / "x.json")]) == 1


@pytest.mark.parametrize("lesson", LESSONS, ids=name_of)
def test_a_lesson_is_explained_briefly(lesson):
    lines = (lesson / "README.md").read_text("utf-8").splitlines()
    assert lines[0].startswith(f"# {int(lesson.name[:2])}. ")
    assert len(lines) <= README_LINES_MAX


@pytest.mark.parametrize("lesson", LESSONS, ids=name_of)
def test_the_folders_in_a_lessons_commands_exist(lesson):
    named = re.findall(r"examples/manifests/[\w-]+", (lesson / "README.md").read_text("utf-8"))
    assert all((ROOT / folder).is_dir() for folder in named)


@pytest.mark.parametrize("lesson", LESSONS, ids=name_of)
def test_no_lesson_shows_what_is_not_in_effect(lesson):
    assert [path[-1] for document in documents(lesson) for path, _ in not_in_effect(document)] == []


@pytest.mark.parametrize("lesson", LESSONS, ids=name_of)
def test_every_reference_of_a_lesson_is_found(lesson):
    names = {(document.kind, document.metadata.name) for document in documents(lesson)}
    for document in documents(lesson):
        if document.kind == "PhoneNumber":
            trunk = document.spec.trunk_ref
            assert ("Trunk", trunk.name) in names if trunk else document.spec.purchase
            rule = document.spec.dispatch_rule_ref
            assert rule is None or ("DispatchRule", rule.name) in names
        elif document.kind == "DispatchRule":
            assert all(("Trunk", ref.name) in names for ref in document.spec.trunk_refs or ())


def test_the_readme_shows_the_first_example_as_it_stands():
    readme = (ROOT / "README.md").read_text("utf-8")
    for manifest in LESSONS[0].glob("*.yaml"):
        text = manifest.read_text("utf-8").partition("\n")[2]
        assert f"`{manifest.name}`:\n\n```yaml\n{text}```\n" in readme


def test_the_lesson_about_tests_holds_until_the_edit_that_it_proposes(tmp_path, capsys):
    lesson = ROOT / "examples/manifests/07-tests"
    assert run(["test", str(lesson)]) == 0
    assert "5 of 5 hold" in capsys.readouterr().out
    routes = (lesson / "routes.yaml").read_text("utf-8")
    edited = routes.replace('  match: {to: ["+155501003*"]}', '  priority: 1\n  match: {to: ["+155501003*"]}')
    assert edited != routes
    (tmp_path / "routes.yaml").write_text(edited)
    (tmp_path / "tests.yaml").write_text((lesson / "tests.yaml").read_text("utf-8"))
    assert run(["test", str(tmp_path)]) == 1
    assert "4 of 5 hold" in capsys.readouterr().out
