"""Documents with their places -> sources for the model: each checked, every complaint at its line and column.

A document that fails its schema stays a source (without a `document`), so that others' references to it are judged
rightly, and its own as far as they can be read. Documents of other API groups are noted and left alone. Called by
`folder` for each file that changed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from reconciler.manifests.files import STDIN_NAME
from reconciler.manifests.located import LocatedDocument, path_text, read_bytes
from reconciler.manifests.masking import names_a_secret
from reconciler.manifests.text import source_line
from reconciler.model.sources import FileSources, Key, Path, Source
from schemas.ids import NAME_CHARS_MAX
from schemas.problems import Problem, Severity, Where
from schemas.resources.base import API_VERSION, DEFAULT_NAMESPACE, GROUP
from schemas.resources.cautions import cautions
from schemas.resources.check import Complaint, check
from schemas.resources.documents import KINDS, Document
from schemas.resources.effect import not_in_effect
from schemas.resources.provider_cautions import provider_cautions
from schemas.resources.values import shown
from schemas.tables.rows import Kind

SIMILAR_GROUP = 0.8
"""How alike (difflib's ratio) an apiVersion's group must be to ours to be a slip of the pen, not another group."""
GROUP_CHARS_COMPARED = 64
QUOTED_CHARS_MAX = 40
"""A scalar longer than this is not repeated in the hint to quote it."""

_AT_THE_KEY = frozenset({"unknown-field", "one-of", "no-value", "missing"})
_KINDS = {kind.value: kind for kind in Kind}
_NOT_IN_EFFECT = "not-in-effect"


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One document as it was read: a source, or a note why it is none."""

    located: LocatedDocument
    source: Source | None = None
    note: Problem | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FileReading:
    """What one file declares: `sources` for the model, and every document behind them."""

    sources: FileSources
    entries: tuple[Entry, ...] = ()

    @property
    def problems(self) -> list[Problem]:
        """Everything that is wrong within this file alone."""
        return [*self.sources.problems, *(problem for source in self.sources.sources for problem in source.problems)]

    @property
    def notes(self) -> list[Problem]:
        """What was passed over, and why."""
        return [entry.note for entry in self.entries if entry.note]

    def line(self, number: int) -> str:
        """Line `number` (from 1) as it is written, "" when it is not known."""
        at = bisect_right(self.entries, number, key=lambda entry: entry.located.line) - 1
        if at < 0:
            return ""
        located = self.entries[at].located
        return source_line(located.text, number - located.line + 1)


def read_file(data: bytes, file: str, before: FileReading | None = None) -> FileReading:
    """Read and check the content of one file; documents that stand unchanged in `before` are taken over from it."""
    old = {entry.located.text: entry for entry in before.entries} if before else {}
    located = read_bytes(data, file, {text: entry.located for text, entry in old.items()})
    entries = tuple(_entry(document, old.get(document.text)) for document in located.documents)
    sources = tuple(entry.source for entry in entries if entry.source is not None)
    whole = not located.problems and all(entry.located.complete for entry in entries)
    # An empty pipe is no emptied file: it declares nothing, which the safety gates ask about.
    bare = whole and not entries and file != STDIN_NAME
    remarks = _empty(file) if not data.strip() else ()
    problems = located.problems if bare else (*located.problems, *remarks)
    return FileReading(FileSources(file, sources, whole, problems, bare, remarks if bare else ()), entries)


def _empty(file: str) -> tuple[Problem]:
    return (Problem(Where(file), "the file is empty, and declares nothing", "", "empty-file", Severity.WARNING),)


def unreadable_file(problem: Problem) -> FileReading:
    """The reading of a file whose bytes cannot be had."""
    return FileReading(FileSources(problem.where.file, (), whole=False, problems=(problem,)))


def object_key(data: Any) -> Key | None:
    """Kind and namespace/name of a document as far as they can be read."""
    identity = _identity(data)
    kind = _KINDS.get(identity[0]) if identity else None
    return (kind, identity[1]) if identity and kind else None


def _identity(data: Any) -> tuple[str, str] | None:
    if not isinstance(data, dict) or not isinstance(metadata := data.get("metadata"), dict):
        return None
    kind, name = data.get("kind"), metadata.get("name")
    namespace = metadata.get("namespace", DEFAULT_NAMESPACE)
    if not (isinstance(kind, str) and isinstance(name, str) and isinstance(namespace, str)):
        return None
    if kind not in KINDS or not 0 < len(name) <= NAME_CHARS_MAX or not 0 < len(namespace) <= NAME_CHARS_MAX:
        return None
    id_ = f"{namespace}/{name}"
    return (kind, id_) if id_.isprintable() else None  # messages repeat it, and must not steer a terminal


def _entry(located: LocatedDocument, old: Entry | None) -> Entry:
    if old is not None:
        if old.located is located:
            return old
        if old.source is not None and not old.source.problems:
            return Entry(located, _source(located, old.source.document, ()))
    if _is_foreign(located.data):
        what = f"{shown(located.data['apiVersion'])} is another API group than {GROUP}: this document is skipped"
        return Entry(located, note=Problem(located.place, what, "", "other-group", Severity.WARNING))
    if located.complete and _is_list_of_ours(located.data):
        hint = "write each item as a document of its own, with `---` between them"
        problem = Problem(located.place, "a List of documents is not read", hint, "list")
        return Entry(located, _source(located, None, (*located.problems, problem)))
    if not located.complete:
        return Entry(located, _source(located, None, located.problems))
    document, complaints = check(located.data)
    # Of a key that stands twice the second value was checked, and the place of the first would be shown.
    twice = {problem.where.path for problem in located.problems if problem.code == "duplicate-key"}
    told = [complaint for complaint in complaints if path_text(complaint.path) not in twice]
    problems = [*located.problems, *(_problem(located, complaint) for complaint in told)]
    if problems:
        return Entry(located, _source(located, None, tuple(problems)))
    assert document is not None
    return Entry(located, _source(located, document, tuple(_warnings(located, document))))


def _source(located: LocatedDocument, document: Document | None, problems: tuple[Problem, ...]) -> Source:
    identity = _identity(located.data)
    name = "/".join(identity) if identity else ""
    named = tuple(Problem(p.where, p.what, p.hint, p.code, p.severity, p.object_id or name) for p in problems)
    return Source(object_key(located.data), document, located.data, located.place, located.where, named)


def _problem(located: LocatedDocument, complaint: Complaint) -> Problem:
    hint = complaint.hint
    where = located.where(complaint.path, key=complaint.code in _AT_THE_KEY) if complaint.path else located.place
    if complaint.code == "unquoted" and not names_a_secret(where.path):
        written = located.source(complaint.path) or ""
        hint = f'quote it: "{written}"' if 0 < len(written) <= QUOTED_CHARS_MAX else hint
    return Problem(where, complaint.what, hint, complaint.code)


def remarks_on(document: Document) -> Iterator[tuple[Path, str, str, str]]:
    """(path, what, hint, code) of what is worth a warning in a sound document."""
    yield from ((path, what, hint, "open-to-all") for path, what, hint in cautions(document))
    yield from ((path, what, hint, "provider") for path, what, hint in provider_cautions(document))
    yield from ((path, what, "", _NOT_IN_EFFECT) for path, what in not_in_effect(document))


def _warnings(located: LocatedDocument, document: Document) -> Iterator[Problem]:
    for path, what, hint, code in remarks_on(document):
        yield Problem(located.where(path, key=code == _NOT_IN_EFFECT), what, hint, code, Severity.WARNING)


def _is_foreign(data: Any) -> bool:
    """Whether a document is none of ours: another API group, and not a misspelling of ours."""
    version = data.get("apiVersion") if isinstance(data, dict) else None
    if not isinstance(version, str) or version == API_VERSION:
        return False
    group, slash, _ = version.partition("/")
    if not slash:
        return str(data.get("kind")) not in KINDS and not _is_list_of_ours(data)
    return SequenceMatcher(None, group[:GROUP_CHARS_COMPARED].lower(), GROUP).ratio() < SIMILAR_GROUP


def _is_list_of_ours(data: Any) -> bool:
    items = data.get("items") if isinstance(data, dict) and data.get("kind") == "List" else None
    return isinstance(items, list) and any(
        isinstance(item, dict) and str(item.get("apiVersion", "")).startswith(f"{GROUP}/") for item in items
    )
