"""CORE. Two looks at one server: which of this owner's objects somebody else has changed in between.

LiveKit does not say who it was; the marks say whose objects they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.targets.livekit.holdings import Info, id_of, marker_of

NAMES_MAX = 5


def moved(before: Iterable[Info], now: Iterable[Info], owner: str, *besides: str) -> str:
    """What happened to this owner's objects, in words, and what happened besides; "" = nothing."""
    told = [*_moves({id_of(info): info for info in before}, {id_of(info): info for info in now}, owner), *besides]
    more = f" and {len(told) - NAMES_MAX} more" if len(told) > NAMES_MAX else ""
    return f"{', '.join(told[:NAMES_MAX])}{more}" if told else ""


def _moves(before: dict[str, Info], now: dict[str, Info], owner: str) -> Iterator[str]:
    for id_ in sorted(before.keys() | now.keys()):
        was, is_ = before.get(id_), now.get(id_)
        if was == is_:
            continue
        mine_before, mine_now = _name(was, owner), _name(is_, owner)
        if not (mine_before or mine_now):
            continue
        if is_ is None:
            yield f"somebody deleted {mine_before} ({id_})"
        elif was is None:
            yield f"somebody created {mine_now} ({id_})"
        elif not mine_now:
            yield f"somebody took the mark from {mine_before} ({id_})"
        else:
            yield f"somebody changed {mine_now} ({id_})"


def _name(info: Info | None, owner: str) -> str:
    """`Trunk default/carrier`; "" = not this owner's."""
    marker = marker_of(info) if info is not None else None
    return f"{marker.kind} {marker.name}" if marker is not None and marker.owner == owner else ""
