"""What the watch loop says: each change, each refusal and each new problem once, causes first.

Called by `loop` after every pass; it remembers what it has said, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable

from reconciler.errors import ReconcileError
from reconciler.manifests.folder import Reading, in_order
from reconciler.model.desired import Desired
from reconciler.model.live import rows_of
from reconciler.model.sources import Key, object_name
from reconciler.plan.pinned import nothing_while_pinned
from reconciler.plan.render import brief
from reconciler.targets.target import Manner, Planned
from schemas.problems import Problem
from schemas.resources.conditions import ConditionType

LINES_PER_PASS_MAX = 50
"""Changes that one pass tells one by one; the rest is counted."""

NAMES_PER_LINE_MAX = 10

Say = Callable[[str], None]
Report = Callable[[Reading, list[Problem]], None]


class Telling:
    """`say` gets lines about `source`, `report` problems, `account` what was done. `apply` is a command to name."""

    def __init__(
        self, source: str, manner: Manner, say: Say, report: Report, apply: str, account: Callable[[Planned], None]
    ) -> None:
        self._source = source
        self._manner = manner
        self._say = say
        self._report = report
        self._apply = apply
        self._account = account
        self._wrong: dict[str, list[Problem]] = {}
        """What is wrong within files, by file; followed by what changes, not looked for in ten thousand files."""
        self._between: tuple[Problem, ...] = ()
        self._told: frozenset[Problem] = frozenset()
        self._held: frozenset[Key] = frozenset()
        self._told_trouble = ""
        self._told_refusal = ""
        self._told_pin = ""
        self._greeted = False

    def follow(self, reading: Reading) -> None:
        """Take in what is wrong within the files that changed."""
        for name in reading.changed:
            file = reading.files.get(name)
            self._wrong.pop(name, None)
            if file is not None and (found := file.problems):
                self._wrong[name] = found

    def the_pass(self, reading: Reading, planned: Planned, moved_by: str, took_ms: float) -> None:
        """What a pass did; `moved_by` says whose change it undoes, where that is all it does."""
        self._told_trouble = ""
        self._greet(reading, planned)
        # Causes first: a refusal may only follow from a reference that a problem says how to mend.
        self._between = planned.desired.problems
        mended = self._problems(reading)
        self._changes(planned, "" if reading.changed else moved_by, took_ms)
        if mended:
            self._say("all errors are mended")
        self._held_back(planned.desired)

    def no_pass(self, reading: Reading, trouble: str) -> None:
        """Why nothing was done; what the manifests themselves say is told all the same."""
        self._problems(reading)
        self.trouble(f"{trouble}; {self._manner.stay}")

    def cut_off(self, reading: Reading, planned: Planned, cut: ReconcileError) -> None:
        """What ended a pass that had written something already."""
        self._account(planned)
        self._between = planned.desired.problems
        self._problems(reading)
        plural = "" if planned.written == 1 else "s"
        self.trouble(f"{cut}; {planned.written:,} object{plural} written before that")

    def put_off(self, reading: Reading) -> None:
        """Manifests changed while the target is left alone."""
        self._problems(reading)
        names = sorted(reading.changed)
        if names:
            more = f" and {len(names) - NAMES_PER_LINE_MAX} more" if len(names) > NAMES_PER_LINE_MAX else ""
            self._say(f"changed, and not applied yet: {', '.join(names[:NAMES_PER_LINE_MAX])}{more}")

    def gone(self, reading: Reading) -> None:
        """There are no manifests."""
        self._between = ()
        self._problems(reading)
        self.trouble(f"without {self._source} {self._manner.stay}")

    def back(self) -> None:
        """What failed works again."""
        self._say(f"{self._manner.it} answers again")

    def trouble(self, trouble: str) -> None:
        """Something around the manifests is wrong: told once, until it is something else."""
        if trouble != self._told_trouble:
            self._say(trouble)
            self._told_trouble = trouble

    def _greet(self, reading: Reading, planned: Planned) -> None:
        """The first line of all says what is watched."""
        if not self._greeted:
            count = sum(len(file.sources) for file in reading.sources.values())
            plural = "" if count == 1 else "s"
            standing = self._manner.standing.format(revision=planned.revision)
            self._say(f"watching {self._source} ({count:,} document{plural}), {standing}")
            self._greeted = True

    def _changes(self, planned: Planned, moved_by: str, took_ms: float) -> None:
        if moved_by and planned.plan:
            self._say(f"{moved_by}: {'not' if planned.refused or planned.left else 'now'} as declared again")
        if planned.refused:
            self._refusal(planned)
            return
        self._told_refusal = ""
        self._pin(planned)
        changes = [change for change in planned.plan.changes if (change.kind, change.id) not in planned.left]
        if changes or planned.deals:
            self._account(planned)
        told = [brief(change) for change in changes[:LINES_PER_PASS_MAX]]
        if len(changes) > LINES_PER_PASS_MAX:
            told.append(f"{len(changes) - LINES_PER_PASS_MAX:,} more changes")
        for what in told:
            self._say(self._manner.change.format(revision=planned.revision, what=what, ms=round(took_ms)))

    def _pin(self, planned: Planned) -> None:
        """That a rollback holds the tables, and what waits for its end; or that the manifests have ended it."""
        if planned.ends_pin:
            self._say(f"the manifests have changed: no longer pinned to revision {planned.ends_pin}")
        told = nothing_while_pinned(planned.pin, planned.waiting, applied=True) if planned.pin is not None else ""
        if told and told != self._told_pin:
            self._say(told)
        self._told_pin = told

    def _refusal(self, planned: Planned) -> None:
        flags = " ".join(dict.fromkeys(refusal.flags for refusal in planned.refused))
        standing = self._manner.standing.format(revision=planned.revision)
        lines = [f"refused as unsafe, {self._manner.stay} ({standing}): {refusal}" for refusal in planned.refused]
        lines.append(f"  to allow it: {self._apply} {flags}")
        if (told := "\n".join(lines)) != self._told_refusal:
            self._say(told)
            self._told_refusal = told
            self._account(planned)

    def _held_back(self, desired: Desired) -> None:
        """Which objects are not in force as they are declared since this pass, and which are again."""
        held = frozenset(key for key, why in desired.verdicts.items() if why.type is not ConditionType.PROGRAMMED)
        new, mended = sorted(held - self._held), sorted(self._held - held)
        live = [key for key in new if key[1] in rows_of(desired.rows, key[0])]
        absent = [key for key in new if key not in live]
        again = [key for key in mended if key[1] in desired.sources[key[0]]]
        for keys, one, many in (
            (live, "keeps its last good version", "keep their last good versions"),
            (absent, "is not live until that is mended", "are not live until that is mended"),
            (again, "is as declared again", "are as declared again"),
        ):
            if keys:
                more = f" and {len(keys) - NAMES_PER_LINE_MAX} more" if len(keys) > NAMES_PER_LINE_MAX else ""
                named = ", ".join(map(object_name, keys[:NAMES_PER_LINE_MAX]))
                self._say(f"{named}{more} {one if len(keys) == 1 else many}")
        self._held = held

    def _problems(self, reading: Reading) -> bool:
        """Report the problems that were not there at the last pass; True when the last error is gone."""
        within = (problem for found in self._wrong.values() for problem in found)
        found = in_order([*reading.problems_of_source, *within, *self._between])
        problems = [problem for problem in found if problem.code not in self._manner.leaves_out]
        new = [problem for problem in problems if problem not in self._told]
        if new:
            self._report(reading, new)
        before, self._told = self._told, frozenset(problems)
        return not new and any(p.is_error for p in before) and not any(p.is_error for p in problems)
