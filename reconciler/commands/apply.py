"""`reconcile apply DIR`: plan and publish in one go, unless the plan is unsafe and was not allowed."""

from __future__ import annotations

import click

from reconciler.commands.common import (
    has_errors,
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
from reconciler.errors import EXIT_ERROR, EXIT_UNSAFE
from reconciler.loop import declared_by
from reconciler.manifests.folder import in_order
from reconciler.plan.effects import effects_of
from reconciler.plan.gates import Allowances
from reconciler.plan.render import as_json, nothing_changes, text
from reconciler.targets.tables import Planned, TablesTarget


@click.command("apply")
@click.argument("source", metavar="DIR")
@click.option("--allow-deletes", metavar="N", type=click.IntRange(0), help="Delete up to N objects, however many.")
@click.option("--allow-any", metavar="KIND/NAMESPACE/NAME", multiple=True, help="Let this one open to any number.")
@output_option("text", "json")
@settings_options
@click.pass_context
def command(
    ctx: click.Context, source: str, allow_deletes: int | None, allow_any: tuple[str, ...], form: str, given: Given
) -> None:
    """Bring the live tables to what the manifests declare.

    A broken document holds back its own object, which stays as it is live; the rest is applied, and the exit code is
    1. Deleting everything or much of it, or emptying a list so that it means any, is refused with exit code 3 and the
    option that allows it.

    \b
    Example:
      reconcile apply manifests/
      reconcile apply manifests/ --allow-deletes 12
      reconcile apply manifests/ --allow-any DispatchRule/default/support
    """
    settings = given.settings()
    reading = read([source])
    if not reading.found:
        show_problems(reading.problems, reading)
        ctx.exit(EXIT_ERROR)
    allowed = Allowances(allow_deletes, frozenset(allow_any))
    with opened(settings) as store, patience("applying"):
        declared = declared_by(reading, vault_of(settings, [source], needed=True))
        planned = TablesTarget(store, settings.owner).apply(declared, allowed, note=f"apply {source}")
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


def _done(planned: Planned) -> str:
    if planned.refused:
        return f"Nothing was changed: revision {planned.revision} stays."
    return (
        f"Applied: revision {planned.revision} is published." if planned.plan else f"Revision {planned.revision} stays."
    )
