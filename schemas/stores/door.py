"""The door between the two halves: what every store promises, and the values that pass through it.

The reconciler publishes through a `Store`; the bridge reads through a `Reader`. They meet nowhere else. A store
holds one state of the tables at a time, numbered by a revision that grows by one per publish, and known by its
digest. Promises, whichever store it is:

- a publish is whole or nothing, and happens only onto the digest that its plan was made against;
- a reader never waits for a publisher, and reads one revision at a time, never a mixture;
- a row belongs to the owner who put it, and nobody else deletes or overwrites it;
- where a thing was declared is kept beside the rows, outside the digest: moving a line changes no revision.

A store is used from one thread at a time and knows no event loop: edges poll it. All times are wall-clock seconds
(Unix time), because they are compared between processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, Self

from schemas.tables.rows import Delta, Kind, Row, Rows

LIVE_WITHIN_S = 10.0
"""A bridge whose last heartbeat is older than this is not waited for."""

Key = tuple[Kind, str]
"""What a row is known by: its kind, and its id (`namespace/name`)."""


@dataclass(frozen=True, slots=True)
class Declared:
    """Where a row was declared: file, line and column (from 1; 0 = unknown), and the cluster's uid of the object."""

    file: str = ""
    line: int = 0
    column: int = 0
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """Which state the tables are in: revision 0 is the empty state before the first publish.

    `epoch` tells two lives of a store apart that can lose what it held; "" for one that cannot.
    """

    revision: int
    digest: str
    epoch: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One whole revision. The three maps by (kind, id) are empty when it was loaded without origins.

    `changed` is the revision in which the row itself last changed.
    """

    revision: int
    digest: str
    rows: Rows
    declared: Mapping[Key, Declared] = field(default_factory=dict)
    owners: Mapping[Key, str] = field(default_factory=dict)
    changed: Mapping[Key, int] = field(default_factory=dict)
    epoch: str = ""

    @property
    def head(self) -> Head:
        """Which state this is."""
        return Head(self.revision, self.digest, self.epoch)


@dataclass(frozen=True, slots=True)
class BridgeAck:
    """A bridge's heartbeat: the revision that it answers new calls from, and when it last said so.

    The revision is 0 when what the bridge answers from is no state that these tables have been in.
    """

    name: str
    region: str
    revision: int
    seen: float


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One publish: who, when, how many rows it put and deleted, and what the tables then held.

    `is_kept`: `steps_back` still knows what it changed.
    """

    revision: int
    at: float
    owner: str
    note: str
    put: int
    deleted: int
    trunks: int
    rules: int
    numbers: int
    digest: str
    is_kept: bool


@dataclass(frozen=True, slots=True)
class Step:
    """What one revision changed: rows, and its owner's last good documents, as they were before it.

    A row that is None was not there. Of documents only those are told that were there.
    """

    revision: int
    owner: str
    rows: Mapping[Key, Row | None]
    goods: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Aim:
    """What an owner aims at, beside its rows.

    `documents` tells its documents apart from others, as they were seen last ("" = never). `pinned_to` is the revision
    that a rollback brought its rows back to, for as long as these documents do not change; 0 = none. `pinned_by` is
    the revision that the rollback made, `pinned_at` when.
    """

    documents: str = ""
    pinned_to: int = 0
    pinned_by: int = 0
    pinned_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Publish:
    """What is to be published, on tables of the digest `expect`. `now` is Unix time.

    `declared` may name rows that do not change otherwise, `goods` replaces or (None) removes the owner's last good
    documents, `aim` replaces its aim; `aim_was` is the aim that the plan was made under, None = any.
    """

    expect: str
    delta: Delta
    owner: str = field(kw_only=True)
    now: float = field(kw_only=True)
    declared: Mapping[Key, Declared] = field(kw_only=True, default_factory=dict)
    goods: Mapping[str, bytes | None] = field(kw_only=True, default_factory=dict)
    note: str = field(kw_only=True, default="")
    aim: Aim | None = field(kw_only=True, default=None)
    aim_was: Aim | None = field(kw_only=True, default=None)


