"""`reconcile rollback --to R`: the owner's rows as they were, until the manifests are others."""

from __future__ import annotations

import click

from reconciler.commands.auditing import allowed_details, note_down, write_down
from reconciler.commands.common import (
    allow_options,
    key_of,
    opened_there,
    problems_json,
    show_json,
    show_lines,
    show_problems,
)
from reconciler.commands.options import Given, output_option, settings_options
from reconciler.commands.progress import patience
from reconciler.errors import EXIT_ERROR, EXIT_UNSAFE, ReconcileError
from reconciler.manifests.folder import Reading
from reconciler.plan.effects import effects_of
from reconciler.plan.entry import Entry, Event
from reconciler.plan.gates import Allowances
from reconciler.plan.pinned import RELEASE
from reconciler.plan.render import as_json, text
from reconciler.plan.saved import TABLES
from reconciler.settings import Settings
from reconciler.targets.rollback import Rollback, plan_rollback, release, roll_back
from reconciler.targets.target import Planned
from schemas.seal import Sealer, unseals_nothing

NOTE_OF_RELEASE = "rollback --release"


@click.command("rollback")
@click.option("--to", "to", metavar="R", type=click.IntRange(0), help="The revision to go back to.")
@click.option("--release", "releases", is_flag=True, help="Let the manifests count again.")
@click.option("--dry-run", is_flag=True, help="Show what it would change, and change nothing.")
@click.option("--live-secrets", is_flag=True, help="Keep the secrets that are live now where their place is the same.")
@allow_options
@output_option("text", "json")
@settings_options
@click.pass_context
def command(
    ctx: click.Context,
    to: int | None,
    releases: bool,
    dry_run: bool,
    live_secrets: bool,
    allowed: Allowances,
    form: str,
    given: Given,
) -> None:
    """Bring this owner's part of the live tables back to an earlier revision, as a new one.

    It stays there, whatever apply and watch find in the same manifests, until these change or until --release. What
    apply would refuse as unsafe is refused here too, with exit code 3. What another owner has claimed meanwhile is an
    error, and nothing is changed.

    \b
    Example:
      reconcile history
      reconcile rollback --to 12 --dry-run
      reconcile rollback --to 12
      reconcile rollback --release
    """
    settings = given.settings()
    if releases == (to is not None):
        raise ReconcileError("rollback needs to know where to", "give --to R (see `reconcile history`) or --release")
    if to is None:
        if dry_run or live_secrets or allowed != Allowances():
            raise ReconcileError("--release changes no row", "give it alone")
        _release(settings, form)
        return
    key = key_of(settings)
    unseal = Sealer(key).unseal if key is not None else unseals_nothing
    asked = Rollback(to, allowed, unseal, live_secrets)
    with opened_there(settings) as store, patience("rolling back"):
        work = plan_rollback if dry_run else roll_back
        planned = work(store, settings.owner, asked)
    if not dry_run:
        _note_down(settings, planned, asked)
    _show(planned, asked, form, dry_run=dry_run)
    if planned.desired.problems:
        ctx.exit(EXIT_ERROR)
    ctx.exit(EXIT_UNSAFE if planned.refused else 0)


def _note_down(settings: Settings, planned: Planned, asked: Rollback) -> None:
    details = {"to": asked.to, "liveSecrets": asked.live_secrets, **allowed_details(asked.allowed)}
    if not planned.desired.problems:
        note_down(settings, planned, asked.note, event=Event.ROLLBACK, details=details)
        return
    at = planned.revision, planned.revision, planned.digest
    details["problems"] = [problem.what for problem in planned.desired.problems]
    write_down(settings, Entry(Event.REFUSAL, TABLES, settings.owner, asked.note, *at, details=details))


def _show(planned: Planned, asked: Rollback, form: str, *, dry_run: bool) -> None:
    effects, problems = effects_of(planned.turn), planned.desired.problems
    done = not (dry_run or problems or planned.refused or not planned.plan)
    if form == "json":
        report = as_json(planned.plan, planned.refused, effects=effects)
        facts = {"to": asked.to, "applied": done, "revision": planned.revision}
        show_json({**report, **facts, "problems": problems_json(problems)})
        return
    show_problems(problems, Reading())
    nothing = f"Nothing to bring back: the rows are as they were at revision {asked.to}."
    show_lines(text(planned.plan, planned.refused, nothing=nothing, effects=effects))
    if done:
        click.echo(f"Rolled back: revision {planned.revision} has the rows of revision {asked.to}.")
        click.echo(f"They stay until the manifests are others than those applied last, or `{RELEASE}`.")
    elif planned.plan:
        click.echo(f"Nothing was changed: revision {planned.revision} stays.")


def _release(settings: Settings, form: str) -> None:
    with opened_there(settings) as store:
        was, head = release(store, settings.owner), store.head()
    if was is not None:
        details = {"to": was.pinned_to, "by": was.pinned_by}
        at = head.revision, head.revision, head.digest
        write_down(settings, Entry(Event.RELEASE, TABLES, settings.owner, NOTE_OF_RELEASE, *at, details=details))
    if form == "json":
        show_json({"formatVersion": 1, "released": was is not None, "to": was.pinned_to if was is not None else 0})
    elif was is None:
        click.echo(f"Nothing of the owner {settings.owner} is pinned.")
    else:
        click.echo(f"No longer pinned to revision {was.pinned_to}: the next apply brings the tables to the manifests,")
        click.echo("and a watcher does so within 5 seconds.")
