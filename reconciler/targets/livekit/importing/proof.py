"""CORE. An import that is proved before it is written: the plan with it does nothing to an object but mark it.

The documents are planned with, as `reconcile plan --adopt` would. Whatever is refused, held back or would be written
otherwise than it is there is taken out, with the reason, and the rest is tried again, until nothing is left to object
to. So there is no list of what has no form in a manifest that could be incomplete.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reconciler.model.desired import Desired
from reconciler.model.secrets import Secrets
from reconciler.model.sources import FileSources, Key, Path, Source, object_id
from reconciler.model.standing import Declared
from reconciler.plan.changes import Action, Change
from reconciler.plan.words import changed_words
from reconciler.targets.livekit.holdings import Held, Holdings, Info, Part, id_of, marker_of
from reconciler.targets.livekit.importing.draft import Draft, draft_of
from reconciler.targets.livekit.importing.names import Variables, names_of
from reconciler.targets.livekit.importing.pieces import Pairs, Piece, pairs_of, stock_of
from reconciler.targets.livekit.phone_numbers.holdings import Numbers
from reconciler.targets.livekit.planning import Recorded, course, desired_of, view_of
from reconciler.targets.livekit.steps import Wanted
from reconciler.targets.livekit.writing import marked_as
from schemas.problems import Where
from schemas.resources.check import check
from schemas.seal import Sealer
from schemas.tables.rows import Kind

REASONS_MAX = 5
"""How many reasons are told of one object."""

Found = dict[Key, list[str]]
"""What is in the way, by what was declared."""


@dataclass(slots=True)
class Imported:
    """What is to be written, and what is not. `left`: id -> why, of each object without a manifest."""

    infos: Mapping[str, Info]
    pieces: Mapping[str, Piece]
    names: Mapping[str, str]
    pairs: Pairs
    draft: Draft
    left: dict[str, list[str]] = field(default_factory=dict)
    endangered: frozenset[str] = frozenset()
    """Those that carry this owner's mark all the same: an apply without a document for them would delete them."""
    own_numbers: Numbers = field(default_factory=dict)
    """LiveKit's own phone numbers: told of, and left. Whose they are stands nowhere but with who bought them."""

    @property
    def documents(self) -> dict[Key, dict[str, Any]]:
        """By kind and id, trunks first."""
        return self.draft.documents

    @property
    def variables(self) -> Variables:
        """The secrets that are to be set."""
        return self.draft.variables


def import_of(infos: Sequence[Info], owner: str, namespace: str, known: Recorded, sealer: Sealer) -> Imported:
    """The manifests of what can be managed as it is."""
    stock = stock_of(infos, owner)
    others = {
        f"{marker.kind} {marker.name}"
        for info in infos
        if (marker := marker_of(info)) is not None and marker.owner != owner
    }
    apart: set[str] = set()
    while True:
        pairs = pairs_of(stock.pieces.values(), apart)
        names = names_of(stock.pieces.values(), pairs, namespace, others)
        seen = [info for info in infos if id_of(info) in stock.pieces or _is_of_others(info, owner)]
        draft = draft_of(seen, owner, stock.pieces, names, known, sealer)
        found = _objections(draft, owner, known, sealer)
        if not found:
            endangered = _endangered(infos, owner, stock.left)
            by_id = {id_of(info): info for info in infos}
            return Imported(by_id, stock.pieces, names, pairs, draft, stock.left, endangered)
        _take_out(found, draft, names, pairs, apart, stock.pieces, stock.left)


def _endangered(infos: Sequence[Info], owner: str, left: Collection[str]) -> frozenset[str]:
    marks = {id_of(info): marker_of(info) for info in infos if id_of(info) in left}
    return frozenset(id_ for id_, marker in marks.items() if marker is not None and marker.owner == owner)


def _is_of_others(info: Info, owner: str) -> bool:
    marker = marker_of(info)
    return marker is not None and marker.owner != owner


def _take_out(
    found: Found,
    draft: Draft,
    names: Mapping[str, str],
    pairs: Pairs,
    apart: set[str],
    pieces: dict[str, Piece],
    left: dict[str, list[str]],
) -> None:
    """Take out what was objected to: of a Trunk of two halves first that they are one."""
    reasons: dict[str, list[str]] = defaultdict(list)
    ids = _ids_by_key(names, pieces)
    for key, why in found.items():
        for object_key in _objects_of(key, draft):
            for id_ in ids.get(object_key, ()):
                reasons[id_] += why
    assert reasons, "every declared thing stands on an object"
    joined = {id_: other for a, b in pairs.items() for id_, other in ((a, b), (b, a))}
    for id_, why in reasons.items():
        if id_ in joined and pieces[id_].marker is None:
            apart |= {id_, joined[id_]}
        else:
            left[id_] = list(dict.fromkeys(why))[:REASONS_MAX]
            del pieces[id_]


