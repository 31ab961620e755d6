"""What the reading edge hands to the model: every document of every file, good or broken, with its place.

The model never sees a file. It sees `Source`s, so that the command line, the watcher and a cluster's operator can
feed it alike, and so that two passes can share the sources of files that did not change: a source is known by its
identity, and is never altered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.problems import Problem, Where
from schemas.resources.documents import Document
from schemas.tables.rows import Kind

Key = tuple[Kind, str]
"""What an object is known by: its kind, and `namespace/name`."""

Dependency = Key | str
"""What a row depends on beside its own document: another object, or the place of a secret by its name."""

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One document. `document` None: it is broken, and `problems` say why; `key` None: not even its name is known.

    `data` is what was written, as plain values; of a broken document whatever could be read.
    """

    key: Key | None
    document: Document | None
    data: Any
    place: Where
    where: Callable[[Path], Where]
    problems: tuple[Problem, ...] = ()
    uid: str = ""
    """The cluster's name for this very object; "" = it is no object of a cluster."""
    born: str = ""
    """When the cluster's object was made, in a form that sorts by time: of two new claims the older one counts."""

    def written(self, *path: str | int) -> Any:
        """The value at `path` as far as it is readable, else None."""
        value = self.data
        for step in path:
            inside = (
                step in value if isinstance(value, Mapping) else isinstance(value, list) and step in range(len(value))
            )
            if not inside:
                return None
            value = value[step]
        return value


@dataclass(frozen=True, slots=True, eq=False)
class FileSources:
    """One file's documents. `whole` False: some of it could not be read, so what is missing may be hidden there.

    `bare`: it reads well and holds no document at all, not even one of another API group. If it had documents before,
    an editor, a full disk or a slip of the hand has emptied it; else there is no more to say than its `remarks`.
    """

    file: str
    sources: tuple[Source, ...]
    whole: bool = True
    problems: tuple[Problem, ...] = ()
    bare: bool = False
    remarks: tuple[Problem, ...] = ()


def object_name(key: Key) -> str:
    """`DispatchRule default/support`, as messages name an object."""
    return f"{key[0]} {key[1]}"


def object_id(key: Key) -> str:
    """`DispatchRule/default/support`, as `Problem.object_id` has it."""
    return f"{key[0]}/{key[1]}"
