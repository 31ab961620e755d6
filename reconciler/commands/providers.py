"""`reconcile providers [NAME]`: what is known of SIP providers, and how it is known."""

from __future__ import annotations

from typing import Any

import click

from reconciler.commands.common import show_json, show_table
from reconciler.commands.options import is_colourful, output_option
from schemas.providers.profiles import NAMES, Fact, Facts, Profile, profile

FORMAT_VERSION = 1
_COLUMNS = ("PROVIDER", "TRANSPORTS", "NUMBERS", "CODECS", "CALLS/S", "TRANSFER", "UNVERIFIED")
_BRIEF = ("transports", "number_form", "codecs", "calls_per_second", "refer_to")
_UNVERIFIED = " *"
"""Stands behind a fact that nobody has verified."""


@click.command("providers")
@click.argument("name", metavar="[NAME]", required=False, type=click.Choice(NAMES))
@output_option("text", "json")
def command(name: str | None, form: str) -> None:
    """Show the profiles of SIP providers: what `spec.provider` of a Trunk fills in, and what it is checked against.

    With a NAME every fact, with the public source that it was read at and the date, or that nobody has verified it: no
    default comes of such a fact.

    \b
    Example:
      reconcile providers
      reconcile providers plivo
      reconcile providers -o json
    """
    chosen: dict[str, Profile] = {one: _profile(one) for one in NAMES if name in (None, one)}
    if form == "json":
        show_json({"formatVersion": FORMAT_VERSION, "providers": {one: _as_json(it) for one, it in chosen.items()}})
    elif name is None:
        _show_all(chosen)
    else:
        _show_one(chosen[name])


def _profile(name: str) -> Profile:
    found = profile(name)
    assert found is not None, "every name has a file"
    return found


def _show_all(profiles: dict[str, Profile]) -> None:
    rows: list[tuple[str, ...]] = [_COLUMNS]
    for name, known in profiles.items():
        facts = [getattr(known.facts, field) for field in _BRIEF]
        open_ones = sum(fact.status == "unverified" for _, fact in _facts(known))
        rows.append((name, *map(_brief, facts), str(open_ones)))
    show_table(rows)
    click.echo("\n* unverified. `reconcile providers NAME` shows all that is known of one, and where it was read.")


def _show_one(known: Profile) -> None:
    colour = is_colourful()
    click.echo(click.style(known.title, bold=True) if colour else known.title)
    for field, fact in _facts(known):
        what = Facts.model_fields[field].description
        click.echo(f"\n{what}: {_said(fact.value)}")
        how = f"verified {fact.date}, {fact.source}" if fact.status == "verified" else "unverified"
        click.echo(click.style(f"  {how}", fg="yellow") if colour and fact.status == "unverified" else f"  {how}")
        if fact.note:
            click.echo(f"  {fact.note}")
    for trap in known.traps:
        click.echo(f"\n! {trap}")


def _facts(known: Profile) -> list[tuple[str, Fact[Any]]]:
    return [(field, getattr(known.facts, field)) for field in Facts.model_fields]


def _brief(fact: Fact[Any]) -> str:
    return _said(fact.value) + (_UNVERIFIED if fact.status == "unverified" else "")


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}:{port}" for name, port in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        ports = len(value) == 2 and all(isinstance(one, int) for one in value)
        return ("-" if ports else ", ").join(map(str, value)) or "(none)"
    return "(unknown)" if value in (None, "") else str(value)


def _as_json(known: Profile) -> dict[str, Any]:
    return known.model_dump(mode="json", by_alias=True)
