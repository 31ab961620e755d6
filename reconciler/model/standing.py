"""Which document speaks for each object: its present one, or its last good one while the present one is broken.

The first step of every pass. An object whose document is gone from a file that was read whole is gone. An object is
kept, with its last good document, while its document is broken, while it is declared twice, and while the file that
contributed it last is empty, or has a part that cannot be read and may hide it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from reconciler.model.records import Verdict, decode_record, key_of_record, record_key
from reconciler.model.secrets import Secrets
from reconciler.model.sources import FileSources, Key, Path, Source, object_id, object_name
from schemas.problems import Problem, Where
from schemas.resources.conditions import ConditionType, Reason
from schemas.resources.documents import Document
from schemas.resources.routing_test import RoutingTest
from schemas.tables.rows import Kind


@dataclass(frozen=True, slots=True)
class Declared:
    """All that was read. `unread` are the errors of whole files and folders: whatever they held may still be meant."""

    files: Mapping[str, FileSources] = field(default_factory=dict)
    unread: Sequence[Problem] = ()
    secrets: Secrets = field(default_factory=Secrets)


def _there(place: Where, _: Path) -> Where:
    return place


def declared_last(records: Mapping[str, bytes]) -> Declared:
    """The last good documents of an owner, as if they were declared now; nothing is known of their secrets."""
    files: dict[str, list[Source]] = {}
    for name, data in records.items():
        record = decode_record(data)
        document = record.document()
        if document is not None:
            place = Where(record.file)
            source = Source(key_of_record(name), document, record.data, place, partial(_there, place))
            files.setdefault(record.file, []).append(source)
    return Declared({file: FileSources(file, tuple(sources)) for file, sources in files.items()})


@dataclass(slots=True)
class Standings:
    """Every object that is declared. `fresh`: its present document speaks; `kept`: it does not, and `held` says why.

    `kept` maps to the last good document, None when there is none (then only a live row can stay).
    """

    fresh: dict[Kind, dict[str, Source]] = field(default_factory=lambda: {kind: {} for kind in Kind})
    kept: dict[Key, Document | None] = field(default_factory=dict)
    held: dict[Key, Verdict] = field(default_factory=dict)
    broken: list[Source] = field(default_factory=list)
    doubled: list[Source] = field(default_factory=list)
    """Documents of one name, of which nobody can tell which is meant."""
    tests: list[Source] = field(default_factory=list)
    """The RoutingTests, which are no objects."""
    problems: list[Problem] = field(default_factory=list)
    unread: Mapping[str, str] = field(default_factory=dict)
    """Files and folders of which something could not be read, and why."""
    touched: frozenset[Key] | None = None
    """The only objects that may differ from the last pass; None = any may."""

    @property
    def plain(self) -> bool:
        """Whether every object is declared once, in a sound document."""
        return not (self.held or self.broken or self.tests)


def stand_again(declared: Declared, files: Mapping[str, FileSources], last: Standings) -> Standings | None:
    """What `stand` gives, made from the last pass over `files` by looking at changed files alone.

    None: it cannot be, because something is or was not plain.
    """
    if declared.unread or not last.plain:
        return None
    now = declared.files
    come = [file for name, file in now.items() if files.get(name) is not file]
    if any(file.bare for file in come):
        return None
    gone = [files[name] for name in files.keys() - now.keys()]
    gone += [files[file.file] for file in come if file.file in files]
    fresh = {kind: dict(sources) for kind, sources in last.fresh.items()}
    touched: set[Key] = set()
    for file in gone:
        for source in file.sources:
            assert source.key is not None
            fresh[source.key[0]].pop(source.key[1])
            touched.add(source.key)
    for file in come:
        for source in file.sources:
            key = source.key
            if key is None or source.document is None or fresh[key[0]].setdefault(key[1], source) is not source:
                return None
            touched.add(key)
    return Standings(fresh, touched=frozenset(touched)) if all(file.whole for file in come) else None


def stand(declared: Declared, records: Mapping[str, bytes]) -> Standings:
    """Find who speaks for each object. `records` are the owner's, by `record_key`."""
    standings = Standings()
    hiding: dict[str, str] = {problem.where.file: str(problem) for problem in declared.unread if problem.is_error}
    doubles: dict[Key, list[Source]] = {}
    fresh = standings.fresh
    for file in declared.files.values():
        whole = file.whole
        for source in file.sources:
            key = source.key
            if key is None or source.document is None or fresh[key[0]].setdefault(key[1], source) is not source:
                whole &= _take_irregular(source, standings, doubles)
        if not whole:
            hiding[file.file] = _first_error(file)
    for source in standings.broken:
        if source.key is not None:
            _hold(source.key, Reason.INVALID, str(_error_of(source)), standings)
    for key, sources in doubles.items():
        # Nobody can tell which one is meant, so the last good one stays.
        places = ", ".join(str(source.place) for source in sources)
        _hold(key, Reason.CONFLICTED, f"declared more than once: {places}", standings)
        standings.problems += [_double(source, sources) for source in sources]
        standings.doubled += sources
    for key in standings.held:
        record = records.get(record_key(key))
        standings.kept[key] = decode_record(record).document() if record is not None else None
    standings.unread = hiding
    if hiding:
        _keep_hidden(hiding, records, standings)
    if bare := [file for file in declared.files.values() if file.bare]:
        _keep_emptied(bare, records, standings)
    return standings


