"""References between objects, resolved: which trunks a rule or number means, and whether it may.

A reference is a name (`trunkRefs`, `trunkRef`, `dispatchRuleRef`) or a label selector. A trunk says who may refer to
it (`allowedNamespaces`: Same, All, or a list). What cannot be resolved comes back as `Missing`, with the nearest name
that exists. Each resolution also says what it looked at, so that the next pass resolves again only what a changed
trunk or rule can have touched.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from reconciler.model.sources import Key, Path
from schemas.resources.dispatch_rule import DispatchRule
from schemas.resources.phone_number import PhoneNumber
from schemas.resources.trunk import Trunk
from schemas.tables.rows import Kind

SUGGESTION_CUTOFF = 0.6
SUGGESTIONS_LOOKED_AT_MAX = 2_000
"""More names than this are not searched for a near one: a hint must not cost seconds."""
NAMES_LISTED_MAX = 5

ANY_TRUNK: Key = (Kind.TRUNK, "*")
"""Looked at by whoever selects trunks without naming them: every change of a trunk concerns it."""


class MissingReason(StrEnum):
    """Why a reference is not resolved: the reasons of the ResolvedRefs condition."""

    TRUNK = "TrunkNotFound"
    RULE = "RuleNotFound"
    NOT_PERMITTED = "RefNotPermitted"
    SECRET = "SecretNotFound"  # noqa: S105 - a reason's name, not a secret


@dataclass(frozen=True, slots=True)
class TrunkSeen:
    """What others need to know of a trunk: its labels and who may refer to it."""

    labels: Mapping[str, str]
    allowed: str | tuple[str, ...]

    def permits(self, own: str, namespace: str) -> bool:
        """Whether objects of `namespace` may refer to this trunk, which lives in `own`."""
        if namespace == own or self.allowed == "All":
            return True
        return self.allowed != "Same" and namespace in self.allowed


@dataclass(frozen=True, slots=True)
class Landscape:
    """Everything that can be referred to, by id. `held` is declared, but not (yet) in force."""

    trunks: Mapping[str, TrunkSeen]
    rules: Collection[str]
    held: Collection[Key] = ()


@dataclass(frozen=True, slots=True)
class Missing:
    """One reference that is not resolved. `held`: its `target` is declared, and broken or held back itself."""

    path: Path
    reason: MissingReason
    what: str
    hint: str = ""
    held: bool = False
    target: Key = ANY_TRUNK

    @property
    def words(self) -> str:
        """What an object's status says: with what to do about it, unless that names objects that come and go."""
        is_lasting = self.hint and self.reason in (MissingReason.NOT_PERMITTED, MissingReason.SECRET)
        return f"{self.what}; {self.hint}" if is_lasting else self.what


@dataclass(frozen=True, slots=True)
class Resolution:
    """What an object refers to. `trunks` None = every declared trunk. `looked_at` are the keys it depends on."""

    trunks: tuple[str, ...] | None = None
    rule: str = ""
    missing: tuple[Missing, ...] = ()
    looked_at: frozenset[Key] = frozenset()


def seen(trunk: Trunk) -> TrunkSeen:
    """What others need to know of this trunk."""
    return TrunkSeen(dict(trunk.metadata.labels or {}), trunk.spec.allowed_namespaces)


def resolve_rule(rule: DispatchRule, land: Landscape) -> Resolution:
    """The trunks of a dispatch rule."""
    namespace = rule.metadata.namespace
    if rule.spec.trunk_refs is not None:
        found: list[str] = []
        missing: list[Missing] = []
        looked_at: set[Key] = set()
        for index, ref in enumerate(rule.spec.trunk_refs):
            target = f"{ref.namespace or namespace}/{ref.name}"
            looked_at.add((Kind.TRUNK, target))
            fault = _trunk_fault(target, namespace, ("spec", "trunkRefs", index), land)
            if fault is not None:
                missing.append(fault)
            elif target not in found:
                found.append(target)
        return Resolution(tuple(found), missing=tuple(missing), looked_at=frozenset(looked_at))
    wanted = rule.spec.trunk_selector.match_labels if rule.spec.trunk_selector is not None else None
    return Resolution(_selected(wanted, namespace, land), looked_at=frozenset({ANY_TRUNK}))


