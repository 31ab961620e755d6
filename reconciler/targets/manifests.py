"""The target of a comparison: other manifests stand in for the live tables, as if they had been applied alone.

So a pull request can be planned where neither tables nor secrets are: against the branch that it goes to. Nothing is
published, and of secrets only the places are compared.
"""

from __future__ import annotations

from collections.abc import Callable

from reconciler.model.desired import Desired, desire
from reconciler.model.limits import LimitsOf, limits_of_tables
from reconciler.model.live import Live
from reconciler.model.records import Record, encode_record, record_key
from reconciler.model.standing import Declared
from reconciler.plan.changes import diff
from reconciler.plan.gates import Allowances, refusals
from reconciler.plan.turn import Turn
from reconciler.targets.target import Planned
from schemas.tables.tables import Tables

REVISION = 1
"""What the other manifests count as: the first, and applied alone."""


def plan_against(
    base: Declared,
    declared: Declared,
    allowed: Allowances,
    limits_of: Callable[[Declared], LimitsOf] = lambda _: limits_of_tables,
) -> tuple[Planned, Desired]:
    """What would change if `base` were live; and what `base` came to, with what is wrong in it.

    `limits_of` are those of the target that both are meant for.
    """
    before = desire(base, Live(), limits_of=limits_of(base))
    records = {
        record_key((kind, id_)): encode_record(Record(source.place.file, source.data))
        for kind, sources in before.sources.items()
        for id_, source in sources.items()
        if (kind, id_) not in before.verdicts
    }
    live = Live(REVISION, Tables.build(before.rows), before.rows, {}, records)
    desired = desire(declared, live, limits_of=limits_of(declared))
    turn = Turn(live.tables, diff(before.rows, desired.rows, desired.moves))
    return Planned(turn, desired, refusals(turn, before.rows, allowed, desired.held_back), REVISION), before
