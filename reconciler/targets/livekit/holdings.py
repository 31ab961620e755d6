"""CORE. What one LiveKit server holds, sorted by who owns it.

An object is ours when its mark says so, or when the person adopts it by name for this run. Two halves of a Trunk are
two objects with one mark. Two objects that carry one mark are nobody's to choose between: they are told, and left.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from enum import StrEnum

from livekit.protocol import sip

from reconciler.errors import ReconcileError
from reconciler.model.sources import Key
from reconciler.targets.livekit.marker import METADATA_GAP, NAME_GAP, Marker, parted
from schemas.tables.rows import Kind

Info = sip.SIPInboundTrunkInfo | sip.SIPOutboundTrunkInfo | sip.SIPDispatchRuleInfo


class Part(StrEnum):
    """The three kinds of object at LiveKit."""

    INBOUND = "inbound trunk"
    OUTBOUND = "outbound trunk"
    RULE = "dispatch rule"


KIND_OF = {Part.INBOUND: Kind.TRUNK, Part.OUTBOUND: Kind.TRUNK, Part.RULE: Kind.RULE}


@dataclass(frozen=True, slots=True)
class Claim:
    """One `--adopt ST_…=namespace/name`; of a number its digits stand for an id."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Held:
    """One object with its owner. `adopted` "" = its mark says so; else whose it was so far, in words."""

    part: Part
    id: str
    info: Info
    marker: Marker
    adopted: str = ""


@dataclass(slots=True)
class Holdings:
    """All objects of a server: `mine` by name and part, `others` with an owner, `doubled` of one mark."""

    mine: dict[tuple[Part, str], Held] = field(default_factory=dict)
    others: dict[Key, list[Held]] = field(default_factory=dict)
    doubled: dict[Key, list[str]] = field(default_factory=dict)

    def of(self, kind: Kind) -> Iterator[str]:
        """The names of this owner's objects of a kind."""
        return iter(dict.fromkeys(name for (part, name) in self.mine if KIND_OF[part] is kind))

    def objects(self, key: Key) -> list[Held]:
        """The objects that are one of this owner's."""
        return [held for part in Part if KIND_OF[part] is key[0] and (held := self.mine.get((part, key[1])))]

    def inbound_ids(self) -> dict[str, str]:
        """The ids that rules name trunks by, of all owners: `namespace/name` -> `ST_…`."""
        found = {held.marker.name: held.id for group in self.others.values() for held in group if _takes_calls(held)}
        return found | {name: held.id for (_, name), held in self.mine.items() if _takes_calls(held)}

    def rule_ids(self) -> dict[str, str]:
        """The ids of this owner's rules: `namespace/name` -> `SDR_…`."""
        return {name: held.id for (part, name), held in self.mine.items() if part is Part.RULE}

    def renamed(self, moves: Mapping[Key, str]) -> Holdings:
        """The same, in which objects that move have their new names already; `moves` leads to the old ones."""
        new_names = {(key[0], old): key[1] for key, old in moves.items()}
        mine = {(part, new_names.get((KIND_OF[part], name), name)): held for (part, name), held in self.mine.items()}
        return Holdings(mine, self.others, self.doubled)


def digest_of(infos: Iterable[Info]) -> str:
    """What stands in for a revision, which LiveKit has none of: the same of the same objects, whosever they are.

    Their secrets are left out, because the digest of a PIN would give it away to whoever tries them all.
    """
    total = hashlib.sha256()
    for info in sorted(infos, key=id_of):
        plain = deepcopy(info)
        if isinstance(plain, sip.SIPDispatchRuleInfo):
            choice = plain.rule.WhichOneof("rule")
            if choice is not None:
                getattr(plain.rule, choice).pin = ""
        else:
            plain.auth_password = ""
        data = plain.SerializeToString(deterministic=True)
        total.update(part_of(info).encode() + len(data).to_bytes(8, "big") + data)
    return total.hexdigest()


