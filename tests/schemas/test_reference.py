"""The page of every field says something of each, and is fresh."""

from __future__ import annotations

import pytest

from schemas import reference
from schemas.reference import fields_of
from schemas.resources.documents import KINDS
from schemas.resources.livekit_fields import AT_LIVEKIT, LEFT_OUT
from schemas.resources.shape import leaves

SERVERS = {
    "metadata." + name for name in ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields")
}
SERVERS |= {f"metadata.{name}" for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "finalizers")}
SERVERS |= {"metadata.ownerReferences", "metadata.selfLink", "status"}


def test_the_page_is_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    assert reference.main(["--check"]) == 0, capsys.readouterr().err


def test_a_stale_page_is_told_with_the_command_to_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(reference, "PAGE", tmp_path / "reference.md")
    assert reference.main(["--check"]) == 1
    assert capsys.readouterr().err.endswith("run: python -m schemas.reference\n")
    assert (reference.main([]), reference.main(["--check"]), reference.main(["--wrong"])) == (0, 0, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_on_the_page_with_words_an_example_and_livekits_side(kind: str) -> None:
    fields = {field.path.replace("[]", ""): field for field in fields_of(kind)}
    below = {path for path in leaves(KINDS[kind]) if path not in SERVERS}
    secrets = [path for path, field in fields.items() if field.is_secret]
    wanted = {path for path in below if not any(path.startswith(f"{secret}.") for secret in secrets)}
    assert wanted <= fields.keys()
    assert all(field.described for field in fields.values())
    page = reference.page()
    section = page[page.index(f"## {kind}\n") :].partition("\n## ")[0]
    rows = {line.split(" | ")[0].strip("| `").replace("[]", ""): line for line in section.splitlines()}
    for path in wanted:
        *_, example, effect, at_livekit = rows[path].removesuffix(" |").split(" | ")
        assert example, path
        assert effect, path
        assert at_livekit.strip("| ") or path in ("apiVersion", "kind"), path


@pytest.mark.parametrize("kind", KINDS)
def test_no_line_about_livekit_is_about_a_field_that_does_not_exist(kind: str) -> None:
    known = {field.path.replace("[]", "") for field in fields_of(kind)}
    assert AT_LIVEKIT[kind].keys() <= known


def test_what_a_field_means_that_is_left_out_is_about_fields_that_exist() -> None:
    known = [field.path for kind in KINDS for field in fields_of(kind)]
    assert [end for end in LEFT_OUT if not any(path.endswith(f".{end}") for path in known)] == []
