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


@dataclass(frozen=True, slots=True, eq=False)
class RuleIndex:
    """Rules by place; the lengths are those of prefixes in use."""

    places: Buckets[Place, RuleEntry] = field(default_factory=ShardedMap)
    stages: ShardedMap[tuple[str, str], int] = field(default_factory=ShardedMap)
    """How many places each (trunk, `to`) has, so that `from` is looked at only where there are any."""
    unindexed: int = 0
    """How many of the places leave out the trunk."""
    to_lengths: dict[int, int] = field(default_factory=dict)
    from_lengths: dict[int, int] = field(default_factory=dict)

    def candidates(self, trunk_id: str, called: str, caller: str) -> list[tuple[bool, RuleBucket]]:
        """Buckets of rules that can fit, each with whether its first rule that fits is its best one.

        Within an indexed bucket all rules fit equally well, so their static order decides; in an unindexed one each
        rule must be looked at.
        """
        to_patterns = _patterns(called, self.to_lengths)
        from_patterns: list[str] = []
        found: list[tuple[bool, RuleBucket]] = []
        stages = self.stages
        for scope in (trunk_id, EVERY_TRUNK, UNINDEXED) if self.unindexed else (trunk_id, EVERY_TRUNK):
            for to in to_patterns:
                if stages.get((scope, to)) is None:
                    continue
                from_patterns = from_patterns or [*_patterns(caller, self.from_lengths), UNINDEXED]
                for from_ in from_patterns:
                    bucket = self.places.get((scope, to, from_))
                    if bucket is not None:
                        found.append((scope is not UNINDEXED and from_ is not UNINDEXED, bucket))
        return found

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
            stages=_counted(self.stages, come, gone),
            unindexed=self.unindexed + _without_trunk(come) - _without_trunk(gone),
            to_lengths=tallied(self.to_lengths, _lengths(come, 1), _lengths(gone, 1)),
            from_lengths=tallied(self.from_lengths, _lengths(come, 2), _lengths(gone, 2)),
        )


def _patterns(number: str, lengths: Iterable[int]) -> list[str]:
    """Every pattern under which a rule for this number may stand."""
    patterns = [number, ANY] if number else [ANY]
    patterns += [f"{number[:length]}*" for length in lengths if len(number) >= length]
    return patterns


def _counted(
    stages: ShardedMap[tuple[str, str], int], come: Iterable[Place], gone: Iterable[Place]
) -> ShardedMap[tuple[str, str], int]:
    changes: dict[tuple[str, str], int] = {}
    for places, step in ((come, 1), (gone, -1)):
        for scope, to, _ in places:
            stage = (scope, to)
            changes[stage] = (changes[stage] if stage in changes else stages.get(stage) or 0) + step
    return stages.updated({stage: count or None for stage, count in changes.items()})


def _lengths(places: Iterable[Place], dimension: int) -> list[int]:
    return [len(place[dimension]) - 1 for place in places if is_prefix(place[dimension])]


def _without_trunk(places: Iterable[Place]) -> int:
    return sum(place[0] is UNINDEXED for place in places)
