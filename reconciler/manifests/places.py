"""Where a value stands in its text: path -> line and column, found by reading the document once more.

Most documents are fine and never need this, so nothing is kept while loading; a complaint about one
document reads that document again (a fraction of a millisecond). Called by `located`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from yaml._yaml import CParser
from yaml.error import YAMLError
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from reconciler.manifests.build import DEPTH_MAX, NODES_MAX, Path

DOCUMENTS_REMEMBERED = 16


@dataclass(frozen=True, slots=True)
class Place:
    """One value: line and column from 1, its own and its key's (of a list item: its own); `source` of a scalar."""

    line: int
    column: int
    key_line: int
    key_column: int
    source: str | None = None


@lru_cache(maxsize=DOCUMENTS_REMEMBERED)
def places(text: str) -> dict[Path, Place]:
    """Every value of the document by its path, as far as it can be read. Of a key that stands twice: the first."""
    found: dict[Path, Place] = {}
    parser = CParser(text)
    try:
        _walk(parser.get_event, found)
    except YAMLError:
        pass  # `build` has said why; what stands before the error has its place
    finally:
        parser.dispose()
    return found


def _walk(next_event: Callable[[], Any], found: dict[Path, Place]) -> None:
    stack: list[_Open] = []
    while len(stack) <= DEPTH_MAX and len(found) <= NODES_MAX:
        event = next_event()
        kind = type(event)
        if kind is StreamEndEvent:
            return
        if kind is MappingEndEvent or kind is SequenceEndEvent:
            stack.pop()
        elif kind in (ScalarEvent, AliasEvent, MappingStartEvent, SequenceStartEvent):
            top = stack[-1] if stack else None
            if top is not None and top.takes_key() and kind is ScalarEvent:
                top.key, top.key_mark = event.value, event.start_mark
                continue
            path = top.next_path() if top else ()
            mark = event.start_mark
            key_mark = (top.key_mark if top else None) or mark
            source = event.value if kind is ScalarEvent else None
            place = Place(mark.line + 1, mark.column + 1, key_mark.line + 1, key_mark.column + 1, source)
            found.setdefault(path, place)
            if top is not None:
                top.key = top.key_mark = None
            if kind is MappingStartEvent or kind is SequenceStartEvent:
                stack.append(_Open(path, kind is SequenceStartEvent))


class _Open:
    """An open container: its path, and the key or the index that comes next."""

    __slots__ = ("index", "is_list", "key", "key_mark", "path")

    def __init__(self, path: Path, is_list: bool) -> None:
        self.path = path
        self.is_list = is_list
        self.index = -1
        self.key: str | None = None
        self.key_mark: Any = None

    def takes_key(self) -> bool:
        """Whether the next scalar is a key."""
        return not self.is_list and self.key is None

    def next_path(self) -> Path:
        """The path of the value that comes now."""
        if self.is_list:
            self.index += 1
            return (*self.path, self.index)
        return (*self.path, self.key or "")
