"""`reconcile drift [DIR]`: what somebody has changed past us, field by field."""

from __future__ import annotations

import click

from reconciler.commands.common import has_errors, problems_of, read, show_json, show_lines, show_problems, vault_of
from reconciler.commands.options import Given, output_option, settings_options
from reconciler.commands.progress import patience
from reconciler.commands.target import Where, opened_target, target_option
from reconciler.errors import EXIT_CHANGES, EXIT_ERROR
from reconciler.loop import declared_by
from reconciler.plan.drift import drift_json, drift_lines, drift_of
from reconciler.plan.gates import Allowances


@click.command("drift")
@click.argument("source", metavar="[DIR]", required=False)
@target_option
@output_option("text", "json")
@settings_options
@click.pass_context
def command(ctx: click.Context, source: str | None, at: Where, form: str, given: Given) -> None:
    """Show what is live and not as it was applied last, or, with DIR, not as it is declared there. Changes nothing.

    Exit code 0 when there is no drift, 1 after an error, 2 when there is drift. Secrets are compared with DIR only.

    \b
    Example:
      reconcile drift --target livekit
      reconcile drift manifests/ --target livekit -o json
    """
    settings = given.settings()
    reading = read([source]) if source is not None else None
    if reading is not None and not reading.found:
        show_problems(reading.problems, reading)
        ctx.exit(EXIT_ERROR)
    opening = opened_target(at, settings, to_write=False, must_be_there=reading is None)
    with opening as target, patience("looking"):
        if reading is None:
            declared = target.applied_last()
        else:
            declared = declared_by(reading, vault_of(settings, [str(source)], needed=False, compared=True))
        planned = target.plan(declared, Allowances())
    problems = problems_of(reading, planned, target) if reading is not None else []
    drift = drift_of(planned.waiting if planned.pin is not None else planned.plan)
    if reading is not None:
        show_problems([problem for problem in problems if problem.is_error], reading)
    if form == "json":
        show_json(drift_json(drift, target.facts(planned)))
    else:
        it, since = target.manner.it, "declared" if source is not None else "applied last"
        show_lines(drift_lines(drift, f"{it} {'is' if at.is_livekit else 'are'} as {since}"))
    if has_errors(problems):
        ctx.exit(EXIT_ERROR)
    ctx.exit(EXIT_CHANGES if drift else 0)
