"""CORE. The documents of what a server holds: the rows that are read there, with names, places of secrets, and numbers.

A number of an inbound trunk becomes a PhoneNumber of it, and points at its rule where exactly one rule lists it and
serves that trunk; any other number of a rule stays in the rule's `match.to`. No secret is in a document: a place that
is known from the last apply is kept, any other is a variable to be set.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler.model.declare import document_of
from reconciler.model.secrets import secrets_in, with_place
from reconciler.model.sources import Key
from reconciler.targets.livekit.hints import Hints
from reconciler.targets.livekit.holdings import Claim, Holdings, Info, sort
from reconciler.targets.livekit.importing.names import Variables, number_names
from reconciler.targets.livekit.importing.pieces import Piece
from reconciler.targets.livekit.planning import Recorded
from reconciler.targets.livekit.reading import Reader
from schemas.seal import INBOUND_PASSWORD, OUTBOUND_PASSWORD, PIN, Place, Sealer
from schemas.tables.rows import Direction, NumberRow, Row, Rows, Secret, TrunkRow, kind_of

_PLACES = ("env:", "file:", "secret:")
_WORDS = {INBOUND_PASSWORD: "PASSWORD", OUTBOUND_PASSWORD: "OUTBOUND_PASSWORD", PIN: "PIN"}


@dataclass(slots=True)
class Draft:
    """`documents` by kind and id, in order; `claims` are the adoptions that give the objects their names."""

    holdings: Holdings
    claims: tuple[Claim, ...]
    rows: Rows
    variables: Variables
    documents: dict[Key, dict[str, Any]] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    """Every secret by the name of its place."""
    unknown: dict[Key, list[str]] = field(default_factory=dict)
    """What is wrong with secrets, by whose they are."""


def draft_of(
    infos: Sequence[Info],
    owner: str,
    pieces: Mapping[str, Piece],
    names: Mapping[str, str],
    known: Recorded,
    seal: Sealer,
) -> Draft:
    """The draft of these pieces under these names. `infos` are theirs, and what belongs to other owners."""
    claims = tuple(Claim(id_, names[id_]) for id_, piece in sorted(pieces.items()) if piece.marker is None)
    holdings = sort(infos, owner, claims)
    read = Reader(holdings, Hints().over(known.rows), known.rows, seal).rows()
    rows = _pointed(_named(read, known.rows))
    everything: list[Row] = [*rows.trunks.values(), *rows.rules.values(), *rows.numbers.values()]
    taken = {secret.key.removeprefix("env:") for row in everything for _, secret in secrets_in(row)}
    draft = Draft(holdings, claims, rows, Variables(taken))
    retained = {(held.marker.kind, held.marker.name) for held in holdings.mine.values() if held.marker.retained}
    for row in everything:
        key = (kind_of(row), row.id)
        document = document_of(_placed(row, draft, seal))
        if key in retained:
            document["spec"]["deletionPolicy"] = "Retain"
        draft.documents[key] = document
    return draft


def _named(rows: Rows, known: Rows) -> Rows:
    """The rows, in which numbers that no document has named yet have names."""
    nameless = [row for row in rows.numbers.values() if row.id not in known.numbers]
    names = number_names(nameless, [id_ for id_ in rows.numbers if id_ in known.numbers])
    numbers = [replace(row, id=names.get(row.id, row.id)) for row in rows.numbers.values()]
    return replace(rows, numbers={row.id: row for row in sorted(numbers, key=lambda row: row.id)})


def _pointed(rows: Rows) -> Rows:
    """The rows, in which a number points at the one rule that lists it, instead of being listed there."""
    listing: dict[str, list[str]] = defaultdict(list)
    for rule in rows.rules.values():
        for number in rule.to:
            listing[number].append(rule.id)
    taking: dict[str, list[NumberRow]] = defaultdict(list)
    for row in rows.numbers.values():
        if _is_served(row, rows):
            taking[row.number].append(row)
    numbers, rules = dict(rows.numbers), dict(rows.rules)
    for number, (row, *more) in taking.items():
        if more or row.rule or len(listing[number]) != 1:
            continue
        rule = rules[listing[number][0]]
        if rule.to.count(number) == 1 and _serves(rule.trunks, row) and _home(rule.id) == _home(row.id):
            numbers[row.id] = replace(row, rule=rule.id)
            rules[rule.id] = replace(rule, to=tuple(own for own in rule.to if own != number))
    return replace(rows, rules=rules, numbers=numbers)


def _is_served(row: NumberRow, rows: Rows) -> bool:
    trunk = rows.trunks.get(row.trunk)
    inbound = trunk.inbound if trunk is not None else None
    return row.direction is not Direction.OUTBOUND and inbound is not None and inbound.called_declared_only


def _serves(trunks: tuple[str, ...] | None, row: NumberRow) -> bool:
    return trunks is None or row.trunk in trunks


def _home(id_: str) -> str:
    return id_.partition("/")[0]


def _placed(row: Row, draft: Draft, sealer: Sealer) -> Row:
    """The row with a place for each secret; the secret itself is noted in the draft."""
    mine: list[str] = []
    for at, secret in secrets_in(row):
        clear = _clear(Place(kind_of(row), row.id, at), secret, sealer)
        place = secret.key
        if not clear or "\0" in clear:
            what = "holds a NUL" if clear else "is not shown by LiveKit, or there is none"
            draft.unknown.setdefault((kind_of(row), row.id), []).append(f"{at}: the secret {what}")
        if not place.startswith(_PLACES):
            alone = isinstance(row, TrunkRow) and row.inbound is None
            words = "PASSWORD" if alone else _WORDS[at]
            home = f"{kind_of(row)} {row.id} {at}"
            variable = draft.variables.name(row.id, words, clear, home, mine)
            mine.append(variable)
            place = f"env:{variable}"
        draft.secrets[place] = clear
        row = with_place(row, at, place)
    return row


def _clear(place: Place, secret: Secret, sealer: Sealer) -> str:
    clear = sealer.unseal(place, secret.sealed) if secret.sealed else None
    return clear.decode(errors="surrogateescape") if clear is not None else ""
