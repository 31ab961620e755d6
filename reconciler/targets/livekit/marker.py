"""CORE. Who owns an object on a LiveKit server: a mark on the object itself, behind whatever its user wrote there.

    dialplane.dev/owner=default kind=Trunk name=default/carrier

On a trunk it is the last line of `metadata`, which stays on the trunk. On a dispatch rule it is the end of `name`: a
rule's metadata and attributes become those of every participant that it lets in, and its name goes nowhere. An object
without a mark belongs to somebody else, and so does one whose mark cannot be read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from schemas import ids
from schemas.tables.rows import Kind

METADATA_GAP, NAME_GAP = "\n", " "
"""What stands between the user's own text and the mark."""

_PREFIX = "dialplane.dev/owner="
_MARK = re.compile(
    rf"{re.escape(_PREFIX)}(?P<owner>[a-z0-9][-a-z0-9._]*) kind=(?P<kind>Trunk|DispatchRule) "
    r"name=(?P<namespace>[-a-z0-9]+)/(?P<name>[-a-z0-9.]+)(?P<retained> policy=Retain)?"
)


@dataclass(frozen=True, slots=True)
class Marker:
    """Whose object it is, and of what. `retained`: it stays on the server when its document goes."""

    owner: str
    kind: Kind
    name: str
    retained: bool = False

    def __str__(self) -> str:
        policy = " policy=Retain" if self.retained else ""
        return f"{_PREFIX}{self.owner} kind={self.kind} name={self.name}{policy}"


def marked(text: str, marker: Marker | None, gap: str) -> str:
    """The user's text with a mark behind it; None = without one."""
    if marker is None:
        return text
    return f"{text}{gap}{marker}" if text else str(marker)


def parted(text: str, gap: str) -> tuple[str, Marker | None]:
    """The user's own text, and the mark behind it."""
    start = text.rfind(_PREFIX)
    found = _MARK.fullmatch(text[start:]) if start >= 0 else None
    if found is None or not (start == 0 or text[:start].endswith(gap)):
        return text, None
    if not (ids.is_namespace(found["namespace"]) and ids.is_name(found["name"])):
        return text, None
    name = f"{found['namespace']}/{found['name']}"
    marker = Marker(found["owner"], Kind(found["kind"]), name, found["retained"] is not None)
    return text[:start].removesuffix(gap), marker
