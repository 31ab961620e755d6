"""A bought number is put into its document, and nothing else of the file changes by a byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.manifests.reading import read_file
from reconciler.manifests.write_back import write_number
from reconciler.model.sources import Source

NUMBER = "+14155550100"
HEAD = "apiVersion: dialplane.dev/v1alpha1\nkind: PhoneNumber\n"
BLOCK = f"""# ours
{HEAD}metadata: {{name: us}}   # a name
spec:
    dispatchRuleRef: {{name: support}}
    # billed
    purchase:   # asks
      from: livekit
      countryCode: US
"""
OTHER = f"{HEAD}metadata: {{name: other}}\nspec: {{number: '+442071838750', trunkRef: {{name: a}}}}\n"
FLOW = f"{HEAD}metadata: {{name: us}}\nspec: {{purchase: {{from: livekit, countryCode: US}}, direction: inbound}}\n"
SPREAD = f"{HEAD}metadata: {{name: us}}\nspec: {{\n  purchase: {{from: livekit, countryCode: US}},\n}}\n"
JSON = (
    '{"apiVersion": "dialplane.dev/v1alpha1", "kind": "PhoneNumber", "metadata": {"name": "us"},'
    ' "spec": {"purchase": {"from": "livekit", "countryCode": "US"}}}\n'
)
IN_BLOCK = BLOCK.replace("    # billed", f'    number: "{NUMBER}"\n    # billed')


def source_of(path: Path) -> Source:
    found = [s for s in read_file(path.read_bytes(), str(path)).sources.sources if s.key and s.key[1] == "default/us"]
    return found[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BLOCK, IN_BLOCK),
        (
            "---\n".join((OTHER, BLOCK, OTHER.replace("other", "third"))),
            "---\n".join((OTHER, IN_BLOCK, OTHER.replace("other", "third"))),
        ),
        (FLOW, FLOW.replace("{purchase", f'{{number: "{NUMBER}", purchase')),
        (SPREAD, SPREAD.replace("  purchase", f'  number: "{NUMBER}", purchase')),
        (JSON, JSON.replace('"purchase"', f'"number": "{NUMBER}", "purchase"')),
        (BLOCK.replace("\n", "\r\n"), IN_BLOCK.replace("\n", "\r\n")),
        ("\ufeff" + BLOCK, "\ufeff" + IN_BLOCK),
    ],
    ids=["block", "documents", "flow", "spread", "json", "crlf", "bom"],
)
def test_only_the_number_is_put_in(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(text.encode())
    path.chmod(0o640)
    assert write_number(source_of(path), NUMBER, str(tmp_path)) is None
    assert path.read_bytes() == expected.encode()
    assert path.stat().st_mode & 0o777 == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.yaml"]


def test_what_else_is_edited_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(BLOCK)
    source = source_of(path)
    path.write_text(f"{OTHER}---\n{BLOCK}")
    assert write_number(source, NUMBER, str(tmp_path)) is None
    assert path.read_text() == f"{OTHER}---\n{IN_BLOCK}"


@pytest.mark.parametrize(
    "edited",
    [BLOCK.replace("US", "CA"), BLOCK.replace("name: us", "name: eu"), f"{BLOCK}---\n{BLOCK}", "kind: [", IN_BLOCK],
    ids=["other wish", "other name", "twice", "broken", "written"],
)
def test_a_document_that_changed_meanwhile_is_left(tmp_path: Path, edited: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(BLOCK)
    source = source_of(path)
    path.write_text(edited)
    problem = write_number(source, NUMBER, str(tmp_path))
    assert problem is not None
    assert problem.what == f"PhoneNumber default/us has the number {NUMBER}; its document has changed meanwhile"
    assert problem.hint == f'write `number: "{NUMBER}"` beside `purchase`'
    assert path.read_text() == edited


def test_a_way_of_writing_that_has_no_place_for_it_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    text = BLOCK.replace("    purchase:   # asks", "    ? purchase\n    :")
    path.write_text(text)
    problem = write_number(source_of(path), NUMBER, str(tmp_path))
    assert problem is not None
    assert path.read_text() == text


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real, path = tmp_path / "real" / "a.yaml", tmp_path / "a.yaml"
    real.write_text(BLOCK)
    path.symlink_to(real)
    assert write_number(source_of(path), NUMBER, str(tmp_path)) is None
    assert path.is_symlink()
    assert real.read_text() == IN_BLOCK


@pytest.mark.parametrize("swapped", ["file", "folder"])
def test_a_link_that_leads_out_by_now_is_not_followed(tmp_path: Path, swapped: str) -> None:
    root, away = tmp_path / "m", tmp_path / "away"
    path = root / "sub" / "a.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(BLOCK)
    source = source_of(path)
    path.parent.rename(away)
    if swapped == "folder":
        path.parent.symlink_to(away)
    else:
        path.parent.mkdir()
        path.symlink_to(away / "a.yaml")
    problem = write_number(source, NUMBER, str(root))
    assert problem is not None
    assert f"a link leads its file out of {root} meanwhile" in problem.what
    assert (away / "a.yaml").read_text() == BLOCK
