"""`reconcile history`: the revisions of the live tables, and what one of them changed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from reconciler.commands.common import opened_there, show_json, show_lines, show_table
from reconciler.commands.options import Given, output_option, settings_options
from reconciler.commands.progress import patience
from reconciler.errors import ReconcileError
from reconciler.model.past import undone
from reconciler.plan.changes import Action, diff
from reconciler.plan.effects import effects_of
from reconciler.plan.pinned import moment, pin_json
from reconciler.plan.render import as_json, text
from reconciler.plan.turn import Turn
from reconciler.targets.rollback import steps_after
from reconciler.targets.tables import pin_of
from schemas.stores import HISTORY_MAX, HistoryEntry, Store
from schemas.tables.tables import Tables

FORMAT_VERSION = 1
SHOWN = 20
_COLUMNS = ("REVISION", "WHEN", "OWNER", "BY", "CHANGES", "TRUNKS", "RULES", "NUMBERS")


@click.command("history")
@click.argument("revision", metavar="[R]", type=click.IntRange(1), required=False)
@click.option(
    "--limit", metavar="N", type=click.IntRange(1, HISTORY_MAX), help=f"Show the newest N ({SHOWN}; all as JSON)."
)
@output_option("text", "json")
@settings_options
def command(revision: int | None, limit: int | None, form: str, given: Given) -> None:
    """Show the revisions of the live tables: when, whose, by which command, how much. With R what that one changed.

    \b
    Example:
      reconcile history
      reconcile history 12
      reconcile history -o json
    """
    settings = given.settings()
    with opened_there(settings) as store, patience("looking back"):
        if revision is not None:
            entry, turn = _change(store, revision)
            _show_change(entry, turn, form)
            return
        entries = store.history(limit or (HISTORY_MAX if form == "json" else SHOWN))
        pin = pin_of(store.aim(settings.owner))
    if form == "json":
        listed = {"owner": settings.owner, "pinned": pin_json(pin), "revisions": [_as_json(one) for one in entries]}
        show_json({"formatVersion": FORMAT_VERSION, **listed})
        return
    _show(entries)
    if pin is not None:
        click.echo(f"The owner {settings.owner} is {pin}, {pin.until}.")


def _change(store: Store, revision: int) -> tuple[HistoryEntry, Turn]:
    """One revision's entry, and its change as a turn of all owners' tables."""
    snapshot = store.load(origins=False)
    if revision > snapshot.revision:
        raise ReconcileError(f"there is no revision {revision}", f"the tables are at revision {snapshot.revision}")
    steps = steps_after(store, revision - 1, snapshot.revision)
    entries = [entry for entry in store.history(HISTORY_MAX) if entry.revision == revision]
    if not entries or not steps:
        raise ReconcileError(f"there is no revision {revision}", f"the tables are at revision {snapshot.revision}")
    after = undone(snapshot.rows, (step.rows for step in steps[:-1]))
    before = undone(after, [steps[-1].rows])
    return entries[0], Turn(Tables.build(before), diff(before, after))


def _show(entries: list[HistoryEntry]) -> None:
    if not entries:
        click.echo("Nothing was published yet.")
        return
    show_table([_COLUMNS, *(_row(entry) for entry in entries)])
    if lost := [entry for entry in entries if not entry.is_kept]:
        click.echo(f"What revision {lost[0].revision} and those before it changed is not kept.")


def _row(entry: HistoryEntry) -> tuple[str, ...]:
    changes = ", ".join(
        f"{count:,} {word}" for count, word in ((entry.put, "put"), (entry.deleted, "deleted")) if count
    )
    held = (f"{count:,}" for count in (entry.trunks, entry.rules, entry.numbers))
    return str(entry.revision), moment(entry.at), entry.owner, entry.note or "-", changes, *held


def _as_json(entry: HistoryEntry) -> dict[str, Any]:
    said = asdict(entry)
    kept = said.pop("is_kept")
    return {**said, "at": moment(entry.at), "kept": kept}


def _show_change(entry: HistoryEntry, turn: Turn, form: str) -> None:
    effects = effects_of(turn)
    if form == "json":
        show_json({**as_json(turn.plan, effects=effects), "revision": _as_json(entry)})
        return
    by = f" by `{entry.note}`" if entry.note else ""
    click.echo(f"Revision {entry.revision}, {moment(entry.at)}, of the owner {entry.owner}{by}:")
    *lines, _summary = text(turn.plan, effects=effects)
    show_lines(lines)
    created, changed, deleted = map(turn.plan.count, (Action.CREATE, Action.UPDATE, Action.DELETE))
    click.echo(f"In all {created:,} created, {changed:,} changed, {deleted:,} deleted.")
