"""What commands write into the audit log once a target has been applied to, and what they say when that fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from reconciler.audit import AuditError, AuditLog
from reconciler.commands.options import is_colourful
from reconciler.plan.entry import Entry, Event
from reconciler.plan.gates import Allowances
from reconciler.plan.saved import TABLES
from reconciler.settings import Settings
from reconciler.targets.target import Planned
from schemas.tables.rows import Kind


def note_down(
    settings: Settings,
    planned: Planned,
    note: str,
    *,
    target: str = TABLES,
    event: Event = Event.APPLY,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write down each number that was bought or released, and what was applied or refused.

    Of a plan without changes there is nothing to say.
    """
    at = planned.made_on, planned.revision, planned.published or planned.digest
    for deal in planned.deals:
        what = Event.NUMBER_RELEASE if deal.is_release else Event.PURCHASE
        said = {"number": deal.number, "object": f"{Kind.NUMBER} {deal.name}", "asked": deal.asked}
        write_down(settings, Entry(what, target, settings.owner, note, *at, details=said))
    if planned.plan or planned.refused:
        what, details = Event.REFUSAL if planned.refused else event, details or {}
        if planned.cut is not None:  # its words may be a server's, and stay out of the log
            details = {"written": planned.written, **details, "cutOff": True}
        entry = Entry(what, target, settings.owner, note, *at, planned.plan, planned.refused, details)
        write_down(settings, entry)


def write_down(settings: Settings, entry: Entry) -> None:
    """Add one line to the log. One that cannot be written is told, and undoes nothing."""
    try:
        AuditLog(settings.state).append(entry)
    except AuditError as error:
        word = click.style("warning: ", fg="yellow", bold=True) if is_colourful(err=True) else "warning: "
        click.echo(f"{word}{error}; what was done stays", err=True)


def allowed_details(allowed: Allowances) -> dict[str, Any]:
    """Which gates were opened by options."""
    said: dict[str, Any] = {}
    if allowed.deletes is not None:
        said["deletes"] = allowed.deletes
    if allowed.any:
        said["any"] = sorted(allowed.any)
    if allowed.unrouted:
        said["unrouted"] = sorted(allowed.unrouted)
    said |= {name: True for name in ("purchases", "releases") if getattr(allowed, name)}
    return {"allowed": said} if said else {}
