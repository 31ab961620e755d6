"""Back to what was: rows as they were at an earlier revision, and what stands in the way of having them live again.

A rollback brings back one owner's rows whole or not at all. It asks what every other change is asked: whether somebody
else has taken a name or claims the same calls by now, and whether sealed secrets can still be unsealed. Claims that
come back are new ones: whoever has taken them meanwhile is the incumbent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from reconciler.model.live import Live, rows_of
from reconciler.model.secrets import carried_over, secrets_in, without_values
from reconciler.model.sources import Key, object_id, object_name
from schemas.problems import Problem, Where
from schemas.seal import Place, Unseal
from schemas.tables.conflicts import claim_of, find_clashes
from schemas.tables.rows import Delta, Kind, Row, Rows

Before = Mapping[Key, Row | None]
"""Rows as they were before something; None = there was none."""

_OTHER_KEY = (
    "give the key that it was sealed with (secret.key of the state folder, or DIALPLANE_SECRET_KEY), "
    "or keep the secrets that are live now: --live-secrets"
)


@dataclass(frozen=True, slots=True)
class Returned:
    """`rows` are all that the owner would have; `problems` forbid it."""

    rows: Rows
    problems: tuple[Problem, ...] = ()


def undone(rows: Rows, steps: Iterable[Before]) -> Rows:
    """The rows before these steps, the newest of which comes first."""
    every: dict[Kind, dict[str, Row]] = {kind: dict(rows_of(rows, kind)) for kind in Kind}
    for step in steps:
        for (kind, id_), before in step.items():
            if before is None:
                every[kind].pop(id_, None)
            else:
                every[kind][id_] = before
    return Rows(*(every[kind] for kind in (Kind.TRUNK, Kind.RULE, Kind.NUMBER)))  # type: ignore[arg-type]  # by kind


def returned(live: Live, steps: Iterable[Before], unseal: Unseal, *, live_secrets: bool) -> Returned:
    """One owner's rows before these steps of its own.

    `live_secrets`: a secret that is live at the same place now stays, however it was sealed then.
    """
    then = undone(live.mine, steps)
    rows: dict[Kind, dict[str, Row]] = {kind: {} for kind in Kind}
    problems: list[Problem] = []
    claiming: list[Row] = []
    for kind in Kind:
        for id_, row in rows_of(then, kind).items():
            now = live.own(kind).get(id_)
            if now is not None and live_secrets:
                row = carried_over(carried_over(without_values(row), now), row)
            row, is_new = _dated(row, now, live.revision + 1)
            if row == now:
                rows[kind][id_] = now
                continue
            rows[kind][id_] = row
            claiming += [row] if is_new else []
            problems += _taken(live, (kind, id_)) or _sealed_otherwise((kind, id_), row, unseal)
    back = Rows(*(rows[kind] for kind in (Kind.TRUNK, Kind.RULE, Kind.NUMBER)))  # type: ignore[arg-type]  # by kind
    if not problems:
        gone = tuple((kind, id_) for kind in Kind for id_ in live.own(kind).keys() - rows[kind].keys())
        problems = _clashes(live, Delta(tuple(claiming), gone))
    return Returned(back, tuple(problems))


def _dated(row: Row, now: Row | None, since: int) -> tuple[Row, bool]:
    """The row with the age of its claim, and whether it claims anew."""
    if now is not None and claim_of(now) == claim_of(row):
        return replace(row, claimed_since=now.claimed_since), False
    return replace(row, claimed_since=since), True


def _taken(live: Live, key: Key) -> list[Problem]:
    owner = live.others.get(key)
    if owner is None:
        return []
    what = f"{object_name(key)} belongs to the owner {owner} by now"
    return [_problem(key, what, "nobody else can have an object of that name", "other-owner")]


def _sealed_otherwise(key: Key, row: Row, unseal: Unseal) -> list[Problem]:
    return [
        _problem(key, f"the secret of {object_name(key)} at {field} was sealed with another key", _OTHER_KEY, "seal")
        for field, secret in secrets_in(row)
        if secret.sealed and unseal(Place(*key, field), secret.sealed) is None
    ]


def _clashes(live: Live, delta: Delta) -> list[Problem]:
    """Claims of other owners that came meanwhile. What the owner's own rows claimed together then, they may again."""
    out = []
    for clash in find_clashes(live.tables, delta):
        for mine, other in ((clash.newcomer, clash.incumbent), (clash.incumbent, clash.newcomer)):
            owner = live.others.get(other)
            if owner is not None and mine not in live.others:
                what = f"{object_name(mine)} claims the same calls as {object_name(other)} of the owner {owner}"
                out.append(_problem(mine, what, f"{clash.why}; that one stays", "conflict"))
    return out


def _problem(key: Key, what: str, hint: str, code: str) -> Problem:
    return Problem(Where(), what, hint, code, object_id=object_id(key))
