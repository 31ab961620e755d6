"""What one pass leaves behind so that the next one works only on what changed. A cache: never a source of truth.

A pass with an empty memo gives the same result, slower; a property test holds the two against each other. Rows are
handed out again as the same objects, so that comparing ten thousand unchanged rows is ten thousand pointer checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reconciler.model.references import ANY_TRUNK, Missing, TrunkSeen, seen
from reconciler.model.secrets import Secrets
from reconciler.model.sources import Dependency, FileSources, Key, Source
from reconciler.model.standing import Standings
from schemas.resources.documents import Document
from schemas.resources.trunk import Trunk
from schemas.tables.rows import Kind, Row, Rows


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """A document and the row that it makes in one landscape (None: none). `looked_at`: what it refers to."""

    document: Document
    row: Row | None
    missing: tuple[Missing, ...] = ()
    looked_at: frozenset[Dependency] = frozenset()
    nothing_selected: bool = False
    """Its selector picks no trunk."""
    unsealed: tuple[Missing, ...] = ()
    """Secrets that are missing, where it goes without them."""

    @property
    def plain(self) -> bool:
        """Whether nothing is to be said about it."""
        return self.row is not None and not (self.missing or self.nothing_selected or self.unsealed)


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """A source whose document is in force as `row`, and nothing is to be said about it."""

    source: Source
    row: Row
    looked_at: frozenset[Dependency]


@dataclass(frozen=True, slots=True, eq=False)
class LastPass:
    """What the last pass looked at, and the rows that came of it; there is none where it had anything to complain."""

    files: Mapping[str, FileSources]
    standings: Standings
    rows: Rows


@dataclass(slots=True)
class Memo:
    """What is known by kind and id, and the landscape in which it was resolved."""

    compiled: dict[Kind, dict[str, Compiled]] = field(default_factory=lambda: {kind: {} for kind in Kind})
    settled: dict[Kind, dict[str, Settled]] = field(default_factory=lambda: {kind: {} for kind in Kind})
    seen: dict[str, tuple[Trunk, TrunkSeen]] = field(default_factory=dict)
    trunks: dict[str, TrunkSeen] = field(default_factory=dict)
    rules: dict[str, None] = field(default_factory=dict)
    secrets: Secrets = field(default_factory=Secrets)
    last: LastPass | None = None

    def trunk_seen(self, id_: str, trunk: Trunk) -> TrunkSeen:
        """What others see of a trunk: the same object while the document is the same."""
        known = self.seen.get(id_)
        if known is None or known[0] is not trunk:
            known = self.seen[id_] = (trunk, seen(trunk))
        return known[1]

    def turn_trunks(self, trunks: dict[str, TrunkSeen]) -> set[Key]:
        """Go over to these trunks; the keys that mean something else now."""
        before, self.trunks = self.trunks, trunks
        if before == trunks:
            return set()
        ids = {id_ for id_ in before.keys() | trunks.keys() if before.get(id_) != trunks.get(id_)}
        return {ANY_TRUNK, *((Kind.TRUNK, id_) for id_ in ids)}

    def turn_rules(self, rules: dict[str, None]) -> set[Key]:
        """Go over to these rules; the keys that came or went."""
        before, self.rules = self.rules, rules
        if before == rules:
            return set()
        return {(Kind.RULE, id_) for id_ in before.keys() ^ rules.keys()}

    def turn_secrets(self, secrets: Secrets) -> set[str]:
        """Go over to these secrets; the names of the places at which there is something else now."""
        before, self.secrets = self.secrets, secrets
        names = before.found.keys() | secrets.found.keys()
        if (before.sealer, before.needed) != (secrets.sealer, secrets.needed):
            return set(names)
        return {name for name in names if before.found.get(name) != secrets.found.get(name)}

    def forget(self, kind: Kind, ids: Iterable[str]) -> None:
        """Let go of objects that are no longer declared."""
        for id_ in ids:
            self.compiled[kind].pop(id_, None)
            self.settled[kind].pop(id_, None)
            if kind is Kind.TRUNK:
                self.seen.pop(id_, None)
