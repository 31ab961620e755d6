"""A row in the words of the person who declared it: `inbound.ringingTimeout` = `45s`, not `ringing_timeout_ms` = 45000.

The plan shows what changes field by field, and people know the fields of their manifests, not the columns of the
tables. The words are derived from the row's own fields, so that no field can be forgotten: whatever makes two rows
unequal has a word. Secrets appear by their place alone (`env:NAME`), never by value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any

from reconciler.plan.visible import visible
from schemas.resources.header_policy import names_a_credential
from schemas.resources.values import duration_text
from schemas.tables.rows import Row, RuleRow, Secret

Value = str | int | bool | list[Any] | dict[str, Any] | None
"""What a field holds, as JSON can say it; None = left out."""

MASK = "****"
"""In the place of a header's value that may be a credential."""

_HIDDEN = {"id", "claimed_since"}
"""Identity is the change's own; `claimed_since` is bookkeeping and follows from the fields."""

_WORDS = {
    "Inbound.networks": "allowedAddresses",
    "Inbound.called_declared_only": "calledNumbers",
    "Inbound.headers": "",
    "Outbound.headers": "",
    "Headers.fixed": "headers",
    "Headers.to_attributes": "headersToAttributes",
    "Headers.from_attributes": "attributesToHeaders",
    "Headers.include": "includeHeaders",
    "Auth.password": "passwordFrom",
    "Outbound.register_expires_ms": "register.expires",
    "Outbound.probe_every_ms": "probe.every",
    "OutboundTls.certificate": "certificateFrom",
    "OutboundTls.key": "keyFrom",
    "TrunkRow.media_networks": "mediaAddresses",
    "TrunkRow.max_concurrent_calls": "limits.maxConcurrentCalls",
    "TrunkRow.calls_per_second": "limits.callsPerSecond",
    "Outbound.max_concurrent_calls": "limits.maxConcurrentCalls",
    "Outbound.calls_per_second": "limits.callsPerSecond",
    "Outbound.max_call_duration_ms": "limits.maxCallDuration",
    "RuleRow.to": "match.to",
    "RuleRow.from_": "match.from",
    "RuleRow.trunks": "trunkRefs",
    "RuleRow.pin": "pinFrom",
    "RuleRow.fallback_sip_code": "fallback.sipCode",
    "NumberRow.trunk": "trunkRef",
    "NumberRow.rule": "dispatchRuleRef",
}
_RULE_CHOICE = {"kind", "room_name", "randomize"}
"""Three columns that one choice of the manifest fills; `_rule_choice` says them."""


def words(row: Row) -> dict[str, Value]:
    """Every field of `row` by its path below `spec`, defaults included."""
    return {path: _say(path, value) for path, value in _leaves(row, "")}


def set_words(row: Row) -> dict[str, Value]:
    """Only the fields that differ from their defaults: what a person would have to write."""
    return {path: _say(path, value) for path, value in _leaves(row, "", defaults=False)}


def changed_words(old: Row, new: Row) -> list[tuple[str, Value, Value]]:
    """(path, old value, new value) of every field in which two rows of one object differ."""
    before, after = dict(_leaves(old, "")), dict(_leaves(new, ""))
    defaults_left_out = words_left_out(old, new)
    out: list[tuple[str, Value, Value]] = []
    for path in [*before, *(path for path in after if path not in before)]:
        was, now = before.get(path), after.get(path)
        if was == now or path in defaults_left_out:
            continue
        if _last(path) == "headers" and isinstance(was, tuple) and isinstance(now, tuple):
            out.append((path, _headers(was), _headers(now, dict(was))))
        elif isinstance(was, Secret) and isinstance(now, Secret) and was.key == now.key:
            out.append((path, _say(path, was), f"{_say(path, now)}, changed"))
        else:
            out.append((path, _say(path, was), _say(path, now)))
    return out


