"""EDGE. Carries steps out on a LiveKit server, in their order; what fails holds up only what needs it.

Each object is read again before it is written, so that an edit by hand since the plan is seen and not written over.
After a create that nobody knows the end of, the server is asked for the mark before anything is created again. What
LiveKit refuses because another object stands in the way is tried once more, one after the other in the order in which
they can pass on what they claim (`passing`).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from livekit.protocol import sip

from reconciler.model.sources import Key
from reconciler.targets.livekit.holdings import Holdings, Info, Part, id_of, marker_of
from reconciler.targets.livekit.passing import Act, Claimed, Wish, claimed_by, in_turn, nobodys_number, parked
from reconciler.targets.livekit.phone_numbers.carrying import NumberCarrying
from reconciler.targets.livekit.phone_numbers.steps import NumberStep
from reconciler.targets.livekit.server import TRIES_MAX, CallFailed, Server, Unsure
from reconciler.targets.livekit.steps import Step, Verb, Wanted, released
from schemas.livekit_words import read_room_choice
from schemas.resources.conditions import Reason
from schemas.tables.rows import Kind

WRITERS = 4
"""Objects that are written at one time: a call to LiveKit Cloud is mostly waiting."""
FAILURES_IN_A_ROW_MAX = 8
"""After so many that could not be done the server is left alone."""
TWINS_WAIT_S = 2.0
"""How long another reconciler gets to take back what it has created at the same moment."""
_GIVEN_UP = "not tried, because LiveKit failed again and again"
_PUTS = (Verb.CREATE, Verb.REPLACE)


@dataclass(frozen=True, slots=True)
class Failure:
    """One step that was not done. `reason` is of the Programmed condition."""

    step: Step | NumberStep
    reason: Reason
    what: str

    @property
    def key(self) -> Key:
        """The declared object that is not as declared for it."""
        return self.step.key


@dataclass(slots=True)
class Carrying:
    """One apply. `done` counts what was written."""

    server: Server
    goal: Wanted
    holdings: Holdings
    numbers: NumberCarrying
    note: Callable[[int, int], None] | None = None
    """Hears how many steps are over, and of how many."""
    done: int = 0
    unsure: int = 0
    """Steps that were under way when the apply ended: what became of them nobody has heard."""
    rule_ids: dict[str, str] = field(default_factory=dict)
    trunk_ids: dict[str, str] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    in_a_row: int = 0
    count: int = 0
    over: set[int] = field(default_factory=set)
    made: set[str] = field(default_factory=set)
    """The ids of what was created."""
    parked: dict[int, Info] = field(default_factory=dict)
    """By the id of its step, what was written of an object that makes way for others."""

    async def out(
        self, steps: Sequence[Step], puts: Sequence[NumberStep] = (), ends: Sequence[NumberStep] = ()
    ) -> None:
        """Carry all steps out, numbers between the rules that come and those that go; `failures` were not done.

        Raises ReconcileError when the key is not taken, or the ledger cannot be written; `done` was done all the same.
        """
        self.trunk_ids, self.rule_ids = self.holdings.inbound_ids(), self.holdings.rule_ids()
        self.count = len(steps) + len(puts) + len(ends)
        await self._round(steps, (*puts, *ends))
        refused = [f.step for f in self.failures if f.reason is Reason.REJECTED and isinstance(f.step, Step)]
        if refused and (self.done or any(act is Act.PARK for act, _ in in_turn(self._wishes(refused)))):
            waiting = [failure.step for failure in self.failures if failure.reason is Reason.PENDING]
            again = {id(step) for step in (*refused, *waiting)}
            self.failures = [failure for failure in self.failures if id(failure.step) not in again]
            numbers = [step for step in (*puts, *ends) if id(step) in again]
            await self._round([step for step in steps if id(step) in again], numbers, contested=True)

    async def give_way(self, doubled: Iterable[Sequence[str]]) -> None:
        """Of objects that another reconciler has created at the same moment, delete those that were created here.

        Of two who notice it the one with the greater id does so. The other looks again a little later, because who
        was ready before notices nothing.
        """
        twins = [ids for ids in doubled if self.made & {*ids} and {*ids} - self.made]
        await self._delete_own(ids for ids in twins if max(ids) in self.made)
        waiting = [ids for ids in twins if max(ids) not in self.made]
        if waiting:
            await self.server.rest(TWINS_WAIT_S)
            there = {id_of(info) for info in await self.server.everything()}
            await self._delete_own(ids for ids in waiting if there & {*ids} - self.made)

    async def _delete_own(self, twins: Iterable[Sequence[str]]) -> None:
        for id_ in sorted(self.made.intersection(id_ for ids in twins for id_ in ids)):
            await self.server.delete(Part.RULE if id_.startswith("SDR_") else Part.INBOUND, id_)

    async def _round(self, steps: Sequence[Step], numbers: Sequence[NumberStep], *, contested: bool = False) -> None:
        put = self._in_turn if contested else self._all
        trunks = [step for step in steps if step.part is not Part.RULE]
        rules = [step for step in steps if step.part is Part.RULE]
        await put([step for step in trunks if step.verb in _PUTS])
        await put([step for step in rules if step.verb in _PUTS])
        for number in numbers:  # each a matter of money: one at a time
            await self._number(number)
            self._is_over(number)
        await self._all([step for step in rules if step.verb not in _PUTS])
        await self._all([step for step in trunks if step.verb not in _PUTS])

    async def _number(self, step: NumberStep) -> None:
        if blocked := self._number_blocked(step):
            self.failures.append(Failure(step, Reason.PENDING, blocked))
            return
        try:
            await self.numbers.do(step, self.rule_ids)
        except asyncio.CancelledError:
            self.unsure += 1
            raise
        except CallFailed as error:
            self._failed(step, error, error.what)
        else:
            self.in_a_row = 0
            self.done += 1

    def _number_blocked(self, step: NumberStep) -> str:
        """Why a number is not even bought or assigned."""
        if self.in_a_row >= FAILURES_IN_A_ROW_MAX:
            return _GIVEN_UP
        failed = {failure.key for failure in self.failures}
        if step.rule and ((Kind.RULE, step.rule) in failed or step.rule not in self.rule_ids):
            return f"not tried, because DispatchRule {step.rule} is not there as declared"
        return ""

    async def _in_turn(self, steps: Sequence[Step]) -> None:
        """Steps whose objects claim what others of them hold, one by one and without a pause in between."""
        wishes = self._wishes(steps)
        for act, index in in_turn(wishes):
            step = steps[index]
            if act is Act.WRITE:
                await self._one(step)
                continue
            others = frozenset[tuple[str, ...]]().union(*(wish.wants for wish in wishes if wish is not wishes[index]))
            await self._park(step, others)
        for failure in [failure for failure in self.failures if id(failure.step) in self.parked]:
            await self._take_back(failure)

    def _wishes(self, steps: Sequence[Step]) -> list[Wish]:
        wishes = []
        for step in steps:
            held = step.held.info if step.held is not None else None
            wanted = self.goal.info(step.part, step.name, held, self.trunk_ids) if step.verb in _PUTS else None
            wishes.append(Wish(claimed_by(held), claimed_by(wanted)))
        return wishes

    async def _park(self, step: Step, others_want: Claimed) -> None:
        """Let an object go of what others want. Where that fails they are refused, and say so."""
        held = step.held
        assert held is not None, "who holds something is there"
        try:
            if await self.server.read(step.part, held.id) != held.info:
                return
            way = parked(held.info, others_want, nobodys_number(secrets.randbits(64)))
            self.parked[id(step)] = await self.server.replace(held.id, way)
        except CallFailed:
            return

    async def _take_back(self, failure: Failure) -> None:
        """Give an object that made way in vain what it had, unless others have that now."""
        step = failure.step
        assert isinstance(step, Step), "numbers make way for nothing"
        held = step.held
        assert held is not None
        try:
            if await self.server.read(step.part, held.id) == self.parked[id(step)]:
                await self.server.replace(held.id, held.info)
        except CallFailed:
            what = f"{failure.what}; until the next apply it takes no calls to numbers that it gave up"
            self.failures[self.failures.index(failure)] = replace(failure, what=what)

    async def _all(self, steps: Sequence[Step]) -> None:
        """Steps that do not need each other, some at a time."""
        waiting = iter(steps)

        async def work() -> None:
            for step in waiting:
                await self._one(step)

        writers = [asyncio.ensure_future(work()) for _ in range(min(WRITERS, len(steps)))]
        try:
            await asyncio.gather(*writers)
        finally:
            for writer in writers:
                writer.cancel()
            await asyncio.gather(*writers, return_exceptions=True)

    async def _one(self, step: Step) -> None:
        await self._tried(step)
        self._is_over(step)

    def _is_over(self, step: Step | NumberStep) -> None:
        self.over.add(id(step))
        if self.note is not None:
            self.note(len(self.over), self.count)

    async def _tried(self, step: Step) -> None:
        if blocked := self._blocked(step):
            self.failures.append(Failure(step, Reason.PENDING, blocked))
            return
        try:
            failed = await self._do(step)
        except asyncio.CancelledError:
            self.unsure += 1
            raise
        except CallFailed as error:
            self._failed(step, error, self._without_secrets(step, error.what))
        else:
            self.in_a_row = 0
            self.done += not failed
            if failed:
                self.failures.append(Failure(step, Reason.REMOTE_ERROR, failed))

    def _failed(self, step: Step | NumberStep, error: CallFailed, what: str) -> None:
        self.in_a_row = 0 if error.refused else self.in_a_row + 1
        self.failures.append(Failure(step, Reason.REJECTED if error.refused else Reason.REMOTE_ERROR, what))

    def _blocked(self, step: Step) -> str:
        """Why a step is not even tried."""
        if self.in_a_row >= FAILURES_IN_A_ROW_MAX:
            return _GIVEN_UP
        for trunk in step.needs:
            if trunk not in self.trunk_ids and self._has_failed(Part.INBOUND, trunk):
                return f"not tried, because Trunk {trunk} is not there"
        if step.held is not None and step.verb not in _PUTS:
            for failure in self.failures:
                if isinstance(failure.step, NumberStep):
                    if failure.step.held is not None and step.held.id in failure.step.held.rules:
                        return f"not tried, because {failure.step.number} is still assigned to it"
                    continue
                rule = failure.step.held.info if failure.step.held is not None else None
                if isinstance(rule, sip.SIPDispatchRuleInfo) and step.held.id in rule.trunk_ids:
                    return f"not tried, because DispatchRule {failure.step.name} still names it"
        return ""

    def _has_failed(self, part: Part, name: str) -> bool:
        return any((failure.step.part, failure.step.name) == (part, name) for failure in self.failures)

    async def _do(self, step: Step) -> str:
        """Do one step; why not, in words, where somebody else was there first. Raises CallFailed."""
        if step.held is None:
            made = await self._create(step)
            self.made.add(id_of(made))
            ids = {Part.INBOUND: self.trunk_ids, Part.RULE: self.rule_ids}.get(step.part, {})
            ids[step.name] = id_of(made)
            return ""
        held = step.held
        now = await self.server.read(step.part, held.id)
        if now is None:
            return "" if step.verb not in _PUTS else f"{held.id} was deleted since it was planned"
        if now != self.parked.get(id(step), held.info):
            return f"{held.id} was changed since it was planned"
        if step.verb is Verb.DELETE:
            await self.server.delete(step.part, held.id)
        elif step.verb is Verb.RELEASE:
            await self.server.replace(held.id, released(held))
        else:
            await self.server.replace(held.id, self.goal.info(step.part, step.name, held.info, self.trunk_ids))
        return ""

    async def _create(self, step: Step) -> Info:
        """Create an object once, whatever becomes of the answers."""
        info = self.goal.info(step.part, step.name, None, self.trunk_ids)
        for tried in range(TRIES_MAX):
            try:
                return await self.server.create(info)
            except Unsure as unsure:
                wanted = marker_of(info)
                there = await self.server.everything()
                found = [other for other in there if type(other) is type(info) and marker_of(other) == wanted]
                if found:
                    return found[0]
                if tried + 1 == TRIES_MAX:
                    raise CallFailed(unsure.what) from unsure
                await self.server.pause(tried)
        raise AssertionError("the last try returns or raises")

    def _without_secrets(self, step: Step, said: str) -> str:
        """What LiveKit said, in which nobody can be quoted his password."""
        if step.verb not in _PUTS:
            return said
        info = self.goal.info(step.part, step.name, None, self.trunk_ids)
        rule = isinstance(info, sip.SIPDispatchRuleInfo)
        secret = read_room_choice(info)[3] if isinstance(info, sip.SIPDispatchRuleInfo) else info.auth_password
        return said.replace(secret, "(PIN)" if rule else "(password)") if secret else said
