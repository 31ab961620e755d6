"""EDGE. One owner's hand on one LiveKit server: looks, plans, carries out, looks again, and takes note.

LiveKit has no revisions and no compare-and-swap. What stands in for them: each object is read again before it is
written, everything is read back after, and what an apply was cut off from is found by its marks in the next one. What
is kept on this machine (last good documents, names of numbers that are no longer declared) makes plans kinder; none of
it is needed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from reconciler.errors import ReconcileError
from reconciler.model.conditions import conditions_elsewhere
from reconciler.model.records import Record
from reconciler.model.sources import Key
from reconciler.model.standing import Declared, declared_last
from reconciler.plan.drift import drift_of
from reconciler.plan.gates import Allowances, refusals
from reconciler.plan.render import brief
from reconciler.plan.turn import Turn
from reconciler.settings import LiveKitAccess
from reconciler.targets.livekit.carrying import Carrying
from reconciler.targets.livekit.hints import documents
from reconciler.targets.livekit.holdings import Claim, Info, digest_of, names_by_id, sort
from reconciler.targets.livekit.importing.proof import Imported, import_of
from reconciler.targets.livekit.memory import Memory
from reconciler.targets.livekit.outcome import in_doubt, not_as_written, with_failures
from reconciler.targets.livekit.phone_numbers.carrying import NumberCarrying
from reconciler.targets.livekit.phone_numbers.desk import Desk
from reconciler.targets.livekit.phone_numbers.filling import unwritten, with_numbers
from reconciler.targets.livekit.phone_numbers.gates import money_refusals
from reconciler.targets.livekit.phone_numbers.holdings import Numbers
from reconciler.targets.livekit.phone_numbers.ledger import Ledger
from reconciler.targets.livekit.phone_numbers.ledger_file import NO_LEDGER, LedgerFile
from reconciler.targets.livekit.phone_numbers.seen import moved_numbers
from reconciler.targets.livekit.phone_numbers.service import NoPhoneNumbers, PhoneNumbers
from reconciler.targets.livekit.phone_numbers.standing import Standing, Word, digest_with_numbers, numbers_of
from reconciler.targets.livekit.planning import Course, View, as_gated, course, view_of
from reconciler.targets.livekit.seen import moved
from reconciler.targets.livekit.server import TRIES_MAX, CallFailed, Pace, Server, pace_of
from reconciler.targets.status import Status, objects_of
from reconciler.targets.target import Away, Manner, Planned, Reported, blocked
from schemas.resources.conditions import Condition
from schemas.resources.documents import Document
from schemas.seal import KEY_BYTES, Sealer
from schemas.stores import Store, StoreError
from schemas.tables.rows import Row

T = TypeVar("T")
BACKOFF_S = (2.0, 60.0)
"""A watcher's first pause after a failure, and the longest."""
NOTHING = "No changes: LiveKit is as declared."


@dataclass(frozen=True, slots=True)
class Adoption:
    """Which objects become this owner's, by name; `take_over`: also those of that owner.

    `not_mine` are numbers that nobody has bought for a document.
    """

    claims: tuple[Claim, ...] = ()
    take_over: str = ""
    not_mine: tuple[str, ...] = ()

    @property
    def word(self) -> Word:
        """What is said of numbers."""
        return Word(tuple(numbers_of(self.claims)), self.take_over, self.not_mine)

    @property
    def of_objects(self) -> tuple[Claim, ...]:
        """What is said of trunks and rules."""
        return tuple(claim for claim in self.claims if claim not in self.word.claims)