def id_of(info: Info) -> str:
    """`ST_…` or `SDR_…`."""
    return info.sip_dispatch_rule_id if isinstance(info, sip.SIPDispatchRuleInfo) else info.sip_trunk_id


def secret_of(info: Info) -> str:
    """Its password or PIN in clear, "" = it has none."""
    if not isinstance(info, sip.SIPDispatchRuleInfo):
        return info.auth_password
    choice = info.rule.WhichOneof("rule")
    return str(getattr(info.rule, choice).pin) if choice is not None else ""


def part_of(info: Info) -> Part:
    """Which kind of object it is."""
    if isinstance(info, sip.SIPDispatchRuleInfo):
        return Part.RULE
    return Part.INBOUND if isinstance(info, sip.SIPInboundTrunkInfo) else Part.OUTBOUND


def marker_of(info: Info) -> Marker | None:
    """The mark of an object, where it stands for that kind."""
    is_rule = isinstance(info, sip.SIPDispatchRuleInfo)
    _, marker = parted(info.name, NAME_GAP) if is_rule else parted(info.metadata, METADATA_GAP)
    return marker if marker is not None and marker.kind is KIND_OF[part_of(info)] else None


def sort(infos: Sequence[Info], owner: str, adopt: Sequence[Claim] = (), take_over: str = "") -> Holdings:
    """Sort what a server holds. Raises ReconcileError for an adoption that cannot be."""
    claims = {claim.id: claim for claim in adopt}
    holdings = Holdings()
    for info in infos:
        part, id_, marker = part_of(info), id_of(info), marker_of(info)
        claim, adopted = claims.pop(id_, None), ""
        if claim is not None:
            marker, adopted = _adopted(claim, part, marker, owner, take_over)
        if marker is None:
            continue
        held = Held(part, id_, info, marker, adopted)
        if marker.owner != owner:
            holdings.others.setdefault((marker.kind, marker.name), []).append(held)
            continue
        first = holdings.mine.setdefault((part, marker.name), held)
        if first is not held:
            holdings.doubled.setdefault((marker.kind, marker.name), [first.id]).append(id_)
    if claims:
        missing = ", ".join(claims)
        raise ReconcileError(f"there is no {missing} at LiveKit", "`lk sip` lists what there is")
    return holdings


def _adopted(claim: Claim, part: Part, marker: Marker | None, owner: str, take_over: str) -> tuple[Marker, str]:
    wanted = Marker(owner, KIND_OF[part], claim.name)
    if marker is None:
        return wanted, "nobody"
    if (marker.owner, marker.name) == (owner, claim.name):
        return marker, ""
    if marker.owner == owner:
        hint = "give that one another name, or leave out --adopt"
        raise ReconcileError(f"{claim.id} is {marker.kind} {marker.name} already", hint)
    if marker.owner != take_over:
        hint = f"to take it from there, add --take-over {marker.owner}"
        raise ReconcileError(f"{claim.id} is {marker.kind} {marker.name} of the owner {marker.owner}", hint)
    return wanted, f"the owner {marker.owner}"


def _takes_calls(held: Held) -> bool:
    return held.part is Part.INBOUND


def claims_of(texts: Sequence[str]) -> tuple[Claim, ...]:
    """`--adopt` as it was given. Raises ReconcileError."""
    return tuple(_claim(text) for text in texts)


def _claim(text: str) -> Claim:
    id_, _, name = text.partition("=")
    if not id_.startswith(("ST_", "SDR_", "+")) or not name:
        what = f"--adopt {text} does not say which object becomes what"
        raise ReconcileError(what, "write ST_…=namespace/name, or the number of a PhoneNumber: +1…=namespace/name")
    return Claim(id_, name if "/" in name else f"default/{name}")


def names_by_id(ids: Mapping[str, str]) -> dict[str, str]:
    """`ST_…` -> `namespace/name`."""
    return {id_: name for name, id_ in ids.items()}
