"""CORE. What is refused as unsafe in a cluster: it waits alone, and all others go on.

A folder is one person's change, and is refused whole. A cluster's objects are many people's: an object whose change is
refused counts as it was applied last, until its owner allows the change on the object itself (`dialplane.dev/allow`),
or mends it. Where that is not enough, the whole is refused, as in a folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from reconciler.model.records import Verdict
from reconciler.model.sources import FileSources, Key, Source, object_id
from reconciler.model.standing import Declared
from reconciler.operator.objects import ALLOW, ALLOWED, PLURALS, Seen
from reconciler.plan.gates import Allowances, Refusal
from schemas.resources.conditions import ConditionType, Reason
from schemas.tables.rows import Kind

_WORDS = {"becomes-any": "any", "unrouted": "unrouted"}
"""What allows a refusal, by its code; all others are about deletions."""
_ELSEWHERE = {
    "purchase": "the operator buys no numbers: buy it with `reconcile apply --target livekit --allow-purchases`, and "
    "declare it by its number",
    "release": "the operator gives no number back: set `deletionPolicy: Retain`, or give it back with "
    "`reconcile apply --target livekit --allow-releases`",
}
"""What costs money is done by a person, and what to do instead."""


def allowances(objects: Iterable[Seen], deletes: int | None) -> Allowances:
    """What the objects themselves allow. `deletes` is what the operator was started with."""
    by_word: dict[str, set[str]] = {word: set() for word in ALLOWED}
    for one in objects:
        for word in one.allowed if one.going else one.allowed - {"delete"}:
            by_word[word].add(object_id(one.key))
    named = {word: frozenset(names) for word, names in by_word.items()}
    return Allowances(deletes, named["any"], named["unrouted"], gone=named["delete"])


def concerned(refused: Iterable[Refusal]) -> dict[Key, Verdict]:
    """The objects whose changes are refused, and why each of them waits."""
    out: dict[Key, Verdict] = {}
    for refusal in refused:
        names = (refusal.cause,) if refusal.cause else tuple(name.replace(" ", "/", 1) for name in refusal.names)
        for name in names:
            key = _key(name)
            if key is not None:
                why = f"refused as unsafe: {refusal.what}; {_how(key, refusal.code)}"
                verdict = Verdict(ConditionType.PROGRAMMED, Reason.BLOCKED_BY_SAFETY, why)
                out.setdefault(key, verdict)
    return out


def changed_beside(found: Mapping[Key, Verdict], declared: Declared, last: Declared) -> dict[Key, Verdict]:
    """All objects in the namespaces of these that do not say what they said when they were applied last."""
    whose: dict[str, Verdict] = {}
    for key, verdict in found.items():
        whose.setdefault(key[1].partition("/")[0], verdict)
    now, before = _spoken(declared), _spoken(last)
    return {
        key: whose[space]
        for key in sorted(now.keys() | before.keys())
        if (space := key[1].partition("/")[0]) in whose and not _same(now.get(key), before.get(key))
    }


def last_files(last: Declared, keys: Iterable[Key]) -> dict[Key, FileSources | None]:
    """What these objects said when they were applied last; None of those that never were."""
    spoken = _spoken(last)
    return {key: FileSources(object_id(key), (spoken[key],)) if key in spoken else None for key in keys}


def as_before(declared: Declared, before: Mapping[Key, FileSources | None]) -> Declared:
    """The same, in which these objects say what they said before, or nothing."""
    if not before:
        return declared
    files = dict(declared.files)
    for key, file in before.items():
        if file is not None:
            files[object_id(key)] = file
        else:
            files.pop(object_id(key), None)
    return replace(declared, files={name: files[name] for name in sorted(files)})


def _spoken(declared: Declared) -> dict[Key, Source]:
    return {source.key: source for file in declared.files.values() for source in file.sources if source.key is not None}


def _same(one: Source | None, other: Source | None) -> bool:
    return one is other or (one is not None and other is not None and one.data == other.data)


def _how(key: Key, code: str) -> str:
    if code in _ELSEWHERE:
        return _ELSEWHERE[code]
    namespace, _, name = key[1].partition("/")
    word = _WORDS.get(code, "delete")
    return f"to allow it: kubectl annotate {PLURALS[key[0]]} {name} -n {namespace} {ALLOW}={word}"


def _key(name: str) -> Key | None:
    kind, _, id_ = name.partition(" (")[0].partition("/")  # a number to be released stands in brackets
    return (Kind(kind), id_) if kind in {kind.value for kind in Kind} and "/" in id_ else None