class LiveKitTarget:
    """One owner's hand on one server. `store` is what is remembered of it on this machine, None = nothing yet."""

    def __init__(
        self,
        access: LiveKitAccess,
        store: Store | None,
        owner: str,
        adoption: Adoption = Adoption(),
        *,
        ledger: LedgerFile = NO_LEDGER,
        look_every_s: float | None = None,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        server: Callable[[LiveKitAccess, Pace], Server] = Server,
        note: Callable[[int, int], None] | None = None,
    ) -> None:
        self._access = access
        self._memory = Memory(store, owner, wall)
        self._owner = owner
        self._adoption = adoption
        self._desk = Desk(owner, ledger)
        self._look_every_s = look_every_s
        self._tries = TRIES_MAX if look_every_s is None else 1  # a watcher has pauses of its own
        self._clock = clock
        self._server = server
        self._note = note
        self._pace = pace_of(access)
        self._seen: list[Info] = []
        self._numbers = Standing(owner, {}, {}, Ledger())
        self._looked_at = float("-inf")
        self._work: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None
        self._given_up = False

    @property
    def manner(self) -> Manner:
        """How messages speak of this server."""
        host = self._access.host
        return Manner(
            f"livekit:{host}",
            "LiveKit",
            NOTHING,
            "LiveKit stays as it is",
            f"LiveKit at {host}",
            "{what}, written at LiveKit in {ms} ms",
            frozenset({"not-in-effect"}),
            BACKOFF_S,
        )

    def done(self, planned: Planned) -> str:
        """What an apply wrote."""
        if planned.refused:
            return "Nothing was changed."
        if planned.written == 0 and planned.cut is None:
            return f"Nothing was written at {self._access.host}."
        plural = "" if planned.written == 1 else "s"
        word = "Applied" if planned.cut is None else "Not all was done"
        return f"{word}: {planned.written} object{plural} written at {self._access.host}."

    def facts(self, planned: Planned) -> dict[str, Any]:
        """Where it is, and what was written."""
        return {"target": "livekit", "written": planned.written}

    def status(self) -> Status:
        """Every object, as it was applied and as it is there now. Raises ReconcileError, StoreError."""
        drifted: dict[Key, str] = {}
        away, host = "", self._access.host
        declared = self.applied_last()
        try:
            drift = drift_of(self.plan(declared, Allowances()).plan)
            drifted = {(change.kind, change.id): brief(change) for change in drift.changes}
        except Away as error:
            away = error.message

        def found(key: Key, row: Row | None, _: int, record: Record) -> tuple[Condition, ...]:
            return conditions_elsewhere(row, record.verdicts, "LiveKit", drifted.get(key, ""), away)

        objects = objects_of(*self._memory.snapshot(), self._owner, found)
        line = f"LiveKit at {host} cannot be asked: {away}" if away else f"LiveKit at {host}"
        return Status(objects, [line], {"target": "livekit", "server": host, "away": away}, away)

    def reported(self) -> Reported:
        """Every object as it is there now. Raises ReconcileError, StoreError."""
        found = {one.key: (one.revision, one.conditions) for one in self.status().objects}

        def of(key: Key) -> tuple[int, tuple[Condition, ...]]:
            return found.get(key) or (0, conditions_elsewhere(None, (), "LiveKit", "", ""))

        return Reported(of, None)

    def applied_last(self) -> Declared:
        """The documents that were applied to this server from here. Raises ReconcileError, StoreError."""
        if not self._memory.is_there:
            hint = "name the folder of manifests, or give the --state that it was applied with"
            raise ReconcileError(f"nothing is known here of what was applied to {self._access.host}", hint)
        return declared_last(self._memory.recorded().records)

    def moved_by(self) -> str:
        """What somebody changed since the last look, if the next one is due. Raises ReconcileError."""
        if self._look_every_s is None or self._clock() < self._looked_at + self._look_every_s:
            return ""
        before, numbers_before = self._seen, self._numbers
        self._run(self._look_around())
        return moved(before, self._seen, self._owner, *moved_numbers(numbers_before, self._numbers))

    def give_up(self) -> None:
        """Stop between two calls or within one, as a crash would; the next apply finishes it."""
        self._given_up = True
        if (work := self._work) is not None:
            loop, task = work
            loop.call_soon_threadsafe(task.cancel)

    def plan(self, declared: Declared, allowed: Allowances) -> Planned:
        """What would change. Raises ReconcileError, StoreError."""
        return self._run(self._plan(declared, allowed))

    def apply(
        self,
        declared: Declared,
        allowed: Allowances,
        note: str = "",
        check: Callable[[Planned], None] | None = None,
    ) -> Planned:
        """Plan and carry out; what failed is among the problems. Raises ReconcileError, StoreError."""
        return self._run(self._apply(declared, allowed, note, check))

    def imported(self, namespace: str, sealer: Sealer) -> Imported:
        """What stands there and could be managed as it is, and what could not. Raises ReconcileError, StoreError."""
        return self._run(self._imported(namespace, sealer))

    async def _imported(self, namespace: str, sealer: Sealer) -> Imported:
        async with self._server(self._access, self._pace) as server:
            infos = await self._everything(server, "nothing was written")
            numbers = await self._own_numbers(server, "nothing was written")
        done = import_of(infos, self._owner, namespace, self._memory.recorded(), sealer)
        return replace(done, own_numbers=numbers)

    async def _plan(self, declared: Declared, allowed: Allowances) -> Planned:
        async with self._server(self._access, self._pace) as server:
            view = await self._look(server, declared, self._adoption)
            return self._planned(view, course(view, view.declared), allowed)

    async def _apply(
        self, declared: Declared, allowed: Allowances, note: str, check: Callable[[Planned], None] | None
    ) -> Planned:
        with self._desk.held(self._documents(declared)):
            async with self._server(self._access, self._pace) as server:
                view = await self._look(server, declared, self._adoption)
                way = course(view, view.declared)
                planned = self._planned(view, way, allowed)
                if check is not None:
                    check(planned)
                if planned.refused:
                    revision = self._memory.keep(None, planned.desired, blocked(planned), note)
                    return replace(planned, revision=revision)
                numbers = self._desk.carrying(server)
                if view.standing.due:
                    view = await self._chosen(view, declared, numbers)
                    way = course(view, view.declared)
                    planned = self._planned(view, way, allowed)
                numbers.write(view.standing.ledger)
                carrying = Carrying(server, way.goal, way.holdings, numbers, self._note)
                try:
                    after = await self._carried_out(carrying, way, view, declared)
                    planned = self._done(planned, way, carrying, after, declared, note)
                except (ReconcileError, StoreError, asyncio.CancelledError) as error:
                    if not (carrying.done or carrying.unsure or numbers.deals):
                        raise
                    planned = self._cut_off(planned, carrying, error, note)
        return replace(planned, written=carrying.done, deals=tuple(numbers.deals))

    async def _carried_out(self, carrying: Carrying, way: Course, view: View, declared: Declared) -> View:
        """Carry a plan out; the look after it. Raises ReconcileError, StoreError."""
        await carrying.out(way.steps, way.number_puts, way.number_ends)
        hint = "apply again" if carrying.done else "nothing was changed"
        after = await self._look(carrying.server, declared, Adoption(), hint) if way else view
        if carrying.made & {id_ for ids in after.holdings.doubled.values() for id_ in ids}:
            with _away(hint):
                await carrying.give_way(after.holdings.doubled.values())
            after = await self._look(carrying.server, declared, Adoption(), hint)
        return after

    def _done(
        self, planned: Planned, way: Course, carrying: Carrying, after: View, declared: Declared, note: str
    ) -> Planned:
        """What became of a plan, and what there is to remember of it. Raises StoreError."""
        failures = carrying.failures + not_as_written(way.left(after), carrying.failures)
        desired = with_failures(planned.desired, failures)
        failed = {failure.key for failure in failures}
        # What is told as done is what a second plan would not do again.
        left = {(change.kind, change.id) for change in course(after, after.declared).plan.changes} if failures else ()
        undone = {key: verdict for key, verdict in desired.verdicts.items() if key in failed}
        revision = self._memory.keep(after.live.mine, desired, undone, note)
        published = after.digest if carrying.done else ""
        planned = replace(planned, desired=desired, revision=revision, published=published)
        missing = tuple(unwritten(declared, after.standing))
        return replace(planned, left=frozenset(left), unwritten=missing)

    def _cut_off(self, planned: Planned, carrying: Carrying, error: BaseException, note: str) -> Planned:
        """What is known of a plan that ended when something was written already: that stays, and is told."""
        cut = _as_ending(error)
        desired = with_failures(planned.desired, carrying.failures)
        failed = {failure.key: desired.verdicts[failure.key] for failure in carrying.failures}
        revision, undone = planned.revision, {**in_doubt(planned.plan, cut), **failed}
        with contextlib.suppress(StoreError):  # kinder with it, and not needed
            revision = self._memory.keep(None, desired, undone, note)
        return replace(planned, desired=desired, revision=revision, left=frozenset(undone), cut=cut)

    async def _chosen(self, view: View, declared: Declared, numbers: NumberCarrying) -> View:
        """The same look, with the numbers that are to be bought."""
        rule_names = names_by_id(view.holdings.rule_ids())
        standing = await self._desk.chosen(view.standing, self._documents(declared), rule_names, numbers)
        asked, recorded = with_numbers(declared, standing), self._memory.recorded()
        return view_of(self._owner, view.holdings, asked, recorded, view.sealer, view.digest, standing)

    async def _look(
        self, server: Server, declared: Declared, adoption: Adoption, hint: str = "nothing was changed"
    ) -> View:
        infos = await self._everything(server, hint)
        holdings = sort(infos, self._owner, adoption.of_objects, adoption.take_over)
        names = names_by_id(holdings.rule_ids())
        with _away(hint):
            standing = await self._desk.look(server, self._documents(declared), names, adoption.word, self._tries)
        self._numbers = standing
        sealer = declared.secrets.sealer or Sealer(os.urandom(KEY_BYTES))
        asked, digest = with_numbers(declared, standing), digest_with_numbers(digest_of(infos), standing)
        return view_of(self._owner, holdings, asked, self._memory.recorded(), sealer, digest, standing)

    def _documents(self, declared: Declared) -> list[Document]:
        return [*documents(declared, self._memory.recorded().records)]

    async def _look_around(self) -> None:
        async with self._server(self._access, self._pace) as server:
            await self._everything(server, "nothing was changed")
            if not self._numbers.is_empty:
                with _away("nothing was changed"):
                    self._numbers = replace(self._numbers, held=await PhoneNumbers(server).listed(self._tries))

    async def _own_numbers(self, server: Server, hint: str) -> Numbers:
        """LiveKit's own, none where it sells none."""
        with _away(hint):
            try:
                return await PhoneNumbers(server).listed(self._tries)
            except NoPhoneNumbers:
                return {}

    async def _everything(self, server: Server, hint: str) -> list[Info]:
        with _away(hint):
            self._seen = await server.everything(self._tries)
        self._looked_at = self._clock()
        return self._seen

    def _planned(self, view: View, way: Course, allowed: Allowances) -> Planned:
        gated = Turn(view.live.tables, as_gated(way.plan), has_own_numbers=True)
        refused = refusals(gated, view.live.mine, allowed, way.desired.held_back)
        due = {name: wish for name, wish in view.standing.due.items() if name in way.desired.rows.numbers}
        money = money_refusals(due, way.number_ends, allowed)
        turn, revision = Turn(view.live.tables, way.plan, has_own_numbers=True), view.live.revision
        return Planned(turn, way.desired, (*refused, *money), revision, view.digest, revision)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do one piece of work in a loop of its own, from which another thread may call it off."""
        done: list[T] = []

        async def working() -> None:
            task = asyncio.current_task()
            assert task is not None
            self._work = (asyncio.get_running_loop(), task)
            try:
                if self._given_up:
                    work.close()
                    raise asyncio.CancelledError
                # Not returned: asyncio.run has its task shown once, with what that returned: maybe a plan of thousands.
                done.append(await work)
            finally:
                self._work = None

        try:
            asyncio.run(working())
        except asyncio.CancelledError as error:
            raise _as_ending(error) from None
        return done[0]


def _as_ending(error: BaseException) -> ReconcileError:
    """What has ended an apply, as the sentence of a command."""
    if isinstance(error, ReconcileError):
        return error
    if isinstance(error, StoreError):
        return ReconcileError(f"{error.where}: {error.what}", error.hint)
    return ReconcileError("stopped in the middle of an apply", "the next one finishes it")


@contextmanager
def _away(hint: str) -> Iterator[None]:
    """A call of the body that fails means that the target is away; `hint` says what became of it all."""
    try:
        yield
    except CallFailed as failed:
        raise Away(failed.what, hint, failed.wait_s) from failed
