"""CORE. PhoneNumbers and where LiveKit keeps them: in the `numbers` of inbound trunks, outbound trunks and rules.

LiveKit has no object for a PhoneNumber of a trunk. What one contributes is a number in three lists, and it is live as
far as it stands there; a document gives it its name, and a number that none names gets one that no document can have.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reconciler.targets.livekit.hints import Hints
from reconciler.targets.livekit.holdings import Holdings, Part
from reconciler.targets.livekit.passing import real_numbers
from schemas.tables.rows import Direction, NumberRow, Rows, RuleRow

LIVE_SINCE = 1
"""The age of every claim at LiveKit, which keeps none: whatever is live there is an incumbent."""


@dataclass(slots=True)
class Lists:
    """The three kinds of list by name. No entry: no such half; an empty list of called numbers: any number."""

    called: dict[str, list[str]] = field(default_factory=dict)
    calling: dict[str, list[str]] = field(default_factory=dict)
    of_rule: dict[str, list[str]] = field(default_factory=dict)


def lists_of(rows: Rows) -> Lists:
    """What these rows want in the lists, each sorted."""
    lists = Lists()
    for trunk in rows.trunks.values():
        if trunk.inbound is not None:
            lists.called[trunk.id] = []
        if trunk.outbound is not None:
            lists.calling[trunk.id] = []
    for rule in rows.rules.values():
        lists.of_rule[rule.id] = [*rule.to]
    for row in sorted(rows.numbers.values(), key=lambda row: row.number):
        takes, places = row.direction is not Direction.OUTBOUND, row.direction is not Direction.INBOUND
        trunk_row = rows.trunks.get(row.trunk)
        if takes and trunk_row is not None and trunk_row.inbound and trunk_row.inbound.called_declared_only:
            lists.called[row.trunk].append(row.number)
        if places and row.trunk in lists.calling:
            lists.calling[row.trunk].append(row.number)
    for rule_id, numbers in pointing_at(rows.numbers.values()).items():
        if rule_id in lists.of_rule:
            lists.of_rule[rule_id] = [*dict.fromkeys([*lists.of_rule[rule_id], *sorted(numbers)])]
    return lists


def held_lists(holdings: Holdings) -> Lists:
    """What stands in the lists of this owner's objects."""
    lists = Lists()
    for (part, name), held in holdings.mine.items():
        home = {Part.INBOUND: lists.called, Part.OUTBOUND: lists.calling, Part.RULE: lists.of_rule}[part]
        home[name] = real_numbers(held.info.numbers)
    return lists


def pointing_at(rows: Iterable[NumberRow]) -> dict[str, set[str]]:
    """The called numbers that point at each rule."""
    found: dict[str, set[str]] = {}
    for row in rows:
        if row.rule and row.direction is not Direction.OUTBOUND:
            found.setdefault(row.rule, set()).add(row.number)
    return found


def own_numbers(listed: Collection[str], hint: RuleRow | None, pointing: Collection[str]) -> tuple[str, ...]:
    """The numbers of a rule that are its own `match.to`: not those that only PhoneNumbers have put there."""
    own = hint.to if hint is not None else ()
    found = [number for number in real_numbers(listed) if number in own or number not in pointing]
    return own if sorted(own) == sorted(found) else tuple(found)