def _ids_by_key(names: Mapping[str, str], pieces: Mapping[str, Piece]) -> dict[Key, list[str]]:
    found: dict[Key, list[str]] = defaultdict(list)
    for id_, name in names.items():
        found[Kind.RULE if pieces[id_].part is Part.RULE else Kind.TRUNK, name].append(id_)
    return found


def _objects_of(key: Key, draft: Draft) -> Iterator[Key]:
    """The objects at LiveKit that something declared stands on: a number stands on its trunk."""
    yield (Kind.TRUNK, draft.rows.numbers[key[1]].trunk) if key[0] is Kind.NUMBER else key


def _objections(draft: Draft, owner: str, known: Recorded, sealer: Sealer) -> Found:
    """What is in the way of these documents; nothing, when the plan with them changes nothing."""
    found: Found = {
        key: why for key, document in draft.documents.items() if (why := _of_document(key, document, draft))
    }
    if found:
        return found
    declared = Declared({"": FileSources("", tuple(_sources(draft)))}, (), _secrets(draft, sealer))
    view = view_of(owner, draft.holdings, declared, known, sealer)
    desired = desired_of(view, declared)
    if desired.verdicts:
        return _of_verdicts(desired)
    way = course(view, declared, desired)
    found = defaultdict(list)
    for change in way.plan.changes:
        if why := _of_change(change):
            found[change.kind, change.id] += why
    for step in way.steps:
        if step.held is not None and (why := _of_step(step.held, way.goal, way.holdings)):
            found[step.key] += why
    return {key: why for key, why in found.items() if key in draft.documents}


def _of_document(key: Key, document: dict[str, Any], draft: Draft) -> list[str]:
    """What a manifest cannot say, in the words of the field."""
    rule = draft.rows.rules.get(key[1]) if key[0] is Kind.RULE else None
    unknown = [trunk for trunk in (rule.trunks if rule is not None else None) or () if "/" not in trunk]
    if unknown:
        return [f"trunk_ids: {trunk} is no trunk, or has no manifest" for trunk in unknown]
    _, complaints = check(document)
    found = [*draft.unknown.get(key, ())]
    for complaint in complaints:
        adds = complaint.path[-3:-1] == ("media", "codecs") and str(complaint.what).startswith("the codec `+")
        what = (
            "codecs are added to LiveKit's own, and a manifest lists exactly those there are"
            if adds
            else complaint.what
        )
        found.append(_sentence(complaint.path[:-1] if adds else complaint.path, what))
    return found


def _sentence(path: Path, what: str) -> str:
    words = [str(step) for step in path if step != "spec"]
    return f"{'.'.join(words)}: {what}" if words else what


def _sources(draft: Draft) -> Iterator[Source]:
    for key, data in draft.documents.items():
        document, _ = check(data)
        place = Where("", path=object_id(key))
        yield Source(key, document, data, place, lambda path, place=place: place)  # type: ignore[misc]


def _secrets(draft: Draft, sealer: Sealer) -> Secrets:
    return Secrets(
        {place: clear.encode(errors="surrogateescape") for place, clear in draft.secrets.items()}, sealer, True
    )


def _of_verdicts(desired: Desired) -> Found:
    """What is held back: what is wrong itself, and only where nothing is what waits for something."""
    found: Found = defaultdict(list)
    told = {(problem.object_id, problem.is_error): problem for problem in desired.problems}
    for is_error in (True, False):
        for key, verdict in desired.verdicts.items():
            problem = told.get((object_id(key), is_error))
            if problem is not None or not is_error:
                found[key].append(problem.what if problem is not None else verdict.message)
        if found:
            break
    return found


def _of_change(change: Change) -> list[str]:
    """What a plan would do beside handing over the object."""
    if change.action is not Action.UPDATE or change.old is None or change.new is None:
        return [f"{change.kind} {change.id} would be a {change.action}"]
    return [f"{path} would change" for path, _, _ in changed_words(change.old, change.new)]


def _of_step(held: Held, goal: Wanted, holdings: Holdings) -> list[str]:
    """The fields of an object that an apply would write otherwise than they are, its mark aside."""
    if held.marker.name not in (goal.rows.rules if held.part is Part.RULE else goal.rows.trunks):
        return ["it would be deleted"]
    wanted = goal.info(held.part, held.marker.name, held.info, holdings.inbound_ids())
    left = marked_as(held.info, wanted)
    if wanted == left:
        return []
    names = [name for name in type(wanted).DESCRIPTOR.fields_by_name if getattr(wanted, name) != getattr(left, name)]
    return [f"{name}: a manifest says it in another form" for name in names]
