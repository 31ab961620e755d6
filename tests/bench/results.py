"""What was measured last, `results.json`, and the two texts that are written from it: `RESULTS.md`, the README's table.

    python -m tests.bench.results [--check]

`make generate` writes them anew, `make check` fails when one of them says another figure than the file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bench.figures import amount
from tests.peers import ROOT

JSON = Path(__file__).with_name("results.json")
REPORT = Path(__file__).with_name("RESULTS.md")
README = ROOT / "README.md"
BEGIN = "<!-- figures: written by `make bench` from tests/bench/results.json -->\n"
END = "<!-- end of figures -->\n"

QUOTED = (
    "call-cpu", "call-memory", "setups-per-core", "trying-p99", "delay-passed-p99", "reload-gap", "decision",
    "load-million", "edit-p50", "edit-p99", "apply-from-nothing", "validate-files", "no-op-pass",
)  # fmt: skip
"""The figures of the README's table, in its order."""

REPORT_HEAD = """\
# Figures

Written by `make bench` from `results.json`; [docs.md](docs.md) says how to repeat and read it. Every figure stands
beside a reference that was measured in the same run on the same machine, and what counts is the ratio: absolute
figures are those of the machine that is named with them.
"""

Saved = dict[str, Any]


def load() -> Saved:
    """The file, or one that has nothing yet."""
    return dict(json.loads(JSON.read_text())) if JSON.exists() else {"benches": {}}


def save(saved: Saved, order: list[str]) -> None:
    """Write the file, benches in their order."""
    benches = {name: saved["benches"][name] for name in order if name in saved["benches"]}
    JSON.write_text(json.dumps(saved | {"benches": benches}, indent=1, ensure_ascii=False) + "\n")


def render(saved: Saved) -> None:
    """Write both texts."""
    REPORT.write_text(report_of(saved))
    README.write_text(readme_with(README.read_text(), saved))


def report_of(saved: Saved) -> str:
    """`RESULTS.md`."""
    parts = [REPORT_HEAD, f"{_taken(saved['benches'])}\n"]
    missed = [figure for figure in _figures(saved) if figure["met"] is False]
    held = sum(figure["met"] is not None for figure in _figures(saved))
    parts.append(f"{held - len(missed)} of {held} budgets are met{':' if missed else '.'}\n")
    if missed:
        parts[-1] = f"{held - len(missed)} of {held} budgets are met; missed: {_names(missed)}.\n"
    for name, bench in saved["benches"].items():
        parts.append(f"## {name}\n")
        rows = [_row(figure) for figure in bench["figures"]]
        parts.append(_table(("what", "how", "measured", "reference", "ratio", "budget"), rows))
        parts.append(
            f"{bench['date']}, commit {bench['commit']}, {bench['seconds']} s on {_machine(bench)}; "
            f"others used {bench['others_percent']:g} % of the machine meanwhile.\n"
        )
    return "\n".join(parts)


def readme_with(text: str, saved: Saved) -> str:
    """The README with the table of today."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    assert begin, f"the README has no line {BEGIN}"
    assert end, f"the README has no line {END}"
    figures = {figure["id"]: figure for figure in _figures(saved)}
    missing = [name for name in QUOTED if name not in figures]
    assert not missing, f"results.json has no figure {', '.join(missing)}, which the README quotes"
    rows = [
        (figure["what"], _measured(figure), _beside(figure), _times(figure), _budget(figure).removesuffix(", met"))
        for figure in (figures[name] for name in QUOTED)
    ]
    quoted = {
        name: bench
        for name, bench in saved["benches"].items()
        if any(figure["id"] in QUOTED for figure in bench["figures"])
    }
    table = _table(("what", "measured", "beside it, in the same run", "ratio", "budget"), rows)
    return f"{head}{begin}{table}\n{_taken(quoted)}\n{end}{tail}"


def _taken(benches: Mapping[str, Any]) -> str:
    """When and on what, machine by machine."""
    dates: dict[str, list[str]] = {}
    for bench in benches.values():
        dates.setdefault(_machine(bench), []).append(bench["date"])
    told = (f"{' to '.join(sorted({min(days), max(days)}))} on {machine}" for machine, days in dates.items())
    return f"Taken {'; '.join(told)}."


def _machine(bench: Mapping[str, Any]) -> str:
    machine = bench["machine"]
    return f"{machine['cores']} cores of {machine['cpu']}, Python {machine['python']}"


def _figures(saved: Saved) -> list[dict[str, Any]]:
    return [figure for bench in saved["benches"].values() for figure in bench["figures"]]


def _names(figures: list[dict[str, Any]]) -> str:
    return ", ".join(figure["what"] for figure in figures)


def _row(figure: dict[str, Any]) -> tuple[str, ...]:
    reference = "" if figure["reference"] is None else f"{_reference(figure)}, {figure['beside']}"
    return figure["what"], figure["how"], _measured(figure), reference, _times(figure), _budget(figure)


def _measured(figure: dict[str, Any]) -> str:
    return amount(figure["value"], figure["unit"])


def _reference(figure: dict[str, Any]) -> str:
    return amount(figure["reference"], figure["unit"])


def _beside(figure: dict[str, Any]) -> str:
    return "" if figure["reference"] is None else f"{_reference(figure)}: {figure['beside']}"


def _times(figure: dict[str, Any]) -> str:
    return "" if figure["ratio"] is None else f"{figure['ratio']:,.10g}"


def _budget(figure: dict[str, Any]) -> str:
    return figure["budget"] + {None: "", True: ", met", False: ", **missed**"}[figure["met"]]


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def main() -> None:
    """Write both texts, or say that one is stale."""
    saved = load()
    if "--check" not in sys.argv[1:]:
        render(saved)
        return
    stale = []
    if not REPORT.exists() or REPORT.read_text() != report_of(saved):
        stale.append(str(REPORT.relative_to(ROOT)))
    if readme_with(README.read_text(), saved) != README.read_text():
        stale.append("README.md")
    if stale:
        raise SystemExit(f"not the figures of results.json: {', '.join(stale)}; `make generate` writes them")


if __name__ == "__main__":
    main()
