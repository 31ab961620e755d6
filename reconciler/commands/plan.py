"""`reconcile plan DIR`: what apply would change, field by field, and what it would refuse."""

from __future__ import annotations

from typing import Any

import click

from reconciler.commands.against import read_other
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
from reconciler.commands.plan_file import write_plan
from reconciler.commands.progress import patience
from reconciler.commands.target import Where, opened_target, target_options
from reconciler.errors import EXIT_CHANGES, EXIT_ERROR, EXIT_UNSAFE, ReconcileError
from reconciler.loop import declared_by
from reconciler.manifests.folder import Reading, in_order
from reconciler.plan.annotations import of_plan
from reconciler.plan.effects import effects_of
from reconciler.plan.gates import Allowances
from reconciler.plan.markdown import markdown
from reconciler.plan.pinned import waiting_lines
from reconciler.plan.render import as_json, text
from reconciler.plan.saved import Order, saved
from reconciler.settings import Settings
from reconciler.targets.manifests import plan_against
from reconciler.targets.target import Planned
from schemas.problems import Problem


@click.command("plan")
@click.argument("source", metavar="DIR")
@click.option("--detailed-exitcode", is_flag=True, help="0 nothing to do, 1 error, 2 changes, 3 refused as unsafe.")
@click.option(
    "--against",
    metavar="DIR2|git:REF",
    help="Compare with these manifests, or this commit's, not with the live tables.",
)
@click.option("--out", metavar="FILE", help="Write the plan there, for `reconcile apply DIR --plan FILE`.")
@allow_options
@target_options
@output_option("text", "json", "markdown", "github")
@settings_options
@click.pass_context
def command(
    ctx: click.Context,
    source: str,
    detailed_exitcode: bool,
    against: str | None,
    out: str | None,
    allowed: Allowances,
    at: Where,
    form: str,
    given: Given,
) -> None:
    """Show what apply would change in the live tables, or at a LiveKit server. Changes nothing.

    An object whose document is broken is left as it is live; the rest is planned. A plan that is refused as unsafe is
    not written: allow it here, and the file remembers.

    \b
    Example:
      reconcile plan manifests/
      reconcile plan manifests/ --detailed-exitcode -o json
      reconcile plan manifests/ --target livekit
      reconcile plan manifests/ -o markdown > comment.md
      reconcile plan manifests/ --out plan.json && reconcile apply manifests/ --plan plan.json
      reconcile plan manifests/ --against git:origin/main -o markdown
      reconcile plan manifests/ --against git:origin/main -o github
    """
    settings = given.settings()
    if against is not None and out is not None:
        raise ReconcileError("--out saves a plan against what is live", "leave --against or --out away")
    reading = read([source])
    if not reading.found:
        show_problems(reading.problems, reading)
        ctx.exit(EXIT_ERROR)
    if against is not None:
        planned = _compared(reading, against, source, allowed, at)
        problems = in_order([*reading.problems, *planned.desired.problems])
        _show(planned, problems, reading, form, f"No changes: calls go as by {against}.", {"against": against})
    else:
        with opened_target(at, settings, to_write=False) as target, patience("planning"):
            declared = declared_by(reading, vault_of(settings, [source], needed=False, compared=True))
            planned = target.plan(declared, allowed)
        problems = problems_of(reading, planned, target)
        _show(planned, problems, reading, form, target.manner.nothing, target.facts(planned))
        if out is not None:
            order = Order(settings.owner, source, allowed, target.manner.address, at.adopt, at.take_over, at.not_mine)
            _write(out, planned, order, settings)
    ctx.exit(_exit_code(planned, errors=has_errors(problems), detailed=detailed_exitcode))


def _compared(reading: Reading, against: str, source: str, allowed: Allowances, at: Where) -> Planned:
    """The plan that would be made if the manifests at `against` were live."""
    other = read_other(against, source)
    planned, before = plan_against(
        at.comparable(declared_by(other)), at.comparable(declared_by(reading)), allowed, at.limits_of
    )
    errors = sum(problem.is_error for problem in (*other.problems, *before.problems))
    if errors:
        what = "1 error, and what has it is" if errors == 1 else f"{errors:,} errors, and what has them is"
        click.echo(f"{against}: {what} left out of the comparison", err=True)
    if not other.files:
        click.echo(f"{against}: no manifests there, everything is new", err=True)
    return planned


def _write(path: str, planned: Planned, order: Order, settings: Settings) -> None:
    """Save the plan, unless it would be refused: what is not safe is not approved by being saved."""
    if planned.refused:
        hint = "allow it with the option named above"
        raise ReconcileError(f"{path} is not written: the plan is refused as unsafe", hint, EXIT_UNSAFE)
    key = key_of(settings)
    what = saved(planned.plan, order, revision=planned.revision, digest=planned.digest, key=key)
    write_plan(path, what, key)


def _show(
    planned: Planned, problems: list[Problem], reading: Reading, form: str, nothing: str, facts: dict[str, Any]
) -> None:
    effects, plan, refused, places = effects_of(planned.turn), planned.plan, planned.refused, planned.places
    if form == "json":
        report = as_json(plan, refused, places, effects)
        show_json({**report, **facts, "problems": problems_json(problems)})
        return
    nothing = nothing_said(planned, applied=False, nothing=nothing)
    if form == "github":
        lines = of_plan(plan, refused, places, effects=effects, problems=problems, nothing=nothing)
        click.echo("\n".join(lines))
        return
    show_problems(problems, reading)
    if form == "markdown":
        comment = markdown(plan, refused, places, effects=effects, problems=problems, nothing=nothing)
        click.echo(comment, nl=False)
    else:
        show_lines(text(plan, refused, places, nothing=nothing, effects=effects))
        show_lines(waiting_lines(planned.waiting, places))


def _exit_code(planned: Planned, *, errors: bool, detailed: bool) -> int:
    """An apply that would be refused does nothing at all, so that comes before errors of single objects."""
    if detailed and planned.refused:
        return EXIT_UNSAFE
    if errors:
        return EXIT_ERROR
    return EXIT_CHANGES if detailed and planned.plan else 0
