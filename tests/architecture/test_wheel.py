"""What is shipped: three packages, their data, the first example, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in a wheel that is built now, without a network."""
    return built(ROOT, tmp_path_factory.mktemp("wheel"))


def built(source: Path, folder: Path) -> set[str]:
    """The names in the wheel of this source."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=source, check=True, capture_output=True,
    )  # fmt: skip
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_the_three_packages_and_nothing_else(names: set[str]) -> None:
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"reconciler", "runtime", "schemas"}


def test_the_wheel_holds_what_runs_without_a_checkout(names: set[str]) -> None:
    for wanted in (
        "runtime/py.typed", "reconciler/py.typed", "schemas/py.typed", "runtime/phone/speech.wav",
        "schemas/published/json-schema/dialplane.json", "schemas/providers/twilio.yaml",
        "runtime/media/prompts/ask.wav",
        "runtime/media/prompts/wrong.wav", "runtime/media/prompts/goodbye.wav",
    ):  # fmt: skip
        assert wanted in names
    assert any(name.startswith("runtime/first_example/") and name.endswith(".yaml") for name in names)
    assert any(name.endswith("/LICENSE") for name in names)


def test_every_module_of_the_checkout_is_in_the_wheel(names: set[str]) -> None:
    for house in ("reconciler", "runtime", "schemas"):
        for path in (ROOT / house).rglob("*.py"):
            assert str(path.relative_to(ROOT)) in names


def test_no_source_of_the_native_core_is_in_the_wheel_which_cannot_build_it(names: set[str]) -> None:
    assert not [name for name in names if name.endswith((".rs", ".so", "Cargo.toml", "Cargo.lock"))]


def test_a_native_core_that_was_built_here_gets_into_no_image(tmp_path: Path) -> None:
    """The context of an image has no `.gitignore`, and the wheel claims to be for every machine."""
    source = tmp_path / "source"
    for house in ("reconciler", "runtime", "schemas", "examples/manifests/01-one-number"):
        shutil.copytree(ROOT / house, source / house, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    (source / "runtime" / "media" / "native" / "compiled.abi3.so").touch()
    assert not [name for name in built(source, tmp_path / "wheel") if name.endswith(".so")]
