"""What is wrong with a trunk, by what is known of it: for `bridge doctor`. A core over plain values.

An `error` means that calls fail now, or would; a `warning` that they go on by something else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from schemas.tables.wording import listed

ERROR, WARNING = "error", "warning"
REGISTRATION_HINT = "are outbound.addresses and outbound.auth right, and does the registrar answer? it is asked again"


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
    """A trunk's registration. `holds_s`: for how long the registrar has us yet, 0 = it has not.

    `failure`: why it was not had the last time, also while it is being asked for again; empty where it was.
    """

    state: str
    words: str
    for_s: float
    holds_s: float
    failure: str = ""


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
class UnverifiableTrunk:
    """A trunk that verifies callers (`verify`: report or require) on a bridge that trusts no authority for that."""

    trunk: str
    verify: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and what to do."""

    severity: str
    where: str
    what: str
    hint: str = field(default="")


def trunk_findings(trunk: TrunkStatus) -> Iterator[Finding]:
    """What is wrong with one trunk."""
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
    if registration is not None and registration.failure:
        severity = WARNING if registration.holds_s else ERROR
        yield Finding(severity, where, f"not registered: {registration.failure}", REGISTRATION_HINT)


def unverifiable_findings(trunks: Sequence[UnverifiableTrunk]) -> Iterator[Finding]:
    """That no caller of these trunks can be verified; one finding for all that refuse calls by it, one for others."""
    where, hint = "--stir-authorities", "name the authorities' certificates: --stir-authorities FILE"
    for verify, severity, outcome in (
        ("require", ERROR, "every call of theirs is refused"),
        ("report", WARNING, "none of their callers is shown as verified"),
    ):
        names = [trunk.trunk for trunk in trunks if trunk.verify == verify]
        if names:
            words = f"no authority is trusted, and trunks verify callers (identity.verify: {verify}): {outcome}"
            yield Finding(severity, where, f"{words}: {listed(names)}", hint)
