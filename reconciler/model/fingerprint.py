"""A fingerprint of the documents of one owner: the same while they say the same, wherever they stand.

A pin after a rollback holds while it is the same, so neither comments nor moves between files end one. It is a sum over
the documents' hashes, so that one edit among ten thousand costs one hash.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b

from reconciler.model.desired import Desired
from reconciler.model.sources import Source
from schemas.tables.rows import Kind

_BYTES = 32


class Fingerprint:
    """What is known of the documents of the last pass."""

    def __init__(self) -> None:
        self._sources: dict[Kind, dict[str, Source]] = {kind: {} for kind in Kind}
        self._worths: dict[Kind, dict[str, int]] = {kind: {} for kind in Kind}
        self._sum = 0

    def of(self, sources: Mapping[Kind, Mapping[str, Source]]) -> str:
        """64 hex digits for the documents that speak for their objects."""
        for kind, known in self._sources.items():
            now, worths = sources[kind], self._worths[kind]
            for id_, source in [(id_, source) for id_, source in now.items() if known.get(id_) is not source]:
                worth = _worth(kind, id_, source)
                self._sum += worth - worths.get(id_, 0)
                known[id_], worths[id_] = source, worth
            if len(known) > len(now):
                for id_ in known.keys() - now.keys():
                    del known[id_]
                    self._sum -= worths.pop(id_)
        return (self._sum % (1 << 8 * _BYTES)).to_bytes(_BYTES, "big").hex()


def is_certain(desired: Desired) -> bool:
    """Whether every document could be read, so that another fingerprint means that somebody declared something else."""
    hidden = any(key[1] not in desired.sources[key[0]] for key in desired.verdicts)
    return not (desired.unread or desired.silent or hidden)


def _worth(kind: Kind, id_: str, source: Source) -> int:
    data = json.dumps([kind, id_, source.data], sort_keys=True, separators=(",", ":")).encode()
    return int.from_bytes(blake2b(data, digest_size=_BYTES, person=b"document").digest(), "big")