def _take_irregular(source: Source, standings: Standings, doubles: dict[Key, list[Source]]) -> bool:
    """Sort in what is no plain object declared once. False: it is broken beyond its name, and may be any object."""
    if isinstance(source.document, RoutingTest):
        standings.tests.append(source)
        return True
    if source.document is None:
        standings.broken.append(source)
    if source.key is None:
        return bool(source.written("kind") == "RoutingTest")
    known = standings.fresh[source.key[0]].setdefault(source.key[1], source)
    if known is not source:
        doubles.setdefault(source.key, [known]).append(source)
    return True


def _hold(key: Key, reason: Reason, message: str, standings: Standings) -> None:
    standings.fresh[key[0]].pop(key[1], None)
    standings.held[key] = Verdict(ConditionType.ACCEPTED, reason, message)


def _double(source: Source, same: list[Source]) -> Problem:
    """The complaint at one of several documents of one name."""
    assert source.key is not None
    others = ", ".join(str(other.place) for other in same if other is not source)
    what = f"{object_name(source.key)} is declared more than once, also at {others}"
    hint = "keep one of them, or give one another name"
    return Problem(source.place, what, hint, "declared-twice", object_id=object_id(source.key))


def _keep_hidden(hiding: Mapping[str, str], records: Mapping[str, bytes], standings: Standings) -> None:
    """Keep whatever was last declared in what cannot be read whole, unless it stands elsewhere now."""
    for name, data in records.items():
        key = key_of_record(name)
        if key in standings.held or key[1] in standings.fresh[key[0]]:
            continue
        record = decode_record(data)
        why = next((hiding[place] for place in _places_around(record.file) if place in hiding), None)
        if why is not None:
            standings.kept[key] = record.document()
            standings.held[key] = Verdict(ConditionType.ACCEPTED, Reason.INVALID, why)


def _keep_emptied(bare: Sequence[FileSources], records: Mapping[str, bytes], standings: Standings) -> None:
    """Keep what was last declared in files that hold nothing any more, unless it stands elsewhere now."""
    lost: dict[str, dict[Key, Document | None]] = {file.file: {} for file in bare}
    for name, data in records.items():
        key, record = key_of_record(name), decode_record(data)
        gone = key not in standings.held and key[1] not in standings.fresh[key[0]]
        if gone and record.file in lost and record.data is not None:
            lost[record.file][key] = record.document()
    for file in bare:
        kept = lost[file.file]
        if not kept:
            standings.problems += file.remarks
            continue
        problem = _emptied(file.file, len(kept))
        standings.problems.append(problem)
        standings.kept |= kept
        standings.held |= dict.fromkeys(kept, Verdict(ConditionType.ACCEPTED, Reason.INVALID, str(problem)))


def _emptied(file: str, count: int) -> Problem:
    stay = "its document stays as it is" if count == 1 else f"its {count:,} documents stay as they are"
    hint = f"delete the file to remove {'it' if count == 1 else 'them'}"
    return Problem(Where(file), f"the file is empty: {stay}", hint, "emptied-file")


def _places_around(file: str) -> Iterable[str]:
    """The file itself and every folder around it."""
    yield file
    while "/" in file:
        file = file.rpartition("/")[0]
        yield file or "/"
    yield "."


def _first_error(file: FileSources) -> str:
    errors = [problem for problem in file.problems if problem.is_error]
    errors += [_error_of(source) for source in file.sources if source.document is None]
    return str(errors[0]) if errors else f"{file.file} cannot be read whole"


def _error_of(source: Source) -> Problem:
    """The first error of a broken document."""
    errors = [problem for problem in source.problems if problem.is_error]
    return errors[0] if errors else Problem(source.place, "this document cannot be read")
