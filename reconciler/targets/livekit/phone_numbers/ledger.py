"""CORE. Whose LiveKit's numbers are: one entry for each number that an owner has bought, adopted, or set out to buy.

A number has no field for a mark, so this is all that tells ours from others'. What makes a purchase happen once is the
order in which entries are written: a number is CHOSEN before anything else is done with it, ASKED before its purchase
is sent, and BOUGHT once LiveKit lists it. Whoever finds an entry buys that number or none: another one is looked for
only where a purchase was refused that was sent just once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from reconciler.targets.livekit.phone_numbers.holdings import Wish
from schemas import ids

FORMAT = 1


class Stage(StrEnum):
    """How far a number is ours."""

    CHOSEN = "chosen"
    """It is to be bought; no purchase of it was sent."""
    ASKED = "asked"
    """A purchase of it may have been sent, whose end nobody knows."""
    BOUGHT = "bought"
    """It is held at LiveKit."""
    RELEASING = "releasing"
    """It is to be given back, and may have been."""
    KEPT = "kept"
    """It is held at LiveKit, and its document is gone (`deletionPolicy: Retain`)."""
    FOREIGN = "foreign"
    """Somebody said that it is not ours."""


ACTIVE = frozenset({Stage.CHOSEN, Stage.ASKED, Stage.BOUGHT, Stage.RELEASING})
"""The stages of a number that a document stands for, or stood for until now."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One number. `name` is its PhoneNumber's `namespace/name`; `wish` what was asked for, where it was bought."""

    number: str
    owner: str
    name: str
    stage: Stage
    wish: Wish | None = None
    retain: bool = True


@dataclass(frozen=True, slots=True)
class Ledger:
    """All entries of one server by number, those of all owners."""

    entries: Mapping[str, Entry] = field(default_factory=dict)

    def of(self, owner: str, name: str) -> Entry | None:
        """The entry of a PhoneNumber, that a document stands for."""
        found = (entry for entry in self.entries.values() if (entry.owner, entry.name) == (owner, name))
        return next((entry for entry in found if entry.stage in ACTIVE), None)

    def kept(self, owner: str, name: str, wish: Wish) -> Entry | None:
        """A number that was bought for a document that went, and is back and asks for the same."""
        return next(
            (
                entry
                for entry in self.entries.values()
                if entry.stage is Stage.KEPT and (entry.owner, entry.name, entry.wish) == (owner, name, wish)
            ),
            None,
        )

    def active(self, owner: str) -> list[Entry]:
        """An owner's entries that documents stand for."""
        return [entry for entry in self.entries.values() if entry.owner == owner and entry.stage in ACTIVE]

    def put(self, *entries: Entry) -> Ledger:
        """With these entries, each in the place of what stood there of its number."""
        return Ledger({**self.entries, **{entry.number: entry for entry in entries}})

    def without(self, numbers: Iterable[str]) -> Ledger:
        """Without these numbers."""
        gone = set(numbers)
        return Ledger({number: entry for number, entry in self.entries.items() if number not in gone})

    def staged(self, number: str, stage: Stage) -> Ledger:
        """With a number at another stage."""
        return self.put(replace(self.entries[number], stage=stage))


def encode(ledger: Ledger) -> bytes:
    """The ledger's bytes: equal ledgers have equal bytes."""
    entries = [asdict(ledger.entries[number]) for number in sorted(ledger.entries)]
    return (json.dumps({"format": FORMAT, "numbers": entries}, indent=1) + "\n").encode()


def decode(data: bytes) -> Ledger:
    """A ledger from its bytes. Raises ValueError where they are none: what it said must not be guessed."""
    try:
        held = json.loads(data)
        if held["format"] != FORMAT:
            raise ValueError(f"its format is {held['format']}, not {FORMAT}")
        entries = [_entry(one) for one in held["numbers"]]
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError("it is incomplete, or was edited") from error
    return Ledger({entry.number: entry for entry in entries})


def _entry(one: Mapping[str, Any]) -> Entry:
    if not ids.is_e164(one["number"]):
        raise ValueError("it holds something that is no number")
    wish = Wish(**one["wish"]) if one["wish"] is not None else None
    return Entry(one["number"], one["owner"], one["name"], Stage(one["stage"]), wish, bool(one["retain"]))
