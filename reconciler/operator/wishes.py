"""CORE. What an object of the cluster is to have, as the writer carries it out."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.operator.told import Told


@dataclass(frozen=True, slots=True)
class Wish:
    """The status `told`, our finalizer (`keep`), or our finalizer no more (`let_go`)."""

    told: Told
    keep: bool = False
    let_go: bool = False
