"""Figures are judged and quoted rightly: what the texts say is what the file says."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from tests.bench import results
from tests.bench.figures import Figure, percentile
from tests.bench.run import BENCHES

SAVED: dict[str, Any] = {
    "benches": {
        "route": {
            "date": "2026-01-02", "commit": "abc1234", "seconds": 40, "others_percent": 1.5, "details": {},
            "machine": {"cores": 2, "cpu": "a processor", "python": "3.13.0", "system": "Linux"},
            "figures": [
                Figure(
                    id="decision", what="a decision", how="CPU", value=9.876, unit="µs", reference=0.25,
                    beside="a dict", budget=10,
                ).as_json(),
            ],
        },
    },
}  # fmt: skip
README = f"# x\n\n{results.BEGIN}stale\n{results.END}\nmore\n"


@pytest.fixture(autouse=True)
def _one_figure_is_quoted(monkeypatch):
    monkeypatch.setattr(results, "QUOTED", ("decision",))


def figure(value: float, reference: float | None = None, **more: Any) -> Figure:
    return Figure(id="x", what="x", how="CPU", value=value, unit="ms", reference=reference, **more)


def test_a_budget_bounds_the_figure_or_its_ratio_from_above_or_below():
    assert figure(10, budget=10).met is True
    assert figure(10.1, budget=10).met is False
    assert figure(30, 10, budget=3, budget_is_ratio=True).met is True
    assert figure(31, 10, budget=3, budget_is_ratio=True).met is False
    assert figure(149, budget=150, floor=True).met is False
    assert figure(1).met is None


def test_without_a_reference_or_beside_nothing_there_is_no_ratio():
    assert figure(1).ratio is None
    assert figure(1, 0.0).as_json()["ratio"] is None
    assert figure(1, 0.0, budget=3, budget_is_ratio=True).met is None


def test_a_percentile_is_one_of_the_samples():
    assert percentile(range(1, 101), 99) == 99
    assert percentile(range(1, 101), 100) == 100
    assert percentile([7.0], 99) == 7.0


def test_the_readme_quotes_the_file_and_keeps_all_around_it():
    text = results.readme_with(README, SAVED)
    assert "| a decision | 9.88 µs | 0.25 µs: a dict | 39.5 | ≤ 10 µs |" in text
    assert "Taken 2026-01-02 on 2 cores of a processor, Python 3.13.0." in text
    assert "stale" not in text
    assert text.startswith("# x\n\n<!--")
    assert text.endswith("-->\n\nmore\n")
    assert results.readme_with(text, SAVED) == text


def test_a_readme_that_would_quote_a_figure_that_is_gone_is_not_written():
    with pytest.raises(AssertionError, match="no figure decision"):
        results.readme_with(README, {"benches": {}})


def test_a_missed_budget_is_named():
    saved = copy.deepcopy(SAVED)
    saved["benches"]["route"]["figures"][0]["met"] = False
    assert "0 of 1 budgets are met; missed: a decision." in results.report_of(saved)
    assert "**missed**" in results.readme_with(README, saved)


def test_a_text_that_quotes_another_figure_fails_the_check(tmp_path, monkeypatch):
    for name, file in (("JSON", "results.json"), ("REPORT", "RESULTS.md"), ("README", "README.md")):
        monkeypatch.setattr(results, name, tmp_path / file)
    monkeypatch.setattr(results, "ROOT", tmp_path)
    monkeypatch.setattr("sys.argv", ["results", "--check"])
    results.README.write_text(README)
    results.save(SAVED, ["route"])
    results.render(results.load())
    results.main()
    results.README.write_text(results.README.read_text().replace("9.88 µs", "8.88 µs"))
    with pytest.raises(SystemExit, match=r"README\.md"):
        results.main()


def test_every_benchmark_is_run_and_explained():
    folder = Path(results.__file__).parent
    programs = {path.stem for path in folder.glob("*.py") if "\n    report(" in path.read_text()}
    assert programs == set(BENCHES)
    assert all(f"\n| {name} |" in (folder / "docs.md").read_text() for name in BENCHES)
