"""CORE. Two looks at the numbers of a project: which of this owner's somebody else has changed in between."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.targets.livekit.phone_numbers.standing import Standing
from schemas.tables.rows import Kind


def moved_numbers(before: Standing, now: Standing) -> Iterator[str]:
    """What happened to each, in words."""
    mine = before.live()
    for name in sorted(mine):
        was, is_ = mine[name], (now.held or {}).get(mine[name].number)
        if is_ is None:
            yield f"somebody released the number of {Kind.NUMBER} {name} ({was.number})"
        elif is_.rules != was.rules:
            yield f"somebody assigned {Kind.NUMBER} {name} ({was.number}) to something else"
