"""Which trunks allow a packet's source: one lookup per prefix length in use, whatever the number of trunks.

Trunks that serve any called number are kept apart from those that serve only their PhoneNumbers: the latter may be
thousands behind one carrier's addresses, and a call finds them through its called number instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas.tables.buckets import BucketEdit, Buckets, tallied
from schemas.tables.entries import ANY_SOURCE, TrunkEntry, networks_of
from schemas.tables.networks import Address, Network, supernets
from schemas.tables.sharded import ShardedMap

TrunkBucket = tuple[TrunkEntry, ...]


@dataclass(frozen=True, slots=True, eq=False)
class SourceIndex:
    """Inbound trunks by the networks they allow. `lengths4` and `lengths6` count the prefix lengths in use."""

    any_called: Buckets[Network, TrunkEntry] = field(default_factory=ShardedMap)
    declared_called: Buckets[Network, TrunkEntry] = field(default_factory=ShardedMap)
    lengths4: dict[int, int] = field(default_factory=dict)
    lengths6: dict[int, int] = field(default_factory=dict)

    def networks_holding(self, address: Address | None) -> list[Network]:
        """The keys under which trunks may be found that allow this source; the last is that of any source."""
        if address is None:
            return [ANY_SOURCE]
        return [*self._named(address), ANY_SOURCE]

    def names(self, address: Address | None) -> bool:
        """Whether a trunk names this source; one that takes whoever knows its password names nobody."""
        return address is not None and any(
            buckets.get(network) is not None
            for network in self._named(address)
            for buckets in (self.any_called, self.declared_called)
        )

    def may_call(self, address: Address | None) -> bool:
        """Whether any trunk could take a call of this source: one that names it, or one that goes by its password."""
        return any(
            buckets.get(network) is not None
            for network in self.networks_holding(address)
            for buckets in (self.any_called, self.declared_called)
        )

    def _named(self, address: Address) -> Iterable[Network]:
        return supernets(address, self.lengths4 if address.version == 4 else self.lengths6)

    def updated(self, removed: Iterable[TrunkEntry], added: Iterable[TrunkEntry]) -> SourceIndex:
        """The index without some entries and with others."""
        any_called, declared_called = BucketEdit(self.any_called), BucketEdit(self.declared_called)
        gone: list[Network] = []
        come: list[Network] = []
        for entry in removed:
            edit = declared_called if entry.called_declared_only else any_called
            for network in networks_of(entry):
                edit.remove(network, entry)
                gone.append(network)
        for entry in added:
            edit = declared_called if entry.called_declared_only else any_called
            for network in networks_of(entry):
                edit.add(network, entry)
                come.append(network)
        return SourceIndex(
            any_called=any_called.done(),
            declared_called=declared_called.done(),
            lengths4=tallied(self.lengths4, _lengths(come, 4), _lengths(gone, 4)),
            lengths6=tallied(self.lengths6, _lengths(come, 6), _lengths(gone, 6)),
        )


def _lengths(networks: Iterable[Network], version: int) -> list[int]:
    return [network.length for network in networks if network.version == version]
