"""`reconcile plan|apply DIR --target livekit`: the same two commands against a LiveKit server's own objects.

What is remembered of a server lies in the state folder, in a file of its own: `--tables` names our own tables, and what
stands at LiveKit must never get into those.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from typing import Any

import click

from reconciler.commands.auditing import allowed_details, livekit_target, note_down
from reconciler.commands.common import (
    has_errors,
    opened,
    opened_if_there,
    patience,
    problems_json,
    read,
    show_json,
    show_lines,
    show_problems,
    store_errors,
    vault_of,
)
from reconciler.commands.options import Given
from reconciler.commands.target import Target
from reconciler.errors import EXIT_CHANGES, EXIT_ERROR, EXIT_UNSAFE, ReconcileError
from reconciler.loop import declared_by
from reconciler.manifests.folder import Reading, in_order
from reconciler.plan.gates import Allowances
from reconciler.plan.render import NOTHING, as_json, nothing_changes, text
from reconciler.settings import LiveKitAccess, Settings, livekit_from
from reconciler.targets.livekit.holdings import claims_of
from reconciler.targets.livekit.target import Adoption, LiveKitTarget
from reconciler.targets.tables import Planned
from schemas.problems import Problem
from schemas.stores import default_url

NOTHING_AT_LIVEKIT = "No changes: LiveKit is as declared."
HASH_CHARS = 12


def plan(source: str, target: Target, given: Given, form: str, allowed: Allowances, *, detailed: bool) -> int:
    """What `apply` would change at LiveKit; the exit code."""
    settings, access = given.settings(), livekit_from(os.environ)
    adoption = Adoption(claims_of(target.adopt), target.take_over)
    reading = read([source])
    if not reading.found:
        show_problems(reading.problems, reading)
        return EXIT_ERROR
    with opened_if_there(remembered_at(settings, access)) as store, patience("planning"):
        declared = declared_by(reading, vault_of(settings, [source], needed=False))
        planned = LiveKitTarget(access, store, settings.owner, adoption).plan(declared, allowed)
    problems = _problems(reading, planned)
    _show(planned, problems, reading, form, {}, applied=False)
    if detailed and planned.refused:
        return EXIT_UNSAFE
    if has_errors(problems):
        return EXIT_ERROR
    return EXIT_CHANGES if detailed and planned.plan else 0


def apply(
    source: str | None, plan_file: str | None, target: Target, given: Given, form: str, allowed: Allowances
) -> int:
    """Bring LiveKit to what the manifests declare; the exit code."""
    target.refuse({"--plan": plan_file})
    if source is None:
        raise ReconcileError("apply needs to know what to apply", "give a folder")
    settings, access = given.settings(), livekit_from(os.environ)
    adoption = Adoption(claims_of(target.adopt), target.take_over)
    reading = read([source])
    if not reading.found:
        show_problems(reading.problems, reading)
        return EXIT_ERROR
    with store_errors():
        default_url(settings.state)  # makes the state folder
    with opened(remembered_at(settings, access)) as store, patience("applying"):
        declared = declared_by(reading, vault_of(settings, [source], needed=True))
        hand = LiveKitTarget(access, store, settings.owner, adoption)
        planned = hand.apply(declared, allowed, note=f"apply {source}")
    problems = _problems(reading, planned)
    details = {"written": hand.written, "errors": sum(problem.is_error for problem in problems)}
    details |= allowed_details(allowed)
    note_down(settings, planned, f"apply {source}", target=livekit_target(access), details=details)
    done = {"applied": not planned.refused, "written": hand.written}
    _show(planned, problems, reading, form, done, applied=True)
    if form != "json":
        click.echo(_done(planned, hand.written, access))
    if planned.refused:
        return EXIT_UNSAFE
    return EXIT_ERROR if has_errors(problems) else 0


def remembered_at(settings: Settings, access: LiveKitAccess) -> Settings:
    """The settings under which what is remembered of this server is opened."""
    server = hashlib.sha256(access.host.encode()).hexdigest()[:HASH_CHARS]
    return replace(settings, tables=f"sqlite:///{settings.state.rstrip('/')}/livekit-{server}.db")


def _problems(reading: Reading, planned: Planned) -> list[Problem]:
    """All problems in order, without what only our own bridge does not do yet."""
    found = in_order([*reading.problems, *planned.desired.problems])
    return [problem for problem in found if problem.code != "not-in-effect"]


def _show(
    planned: Planned, problems: list[Problem], reading: Reading, form: str, done: dict[str, Any], *, applied: bool
) -> None:
    if form == "json":
        report = as_json(planned.plan, planned.refused, planned.places)
        show_json({**report, **done, "target": "livekit", "problems": problems_json(problems)})
        return
    show_problems(problems, reading)
    nothing = nothing_changes(planned.desired, applied=applied).replace(NOTHING, NOTHING_AT_LIVEKIT)
    show_lines(text(planned.plan, planned.refused, planned.places, nothing=nothing))


def _done(planned: Planned, written: int, access: LiveKitAccess) -> str:
    if planned.refused:
        return "Nothing was changed."
    plural = "" if written == 1 else "s"
    return f"Applied: {written} object{plural} written at {access.host}."
