"""The model's complaints as problems with their places: references that lead nowhere, numbers that changed.

What is wrong inside one document was said where it was read. Here is what only shows beside the other documents.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model.references import Landscape, Missing, MissingReason, refer_to_rule, refer_to_trunk
from reconciler.model.sources import Key, Path, Source, object_id, object_name
from schemas import ids
from schemas.problems import Problem, Severity
from schemas.tables.rows import Kind

_CODES = {
    MissingReason.TRUNK: "trunk-not-found",
    MissingReason.RULE: "rule-not-found",
    MissingReason.NOT_PERMITTED: "reference-not-permitted",
    MissingReason.SECRET: "secret-not-found",
}
REFS_READ_MAX = 100
"""References that are looked at in one broken document."""


def complaint(source: Source, path: Path, what: str, hint: str, code: str) -> Problem:
    """An error at `path` of a document."""
    assert source.key is not None
    return Problem(source.where(path), what, hint, code, object_id=object_id(source.key))


def of_missing(source: Source, missing: Missing) -> Problem:
    """A reference that is not resolved; a warning where the fault is its target's, which has its own error."""
    assert source.key is not None
    severity = Severity.WARNING if missing.held else Severity.ERROR
    code = "waits" if missing.held else _CODES[missing.reason]
    cause = object_id(missing.target) if missing.held else ""
    return Problem(source.where(missing.path), missing.what, missing.hint, code, severity, object_id(source.key), cause)


def of_waiting_rule(source: Source, rule: Key, number: Source) -> Problem:
    """A rule that would take calls to any number, because the PhoneNumber that points at it is held back."""
    named = object_name(number.key) if number.key is not None else f"the PhoneNumber at {number.place}"
    what = f"{object_name(rule)} would take calls to any number while {named} is held back"
    hint = "mend that one, or list numbers in match.to"
    cause = object_id(number.key) if number.key is not None else ""
    return Problem(source.where(("spec", "match")), what, hint, "opens", Severity.WARNING, object_id(rule), cause)


def of_broken(source: Source, land: Landscape) -> Iterator[Problem]:
    """The references of a broken document, as far as they can be read: they are told in the same run."""
    if source.key is None:
        return
    kind, id_ = source.key
    for path, key in _written_refs(source, kind, id_.partition("/")[0]):
        check = refer_to_trunk if key[0] is Kind.TRUNK else refer_to_rule
        missing = check(key[1], id_.partition("/")[0], path, land)
        if missing is not None and not missing.held:
            yield of_missing(source, missing)


def _written_refs(source: Source, kind: Kind, namespace: str) -> Iterator[tuple[Path, Key]]:
    """(path, target) of each reference in a broken document that is readable."""
    places: list[tuple[Path, Kind]] = []
    if kind is Kind.RULE:
        refs = source.written("spec", "trunkRefs")
        count = len(refs) if isinstance(refs, list) else 0
        places = [(("spec", "trunkRefs", index), Kind.TRUNK) for index in range(min(count, REFS_READ_MAX))]
    elif kind is Kind.NUMBER:
        places = [(("spec", "trunkRef"), Kind.TRUNK), (("spec", "dispatchRuleRef"), Kind.RULE)]
    for path, target in places:
        name, elsewhere = source.written(*path, "name"), source.written(*path, "namespace")
        home = elsewhere if isinstance(elsewhere, str) and ids.is_namespace(elsewhere) else namespace
        if isinstance(name, str) and ids.is_name(name) and elsewhere in (None, home):
            yield path, (target, f"{home}/{name}")
