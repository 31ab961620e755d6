"""Text -> documents that know where each of their values stands.

The one door from YAML to plain values: the folder, standard input and the tests come through `read_bytes`. It never
raises for what the bytes say; what is wrong comes back as problems with file, line and column. Fast, because ten
thousand documents are read at every cold start: the C parser's events, one pass, positions only on demand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from reconciler.manifests.build import Flaw, Path, build
from reconciler.manifests.places import Place, places
from reconciler.manifests.text import DOCUMENT_CHARS_MAX, DOCUMENTS_PER_FILE_MAX, Piece, Unreadable, decode, split
from schemas.problems import Problem, Where

__all__ = ["LocatedDocument", "LocatedFile", "Path", "path_text", "read_bytes"]


@dataclass(frozen=True, slots=True)
class LocatedDocument:
    """One YAML document of a file. `data` is plain dicts, lists, str, int, float, bool and None.

    `text` begins on line `line` of the file, the value on `value_line`. `complete` False: reading stopped early, and
    `data` is what was readable until then; `problems` says why.
    """

    file: str
    index: int
    line: int
    value_line: int
    text: str
    data: Any
    complete: bool = True
    problems: tuple[Problem, ...] = ()

    @property
    def place(self) -> Where:
        """Where the document's value begins; costs nothing, unlike `where`."""
        return Where(self.file, self.value_line, 1)

    def where(self, path: Path = (), *, key: bool = False) -> Where:
        """The place of the value at `path`, or of its key; of the nearest value around it when it is not there."""
        found, place = self._nearest(path)
        if key or found < len(path):
            line, column = place.key_line, place.key_column
        else:
            line, column = place.line, place.column
        return Where(self.file, self.line + line - 1, column, path_text(path))

    def source(self, path: Path) -> str | None:
        """The scalar at `path` as it was written, before YAML gave it a type; None where there is no scalar."""
        place = places(self.text).get(path)
        return place.source if place else None

    def _nearest(self, path: Path) -> tuple[int, Place]:
        known = places(self.text)
        for length in range(len(path), -1, -1):
            if place := known.get(path[:length]):
                return length, place
        return 0, Place(1, 1, 1, 1)


@dataclass(frozen=True, slots=True)
class LocatedFile:
    """All documents of one file, and what is wrong with the file as a whole (then it has none)."""

    file: str
    documents: tuple[LocatedDocument, ...] = ()
    problems: tuple[Problem, ...] = ()
    text: str = ""


def read_bytes(data: bytes, file: str, known: Mapping[str, LocatedDocument] | None = None) -> LocatedFile:
    """Read the content of `file` (the name is only for the complaints).

    `known` are documents of an earlier reading of the same file by their text: what is still there is not parsed again.
    """
    text = decode(data)
    if isinstance(text, Unreadable):
        where = Where(file, text.line, text.column)
        return LocatedFile(file, problems=(Problem(where, text.what, text.hint, text.code),))
    pieces = split(text)
    if pieces is None:
        what = f"more than {DOCUMENTS_PER_FILE_MAX:,} documents in one file"
        return LocatedFile(
            file, problems=(Problem(Where(file), what, "split it into several files", "file-too-large"),)
        )
    documents: list[LocatedDocument] = []
    for piece in pieces:
        document = _still_known(piece, len(documents), known) if known else None
        document = document or _document(piece, file, len(documents))
        if document is not None:
            documents.append(document)
    return LocatedFile(file, tuple(documents), text=text)


def path_text(path: Path) -> str:
    """A path as people write it: `spec.inbound.allowedAddresses[0]`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _still_known(piece: Piece, index: int, known: Mapping[str, LocatedDocument]) -> LocatedDocument | None:
    """The document that was read from the same text before; one with problems only where it has not moved."""
    before = known.get(piece.text)
    if before is None or (before.line, before.index) == (piece.line, index):
        return before
    return None if before.problems else replace(before, index=index, line=piece.line, value_line=piece.value_line)


def _document(piece: Piece, file: str, index: int) -> LocatedDocument | None:
    if len(piece.text) > DOCUMENT_CHARS_MAX:
        what = f"the document is larger than {DOCUMENT_CHARS_MAX // 1024 // 1024} MiB"
        problem = Problem(Where(file, piece.line, 1), what, "split it", "document-too-large")
        return LocatedDocument(file, index, piece.line, piece.line, "", None, complete=False, problems=(problem,))
    built = build(piece.text)
    if built.empty or (built.data is None and not built.flaws):
        return None
    if not built.flaws:
        return LocatedDocument(file, index, piece.line, piece.value_line, piece.text, built.data)
    problems = tuple(_problem(flaw, piece, file) for flaw in built.flaws)
    return LocatedDocument(file, index, piece.line, piece.value_line, piece.text, built.data, built.complete, problems)


def _problem(flaw: Flaw, piece: Piece, file: str) -> Problem:
    what = flaw.what
    if flaw.code == "duplicate-key" and (first := places(piece.text).get(flaw.path)):
        what += f", first at {file}:{piece.line + first.key_line - 1}:{first.key_column}"
    where = Where(file, piece.line + flaw.line - 1, flaw.column, path_text(flaw.path))
    return Problem(where, what, flaw.hint, flaw.code)
