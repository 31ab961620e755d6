"""What a target cannot hold of a document: the field, and what to do about it.

Our own tables hold everything. Another target hands in what it asks of each document before it is put into force; an
object with a limit is not Accepted (UnsupportedByTarget) and is held back alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reconciler.model.sources import Path
from schemas.resources.documents import Document
from schemas.tables.rows import Row


@dataclass(frozen=True, slots=True)
class Limit:
    """One field that the target cannot hold."""

    path: Path
    what: str
    hint: str = ""


LimitsOf = Callable[[Document, Row | None], Sequence[Limit]]
"""What is in the way of a document that would become this row (None: it is still to be bought)."""


def holds_everything(_document: Document, _row: Row | None) -> Sequence[Limit]:
    """The limits of our own tables."""
    return ()
