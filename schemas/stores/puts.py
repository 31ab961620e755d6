"""What a publish puts, made into bytes before anything is held up by it."""

from __future__ import annotations

from schemas.stores.door import Key
from schemas.tables.codec import encode_row
from schemas.tables.rows import Delta, Row, kind_of

Put = tuple[Key, Row, bytes]
"""A row that is put, with its key and its bytes."""


def encoded(delta: Delta) -> tuple[Put, ...]:
    """The rows of a delta that are put; none may be named twice."""
    puts = tuple(((kind_of(row), row.id), row, encode_row(row)) for row in delta.put)
    assert len({key for key, _, _ in puts} | set(delta.delete)) == len(puts) + len(delta.delete), "a row named twice"
    return puts
