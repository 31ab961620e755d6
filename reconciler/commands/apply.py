"""`reconcile apply DIR`: plan and carry out in one go, unless the plan is unsafe and was not allowed."""

from __future__ import annotations

import shlex
from collections.abc import Callable

import click

from reconciler.commands.auditing import allowed_details, note_down
from reconciler.commands.common import (
    allow_options,
    has_errors,
    key_of,
    nothing_said,
    problems_json,
    problems_of,
    read,
    show_json,
    show_lines,
    show_problems,
    vault_of,
)
from reconciler.commands.options import Given, output_option, settings_options
from reconciler.commands.plan_file import read_plan
from reconciler.commands.progress import patience
from reconciler.commands.target import LIVEKIT, Where, opened_target, target_options
from reconciler.errors import EXIT_ERROR, EXIT_UNSAFE, ReconcileError
from reconciler.loop import declared_by
from reconciler.manifests.folder import Reading
from reconciler.manifests.write_back import write_all
from reconciler.plan.effects import effects_of
from reconciler.plan.gates import Allowances
from reconciler.plan.pinned import waiting_lines
from reconciler.plan.render import as_json, text
from reconciler.plan.saved import TABLES, SavedPlan, SavedPlanError, check
from reconciler.settings import Settings
from reconciler.targets.target import Planned, Target
from schemas.problems import Problem


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
    at: Where,
    form: str,
    given: Given,
) -> None:
    """Bring the live tables, or a LiveKit server, to what the manifests declare.

    A broken document holds back its own object, which stays as it is live; the rest is applied, and the exit code is
    1. Deleting everything or much of it, or emptying a list so that it means any, is refused with exit code 3 and the
    option that allows it.

    With --plan the manifests are read again, from where the plan was made or from DIR, because the file holds no
    secret; if they no longer come to what was planned, or what is live has changed, nothing is done. A plan that was
    made without a key is not signed, and needs DIR.

    \b
    Example:
      reconcile apply manifests/
      reconcile apply manifests/ --allow-deletes 12
      reconcile apply manifests/ --allow-any DispatchRule/default/support
      reconcile apply manifests/ --plan plan.json
      reconcile apply manifests/ --target livekit
      reconcile apply manifests/ --target livekit --allow-purchases
    """
    settings = given.settings()
    approved = _approved(plan_file, settings, allowed) if plan_file is not None else None
    if approved is not None:
        order = approved.order
        if source is None and not approved.is_signed:
            hint = f"name it: reconcile apply DIR --plan {shlex.quote(plan_file or '')}"
            raise ReconcileError(f"{plan_file} is not signed, and cannot say which folder is applied", hint)
        source, allowed = source or order.source, order.allowed if approved.is_signed else allowed
        at = at.as_approved(order, plan_file or "", is_signed=approved.is_signed)
    if source is None:
        raise ReconcileError("apply needs to know what to apply", "give a folder, or --plan FILE")
    reading = read([source])
    if not reading.found:
        show_problems(reading.problems, reading)
        ctx.exit(EXIT_ERROR)
    with patience("applying") as progress, opened_target(at, settings, to_write=True, note=progress.note) as target:
        declared = declared_by(reading, vault_of(settings, [source], needed=True))
        note = f"apply {source}"
        checking = _checking(approved, plan_file or "", settings, reading, target) if approved is not None else None
        planned = target.apply(declared, allowed, note, checking)
    problems = problems_of(reading, planned.with_problems(write_all(planned.unwritten, source)), target)
    details = (
        {**target.facts(planned), "errors": sum(problem.is_error for problem in problems)} if at.is_livekit else {}
    )
    address = target.manner.address
    note_down(settings, planned, note, target=address, details={**details, **allowed_details(allowed)})
    _show(planned, problems, reading, form, target)
    if planned.cut is not None:
        raise planned.cut
    if planned.refused:
        ctx.exit(EXIT_UNSAFE)
    ctx.exit(EXIT_ERROR if has_errors(problems) else 0)


def _show(planned: Planned, problems: list[Problem], reading: Reading, form: str, target: Target) -> None:
    effects = effects_of(planned.turn)
    if form == "json":
        report = as_json(planned.plan, planned.refused, planned.places, effects)
        done = {"applied": not planned.refused and planned.pin is None and planned.cut is None, **target.facts(planned)}
        show_json({**report, **done, "problems": problems_json(problems)})
        return
    show_problems(problems, reading)
    nothing = nothing_said(planned, applied=True, nothing=target.manner.nothing)
    show_lines(text(planned.plan, planned.refused, planned.places, nothing=nothing, effects=effects))
    show_lines(waiting_lines(planned.waiting, planned.places))
    click.echo(target.done(planned))


def _approved(path: str, settings: Settings, allowed: Allowances) -> SavedPlan:
    """The plan in a file, if it is for this owner. What a signed one allows is not up to the command line."""
    plan = read_plan(path, key_of(settings))
    if (owner := plan.order.owner) != settings.owner:
        raise ReconcileError(f"{path} is a plan of the owner {owner}", f"give --owner {owner}")
    if plan.is_signed and allowed != Allowances():
        raise ReconcileError(f"{path} says what is allowed", "leave the --allow options out, or plan with them")
    return plan


def _checking(
    plan: SavedPlan, path: str, settings: Settings, reading: Reading, target: Target
) -> Callable[[Planned], None]:
    """Refuses to carry out anything but what was planned, and anywhere else."""
    order = plan.order
    if order.target != target.manner.address:
        raise ReconcileError(f"{path} is a plan for {order.target}, not for {target.manner.address}", "plan again here")

    def check_planned(planned: Planned) -> None:
        try:
            check(plan, planned.plan, planned.digest, key_of(settings))
        except SavedPlanError as error:
            show_problems(problems_of(reading, planned, target), reading)
            there = [] if order.target == TABLES else ["--target", LIVEKIT]
            command = shlex.join(["reconcile", "plan", order.source, *there, "--out", path])
            raise ReconcileError(f"{path} is out of date: {error.what}", f"{error.hint}: {command}") from error

    return check_planned
