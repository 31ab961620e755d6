"""CORE. The objects that can be imported, and which inbound and outbound trunk are one Trunk.

Two halves are one Trunk when they carry one mark; and else when both are unmarked, hold the same media and metadata,
and are the only two of their kinds that share a name (as it is written there), or else exactly the same numbers. What
is not told apart so clearly stays two Trunks: they can be written together by hand at any time, as adopted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from livekit.protocol import sip

from reconciler.plan.visible import visible
from reconciler.targets.livekit.holdings import Info, Part, id_of, marker_of, part_of
from reconciler.targets.livekit.marker import METADATA_GAP, NAME_GAP, Marker, parted
from schemas.ids import normalise_number
from schemas.livekit_words import read_media, read_room_choice
from schemas.resources.header_policy import names_a_credential
from schemas.seal import SECRET_BYTES_MAX

Pairs = dict[str, str]
"""The id of an inbound trunk -> that of the outbound trunk which is the other half."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One object. `marker` is this owner's mark, None = nobody's."""

    info: Info
    marker: Marker | None

    @property
    def id(self) -> str:
        """`ST_…` or `SDR_…`."""
        return id_of(self.info)

    @property
    def part(self) -> Part:
        """Which kind of object it is."""
        return part_of(self.info)

    @property
    def label(self) -> str:
        """What people called it."""
        return parted(self.info.name, NAME_GAP)[0] if self.part is Part.RULE else self.info.name


@dataclass(slots=True)
class Stock:
    """What a server holds, seen by one owner: `pieces` by id, and why the rest is left (`left`, id -> reasons)."""

    pieces: dict[str, Piece] = field(default_factory=dict)
    left: dict[str, list[str]] = field(default_factory=dict)


def stock_of(infos: Sequence[Info], owner: str) -> Stock:
    """Sort what can be imported from what belongs to others, or to nobody that could be told."""
    stock = Stock()
    marked: dict[tuple[Part, str], list[str]] = defaultdict(list)
    for info in infos:
        marker, id_ = marker_of(info), id_of(info)
        if marker is not None and marker.owner != owner:
            stock.left[id_] = [f"it belongs to the owner {marker.owner}, as {marker.kind} {marker.name}"]
            continue
        if any(len(secret.encode()) > SECRET_BYTES_MAX for secret in _secrets(info)):
            stock.left[id_] = ["its password or PIN is longer than any secret"]
            continue
        if telling := sorted(filter(names_a_credential, _headers(info))):
            why = "its value may be a credential, and manifests are no place for one"
            stock.left[id_] = [f"headers.{visible(name)}: {why}" for name in telling]
            continue
        stock.pieces[id_] = Piece(info, marker)
        if marker is not None:
            marked[part_of(info), marker.name].append(id_)
    for (_, name), ids in marked.items():
        if len(ids) > 1:
            for id_ in ids:
                stock.left[id_] = [f"several objects are marked as {name}: {', '.join(ids)}"]
                del stock.pieces[id_]
    return stock


def _headers(info: Info) -> Iterable[str]:
    """The names of the headers whose values are written there."""
    return () if isinstance(info, sip.SIPDispatchRuleInfo) else info.headers


def _secrets(info: Info) -> tuple[str, ...]:
    return (read_room_choice(info)[3],) if isinstance(info, sip.SIPDispatchRuleInfo) else (info.auth_password,)


def pairs_of(pieces: Iterable[Piece], apart: Collection[str]) -> Pairs:
    """The halves that are one Trunk; those named in `apart` are not to be joined."""
    free = [piece for piece in pieces if piece.part is not Part.RULE and piece.id not in apart]
    pairs = _only_two([piece for piece in free if piece.marker is not None], _by_mark)
    free = [piece for piece in free if piece.marker is None]
    infos = {piece.id: piece.info for piece in free}
    for key in (_by_name, _by_numbers):
        joined = {*pairs, *pairs.values()}
        found = _only_two([piece for piece in free if piece.id not in joined], key)
        pairs |= {a: b for a, b in found.items() if _hold_the_same(infos[a], infos[b])}
    return pairs


def _only_two(pieces: Iterable[Piece], key: Callable[[Piece], Hashable]) -> Pairs:
    groups: Mapping[Hashable, list[Piece]] = defaultdict(list)
    for piece in pieces:
        if shared := key(piece):
            groups[shared].append(piece)
    pairs: Pairs = {}
    for group in groups.values():
        taking = [piece.id for piece in group if piece.part is Part.INBOUND]
        placing = [piece.id for piece in group if piece.part is Part.OUTBOUND]
        if len(taking) == len(placing) == 1:
            pairs[taking[0]] = placing[0]
    return pairs


def _by_mark(piece: Piece) -> str:
    return piece.marker.name if piece.marker is not None else ""


def _by_name(piece: Piece) -> str:
    return piece.label


def _by_numbers(piece: Piece) -> frozenset[str]:
    return frozenset(normalise_number(number) for number in piece.info.numbers)


def _hold_the_same(a: Info, b: Info) -> bool:
    assert not isinstance(a, sip.SIPDispatchRuleInfo)
    assert not isinstance(b, sip.SIPDispatchRuleInfo)
    texts = [parted(info.metadata, METADATA_GAP)[0] for info in (a, b)]
    return texts[0] == texts[1] and read_media(a) == read_media(b)
