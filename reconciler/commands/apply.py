"""`reconcile apply DIR`: plan and publish in one go, unless the plan is unsafe and was not allowed."""

from __future__ import annotations

import shlex
from collections.abc import Callable

import click

from reconciler.commands.auditing import allowed_details, note_down
from reconciler.commands.common import (
    allow_options,
    has_errors,
    key_of,
    opened,
    patience,
    problems_json,
    read,
    show_json,
    show_lines,
    show_problems,
    vault_of,
)
from reconciler.commands.options import Given, output_option, settings_options
from reconciler.commands.plan_file import read_plan
from reconciler.commands.target import Target, target_options
from reconciler.errors import EXIT_ERROR, EXIT_UNSAFE, ReconcileError
from reconciler.loop import declared_by
from reconciler.manifests.folder import Reading, in_order
from reconciler.plan.effects import effects_of
from reconciler.plan.gates import Allowances
from reconciler.plan.render import as_json, nothing_changes, text
from reconciler.plan.saved import SavedPlan, SavedPlanError, check
from reconciler.settings import Settings
from reconciler.targets.tables import Planned, TablesTarget


@click.command("apply")
@click.argument("source", metavar="[DIR]", required=False)
@click.option("--plan", "plan_file", metavar="FILE", help="Do what this file says, or nothing.")
@allow_options
@target_options
@output_option("text", "json")
@settings_options
@click.pass_context
def command(
    ctx: click.Context,
    source: str | None,
    plan_file: str | None,
    allowed: Allowances,
    at: Target,
    form: str,
    given: Given,
) -> None:
    """Bring the live tables to what the manifests declare.

    A broken document holds back its own object, which stays as it is live; the rest is applied, and the exit code is
    1. Deleting everything or much of it, or emptying a list so that it means any, is refused with exit code 3 and the
    option that allows it.

    With --plan the manifests are read again, from where the plan was made or from DIR, because the file holds no
    secret; if they no longer come to what was planned, or the tables have changed, nothing is done.

    \b
    Example:
      reconcile apply manifests/
      reconcile apply manifests/ --allow-deletes 12
      reconcile apply manifests/ --allow-any DispatchRule/default/support
      reconcile apply --plan plan.json
      reconcile apply manifests/ --target livekit
    """
    if at.is_livekit:
        from reconciler.commands import at_livekit

        ctx.exit(at_livekit.apply(source, plan_file, at, given, form, allowed))
    settings = given.settings()
    approved = _approved(plan_file, settings, allowed) if plan_file is not None else None
    if approved is not None:
        source, allowed = source or approved.source, approved.allowed if approved.is_signed else allowed
    if source is None:
        raise ReconcileError("apply needs to know what to apply", "give a folder, or --plan FILE")
    reading = read([source])
    if not reading.found:
        show_problems(reading.problems, reading)
        ctx.exit(EXIT_ERROR)
    with opened(settings) as store, patience("applying"):
        declared = declared_by(reading, vault_of(settings, [source], needed=True))
        target, note = TablesTarget(store, settings.owner), f"apply {source}"
        checking = _checking(approved, plan_file or "", settings, reading) if approved is not None else None
        planned = target.apply(declared, allowed, note, checking)
    note_down(settings, planned, note, details=allowed_details(allowed))
    effects = effects_of(planned.turn)
    problems = in_order([*reading.problems, *planned.desired.problems])
    if form == "json":
        report = as_json(planned.plan, planned.refused, planned.places, effects)
        done = {"applied": not planned.refused, "revision": planned.revision}
        show_json({**report, **done, "problems": problems_json(problems)})
    else:
        show_problems(problems, reading)
        nothing = nothing_changes(planned.desired, applied=True)
        show_lines(text(planned.plan, planned.refused, planned.places, nothing=nothing, effects=effects))
        click.echo(_done(planned))
    if planned.refused:
        ctx.exit(EXIT_UNSAFE)
    ctx.exit(EXIT_ERROR if has_errors(problems) else 0)


def _approved(path: str, settings: Settings, allowed: Allowances) -> SavedPlan:
    """The plan in a file, if it is for this owner. What a signed one allows is not up to the command line."""
    plan = read_plan(path, key_of(settings))
    if plan.owner != settings.owner:
        raise ReconcileError(f"{path} is a plan of the owner {plan.owner}", f"give --owner {plan.owner}")
    if plan.is_signed and allowed != Allowances():
        raise ReconcileError(f"{path} says what is allowed", "leave the --allow options out, or plan with them")
    return plan


def _checking(plan: SavedPlan, path: str, settings: Settings, reading: Reading) -> Callable[[Planned], None]:
    """Refuses to publish anything but what was planned."""

    def check_planned(planned: Planned) -> None:
        try:
            check(plan, planned.plan, planned.digest, key_of(settings))
        except SavedPlanError as error:
            show_problems(in_order([*reading.problems, *planned.desired.problems]), reading)
            command = shlex.join(["reconcile", "plan", plan.source, "--out", path])
            raise ReconcileError(f"{path} is out of date: {error.what}", f"{error.hint}: {command}") from error

    return check_planned


def _done(planned: Planned) -> str:
    if planned.refused:
        return f"Nothing was changed: revision {planned.revision} stays."
    return (
        f"Applied: revision {planned.revision} is published." if planned.plan else f"Revision {planned.revision} stays."
    )