class StoreError(Exception):
    """The store cannot do its work. Reads as one sentence: where, what is wrong, and what to do about it."""

    def __init__(self, where: str, what: str, hint: str = "") -> None:
        super().__init__(f"{where}: {what}; {hint}" if hint else f"{where}: {what}")
        self.where = where
        self.what = what
        self.hint = hint


class Outdated(Exception):  # noqa: N818 - an answer ("plan again from there"), not a fault
    """The tables, or the owner's aim, are no longer what the plan was made against; carries what the tables are now.

    Load and plan again.
    """

    def __init__(self, current: Head) -> None:
        super().__init__(f"the tables changed meanwhile: they are at revision {current.revision}")
        self.current = current


class OwnerClash(Exception):  # noqa: N818 - an answer about the rows named, not a fault
    """A publish touched rows of other owners, and was refused as a whole. `owners` says whose each of them is."""

    def __init__(self, owners: Mapping[Key, str]) -> None:
        named = ", ".join(f"{kind}/{id_} of owner {owner}" for (kind, id_), owner in sorted(owners.items())[:10])
        more = f" and {len(owners) - 10} more" if len(owners) > 10 else ""
        super().__init__(f"rows of other owners: {named}{more}")
        self.owners = dict(owners)


class Reader(Protocol):
    """What a bridge needs of a store."""

    def data_version(self) -> int:
        """A number that changes when another process wrote anything; made to be polled every few milliseconds."""
        ...

    def wait(self, within_s: float) -> bool:
        """Return when another process began to write, or after so long: whether one may have begun.

        What it writes may become visible later, by `visible_within_s`. A store that cannot tell says at once that one
        may have.
        """
        ...

    @property
    def visible_within_s(self) -> float:
        """For how long to look often after such news; 0 = what was written is visible with them."""
        ...

    def head(self) -> Head:
        """The current revision and digest."""
        ...

    def load(self, *, origins: bool = True) -> Snapshot:
        """The whole current revision; without origins (declared, owners, changed) it is faster and smaller."""
        ...

    def declared(self, kind: Kind, row_id: str) -> Declared | None:
        """Where one row was declared; None = there is no such row."""
        ...

    def changes(self, since: Head) -> list[tuple[Head, Delta]] | None:
        """Every revision after `since` with what it changed, oldest first; None = not known (any more), load again.

        Also None where `since` is no state that these tables have been in: the store was replaced, or has lost
        something, and its revisions mean something else.
        """
        ...

    def acknowledge(self, bridge: str, region: str, head: Head, now: float) -> bool:
        """A bridge's heartbeat: it answers new calls by this state.

        False = a publisher is at work just now; the next heartbeat will do.
        """
        ...

    def close(self) -> None:
        """Let go of the store."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class Store(Reader, Protocol):
    """What the reconciler needs of a store."""

    def publish(self, what: Publish) -> int:
        """Change the tables in one step, if their digest still is as expected; the revision they are then at.

        Only rows make a revision: when no row changes, the current one is returned. Raises Outdated, OwnerClash,
        StoreError; after any of them nothing has changed.
        """
        ...

    def goods(self, owner: str) -> dict[str, bytes]:
        """The owner's last good documents, as they were published."""
        ...

    def bridges(self, now: float, live_within_s: float = LIVE_WITHIN_S) -> list[BridgeAck]:
        """The bridges with a heartbeat within that time, by name."""
        ...

    def aim(self, owner: str) -> Aim:
        """What the owner aims at, as it was published."""
        ...

    def history(self, limit: int = 20) -> list[HistoryEntry]:
        """The newest publishes, newest first."""
        ...

    def steps_back(self, to: int) -> list[Step] | None:
        """What each revision after `to` changed, newest first; None = that is not kept (any more), or never was."""
        ...