def words_left_out(old: Row, new: Row) -> set[str]:
    """Paths that only one of the two rows has and that hold their default there: a new half is told by what it sets."""
    sides = []
    for row, other in ((old, new), (new, old)):
        elsewhere = {path for path, _ in _leaves(other, "")}
        told = {path for path, _ in _leaves(row, "", defaults=False)}
        sides.append({path for path, _ in _leaves(row, "") if path not in elsewhere and path not in told})
    return sides[0] | sides[1]


def show(value: Value) -> str:
    """A value on one line of a terminal; (none) for a field left out."""
    if value is None or value in ("", [], {}):
        return "(none)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(show(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{show(key)}: {show(item)}" for key, item in value.items()) + "}"
    # A line of its own would pass for a line of the plan, and an escape sequence would steer the terminal.
    return visible(str(value))


def _leaves(value: Any, prefix: str, *, defaults: bool = True) -> Iterator[tuple[str, Any]]:
    """Every field below `value` that is no record itself, as (path, raw value)."""
    if isinstance(value, RuleRow):
        yield from _rule_choice(value)
    for slot in fields(value):
        if slot.name in _HIDDEN or (isinstance(value, RuleRow) and slot.name in _RULE_CHOICE):
            continue
        held = getattr(value, slot.name)
        path = _path(type(value).__name__, slot.name, prefix)
        if is_dataclass(held) and not isinstance(held, Secret):
            yield from _leaves(held, path, defaults=defaults)
        elif (defaults or held != _default(slot)) and not (held is None and slot.name in ("inbound", "outbound")):
            yield path, held


def _rule_choice(rule: RuleRow) -> Iterator[tuple[str, Any]]:
    chosen = f"rule.{rule.kind.value}"
    if rule.kind.value == "direct":
        yield f"{chosen}.room", rule.room_name
        return
    yield f"{chosen}.roomPrefix", rule.room_name
    yield f"{chosen}.randomize", rule.randomize


@cache
def _path(owner: str, name: str, prefix: str) -> str:
    word = _WORDS.get(f"{owner}.{name}")
    if word is None:
        head, *rest = name.removesuffix("_ms").rstrip("_").split("_")
        word = head + "".join(part.capitalize() for part in rest)
    return ".".join(part for part in (prefix, word) if part)


def _default(slot: Field[Any]) -> Any:
    if slot.default_factory is not MISSING:
        return slot.default_factory()
    return slot.default


def _say(path: str, value: Any) -> Value:
    """A raw column as its manifest would say it."""
    last = _last(path)
    if value is None or value == "":
        return None
    if isinstance(value, Secret):
        return f"(secret {value.key})"
    if last == "calledNumbers":
        return "declared" if value else "any"
    if isinstance(value, int) and not isinstance(value, bool) and last in _DURATIONS:
        return duration_text(value)
    if isinstance(value, tuple):
        return _say_many(last, value)
    return value if isinstance(value, str | int | bool) else str(value)


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _headers(held: tuple[Any, ...], before: Mapping[str, str] | None = None) -> dict[str, str]:
    """Headers with their values, those of credentials aside: of one that was another `before` that it changed."""
    out: dict[str, str] = {}
    for name, value in held:
        is_other = before is not None and before.get(name, value) != value
        out[name] = f"{MASK}{', changed' if is_other else ''}" if names_a_credential(name) else value
    return out


_DURATIONS = {"ringingTimeout", "maxCallDuration", "expires", "every", "timeout", "emptyTimeout", "departureTimeout"}
_MAPS = {"headersToAttributes", "attributesToHeaders", "attributes"}


def _say_many(last: str, value: tuple[Any, ...]) -> Value:
    if last == "headers":
        return _headers(value)
    if last in _MAPS:
        return dict(value)
    if last == "agents":
        return [
            {"agentName": a.agent_name, "metadata": a.metadata} if a.metadata else {"agentName": a.agent_name}
            for a in value
        ]
    return list(value)