def number_rows(
    holdings: Holdings, hints: Hints, recorded: Rows, own: Sequence[NumberRow] = ()
) -> dict[str, NumberRow]:
    """The PhoneNumbers that are live; `recorded` are the rows that were applied last, `own` LiveKit's own numbers."""
    lists = held_lists(holdings)
    rows: dict[str, NumberRow] = {}
    elsewhere = _Elsewhere(lists, hints, recorded, *_trunks_by_number(lists, hints))
    for id_, hint in hints.numbers.items():
        row = _as_held(hint, lists, elsewhere)
        if row is not None:
            rows[id_] = replace(row, claimed_since=LIVE_SINCE)
    for mine in own:
        known = hints.numbers.get(mine.id)
        rows[mine.id] = replace(mine, direction=known.direction if known is not None else mine.direction)
    for row in _nameless(lists, rows.values()):
        rows[row.id] = row
    return rows


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """Where a number stands that does not stand where its document says."""

    lists: Lists
    hints: Hints
    recorded: Rows
    meant: Mapping[str, Collection[str]]
    """Number -> the trunks that documents put it on."""
    homes: Mapping[str, Collection[str]]
    """Number -> the trunks that have it."""

    def rule(self, id_: str, number: str) -> str:
        """The rule that it pointed at when it was applied last, if it still stands there and not as that rule's own.

        Without that knowledge a number of a rule is the rule's own, also where a PhoneNumber is now declared for it.
        """
        last = self.recorded.numbers.get(id_)
        if last is None or number not in self.lists.of_rule.get(last.rule, ()):
            return ""
        hint = self.hints.rules.get(last.rule)
        return "" if hint is not None and number in hint.to else last.rule

    def trunk(self, number: str) -> str:
        """Another trunk that has it, and that no document puts it on."""
        meant = self.meant.get(number, ())
        return next((trunk for trunk in self.homes.get(number, ()) if trunk not in meant), "")


def _trunks_by_number(lists: Lists, hints: Hints) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Where documents put each number, and where it stands; looked up for each of ten thousand numbers."""
    meant: dict[str, list[str]] = defaultdict(list)
    for row in hints.numbers.values():
        meant[row.number].append(row.trunk)
    homes: dict[str, list[str]] = defaultdict(list)
    for numbers_of in (lists.called, lists.calling):
        for trunk, number in _pairs(numbers_of):
            homes[number].append(trunk)
    return meant, homes


def _as_held(hint: NumberRow, lists: Lists, elsewhere: _Elsewhere) -> NumberRow | None:
    """The row of a number as far as it stands where its document says, or somewhere else; None = it does not."""
    trunk = hint.trunk
    if not _stands(hint.number, trunk, lists):
        trunk = elsewhere.trunk(hint.number) or trunk
    direction = _direction(hint, trunk, lists)
    if direction is None:
        return None
    rule = hint.rule
    if direction is not Direction.OUTBOUND and hint.number not in lists.of_rule.get(rule, ()):
        rule = elsewhere.rule(hint.id, hint.number)
        if hint.rule and not rule and not _stands(hint.number, trunk, lists):
            return None
    return replace(hint, trunk=trunk, direction=direction, rule=rule)


def _direction(hint: NumberRow, trunk: str, lists: Lists) -> Direction | None:
    """Which calls of a trunk a number serves. Where the trunk's lists cannot tell, what its document says counts."""
    called, calling = lists.called.get(trunk), lists.calling.get(trunk)
    takes, places = hint.direction is not Direction.OUTBOUND, hint.direction is not Direction.INBOUND
    if called is None and calling is None:
        return None
    # An empty list of called numbers means any: it tells nothing of one of them.
    if ((takes and called) or (places and calling is not None)) and not _stands(hint.number, trunk, lists):
        return None
    takes = hint.number in called if called else takes
    places = hint.number in calling if calling is not None else places
    if takes and places:
        return Direction.BOTH
    return Direction.INBOUND if takes else Direction.OUTBOUND


def _stands(number: str, trunk: str, lists: Lists) -> bool:
    return number in lists.called.get(trunk, ()) or number in lists.calling.get(trunk, ())


def _nameless(lists: Lists, named: Iterable[NumberRow]) -> Iterator[NumberRow]:
    """Numbers on trunks that no PhoneNumber accounts for: somebody put them there by hand, or they were given up."""
    known = {(row.trunk, row.number) for row in named}
    found: dict[tuple[str, str], Direction] = {}
    for homes, direction in ((lists.called, Direction.INBOUND), (lists.calling, Direction.OUTBOUND)):
        for at in _pairs(homes):
            if at not in known:
                found[at] = Direction.BOTH if at in found else direction
    for (trunk, number), direction in found.items():
        namespace, _, name = trunk.partition("/")
        yield NumberRow(f"{namespace}/{name}.{number}", number, trunk, "", direction, LIVE_SINCE)


def _pairs(homes: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    return ((trunk, number) for trunk, numbers in homes.items() for number in numbers)
