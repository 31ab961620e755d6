"""Did you mean: what to write instead of a field that does not exist.

Tried in turn: a secret written out, the other spelling of the same words, LiveKit's own name for the thing, the right
field in the wrong place, a likely typing error.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from functools import cache

from schemas.resources.base import Part
from schemas.resources.credentials import PLACES_HINT
from schemas.resources.shape import Path, child, fields, part_at
from schemas.resources.values import shown

SIMILAR = 0.7
"""How alike (0 to 1, difflib's ratio) two names must be to take one for a typing error of the other."""

LISTED_MAX = 12
"""How many field names a hint lists."""

_SECRETS = {"password": "passwordFrom", "authPassword": "auth.passwordFrom", "secret": "passwordFrom", "pin": "pinFrom"}

_LIVEKIT = {
    "Trunk": {
        "numbers": "declare each as a PhoneNumber whose trunkRef names this trunk",
        "krispEnabled": "write `noiseCancellation`, in `spec.inbound`",
        "mediaEncryption": "write `encryption`, in `spec.media`",
        "mediaTimeout": "write `timeout`, in `spec.media`",
        "onlyListedCodecs": "leave it out: `codecs` always lists exactly the codecs to use",
        "address": "write `addresses`, a list, in `spec.outbound`",
        "authUsername": "write `username`, in `auth`",
        "authRealm": "write `realm`, in `auth`",
        "sipTrunkId": "leave it out: a trunk is known by its name",
        "name": "write it in `metadata`",
    },
    "DispatchRule": {
        "numbers": "write `to`, in `spec.match`: the called numbers",
        "inboundNumbers": "write `from`, in `spec.match`: the calling numbers",
        "trunkIds": "write `trunkRefs: [{name: …}]`",
        "dispatchRuleDirect": "write `direct`, in `spec.rule`",
        "dispatchRuleIndividual": "write `individual`, in `spec.rule`",
        "dispatchRuleCallee": "write `callee`, in `spec.rule`",
        "roomName": "write `room`, in `spec.rule.direct`",
        "noRandomness": "write `randomize: false`",
        "roomConfig": "write `spec.room`",
        "roomPreset": "write `preset`, in `spec.room`",
        "krispEnabled": "write `noiseCancellation`, in `spec`",
        "mediaEncryption": "write `encryption`, in `spec.media`",
        "mediaTimeout": "write `timeout`, in `spec.media`",
        "onlyListedCodecs": "leave it out: `codecs` always lists exactly the codecs to use",
        "sipDispatchRuleId": "leave it out: a rule is known by its name",
        "name": "write it in `metadata`",
    },
    "PhoneNumber": {
        "trunkId": "write `trunkRef: {name: …}`",
        "sipDispatchRuleId": "write `dispatchRuleRef: {name: …}`",
        "e164Format": "write `number`",
        "phoneNumber": "write `number`",
    },
    "RoutingTest": {
        "ip": "write `address`",
        "source": "write `address`",
        "sourceIp": "write `address`",
        "called": "write `to`",
        "caller": "write `from`",
        "dispatchRule": "write `rule`",
        "tests": "write `calls`",
    },
}  # fmt: skip


def camel(name: str) -> str:
    """`allowed_addresses`, `allowed-addresses` or `AllowedAddresses` as `allowedAddresses`."""
    head, *rest = re.split(r"[_\-\s]+", name.strip("_- ")) or [""]
    return head[:1].lower() + head[1:] + "".join(word[:1].upper() + word[1:] for word in rest)


def closest(name: str, choices: list[str]) -> str:
    """The choice that `name` is probably meant to be, or ""."""
    lower = {choice.lower(): choice for choice in reversed(choices)}
    found = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=SIMILAR)
    return lower[found[0]] if found else ""


def did_you_mean(name: str, choices: list[str]) -> str:
    """The sentence for a misspelt `name`, or the list of choices when nothing comes close."""
    best = closest(name, choices)
    return f"did you mean `{best}`?" if best else f"write {any_of(choices)}"


def other_shape(root: type[Part], path: Path, value: object, wanted: str) -> str:
    """How to write a value of the wrong shape: a name where a map holds it, one entry where a list does, and so on."""
    part = part_at(root, path)
    if wanted == "a list":
        return "write it as a list, `[…]`, or each entry behind a dash"
    if wanted != "a map" or part is None:
        return ""
    if isinstance(value, list):
        return "remove the dash or the brackets"
    needed = [info.alias or name for name, info in part.model_fields.items() if info.is_required()]
    if len(needed) == 1 and needed[0] in _NAMING and isinstance(value, str):
        return f"write {shown(f'{{{needed[0]}: {value}}}')}"
    return f"its fields are {', '.join(list(fields(part))[:LISTED_MAX])}"


_NAMING = frozenset({"name", "room", "agentName"})
"""Fields that name something in the open: never the place of a secret."""


def any_of(words: Sequence[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


@cache
def _places(model: type[Part]) -> dict[str, tuple[str, ...]]:
    """Every field of a kind: written name -> the dotted places where it exists."""
    found: dict[str, tuple[str, ...]] = {}

    def walk(part: type[Part], prefix: str) -> None:
        for field in fields(part):
            found[field] = (*found.get(field, ()), prefix + field)
            if below := child(part, field):
                walk(below, f"{prefix}{field}.")

    walk(model, "")
    return found


def unknown_field(kind: str, root: type[Part], here: type[Part], path: Path) -> str:
    """What to write instead of the unknown field that stands at `path` in the part `here` of a document."""
    name = camel(str(path[-1]))
    known = list(fields(here))
    if name in _SECRETS:
        return f"secrets are never written in a manifest: use `{_SECRETS[name]}`, and {PLACES_HINT}"
    if name in known:
        return f"did you mean `{name}`?"
    if hint := _LIVEKIT.get(kind, {}).get(name):
        return hint
    if places := _places(root).get(name):
        return f"it belongs at `{'` or `'.join(places[:2])}`"
    if best := closest(name, known):
        return f"did you mean `{best}`?"
    if best := closest(name, list(_places(root))):
        return f"did you mean `{_places(root)[best][0]}`?"
    return f"the fields here are {', '.join(known[:LISTED_MAX])}{', …' if len(known) > LISTED_MAX else ''}"
