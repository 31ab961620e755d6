"""What Redis keeps of the past, told: the history, and what each revision changed as it was before."""

from __future__ import annotations

from schemas.stores import bounds
from schemas.stores.door import HistoryEntry, Key, Step, StoreError
from schemas.stores.redis.errors import FRESH
from schemas.stores.redis.layout import Chapter, Keys, State, chapter_of, good_of, key_of, portions, was_of
from schemas.stores.redis.reading import scanned
from schemas.stores.redis.wire import Wire
from schemas.tables.codec import decode_row
from schemas.tables.rows import Row

CHAPTERS_AT_ONCE = 1_000


def history(wire: Wire, keys: Keys, state: State, limit: int) -> list[HistoryEntry]:
    """The newest publishes, newest first."""
    newest, count = state.revision, min(limit, state.revision, bounds.HISTORY_MAX)
    chapters = _chapters(wire, keys, range(newest, newest - count, -1))
    kept_from = state.past_from or newest + 1
    return [chapter.told(revision, is_kept=revision >= kept_from) for revision, chapter in chapters.items()]


def digests(wire: Wire, keys: Keys, revisions: set[int]) -> dict[int, str]:
    """The digests of these revisions, of those that are known."""
    return {revision: chapter.digest for revision, chapter in _chapters(wire, keys, sorted(revisions)).items()}


def steps_back(wire: Wire, keys: Keys, state: State, to: int) -> list[Step] | None:
    """What each revision after `to` changed, newest first."""
    if to == state.revision:
        return []
    if not 0 <= to < state.revision or not state.past_from or to + 1 < state.past_from:
        return None
    revisions = range(state.revision, to, -1)
    chapters = _chapters(wire, keys, revisions)
    try:
        return [_step(wire, keys, revision, chapters[revision].owner) for revision in revisions]
    except (KeyError, ValueError) as error:
        raise StoreError(wire.where, f"the past is damaged ({error})", FRESH) from None


def _step(wire: Wire, keys: Keys, revision: int, owner: str) -> Step:
    rows: dict[Key, Row | None] = {}
    goods: dict[str, bytes] = {}
    for name, data in scanned(wire, keys.past(revision)):
        if name.startswith(b"/"):
            goods[name[1:].decode()] = good_of(data)
        else:
            was, key = was_of(data), key_of(name)
            rows[key] = None if was is None else decode_row(*key, was)
    return Step(revision, owner, rows, goods)


def _chapters(wire: Wire, keys: Keys, revisions: range | list[int]) -> dict[int, Chapter]:
    """The entries of the history for these revisions, in their order; those that are not known are left out."""
    found: dict[int, Chapter] = {}
    for some in portions(revisions, CHAPTERS_AT_ONCE):
        for revision, data in zip(some, wire.do("HMGET", keys.history, *map(str, some)), strict=True):
            try:
                if data is not None:
                    found[revision] = chapter_of(data)
            except ValueError:
                raise StoreError(wire.where, "the history is damaged", FRESH) from None
    return found
