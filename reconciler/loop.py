"""The watch loop: manifests change, what is live follows, and one line says what happened.

`reconcile watch` runs it, alone or as the child of a bridge. A pass takes one settled batch of changes: it reads the
changed files again, applies what follows from them, and tells it (`telling`). A pass that fails (a store that is
locked, a server that is down, a folder that is gone) changes nothing and is made again: at the next regular look, or
later where the target is to be left alone for longer. The regular look also finds out that somebody else has changed
what is live, and puts it back. Nothing ends the loop but `stop`.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import cast

from reconciler.backoff import Backoff
from reconciler.errors import ReconcileError
from reconciler.manifests.folder import Folder, Reading
from reconciler.manifests.quiet import Batch
from reconciler.manifests.vault import Vault
from reconciler.manifests.watch import watch
from reconciler.manifests.write_back import write_all
from reconciler.model.secrets import Secrets
from reconciler.model.standing import Declared
from reconciler.plan.gates import Allowances
from reconciler.targets.target import Away, Planned, Target
from reconciler.telling import Report, Say, Telling
from schemas.secret_key import SecretKeyError
from schemas.stores import StoreError


def declared_by(reading: Reading, vault: Vault | None = None) -> Declared:
    """What the model is fed with from a reading; without a vault nobody looks for secrets. Raises SecretKeyError."""
    secrets = vault.open(reading.sources) if vault is not None else Secrets()
    return Declared(reading.sources, reading.problems_of_source, secrets)


class Loop:
    """Keeps what is live at a target as a source declares it. `say` gets lines, `apply` is the command to name in them.

    Without a `vault` nobody looks for secrets. `account` is given what was done, and what was newly refused, with the
    note of the revision. `clock` gives steady seconds, `luck` a number between 0 and 1.
    """

    def __init__(
        self,
        folder: Folder,
        target: Target,
        say: Say,
        report: Report,
        apply: str = "reconcile apply DIR",
        vault: Vault | None = None,
        account: Callable[[Planned, str], None] = lambda _planned, _note: None,
        clock: Callable[[], float] = time.monotonic,
        luck: Callable[[], float] = random.random,
    ):
        self._folder = folder
        self._vault = vault
        self._target = target
        self._clock = clock
        self._luck = luck
        self._note = f"watch {folder.source}"
        self._telling = Telling(
            folder.source, target.manner, say, report, apply, lambda planned: account(planned, self._note)
        )
        self._backoff = Backoff(*target.manner.backoff_s)
        self._due = True
        self._away = False

    async def run(self, stop: asyncio.Event) -> None:
        """Pass after pass until `stop` is set; one that is under way then is given up."""
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
                # A server may take its time, and a signal is to be heard meanwhile.
                passing = asyncio.ensure_future(asyncio.to_thread(self.one_pass, coming.result()))
                await asyncio.wait({passing, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not passing.done():
                    self._target.give_up()
                await passing
        await stopping

    def one_pass(self, batch: Batch) -> None:
        """Bring what is live up to what the source declares after one batch of changes."""
        began = self._clock()
        if batch.trouble:
            self._telling.trouble(f"changes are seen only every few seconds: {batch.trouble}")
        reading = self._folder.refresh(batch.to_refresh, batch.look)
        self._telling.follow(reading)
        if not reading.found:
            self._telling.gone(reading)
            return
        if not self._backoff.is_over(began):
            self._due = self._due or bool(reading.changed)
            self._telling.put_off(reading)
            return
        try:
            other_secrets = self._vault is not None and self._vault.has_changed()
            moved_by = "" if self._due or other_secrets else self._target.moved_by()
            if not (reading.changed or other_secrets or self._due or moved_by):
                return
            self._due = True
            planned = self._target.apply(declared_by(reading, self._vault), Allowances(), note=self._note)
            planned = planned.with_problems(write_all(planned.unwritten, self._folder.source))
        except (StoreError, SecretKeyError, ReconcileError) as error:
            self._failed(error, reading)
            return
        if planned.cut is not None:
            self._hold_off(planned.cut)
            self._telling.cut_off(reading, planned, planned.cut)
            return
        if self._away:
            self._telling.back()
        self._due, self._away = bool(planned.left), False
        if planned.left:
            self._backoff.failed(self._clock(), self._luck())
        else:
            self._backoff.worked()
        self._telling.the_pass(reading, planned, moved_by, (self._clock() - began) * 1000)

    def _failed(self, error: Exception, reading: Reading) -> None:
        self._hold_off(error)
        self._telling.no_pass(reading, str(error))

    def _hold_off(self, error: Exception) -> None:
        self._due = True
        if isinstance(error, Away):
            self._away = True
        self._backoff.failed(self._clock(), self._luck(), error.wait_s if isinstance(error, Away) else 0.0)
