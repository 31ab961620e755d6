"""One pass: everything that is declared is applied; what is refused as unsafe waits alone, and all else goes on.

A refusal may name an object whose own document is as it was: a rule that is left without numbers. Then all that has
changed in its namespace waits, and so it does where one refusal brings forth another: whoever may write to one
namespace must not be able to hold up the others.

Called on a thread of its own, one pass at a time: a target and its store are used from one thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.model.live import rows_of
from reconciler.model.records import Verdict
from reconciler.model.sources import FileSources, Key
from reconciler.model.standing import Declared
from reconciler.operator.safety import as_before, changed_beside, concerned, last_files
from reconciler.plan.gates import Allowances
from reconciler.targets.target import Planned, Target, blocked

LOOKS_MAX = 5
"""How often what is refused is taken out, and the rest looked at again."""
LOOKS_AT_OBJECTS = 3
"""After so many looks no single objects are taken out, but all that has changed in their namespaces."""


@dataclass(frozen=True, slots=True)
class Passed:
    """What a pass did. `kept` are objects whose change waits, and why; `held` all that are not as declared."""

    planned: Planned
    kept: Mapping[Key, Verdict] = field(default_factory=dict)
    held: frozenset[Key] = frozenset()

    def is_live(self, key: Key) -> bool:
        """Whether something of an object is in force, or may be."""
        return key in self.held or key[1] in rows_of(self.planned.desired.rows, key[0])


class _Unsafe(Exception):  # noqa: N818 - ends an attempt, never leaves this module
    def __init__(self, planned: Planned) -> None:
        super().__init__("refused as unsafe")
        self.planned = planned


def _refuse(planned: Planned) -> None:
    if planned.refused:
        raise _Unsafe(planned)


class Passing:
    """Applies to one target, and remembers what waits."""

    def __init__(self, target: Target, note: str) -> None:
        self._target = target
        self._note = note
        self._before: dict[Key, FileSources | None] = {}
        """What the objects whose change waits said when they were applied last."""

    def apply(self, declared: Declared, allowed: Allowances) -> Passed:
        """One pass. Raises StoreError, ReconcileError."""
        kept: dict[Key, Verdict] = {}
        for look in range(1, LOOKS_MAX + 1):
            before = {key: self._before[key] for key in kept}
            try:
                planned = self._target.apply(as_before(declared, before), allowed, self._note, _refuse)
            except _Unsafe as unsafe:
                found = concerned(unsafe.planned.refused)
                if look >= LOOKS_AT_OBJECTS or found.keys() <= kept.keys():
                    found |= changed_beside(found, declared, self._target.applied_last())
                new = found.keys() - kept.keys()
                if not new:
                    break
                kept |= {key: found[key] for key in new}
                if unknown := new - self._before.keys():
                    self._before |= last_files(self._target.applied_last(), unknown)
            else:
                self._before = before
                return _passed(planned, kept)
        # What is refused is no namespace's alone: then nothing is done, as in a folder.
        return _passed(self._target.apply(declared, allowed, self._note), {})


def _passed(planned: Planned, kept: Mapping[Key, Verdict]) -> Passed:
    held = {*blocked(planned), *kept, *planned.left}
    if planned.cut is not None:
        held |= {(change.kind, change.id) for change in planned.plan.changes}
    return Passed(planned, kept, frozenset(held))
