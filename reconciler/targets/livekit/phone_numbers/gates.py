"""CORE. The two gates of money: a number is bought, or given back for good, only when the person has said so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.plan.gates import Allowances, Refusal
from reconciler.targets.livekit.phone_numbers.holdings import Wish
from reconciler.targets.livekit.phone_numbers.steps import NumberStep, NumberVerb
from schemas.tables.rows import Kind


def money_refusals(due: Mapping[str, Wish], ends: Sequence[NumberStep], allowed: Allowances) -> tuple[Refusal, ...]:
    """Why a plan must not be carried out without being allowed. `due` are purchases by the names of their documents."""
    out = []
    if due and not allowed.purchases:
        what = f"{_bought(list(due.values()))}, which LiveKit bills for"
        names = tuple(f"{Kind.NUMBER} {name}" for name in due)
        out.append(Refusal("purchase", what, names, "--allow-purchases"))
    released = [step for step in ends if step.verb is NumberVerb.RELEASE]
    if released and not allowed.releases:
        plural = "" if len(released) == 1 else "s"
        what = f"releases {len(released)} number{plural}, which can hardly be had again"
        names = tuple(f"{Kind.NUMBER} {step.name} ({step.number})" for step in released)
        out.append(Refusal("release", what, names, "--allow-releases"))
    return tuple(out)


def _bought(wishes: Sequence[Wish]) -> str:
    counted: dict[str, int] = {}
    for wish in wishes:
        counted[str(wish)] = counted.get(str(wish), 0) + 1
    return "buys " + ", ".join(f"{wish}{f' ({count} times)' if count > 1 else ''}" for wish, count in counted.items())
