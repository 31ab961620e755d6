"""CORE. What an import did, for people and for machines: what has a manifest, what was left and why, what is to be set.

No secret is in it: of each, the variable that it is to be in, and the fields that name that variable.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from livekit.protocol import sip

from reconciler.model.sources import Key
from reconciler.targets.livekit.holdings import KIND_OF, Info, id_of, part_of
from reconciler.targets.livekit.importing.pieces import Piece
from reconciler.targets.livekit.importing.proof import Imported
from reconciler.targets.livekit.phone_numbers.holdings import HeldNumber
from schemas.printable import printable

_ROOM = frozenset({"empty_timeout", "departure_timeout", "max_participants", "metadata", "agents"})
_ENDANGERED = "it carries this owner's mark: the next apply would delete it, unless you mend it, or take the mark out"
_AGENT = frozenset({"agent_name", "metadata"})


def report_of(done: Imported) -> dict[str, Any]:
    """The report as JSON."""
    adopted = {claim.id for claim in done.draft.claims}
    return {
        "objects": [
            {
                **_object(done.pieces[id_].info),
                "is": f"{KIND_OF[done.pieces[id_].part]}/{name}",
                "adopted": id_ in adopted,
            }
            for id_, name in sorted(done.names.items(), key=lambda named: named[1])
        ],
        "left": [
            {**_object(done.infos[id_]), "why": why, "endangered": id_ in done.endangered}
            for id_, why in sorted(done.left.items())
        ],
        "secrets": [{"variable": variable, "of": homes} for variable, homes in sorted(done.variables.homes.items())],
        "kept": [{"id": id_, "fields": kept} for id_, piece in sorted(done.pieces.items()) if (kept := _kept(piece))],
        "numbers": [_own_number(held, done) for _, held in sorted(done.own_numbers.items())],
        "adopt": [f"{claim.id}={claim.name}" for claim in done.draft.claims],
    }


def text_of(report: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(style, line) of the report for people, without what was written and what is next."""
    if report["left"]:
        yield "", "Left as they are, without a manifest:"
        for left in report["left"]:
            yield "update", f"  {left['id']} {left['part']}{_named(left)}"
            yield from (("", f"      {why}") for why in left["why"])
            if left["endangered"]:
                yield "delete", f"      {_ENDANGERED}"
        yield "", ""
    if report["numbers"]:
        yield "", "LiveKit's own phone numbers, each to be declared by hand and adopted:"
        for one in report["numbers"]:
            rules = ", ".join(one["dispatchRules"]) or "no rule"
            yield "update", f"  {one['number']} -> {rules}"
        yield "", "      a PhoneNumber with `number` and dispatchRuleRef; then --adopt NUMBER=NAMESPACE/NAME"
        yield "", ""
    if report["kept"]:
        yield "", "Stays at LiveKit, and is in no manifest:"
        yield from (("", f"  {kept['id']} {', '.join(kept['fields'])}") for kept in report["kept"])
        yield "", ""
    if report["secrets"]:
        yield "", "To be set, in the environment or in .env:"
        width = max(len(secret["variable"]) for secret in report["secrets"])
        for one in report["secrets"]:
            yield from (
                ("", f"  {one['variable'] if not n else '':{width}}  {home}") for n, home in enumerate(one["of"])
            )
        yield "", ""


def remarks_of(done: Imported) -> dict[Key, str]:
    """What stands above each document: the objects that it is, and what people called them."""
    pieces: dict[Key, list[Piece]] = defaultdict(list)
    for id_, name in sorted(done.names.items()):
        piece = done.pieces[id_]
        pieces[KIND_OF[piece.part], name].append(piece)
    return {
        key: " ".join([*(one.id for one in some), *dict.fromkeys(f'"{one.label}"' for one in some if one.label)])
        for key, some in pieces.items()
    }


def _kept(piece: Piece) -> list[str]:
    """What is set there and no manifest can say."""
    info = piece.info
    if not isinstance(info, sip.SIPDispatchRuleInfo):
        return []
    found = [f"room_config.{field.name}" for field, _ in info.room_config.ListFields() if field.name not in _ROOM]
    for agent in info.room_config.agents:
        found += [
            f"room_config.agents[{agent.agent_name}].{field.name}"
            for field, _ in agent.ListFields()
            if field.name not in _AGENT
        ]
    return found


def _own_number(held: HeldNumber, done: Imported) -> dict[str, Any]:
    return {"number": held.number, "dispatchRules": [done.names.get(rule, rule) for rule in held.rules]}


def _object(info: Info) -> dict[str, Any]:
    return {"id": id_of(info), "part": str(part_of(info)), "name": info.name}


def _named(one: dict[str, Any]) -> str:
    text = printable(one["name"])
    return f' "{text}"' if text else ""
