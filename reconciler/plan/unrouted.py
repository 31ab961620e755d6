"""The gate about numbers that are declared, were answered, and would be answered by nobody.

A number without a route is found by its callers and by nobody else, so an edit that makes one is asked about. The
numbers are called as `effects` calls them, on the tables before and after. A PhoneNumber whose own document is gone,
or that was made outbound, is not asked about: whoever did that has said so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.plan.concerned import concerned, touched_by
from reconciler.plan.effects import Tested, Trial
from reconciler.plan.turn import Turn
from schemas.tables.entries import serves_inbound
from schemas.tables.rows import Kind
from schemas.tables.tables import Tables


@dataclass(frozen=True, slots=True)
class Unrouted:
    """`number` loses its last answer, and with it these PhoneNumbers; `cause` is what changes, `KIND/NAMESPACE/NAME`.

    `names` are all by which the person may allow it.
    """

    number: str
    ids: tuple[str, ...]
    cause: str
    names: frozenset[str]


def unrouted(turn: Turn) -> list[Unrouted]:
    """The numbers that a plan leaves without a route, in order."""
    if not turn.plan or not len(turn.before.numbers.by_id):
        return []
    touched = touched_by(turn, rooms=False)
    trial = Trial(turn, touched)
    changing = {f"{one.kind}/{id_}" for one in turn.plan.changes for id_ in (one.id, one.moved_from) if id_}
    out = []
    for number in concerned(turn, touched):
        ids = list(_serving(turn.after, number)) if any(_serving(turn.before, number)) else []
        if ids and (lost := list(_lost(trial.of(number)))):
            names = [f"{Kind.NUMBER}/{id_}" for id_ in ids] + lost
            cause = next((name for name in names if name in changing), names[0])
            out.append(Unrouted(number, tuple(ids), cause, frozenset({number, *names})))
    return out


def _serving(tables: Tables, number: str) -> Iterator[str]:
    return (row.id for row in tables.numbers.rows(number) if serves_inbound(row))


def _lost(tested: Tested) -> Iterator[str]:
    """What answered a class of numbers that nobody answers any more: rules before trunks."""
    answered = [one for one in tested.tried if one.before.is_answered]
    if any(one.after.is_answered for one in tested.tried):
        return
    yield from dict.fromkeys(f"{Kind.RULE}/{one.before.rule}" for one in answered)
    yield from dict.fromkeys(f"{Kind.TRUNK}/{one.way.trunk}" for one in answered if one.way.trunk)
