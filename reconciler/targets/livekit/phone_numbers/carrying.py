"""EDGE. Chooses, buys, assigns and releases numbers, each call after the ledger says what it is about to do.

What may be cut off, and where, decides everything here. The ledger is on the disk before a call that costs; after a
call whose end nobody knows LiveKit's list is looked at before the same number is asked for again; and a number is
given up for another one only if its purchase was sent once and refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.model.limits import Limit
from reconciler.targets.livekit.phone_numbers.holdings import HeldNumber, Wish
from reconciler.targets.livekit.phone_numbers.ledger import Entry, Ledger, Stage
from reconciler.targets.livekit.phone_numbers.ledger_file import LedgerFile
from reconciler.targets.livekit.phone_numbers.messages import Status
from reconciler.targets.livekit.phone_numbers.service import PhoneNumbers
from reconciler.targets.livekit.phone_numbers.standing import Standing
from reconciler.targets.livekit.phone_numbers.steps import NumberStep, NumberVerb
from reconciler.targets.livekit.server import TRIES_MAX, CallFailed, Server, Unsure
from reconciler.targets.target import Deal
from schemas.resources.conditions import Reason


@dataclass(slots=True)
class NumberCarrying:
    """One apply's hand on the numbers. `ledger` is what stands on the disk."""

    server: Server
    service: PhoneNumbers
    file: LedgerFile
    ledger: Ledger
    deals: list[Deal] = field(default_factory=list)
    """What this apply has bought and given back, and what it has found to have become of an earlier one's calls."""

    def write(self, ledger: Ledger) -> None:
        """Put it on the disk. Raises ReconcileError."""
        if ledger != self.ledger:
            # First: what LiveKit has done is done, also where it cannot be written down.
            self.deals += deals_between(self.ledger, ledger)
            self.file.write(ledger)
            self.ledger = ledger

    async def choose(self, standing: Standing) -> dict[str, Limit]:
        """Choose a number for each document that is due one, and write it down; why not, for the others."""
        self.write(standing.ledger)
        without: dict[str, Limit] = {}
        on_sale: dict[Wish, list[HeldNumber]] = {}
        for name, wish in standing.due.items():
            try:
                if wish not in on_sale:
                    on_sale[wish] = await self.service.offers(wish)
            except CallFailed as failed:
                without[name] = _not_chosen(f"{wish} could not be looked for: {failed.what}")
                continue
            taken = {*self.ledger.entries, *(standing.held or {}), *standing.elsewhere}
            offer = next((offer for offer in on_sale[wish] if offer.number not in taken), None)
            if offer is None:
                without[name] = _not_chosen(f"LiveKit does not have {wish} on sale")
                continue
            retain = standing.declarations[name].retain
            self.write(self.ledger.put(Entry(offer.number, standing.owner, name, Stage.CHOSEN, wish, retain)))
        return without

    async def do(self, step: NumberStep, rule_ids: Mapping[str, str]) -> None:
        """Do one step. Raises CallFailed, ReconcileError."""
        if step.verb is NumberVerb.RELEASE:
            self.write(self.ledger.staged(step.number, Stage.RELEASING))
            await self.service.release(step.number)
            self.write(self.ledger.without([step.number]))
            return
        held = step.held if step.held is not None else await self._bought(step.number)
        rule = rule_ids[step.rule] if step.rule else ""
        if held.rules != ((rule,) if rule else ()):
            await self._assign(step.number, rule, held)
        if step.verb is NumberVerb.RETIRE:
            self.write(self.ledger.staged(step.number, Stage.KEPT))

    async def _assign(self, number: str, rule: str, held: HeldNumber) -> None:
        try:
            await self.service.assign(number, rule)
        except CallFailed as failed:
            if held.status == Status.PENDING:
                raise CallFailed(f"LiveKit is still providing {number}: {failed.what}") from failed
            raise

    async def _bought(self, number: str) -> HeldNumber:
        """Buy a number once, whatever becomes of the answers."""
        there = (await self.service.listed()).get(number)
        is_first = self.ledger.entries[number].stage is Stage.CHOSEN
        if there is not None and is_first:
            self.write(self.ledger.without([number]))
            raise CallFailed(f"somebody else has bought {number} meanwhile; apply again for another one", refused=True)
        if there is None:
            self.write(self.ledger.staged(number, Stage.ASKED))
            there = await self._asked(number, is_first=is_first)
        self.write(self.ledger.staged(number, Stage.BOUGHT))
        return there

    async def _asked(self, number: str, *, is_first: bool) -> HeldNumber:
        for tried in range(TRIES_MAX):
            try:
                if (bought := await self.service.purchase(number)) is not None:
                    return bought
                if (there := await self._look(number)) is not None:
                    return there
                # An answer, and it is about something else: the same question would get the same.
                raise CallFailed(_not_known(f"LiveKit does not say whether it has sold {number}", number))
            except Unsure as unsure:
                what = unsure.what
            except CallFailed as failed:
                if not failed.refused:
                    raise
                what = failed.what
                if (there := await self._look(number)) is not None:
                    return there
                self._give_up(number, what, is_certain=is_first and tried == 0)
            if (there := await self._look(number)) is not None:
                return there
            if tried + 1 < TRIES_MAX:
                await self.server.pause(tried)
        raise CallFailed(_not_known(what, number))

    async def _look(self, number: str) -> HeldNumber | None:
        return (await self.service.listed()).get(number)

    def _give_up(self, number: str, what: str, *, is_certain: bool) -> None:
        """A purchase was refused. Raises CallFailed."""
        if is_certain:
            self.write(self.ledger.without([number]))
            raise CallFailed(f"{number} was not sold: {what}; apply again for another one", refused=True)
        said = f"{number} is not sold any more ({what}), and an earlier purchase of it has no known end"
        hint = f"if it is not the project's, apply with --not-mine {number}"
        raise CallFailed(f"{said}; {hint}", refused=True)


def deals_between(before: Ledger, after: Ledger) -> list[Deal]:
    """What a ledger says of numbers that one before it did not: it is bought, or given back."""
    out = []
    for number, entry in before.entries.items():
        asked, now = str(entry.wish) if entry.wish is not None else "", after.entries.get(number)
        if entry.stage is Stage.ASKED and now is not None and now.stage is Stage.BOUGHT:
            out.append(Deal(number, now.name, asked))
        elif entry.stage is Stage.RELEASING and now is None:
            out.append(Deal(number, entry.name, asked, is_release=True))
    return out


def _not_known(what: str, number: str) -> str:
    return f"{what}; whether {number} was bought is not known yet, the next apply looks first"


def _not_chosen(what: str) -> Limit:
    return Limit(
        ("spec", "purchase"), what, "apply again later, or ask for another area", Reason.NOT_ALLOWED, "not-on-sale"
    )
