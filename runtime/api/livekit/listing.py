"""CORE. Which objects of the live tables a request is about: by id or by name, page by page, by LiveKit's filters.

Ids are derived from names, so nothing is kept: a list derives those of its kind anew, in a thread beside the loop. A
page is what `limit` says, though LiveKit's own server answers with everything after `after_id`: callers ask until a
page is empty.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from livekit.protocol import models

from runtime.api.livekit.limits import ITEMS_ASKED_MAX, PAGE_ITEMS
from runtime.api.livekit.objects import DEFAULT_NAMESPACE, ID_PREFIX, LIVEKIT_WORD, livekit_id
from runtime.api.livekit.twirp import Code, TwirpError
from schemas.ids import normalise_number
from schemas.tables.rows import Direction, Kind, RuleRow, TrunkRow
from schemas.tables.tables import Tables

R = TypeVar("R", TrunkRow, RuleRow)


@dataclass(frozen=True, slots=True)
class Numbers:
    """PhoneNumbers by what they name: called numbers and caller ids of each trunk, called numbers of each rule."""

    called: dict[str, list[str]]
    calling: dict[str, list[str]]
    of_rule: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Listed(Generic[R]):
    """One object of a list with its LiveKit id."""

    id: str
    row: R


def numbers_of(tables: Tables) -> Numbers:
    """All PhoneNumbers, grouped and sorted. One pass over what may be a million."""
    found = Numbers({}, {}, {})
    for row in tables.numbers.by_id.values():
        if row.direction is not Direction.OUTBOUND:
            if row.trunk:
                found.called.setdefault(row.trunk, []).append(row.number)
            if row.rule:
                found.of_rule.setdefault(row.rule, []).append(row.number)
        if row.direction is not Direction.INBOUND and row.trunk:
            found.calling.setdefault(row.trunk, []).append(row.number)
    for groups in (found.called, found.calling, found.of_rule):
        for group in groups.values():
            group.sort()
    return found


def called_numbers(row: TrunkRow, numbers: Numbers) -> Sequence[str]:
    """The numbers that a trunk serves, in LiveKit's words: none means any."""
    assert row.inbound is not None
    return numbers.called.get(row.id, ()) if row.inbound.called_declared_only else ()


def rule_numbers(row: RuleRow, numbers: Numbers) -> Sequence[str]:
    """The called numbers of a rule: its own and those of the PhoneNumbers that point at it."""
    return [*row.to, *numbers.of_rule.get(row.id, ())]


def trunks(tables: Tables, is_listed: Callable[[TrunkRow], bool]) -> list[Listed[TrunkRow]]:
    """The trunks of a list, in id order."""
    return _sorted(Kind.TRUNK, (entry.row for entry in tables.trunks.values() if is_listed(entry.row)))


def rules(tables: Tables) -> list[Listed[RuleRow]]:
    """The rules, in id order."""
    return _sorted(Kind.RULE, (entry.row for entry in tables.rules.values()))


def one(tables: Tables, kind: Kind, named: str) -> str | None:
    """The `namespace/name` of the live object that an id or a name means."""
    rows = tables.trunks if kind is Kind.TRUNK else tables.rules
    if not named.startswith(f"{ID_PREFIX[kind]}_"):
        row_id = _full_name(named)
        return row_id if rows.get(row_id) is not None else None
    return next((entry.row.id for entry in rows.values() if livekit_id(kind, entry.row.id) == named), None)


def existing(tables: Tables, kind: Kind, field: str, named: str) -> str:
    """The `namespace/name` that a request names. TwirpError when it names none, or none that is live."""
    if not named:
        raise TwirpError(Code.INVALID_ARGUMENT, f"{field} is required", argument=field)
    row_id = one(tables, kind, named)
    if row_id is None:
        shown = named if len(named) <= 64 else f"{named[:64]}…"
        raise TwirpError(Code.NOT_FOUND, f"requested {LIVEKIT_WORD[kind]} does not exist: {shown}")
    return row_id


def asked_ids(kind: Kind, named: Sequence[str]) -> frozenset[str]:
    """Ids or names of a filter, as ids."""
    return frozenset(as_id(kind, name) for name in bounded(named))


def asked_numbers(numbers: Sequence[str]) -> frozenset[str]:
    """Numbers of a filter, as they were written and normalised."""
    return frozenset(form for number in bounded(numbers) for form in (number, normalise_number(number)))


def bounded(asked: Sequence[str]) -> Sequence[str]:
    """What a request filters by; TwirpError when that is too much."""
    if len(asked) > ITEMS_ASKED_MAX:
        raise TwirpError(Code.INVALID_ARGUMENT, f"a request filters by {ITEMS_ASKED_MAX} ids or numbers at most")
    return asked


def as_id(kind: Kind, named: str) -> str:
    """The id that an id or a name means; there need not be such an object."""
    return named if named.startswith(f"{ID_PREFIX[kind]}_") else livekit_id(kind, _full_name(named))


def serves_one(numbers: Collection[str], asked: frozenset[str]) -> bool:
    """LiveKit's numbers filter: whoever has no numbers always passes."""
    return not asked or not numbers or not asked.isdisjoint(numbers)


def page_of(kind: Kind, items: Iterable[Listed[R]], page: models.Pagination | None) -> list[Listed[R]]:
    """The part that a page asks for: ids greater than `after_id`; without a page everything."""
    if page is None:
        return list(items)
    if page.limit < 0:
        raise TwirpError(Code.INVALID_ARGUMENT, "page.limit must not be negative", argument="page.limit")
    after = as_id(kind, page.after_id) if page.after_id else ""
    found = [item for item in items if item.id > after]
    return found[: page.limit or PAGE_ITEMS]


def _sorted(kind: Kind, rows: Iterable[R]) -> list[Listed[R]]:
    return sorted((Listed(livekit_id(kind, row.id), row) for row in rows), key=lambda listed: listed.id)


def _full_name(named: str) -> str:
    return named if "/" in named else f"{DEFAULT_NAMESPACE}/{named}"
