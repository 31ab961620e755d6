"""Which rules can fit a call: a few lookups by trunk, called and calling number, whatever the number of rules.

A rule stands at each `Place` (trunk, `to` pattern, `from` pattern) that its row spells out. A call looks at the
places it can come by: its trunk or every trunk, its number, each prefix of it whose length is in use, or any. Rules
with a huge product of lists leave a dimension to the predicates (`UNINDEXED`). Whatever is found here is only a
candidate: `lookup` runs the predicates on it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas.tables.buckets import BucketEdit, Buckets, tallied
from schemas.tables.entries import EVERY_TRUNK, UNINDEXED, Place, RuleEntry, places_of
from schemas.tables.patterns import ANY, is_prefix
from schemas.tables.sharded import ShardedMap

RuleBucket = tuple[RuleEntry, ...]


Counts = ShardedMap[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class RuleIndex:
    """Rules by place. `to` and `from_` count the places of each pattern, so that only known ones are combined.

    The lengths are those of prefixes in use, `unindexed` counts the places that leave out the trunk.
    """

    places: Buckets[Place, RuleEntry] = field(default_factory=ShardedMap)
    to: Counts = field(default_factory=ShardedMap)
    from_: Counts = field(default_factory=ShardedMap)
    to_lengths: dict[int, int] = field(default_factory=dict)
    from_lengths: dict[int, int] = field(default_factory=dict)
    unindexed: int = 0

    def candidates(self, trunk_id: str, called: str, caller: str) -> list[tuple[bool, RuleBucket]]:
        """Buckets of rules that can fit, each with whether its first rule that fits is its best one.

        Within an indexed bucket all rules fit equally well, so their static order decides; in an unindexed one each
        rule must be looked at.
        """
        scopes = (trunk_id, EVERY_TRUNK, UNINDEXED) if self.unindexed else (trunk_id, EVERY_TRUNK)
        to_patterns = self.to_patterns(called)
        from_patterns = _known(self.from_, caller, self.from_lengths)
        if self.from_.get(UNINDEXED) is not None:
            from_patterns.append(UNINDEXED)
        get = self.places.get
        found: list[tuple[bool, RuleBucket]] = []
        for to in to_patterns:
            for from_ in from_patterns:
                for scope in scopes:
                    bucket = get((scope, to, from_))
                    if bucket is not None:
                        found.append((scope is not UNINDEXED and from_ is not UNINDEXED, bucket))
        return found

    def to_patterns(self, called: str) -> list[str]:
        """Any, and the patterns of rules for this called number: all that tells it apart from another one."""
        return _known(self.to, called, self.to_lengths)

    def updated(self, removed: Iterable[RuleEntry], added: Iterable[RuleEntry]) -> RuleIndex:
        """The index without some entries and with others."""
        edit = BucketEdit(self.places)
        gone: list[Place] = []
        come: list[Place] = []
        for entry in removed:
            for place in places_of(entry):
                edit.remove(place, entry)
                gone.append(place)
        for entry in added:
            for place in places_of(entry):
                edit.add(place, entry)
                come.append(place)
        return RuleIndex(
            places=edit.done(),
            to=_counted(self.to, come, gone, 1),
            from_=_counted(self.from_, come, gone, 2),
            to_lengths=tallied(self.to_lengths, _lengths(come, 1), _lengths(gone, 1)),
            from_lengths=tallied(self.from_lengths, _lengths(come, 2), _lengths(gone, 2)),
            unindexed=self.unindexed + _without_trunk(come) - _without_trunk(gone),
        )


def _known(counts: Counts, number: str, lengths: Iterable[int]) -> list[str]:
    """Any, and the patterns for this number under which a rule stands; one listed twice is no matter."""
    known = [ANY]
    if counts.get(number) is not None:
        known.append(number)
    for length in lengths:
        prefix = number[:length] + "*"
        if counts.get(prefix) is not None:
            known.append(prefix)
    return known


def _counted(counts: Counts, come: Iterable[Place], gone: Iterable[Place], dimension: int) -> Counts:
    steps: dict[str, int] = {}
    for places, step in ((come, 1), (gone, -1)):
        for place in places:
            steps[place[dimension]] = steps.get(place[dimension], 0) + step
    return counts.updated({pattern: (counts.get(pattern) or 0) + step or None for pattern, step in steps.items()})


def _lengths(places: Iterable[Place], dimension: int) -> list[int]:
    return [len(place[dimension]) - 1 for place in places if is_prefix(place[dimension])]


def _without_trunk(places: Iterable[Place]) -> int:
    return sum(place[0] is UNINDEXED for place in places)