def resolve_number(number: PhoneNumber, land: Landscape) -> Resolution:
    """The trunk and the rule of a phone number."""
    namespace = number.metadata.namespace
    missing: list[Missing] = []
    looked_at: set[Key] = set()
    trunks: tuple[str, ...] | None = None
    rule = ""
    if number.spec.trunk_ref is not None:
        target = f"{number.spec.trunk_ref.namespace or namespace}/{number.spec.trunk_ref.name}"
        looked_at.add((Kind.TRUNK, target))
        fault = _trunk_fault(target, namespace, ("spec", "trunkRef"), land)
        missing += [fault] if fault is not None else []
        trunks = (target,)
    if number.spec.dispatch_rule_ref is not None:
        rule = f"{namespace}/{number.spec.dispatch_rule_ref.name}"
        looked_at.add((Kind.RULE, rule))
        if rule not in land.rules:
            missing.append(_not_found(Kind.RULE, rule, namespace, ("spec", "dispatchRuleRef"), land))
    return Resolution(trunks, rule, tuple(missing), frozenset(looked_at))


def refer_to_trunk(target: str, namespace: str, path: Path, land: Landscape) -> Missing | None:
    """What is wrong with one reference by name to a trunk: for documents that are themselves broken."""
    return _trunk_fault(target, namespace, path, land)


def refer_to_rule(target: str, namespace: str, path: Path, land: Landscape) -> Missing | None:
    """What is wrong with one reference by name to a dispatch rule: for documents that are themselves broken."""
    return None if target in land.rules else _not_found(Kind.RULE, target, namespace, path, land)


def _selected(wanted: Mapping[str, str] | None, namespace: str, land: Landscape) -> tuple[str, ...] | None:
    """Permitted trunks with all `wanted` labels; without labels None, unless some trunk keeps this namespace out."""
    permitted = [id_ for id_, trunk in land.trunks.items() if trunk.permits(id_.partition("/")[0], namespace)]
    if wanted is None:
        return None if len(permitted) == len(land.trunks) else tuple(sorted(permitted))
    return tuple(sorted(id_ for id_ in permitted if wanted.items() <= land.trunks[id_].labels.items()))


def _trunk_fault(target: str, namespace: str, path: Path, land: Landscape) -> Missing | None:
    trunk = land.trunks.get(target)
    if trunk is None:
        return _not_found(Kind.TRUNK, target, namespace, path, land)
    own = target.partition("/")[0]
    if trunk.permits(own, namespace):
        return None
    what = f"Trunk {target} does not allow references from the namespace {namespace}"
    hint = f"add {namespace} to the allowedNamespaces of {target}"
    return Missing(path, MissingReason.NOT_PERMITTED, what, hint)


def _not_found(kind: Kind, target: str, namespace: str, path: Path, land: Landscape) -> Missing:
    reason = MissingReason.TRUNK if kind is Kind.TRUNK else MissingReason.RULE
    if (kind, target) in land.held:
        return Missing(
            path,
            reason,
            f"{kind} {target} is declared, but is itself held back",
            "mend it first",
            held=True,
            target=(kind, target),
        )
    names = {*(land.trunks if kind is Kind.TRUNK else land.rules), *(id_ for held, id_ in land.held if held is kind)}
    return Missing((*path, "name"), reason, f"there is no {kind} {target}", _suggest(kind, target, namespace, names))


def _suggest(kind: Kind, target: str, namespace: str, names: Iterable[str]) -> str:
    """The nearest name, else where else that name exists, else what there is."""
    known = sorted(names)
    wanted = target.partition("/")[2]
    mine = [id_.partition("/")[2] for id_ in known if id_.startswith(f"{namespace}/")]
    near = get_close_matches(wanted, mine[:SUGGESTIONS_LOOKED_AT_MAX], n=1, cutoff=SUGGESTION_CUTOFF)
    if near and near[0] != wanted:
        return f"did you mean {near[0]}?"
    elsewhere = [id_ for id_ in known if id_.partition("/")[2] == wanted]
    if elsewhere:
        return f"there is one in the namespace {elsewhere[0].partition('/')[0]}"
    if not mine:
        return f"no {kind} is declared in the namespace {namespace}"
    more = len(mine) - NAMES_LISTED_MAX
    return f"declared are {', '.join(mine[:NAMES_LISTED_MAX])}{f' and {more} more' if more > 0 else ''}"
