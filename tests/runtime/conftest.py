"""Tests of what the native core stands for run twice: by Python, the reference, and by the core where it was built."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest

from runtime.media import native

CORE = native.core


@pytest.fixture(scope="module", params=["python", "native"])
def each_core(request: pytest.FixtureRequest) -> Iterator[ModuleType | None]:
    """The core that is in force while the module's tests run; None is Python."""
    if request.param == "native" and CORE is None:
        pytest.skip("the native core is not built: make native")
    native.core = CORE if request.param == "native" else None
    yield native.core
    native.core = CORE
