"""What is wrong with a bridge, by what it says of itself: for `bridge doctor`. A core over plain values.

An `error` means that calls fail now, or would; a `warning` that they go on by something else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

ERROR, WARNING = "error", "warning"


@dataclass(frozen=True, slots=True)
class HopStatus:
    """One address of a trunk: `udp://192.0.2.1:5060`. `state` is a circuit's; `ago_s` None: nothing was met there."""

    address: str
    state: str
    words: str
    for_s: float | None
    ago_s: float | None


@dataclass(frozen=True, slots=True)
class RegistrationStatus:
    """A trunk's registration. `holds_s`: for how long the registrar has us yet, 0 = it has not."""

    state: str
    words: str
    for_s: float
    holds_s: float


@dataclass(frozen=True, slots=True)
class TrunkStatus:
    """A trunk that places calls, as this bridge sees it. `unknown`: its hosts of which no address is known."""

    trunk: str
    addresses: tuple[str, ...]
    probed: bool
    hops: tuple[HopStatus, ...]
    unknown: tuple[str, ...] = ()
    registration: RegistrationStatus | None = None
    looked_up: bool = True
    """False: its addresses were not found out in time."""


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
    livekit: str | None = None
    livekit_fault: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and what to do."""

    severity: str
    where: str
    what: str
    hint: str = field(default="")


def findings(status: BridgeStatus) -> list[Finding]:
    """What is wrong, the worst first."""
    found = [*_of_bridge(status)]
    for trunk in status.trunks:
        found += _of_trunk(trunk)
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
    if status.trunks_left_out:
        yield Finding(WARNING, "trunks", f"{status.trunks_left_out} more trunks were not looked at")


def _of_trunk(trunk: TrunkStatus) -> Iterator[Finding]:
    where = f"Trunk {trunk.trunk}"
    for host in trunk.unknown:
        severity = WARNING if trunk.hops else ERROR
        yield Finding(severity, where, f"no address is known for {host}", "is the name right, and does the DNS answer?")
    if not trunk.looked_up:
        yield Finding(WARNING, where, "its addresses were not found out in time", "does the DNS answer?")
    elif not trunk.hops and not trunk.unknown:
        hint = "listen on the same transport and version of IP: --listen"
        yield Finding(ERROR, where, f"no --listen of this bridge reaches {', '.join(trunk.addresses)}", hint)
    dead = [hop for hop in trunk.hops if hop.state == "down"]
    severity = ERROR if dead and len(dead) == len(trunk.hops) else WARNING
    for hop in dead:
        yield Finding(severity, where, f"{hop.address} is passed over: {hop.words}", "is it right, and reachable?")
    registration = trunk.registration
    if registration is not None and registration.state == "failed":
        severity = WARNING if registration.holds_s else ERROR
        yield Finding(severity, where, f"not registered: {registration.words}")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {_camel(key): _json(below) for key, below in value.items()}
    if isinstance(value, tuple | list):
        return [_json(entry) for entry in value]
    return round(value, 1) if isinstance(value, float) else value
