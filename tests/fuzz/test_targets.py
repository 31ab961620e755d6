"""The fuzz targets without a fuzzer, so that they cannot rot: on seeds, kept findings, mutants, and by Hypothesis."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.mutation import mutants
from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
MUTANTS = 2_000
"""Of each target."""
EXAMPLES = 500


def test_every_kept_input_belongs_to_a_target() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} <= set(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_kept_inputs_hold_the_laws(name: str) -> None:
    target = TARGETS[name]
    kept = [path.read_bytes() for path in sorted((CORPUS / name).glob("*"))]
    for data in (*target.seeds(), *kept, b"", b"\0", b"\xff" * 64):
        target.fuzz_one(data)


@pytest.mark.parametrize("name", TARGETS)
def test_mutants_hold_the_laws(name: str) -> None:
    target = TARGETS[name]
    for data in mutants(target.seeds(), MUTANTS, seed=1, words=target.words):
        target.fuzz_one(data)


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_hypothesis_makes_holds_the_laws(name: str) -> None:
    target = TARGETS[name]
    piece = (
        st.sampled_from([*target.words, *target.seeds()])
        | st.binary(max_size=24)
        | st.text(max_size=12).map(str.encode)
    )

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(piece, max_size=12).map(b"".join))
    def holds(data: bytes) -> None:
        target.fuzz_one(data)

    holds()
