"""`reconcile status`: every object of this owner with its conditions, and the bridges that have it."""

from __future__ import annotations

from typing import Any

import click

from reconciler.commands.common import show_json, show_table
from reconciler.commands.options import Given, output_option, settings_options
from reconciler.commands.target import Where, opened_target, target_option
from reconciler.errors import EXIT_ERROR
from reconciler.targets.status import Status

FORMAT_VERSION = 1
_COLUMNS = ("OBJECT", "READY", "REVISION", "PLACE", "WHY")


@click.command("status")
@target_option
@output_option("text", "json")
@settings_options
@click.pass_context
def command(ctx: click.Context, at: Where, form: str, given: Given) -> None:
    """Show the live objects of this owner with their conditions, and the bridges that answer calls by them.

    Ready means: accepted, its references found, and in use by every running bridge of its regions; at LiveKit, that it
    stands there as it was applied last. Exit code 1 when a LiveKit server cannot be asked.

    \b
    Example:
      reconcile status
      reconcile status -o json
      reconcile status --target livekit
    """
    settings = given.settings()
    with opened_target(at, settings, to_write=False, must_be_there=True) as target:
        status = target.status()
    if form == "json":
        show_json(_as_json(settings.owner, status))
    else:
        _show(settings.owner, status)
    if status.trouble:
        ctx.exit(EXIT_ERROR)


def _show(owner: str, status: Status) -> None:
    rows = [_COLUMNS]
    for one in status.objects:
        ready = one.conditions[-1]
        why = f"{ready.reason}: {ready.message}" if ready.status != "True" else ""
        rows.append((f"{one.key[0]} {one.key[1]}", ready.status, str(one.revision or "-"), one.place, why))
    if status.objects:
        show_table(rows, red=lambda row: row[1] == "False")
    else:
        click.echo(f"Nothing of the owner {owner} is live, and nothing is held back.")
    for line in status.lines:
        click.echo(line)


def _as_json(owner: str, status: Status) -> dict[str, Any]:
    return {
        "formatVersion": FORMAT_VERSION,
        "owner": owner,
        **status.facts,
        "objects": [
            {
                "kind": one.key[0].value,
                "namespace": one.key[1].partition("/")[0],
                "name": one.key[1].partition("/")[2],
                "place": one.place,
                "revision": one.revision,
                "conditions": [condition.model_dump(mode="json", exclude_none=True) for condition in one.conditions],
            }
            for one in status.objects
        ],
    }
