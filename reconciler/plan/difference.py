"""What is not the same in two values of a field, short enough for a line and never by leaving the difference out.

Short values are shown whole, side by side. Of long lists and maps only what goes (`-`) and what comes (`+`) is shown,
the widest networks and patterns first; of long texts the place where they part. What is cut is counted, and two values
that still look alike are told apart by a digest: whoever reads a plan must not take a change for none.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from ipaddress import ip_network
from typing import Any

from reconciler.plan.words import Value, show

VALUE_CHARS_MAX = 200
ITEM_CHARS_MAX = 80
ITEMS_SHOWN_MAX = 8
CONTEXT_CHARS = 20
"""Of a long text, what is shown of it before the place where it differs."""


def sides(old: Value, new: Value) -> tuple[str, str]:
    """Both sides of a change; they differ where the values do."""
    told = show(old), show(new)
    if max(map(len, told)) > VALUE_CHARS_MAX:
        told = _parted(old, new)
    if told[0] == told[1] and old != new:
        told = f"{told[0]} {_digest(old)}", f"{told[1]} {_digest(new)}"
    return told


def arrow(old: Value, new: Value) -> str:
    """`lobby -> hall`."""
    return " -> ".join(sides(old, new))


def clip(said: str, chars_max: int = VALUE_CHARS_MAX) -> str:
    """The text, cut short where it is too long for its place."""
    return said if len(said) <= chars_max else said[: chars_max - 1] + "…"


def _parted(old: Value, new: Value) -> tuple[str, str]:
    if isinstance(old, list | None) and isinstance(new, list | None):
        return _lists(old or [], new or [])
    if isinstance(old, dict | None) and isinstance(new, dict | None):
        return _maps(old or {}, new or {})
    return _texts(show(old), show(new), VALUE_CHARS_MAX)


def _lists(old: list[Any], new: list[Any]) -> tuple[str, str]:
    before, after = _counted(old), _counted(new)
    gone, come = _widest_first((before - after).elements()), _widest_first((after - before).elements())
    if not gone and not come:
        return "(in another order)", _items("", [_alone(show(item)) for item in new], 0)
    same = (before & after).total()
    pairs = [_texts(a, b, ITEM_CHARS_MAX) for a, b in zip(gone, come, strict=False)]
    shorter = len(pairs)
    removed = [*(a for a, _ in pairs), *(_alone(item) for item in gone[shorter:])]
    added = [*(b for _, b in pairs), *(_alone(item) for item in come[shorter:])]
    return _items("- ", removed, same), _items("+ ", added, same)


def _maps(old: dict[str, Any], new: dict[str, Any]) -> tuple[str, str]:
    gone: list[str] = []
    come: list[str] = []
    for key in sorted(old.keys() | new.keys()):
        if key in old and key in new and old[key] == new[key]:
            continue
        a, b = _texts(show(old.get(key)), show(new.get(key)), ITEM_CHARS_MAX)
        name = clip(show(key), ITEM_CHARS_MAX)
        gone += [f"{name}: {a}"] if key in old else []
        come += [f"{name}: {b}"] if key in new else []
    same = sum(1 for key in old.keys() & new.keys() if old[key] == new[key])
    return _items("- ", gone, same), _items("+ ", come, same)


def _items(sign: str, items: list[str], same: int) -> str:
    """`+ 0.0.0.0/0, 16 as before`. The first few of `items`, each as it is shown; the others are counted."""
    told = [f"{sign}{shown}" for shown in items[:ITEMS_SHOWN_MAX]]
    if len(items) > ITEMS_SHOWN_MAX:
        told.append(f"and {len(items) - ITEMS_SHOWN_MAX:,} more that are not shown")
    if same:
        told.append(f"{same:,} as before")
    return f"[{', '.join(told)}]" if told else show(None)


def _texts(old: str, new: str, chars_max: int) -> tuple[str, str]:
    """Two texts from a little before where they part; each with how much of it is not shown behind that."""
    if max(len(old), len(new)) <= chars_max:
        return old, new
    if not old or not new or show(None) in (old, new):
        return _cut(old, chars_max), _cut(new, chars_max)
    start = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    begin = max(0, start - CONTEXT_CHARS)
    return _window(old, begin, len(old) - end, chars_max), _window(new, begin, len(new) - end, chars_max)


def _window(text: str, begin: int, end: int, chars_max: int) -> str:
    """The differing part of a text, `begin` to `end`, and what is around it if there is room."""
    shown = _cut(text[begin:end], chars_max)
    room = max(0, chars_max - len(shown))
    return f"{'…' if begin else ''}{shown}{text[end : end + room]}{'…' if end + room < len(text) else ''}"


def _alone(text: str) -> str:
    return _cut(text, ITEM_CHARS_MAX)


def _cut(text: str, chars_max: int) -> str:
    """Head and tail: what is appended to a long text is what somebody would hide there."""
    if len(text) <= chars_max:
        return text
    half = chars_max // 2
    return f"{text[:half]}… {len(text) - 2 * half:,} characters …{text[-half:]}"


def _counted(items: Iterable[Any]) -> Counter[str]:
    return Counter(map(show, items))


def _widest_first(items: Iterable[str]) -> list[str]:
    return sorted(items, key=_narrowness)


def _narrowness(item: str) -> tuple[int, int, str]:
    """How little an entry stands for: networks by the bits that they fix, other entries by their length."""
    try:
        network = ip_network(item, strict=False)
    except ValueError:
        return (0 if item.endswith("*") else 1, len(item), item)
    return (0, network.prefixlen * 32 // network.max_prefixlen, item)


def _digest(value: Value) -> str:
    said = json.dumps(value, sort_keys=True, ensure_ascii=True)
    return f"(sha256 {hashlib.sha256(said.encode()).hexdigest()[:12]})"
