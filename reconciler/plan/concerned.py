"""Which called numbers a plan can concern: those whose calls may go elsewhere once it is carried out.

A changed PhoneNumber concerns its number; a changed rule the numbers that point at it, those that it lists, and one
stand-in for each of its prefixes (the prefix itself); a changed trunk its PhoneNumbers, and where it serves any
number every number that anything names. Changes that no decision looks at (a limit, an agent, a header) concern none.
The scan over all PhoneNumbers is made once, and only where a rule or a trunk changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from reconciler.plan.changes import Change
from reconciler.plan.outcomes import ANYBODY
from reconciler.plan.turn import Turn
from schemas.tables.entries import RuleEntry, TrunkEntry
from schemas.tables.patterns import ANY, compile_numbers, is_prefix
from schemas.tables.rows import ROOM_DEFAULTS, Headers, NumberRow, PinPrompts, RoomKind, Row, RuleRow, Secret, TrunkRow

_NO_NAME = "*"


@dataclass(slots=True)
class Touched:
    """What a plan changes that decides calls; each list holds the rows of both sides."""

    numbers: list[NumberRow] = field(default_factory=list)
    rules: list[RuleEntry] = field(default_factory=list)
    trunks: list[TrunkEntry] = field(default_factory=list)

    @property
    def any_called(self) -> bool:
        """Whether a trunk among them serves any number."""
        return any(entry.inbound and not entry.called_declared_only for entry in self.trunks)


def touched_by(turn: Turn, *, rooms: bool = True) -> Touched:
    """What changes. Without `rooms` a rule that only leads to another room is not among it: it answers as before."""
    out = Touched()
    for change in turn.plan.changes:
        if isinstance(change.old or change.new, NumberRow):
            out.numbers += [row for row in (change.old, change.new) if isinstance(row, NumberRow)]
        elif _decides_else(change, rooms=rooms):
            _touch(change, turn, out)
    _touch_turned(turn, out)
    return out


def concerned(turn: Turn, touched: Touched) -> list[str]:
    """The numbers and prefixes, exact ones first, each once; `ANYBODY` stands for a number that nothing names."""
    found = dict.fromkeys(row.number for row in touched.numbers)
    if touched.rules or touched.trunks:
        found |= dict.fromkeys(pattern for entry in touched.rules for pattern in entry.row.to)
        found |= dict.fromkeys(_numbers_in_reach(turn, touched))
        if touched.any_called:
            for tables in (turn.before, turn.after):
                found |= dict.fromkeys(pattern for pattern in tables.rule_index.to if pattern != ANY)
        if touched.any_called or any(entry.to.any for entry in touched.rules):
            found[ANYBODY] = None
    return sorted(found, key=lambda pattern: (pattern == ANYBODY, is_prefix(pattern), pattern))


def _decides_else(change: Change, *, rooms: bool) -> bool:
    if change.old is None or change.new is None:
        return True
    return _deciding(change.old, rooms=rooms) != _deciding(change.new, rooms=rooms)


def _deciding(row: Row, *, rooms: bool) -> Row:
    """The row without what no decision looks at. The value of a secret is none of it either."""
    if isinstance(row, TrunkRow):
        inbound = row.inbound
        if inbound is not None:
            auth = replace(inbound.auth, password=_without_value(inbound.auth.password)) if inbound.auth else None
            inbound = replace(
                inbound, auth=auth, headers=Headers(), ringing_timeout_ms=0, max_call_duration_ms=0,
                noise_cancellation=False,
            )  # fmt: skip
        return TrunkRow("", inbound, media=row.media, regions=row.regions, claimed_since=row.claimed_since)
    if isinstance(row, RuleRow):
        pin = _without_value(row.pin) if row.pin else None
        row = replace(
            row, id="", pin=pin, pin_prompts=PinPrompts(), room=ROOM_DEFAULTS, attributes=(), metadata="",
            noise_cancellation=False, answer="", ringback="", hold_music="", recording=None, messages="",
            fallback_sip_code=0, claimed_since=0,
        )  # fmt: skip
        if not rooms and row.room_name:  # what a kind weighs counts still
            row = replace(row, room_name=_NO_NAME, randomize=False, hide_phone_number=False)
        if row.kind is RoomKind.DIRECT:
            row = replace(row, randomize=False)
    return row


def _without_value(secret: Secret) -> Secret:
    return replace(secret, sealed=b"")


def _touch(change: Change, turn: Turn, out: Touched) -> None:
    for tables, row in ((turn.before, change.old), (turn.after, change.new)):
        if isinstance(row, TrunkRow) and (trunk := tables.trunks.get(row.id)) is not None:
            out.trunks.append(trunk)
        elif isinstance(row, RuleRow) and (rule := tables.rules.get(row.id)) is not None:
            out.rules.append(rule)


def _touch_turned(turn: Turn, out: Touched) -> None:
    """Rules that gain their first PhoneNumber or lose their last: an empty `to` changes its meaning."""
    known = {entry.row.id for entry in out.rules}
    for rule_id in sorted({row.rule for row in out.numbers if row.rule} - known):
        sides = [tables.rules.get(rule_id) for tables in (turn.before, turn.after)]
        if len({entry.to.any for entry in sides if entry is not None}) > 1:
            out.rules += [entry for entry in sides if entry is not None]


def _numbers_in_reach(turn: Turn, touched: Touched) -> Iterator[str]:
    """The numbers of the PhoneNumbers that stand on what is touched, or that a touched rule may match."""
    trunks, rules = {entry.row.id for entry in touched.trunks}, {entry.row.id for entry in touched.rules}
    every = touched.any_called or any(entry.to.any for entry in touched.rules)
    listed = compile_numbers(_patterns(touched.rules), empty_is_any=False)
    for row in turn.after.numbers.by_id.values():
        if every or row.trunk in trunks or row.rule in rules or listed.rank(row.number) is not None:
            yield row.number


def _patterns(entries: Iterable[RuleEntry]) -> Iterator[str]:
    for entry in entries:
        yield from entry.row.to
