"""Rules of the house that no linter knows: sizes, unfinished words, links that lead somewhere."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from runtime.calls.reasons import EndReason
from schemas.tables.decisions import Reason

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(path for house in ("reconciler", "runtime", "schemas") for path in (ROOT / house).rglob("*.py"))
PAGES = sorted(
    p
    for p in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part == "node_modules" for part in p.relative_to(ROOT).parts)
)
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError)\b")


def named(path: Path) -> str:
    """A path as a test's id."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_a_module_fits_a_head(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert text.count("\n") <= FILE_LINES_MAX, "a layer is missing: find it"
    assert ast.get_docstring(tree), "a module opens with the why"
    assert not UNFINISHED.search(text), "what is not done is not claimed"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < FUNCTION_LINES_MAX, f"{node.name} does not fit a screen"


def test_who_calls_itself_a_core_is_held_to_it() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    held = [module for contract in contracts if "window" in contract["name"] for module in contract["source_modules"]]
    for path in SOURCES:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if re.search(r"(^|[.:] |\n)(A core\b|CORE\.)", ast.get_docstring(ast.parse(path.read_text())) or ""):
            assert any(f"{module}.".startswith(f"{name}.") for name in held), f"{module} is in no contract of cores"


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        page = path.parent / name if name else path
        assert page.exists(), f"{target} is not there"
        if anchor:
            assert anchor in anchors(page), f"{target} is no heading of that page"


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page; what is fenced is none."""
    seen: Counter[str] = Counter()
    out = set()
    unfenced = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#+ +(.+)$", unfenced, re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.strip())
        slug = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        out.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return out


def test_every_reason_of_a_record_is_explained() -> None:
    page = (ROOT / "runtime" / "docs.md").read_text()
    table = page.partition("| reason | SIP | meaning |")[2].partition("\n\n")[0]
    cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("|")]
    explained = {code for cell in cells for code in re.findall(r"`([a-z-]+)`", cell)}
    assert explained == {reason.value for reason in (*EndReason, *Reason)}


def test_architecture_is_a_map_not_a_book() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    assert text.count("\n") <= 200
    assert [line for line in text.splitlines() if len(line) > 160] == [], "longer lines are more lines"
    for house in ("reconciler", "runtime", "schemas"):
        for room in (ROOT / house).iterdir():
            if (room / "__init__.py").exists():
                assert room.name in text, f"{house}/{room.name} is not on the map"
