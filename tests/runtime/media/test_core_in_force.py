"""Which core does the work of every packet: whatever is wrong with the native one, calls go on, and it is said."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from runtime import native as loading
from runtime.media import native

OLD = SimpleNamespace()
OTHER = SimpleNamespace(SOURCES="0123456789abcdef")
FITTING = SimpleNamespace(SOURCES=loading.sources("runtime.media.native"))


@pytest.mark.parametrize(
    ("found", "switch", "core", "state"),
    [
        (None, "", None, "Python"),
        (FITTING, "", FITTING, "the native core"),
        (FITTING, "off", None, "Python (DIALPLANE_NATIVE=off)"),
        (OTHER, "", None, "Python (the native core was built from other sources: make native)"),
        (OLD, "", None, "Python (the native core was built from other sources: make native)"),
    ],
)
def test_a_core_is_in_force_where_it_fits_and_is_wanted(
    found: ModuleType | None, switch: str, core: ModuleType | None, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIALPLANE_NATIVE", switch)
    monkeypatch.setattr(loading, "compiled", lambda name: found)
    assert native._fitting() == (core, state)


def test_one_without_its_sources_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DIALPLANE_NATIVE", raising=False)
    monkeypatch.setattr(loading, "compiled", lambda name: OTHER)
    monkeypatch.setattr(loading, "sources", lambda package: "")
    assert native._fitting() == (OTHER, "the native core")


def test_one_that_was_built_elsewhere_is_left_out_and_it_is_said_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "built_elsewhere.abi3.so").write_bytes(b"no library of this machine")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("DIALPLANE_NATIVE", raising=False)
    find = loading.compiled
    monkeypatch.setattr(loading, "compiled", lambda name: find("built_elsewhere"))
    core, state = native._fitting()
    assert core is None
    assert state.startswith("Python (the native core cannot be loaded, make native: ")
