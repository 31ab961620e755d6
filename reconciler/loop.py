"""The watch loop: manifests change, the tables follow, and one line says what happened.

`reconcile watch` runs it, alone or as the child of a bridge. A pass takes one settled batch of changes: it reads the
changed files again, publishes what follows from them, and tells every change, every refusal and every new problem
once. A pass that fails (a store that is locked, a folder that is gone) changes nothing and is made again at the next
regular look, which also finds out that somebody else has changed the tables, and puts them back. Nothing ends the loop
but `stop`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import cast

from reconciler.manifests.folder import Folder, Reading, in_order
from reconciler.manifests.quiet import Batch
from reconciler.manifests.vault import Vault
from reconciler.manifests.watch import watch
from reconciler.model.desired import Desired
from reconciler.model.live import rows_of
from reconciler.model.secrets import Secrets
from reconciler.model.sources import Key, object_name
from reconciler.model.standing import Declared
from reconciler.plan.gates import Allowances
from reconciler.plan.pinned import nothing_while_pinned
from reconciler.plan.render import brief
from reconciler.targets.tables import TablesTarget
from reconciler.targets.target import Planned
from schemas.problems import Problem
from schemas.secret_key import SecretKeyError
from schemas.stores import StoreError

LINES_PER_PASS_MAX = 50
"""Changes that one pass tells one by one; the rest is counted."""

NAMES_PER_LINE_MAX = 10

Say = Callable[[str], None]


def declared_by(reading: Reading, vault: Vault | None = None) -> Declared:
    """What the model is fed with from a reading; without a vault nobody looks for secrets. Raises SecretKeyError."""
    secrets = vault.open(reading.sources) if vault is not None else Secrets()
    return Declared(reading.sources, reading.problems_of_source, secrets)


class Loop:
    """Keeps one owner's tables as a source declares them. `say` gets lines, `apply` is the command to name in them.

    Without a `vault` nobody looks for secrets. `account` is given what was published, and what was newly refused, with
    the note of the revision.
    """

    def __init__(
        self,
        folder: Folder,
        target: TablesTarget,
        say: Say,
        report: Callable[[Reading, list[Problem]], None],
        apply: str = "reconcile apply DIR",
        vault: Vault | None = None,
        account: Callable[[Planned, str], None] = lambda _planned, _note: None,
    ):
        self._folder = folder
        self._vault = vault
        self._target = target
        self._say = say
        self._report = report
        self._apply = apply
        self._account = account
        self._note = f"watch {folder.source}"
        self._wrong: dict[str, list[Problem]] = {}
        """What is wrong within files, by file; followed by what changes, not looked for in ten thousand files."""
        self._told: frozenset[Problem] = frozenset()
        self._held: frozenset[Key] = frozenset()
        self._told_trouble = ""
        self._told_refusal = ""
        self._told_pin = ""
        self._due = True
        self._greeted = False

    async def run(self, stop: asyncio.Event) -> None:
        """Pass after pass until `stop` is set."""
        stopping = asyncio.create_task(stop.wait())
        # An async generator by its code; its type promises only what iterating needs.
        async with aclosing(cast(AsyncGenerator[Batch, None], watch(self._folder))) as batches:
            while not stop.is_set():
                coming = asyncio.ensure_future(anext(batches))
                await asyncio.wait({coming, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    coming.cancel()
                    await asyncio.gather(coming, return_exceptions=True)
                    break
                self.one_pass(coming.result())
        await stopping

    def one_pass(self, batch: Batch) -> None:
        """Bring the tables up to what the source declares after one batch of changes."""
        began = time.monotonic()
        if batch.trouble:
            self._tell_trouble(f"changes are seen only every few seconds: {batch.trouble}")
        reading = self._folder.refresh(batch.to_refresh, batch.look)
        self._follow_problems(reading)
        if not reading.found:
            self._report_problems(reading, ())
            self._tell_trouble(f"without {self._folder.source} the tables stay as they are")
            return
        try:
            other_secrets = self._vault is not None and self._vault.has_changed()
            moved_by = "" if self._due or other_secrets else self._target.moved_by()
            if not (reading.changed or other_secrets or self._due or moved_by):
                return
            self._due = True
            declared = declared_by(reading, self._vault)
            planned = self._target.apply(declared, Allowances(), note=self._note)
        except (StoreError, SecretKeyError) as error:
            self._tell_trouble(f"{error}; the tables stay as they are")
            return
        self._due, self._told_trouble = False, ""
        took_ms = (time.monotonic() - began) * 1000
        self._greet(reading, planned)
        # Causes first: a refusal may only follow from a reference that a problem says how to mend.
        mended = self._report_problems(reading, planned.desired.problems)
        self._tell(planned, "" if reading.changed else moved_by, took_ms)
        if mended:
            self._say("all errors are mended")
        self._tell_held(planned.desired)

    def _greet(self, reading: Reading, planned: Planned) -> None:
        """The first line of all says what is watched."""
        if not self._greeted:
            count = sum(len(file.sources) for file in reading.sources.values())
            plural = "" if count == 1 else "s"
            self._say(f"watching {self._folder.source} ({count:,} document{plural}), revision {planned.revision}")
            self._greeted = True

    def _tell(self, planned: Planned, moved_by: str, took_ms: float) -> None:
        """What this pass did; `moved_by` says whose change it undoes, where that is all it does."""
        if moved_by and planned.plan:
            self._say(f"{moved_by}: {'not' if planned.refused else 'now'} as declared again")
        if planned.refused:
            self._tell_refusal(planned)
            return
        self._told_refusal = ""
        self._tell_pin(planned)
        if planned.plan:
            self._account(planned, self._note)
        changes = planned.plan.changes
        for change in changes[:LINES_PER_PASS_MAX]:
            self._say(f"revision {planned.revision}: {brief(change)}, published in {took_ms:.0f} ms")
        if len(changes) > LINES_PER_PASS_MAX:
            more = len(changes) - LINES_PER_PASS_MAX
            self._say(f"revision {planned.revision}: {more:,} more changes, published in {took_ms:.0f} ms")

    def _tell_pin(self, planned: Planned) -> None:
        """That a rollback holds the tables, and what waits for its end; or that the manifests have ended it."""
        if planned.ends_pin:
            self._say(f"the manifests have changed: no longer pinned to revision {planned.ends_pin}")
        told = nothing_while_pinned(planned.pin, planned.waiting, applied=True) if planned.pin is not None else ""
        if told and told != self._told_pin:
            self._say(told)
        self._told_pin = told

    def _tell_refusal(self, planned: Planned) -> None:
        flags = " ".join(dict.fromkeys(refusal.flags for refusal in planned.refused))
        stay = f"refused as unsafe, the tables stay as they are (revision {planned.revision})"
        lines = [f"{stay}: {refusal}" for refusal in planned.refused]
        lines.append(f"  to allow it: {self._apply} {flags}")
        if (told := "\n".join(lines)) != self._told_refusal:
            self._say(told)
            self._told_refusal = told
            self._account(planned, self._note)

    def _tell_held(self, desired: Desired) -> None:
        """Which objects are not in force as they are declared since this pass, and which are again."""
        held = frozenset(desired.verdicts)
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

    def _tell_trouble(self, trouble: str) -> None:
        """Something around the manifests is wrong: told once, until it is something else."""
        if trouble != self._told_trouble:
            self._say(trouble)
            self._told_trouble = trouble

    def _follow_problems(self, reading: Reading) -> None:
        for name in reading.changed:
            file = reading.files.get(name)
            self._wrong.pop(name, None)
            if file is not None and (found := file.problems):
                self._wrong[name] = found

    def _report_problems(self, reading: Reading, between: tuple[Problem, ...]) -> bool:
        """Report the problems that were not there at the last pass; True when the last error is gone."""
        within = (problem for found in self._wrong.values() for problem in found)
        problems = in_order([*reading.problems_of_source, *within, *between])
        new = [problem for problem in problems if problem not in self._told]
        if new:
            self._report(reading, new)
        before, self._told = self._told, frozenset(problems)
        return not new and any(p.is_error for p in before) and not any(p.is_error for p in problems)
