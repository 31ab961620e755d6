"""What a target cannot hold of a document: the field, and what to do about it.

A target hands in what it asks of each document before that is put into force; an object with a limit is not Accepted
(mostly UnsupportedByTarget) and is held back alone. Our own tables hold nearly everything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reconciler.model.sources import Path
from schemas.problems import Severity
from schemas.resources.conditions import Reason
from schemas.resources.documents import Document
from schemas.resources.phone_number import PhoneNumber
from schemas.tables.rows import Row


@dataclass(frozen=True, slots=True)
class Limit:
    """One field that the target cannot hold."""

    path: Path
    what: str
    hint: str = ""
    reason: Reason = Reason.UNSUPPORTED_BY_TARGET
    """Why it is not Accepted."""
    code: str = "unsupported"
    severity: Severity = Severity.ERROR


LimitsOf = Callable[[Document, Row | None], Sequence[Limit]]
"""What is in the way of a document that would become this row (None: its number is not known)."""


def limits_of_tables(document: Document, _row: Row | None) -> Sequence[Limit]:
    """The limits of our own tables: a number that LiveKit sells arrives at LiveKit, and nowhere else."""
    if isinstance(document, PhoneNumber) and document.spec.purchase is not None:
        what = "a number that is bought from LiveKit is answered by LiveKit, and by none of our bridges"
        hint = "it is held back here; --target livekit buys it"
        return (Limit(("spec", "purchase"), what, hint, code="for-livekit", severity=Severity.WARNING),)
    return ()
