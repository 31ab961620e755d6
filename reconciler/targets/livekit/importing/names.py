"""CORE. What imported objects are called: `namespace/name` from the name that people gave, and variables for secrets.

A name depends on what a server holds and on nothing else, so that two imports agree; of several objects of one name the
one with the smallest id has it, and the others are told apart by their kind, then by a number. Names of objects that
have a mark are theirs already.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from itertools import chain, count

from reconciler.targets.livekit.holdings import Part
from reconciler.targets.livekit.importing.pieces import Pairs, Piece
from schemas.livekit_words import read_room_choice
from schemas.resources.base import DEFAULT_NAMESPACE
from schemas.tables.rows import NumberRow

NAME_CHARS = 50
"""How much of a name is taken over: names are typed."""
_SAY_LITTLE = re.compile(r"[^a-z0-9]+")
_NOT_IN_VARIABLES = re.compile(r"[^A-Z0-9]+")
_OWN_VARIABLES = ("DIALPLANE_", "LIVEKIT_", "LD_", "DYLD_", "PYTHON")
"""How names begin that no manifest may read."""
_SUFFIX = {Part.INBOUND: "inbound", Part.OUTBOUND: "outbound", Part.RULE: "rule"}


def names_of(pieces: Iterable[Piece], pairs: Pairs, namespace: str, taken: Collection[str]) -> dict[str, str]:
    """`namespace/name` of each piece by its id. `taken` are names of others, by kind: `Trunk ns/name`."""
    names: dict[str, str] = {}
    used = set(taken)
    ordered = sorted(pieces, key=lambda piece: (piece.marker is None, piece.part is Part.OUTBOUND, piece.id))
    halves = {placing: taking for taking, placing in pairs.items()}
    for piece in ordered:
        if piece.id in halves:
            names[piece.id] = names[halves[piece.id]]
            continue
        kind = "DispatchRule" if piece.part is Part.RULE else "Trunk"
        name = piece.marker.name if piece.marker is not None else _free(kind, piece, namespace, used)
        used.add(f"{kind} {name}")
        names[piece.id] = name
    return names


def _free(kind: str, piece: Piece, namespace: str, used: Collection[str]) -> str:
    base = slug(piece.label) or slug(_fallback(piece)) or _SUFFIX[piece.part]
    tries = chain((base, f"{base}-{_SUFFIX[piece.part]}"), (f"{base}-{number}" for number in count(2)))
    return next(name for name in (f"{namespace}/{one}" for one in tries) if f"{kind} {name}" not in used)


def _fallback(piece: Piece) -> str:
    """What an object without a name is known by: its room, its address, its number."""
    info = piece.info
    if piece.part is Part.RULE:
        return read_room_choice(info)[1]  # type: ignore[arg-type]  # a rule by its part
    address = getattr(info, "address", "") or next(iter(getattr(info, "allowed_addresses", ())), "")
    return address or f"trunk {next(iter(info.numbers), '')}"


def slug(text: str) -> str:
    """What of a name a Kubernetes name can hold; "" = nothing."""
    return _SAY_LITTLE.sub("-", text.lower()).strip("-")[:NAME_CHARS].strip("-")


def number_names(rows: Iterable[NumberRow], used: Collection[str]) -> dict[str, str]:
    """Old id -> new id of numbers without a name: `number-14155550100`, with its trunk behind it if there are more."""
    rows = sorted(rows, key=lambda row: (row.number, row.trunk))
    seen = Counter(row.number for row in rows)
    names: dict[str, str] = {}
    taken = set(used)
    for row in rows:
        namespace, _, trunk = row.trunk.partition("/")
        name = f"{namespace or DEFAULT_NAMESPACE}/number-{slug(row.number) or 'odd'}"
        if seen[row.number] > 1 or name in taken:
            name = f"{name}-{trunk}"
        names[row.id] = next(one for one in chain((name,), (f"{name}-{i}" for i in count(2))) if one not in taken)
        taken.add(names[row.id])
    return names


class Variables:
    """Names for secrets, each given once; `values` are the secrets, `homes` the fields that name each."""

    def __init__(self, taken: Collection[str]) -> None:
        self._taken = taken
        self.values: dict[str, str] = {}
        self.homes: dict[str, list[str]] = {}

    def name(self, object_name: str, words: str, value: str, field: str, shared: Collection[str]) -> str:
        """The variable of a secret of `namespace/name`; one of `shared` that holds the same secret, if there is one."""
        for variable in shared:
            if self.values[variable] == value:
                self.homes[variable].append(field)
                return variable
        wanted = variable_of(object_name, words)
        tries = chain((wanted,), (f"{wanted}_{number}" for number in count(2)))
        variable = next(one for one in tries if one not in self.values and one not in self._taken)
        self.values[variable] = value
        self.homes[variable] = [field]
        return variable


def variable_of(object_name: str, words: str) -> str:
    """`default/twilio-us` and `PASSWORD` -> `TWILIO_US_PASSWORD`."""
    text = object_name.removeprefix(f"{DEFAULT_NAMESPACE}/").upper()
    name = f"{_NOT_IN_VARIABLES.sub('_', text).strip('_')}_{words}"
    return f"SIP_{name}" if name[0].isdigit() or name.startswith(_OWN_VARIABLES) else name
