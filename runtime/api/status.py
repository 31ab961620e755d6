"""What a bridge says of itself as a whole, and what of it is wrong, as JSON for `bridge doctor`.

A core over plain values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from runtime.trunks.diagnosis import (
    ERROR,
    WARNING,
    Finding,
    TrunkStatus,
    UnverifiableTrunk,
    trunk_findings,
    unverifiable_findings,
)
from runtime.trunks.sound import TrunkSound, sound_findings


@dataclass(frozen=True, slots=True)
class BridgeStatus:
    """All of it. `livekit` None: rooms are inside the bridge; else `livekit_fault` says why it cannot be reached."""

    version: str
    state: str
    revision: int
    region: str
    listeners: tuple[str, ...]
    calls: int
    trunks: tuple[TrunkStatus, ...] = ()
    trunks_left_out: int = 0
    unverifiable: tuple[UnverifiableTrunk, ...] = ()
    sound: tuple[TrunkSound, ...] = ()
    """How the calls of trunks sounded of late."""
    livekit: str | None = None
    livekit_fault: str = ""
    media_core: str = ""
    """What does the work of every packet: the native core, or Python."""
    noise_fault: str = ""
    """Why noise cancellation cannot be had, where somebody has asked for it."""


def findings(status: BridgeStatus) -> list[Finding]:
    """What is wrong, the worst first."""
    found = [*_of_bridge(status)]
    for trunk in status.trunks:
        found += trunk_findings(trunk)
    found += unverifiable_findings(status.unverifiable)
    found += sound_findings(status.sound)
    return sorted(found, key=lambda finding: finding.severity)


def as_json(status: BridgeStatus) -> dict[str, Any]:
    """The status and its findings for machines, with keys as everywhere in this API."""
    found = findings(status)
    body = {_camel(key): _json(value) for key, value in asdict(status).items()}
    return {"formatVersion": 1, **body, "findings": [asdict(finding) for finding in found]}


def _of_bridge(status: BridgeStatus) -> Iterator[Finding]:
    if status.state == "no-tables":
        yield Finding(
            ERROR, "tables", "there are no tables: every call is refused", "publish some: reconcile apply DIR"
        )
    elif status.state != "ok":
        yield Finding(ERROR, "bridge", f"it is {status.state} and takes no calls")
    if status.livekit_fault:
        yield Finding(ERROR, "livekit", status.livekit_fault, "calls get their rule's fallback until it answers")
    if status.noise_fault:
        words = f"noise cancellation cannot be had, calls go on without: {status.noise_fault}"
        yield Finding(WARNING, "noise", words, "PyAV brings it: pip install --force-reinstall av")
    if status.trunks_left_out:
        yield Finding(WARNING, "trunks", f"{status.trunks_left_out} more trunks were not looked at")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {_camel(key): _json(below) for key, below in value.items()}
    if isinstance(value, tuple | list):
        return [_json(entry) for entry in value]
    return round(value, 1) if isinstance(value, float) else value
