"""`reconcile explain`: where a call would go and why, from manifests or from the live tables.

The matcher is the bridge's own (`schemas.tables`); nothing here decides anything.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import click

from reconciler.commands.common import (
    has_errors,
    opened_if_there,
    read,
    show_json,
    show_problems,
    store_errors,
    vault_of,
)
from reconciler.commands.options import Given, output_option, settings_options_but_tables
from reconciler.commands.pins import Pins, declared_pins, live_pins
from reconciler.errors import EXIT_ERROR, ReconcileError
from reconciler.loop import declared_by
from reconciler.manifests.vault import Vault
from reconciler.model.desired import desire
from reconciler.model.live import Live
from reconciler.model.secrets import Unreadable
from reconciler.settings import Settings
from schemas.resources.base import DEFAULT_NAMESPACE
from schemas.tables.decisions import CallFacts, Undecided
from schemas.tables.explain import explain
from schemas.tables.rendering import as_json, render
from schemas.tables.tables import Tables

PIN_KEYS = frozenset("0123456789*ABCD")
SUBMIT = "#"

LIVE = ""
"""What `--tables` without a URL means: the tables of the state folder."""


@click.command("explain")
@click.argument("source", metavar="[DIR]", required=False)
@click.option("--to", "called", metavar="NUMBER", required=True, help="The called number, as the carrier sends it.")
@click.option("--from", "caller", metavar="NUMBER", required=True, help="The caller's number, likewise.")
@click.option("--asserted", metavar="NUMBER", default="", help="The caller by P-Asserted-Identity, where there is one.")
@click.option("--registered", metavar="TRUNK", default="", help="The trunk by whose registration the call comes.")
@click.option("--ip", metavar="ADDRESS", required=True, help="The address that the call comes from.")
@click.option(
    "--pin",
    metavar="PIN",
    help="The keys pressed when asked for a PIN, with or without the # at their end; # alone enters none.",
)
@click.option("--user", metavar="NAME", help="The user name that the caller has proven (digest authentication).")
@click.option("--region", metavar="REGION", default="", help="The region of the bridge that takes the call.")
@click.option(
    "--tables",
    "live",
    metavar="[URL]",
    is_flag=False,
    flag_value=LIVE,
    help="Ask the live tables instead of manifests.",
)
@output_option("text", "json")
@settings_options_but_tables
@click.pass_context
def command(
    ctx: click.Context,
    source: str | None,
    called: str,
    caller: str,
    asserted: str,
    registered: str,
    ip: str,
    pin: str | None,
    user: str | None,
    region: str,
    form: str,
    given: Given,
    live: str | None,
) -> None:
    """Say where a call would go and why: by the manifests in DIR, or with --tables by what is live.

    Exit code 0 whenever a decision was reached, a refusal among them; 1 when none is, as it rests on a PIN that is
    not known here.

    \b
    Example:
      reconcile explain manifests/ --to +14155550100 --from +14155550199 --ip 203.0.113.5
      reconcile explain --tables --to +14155550100 --from +14155550199 --ip 203.0.113.5
    """
    if (source is None) == (live is None):
        raise ReconcileError("explain needs one place to look", "give a folder, or --tables for the live tables")
    trunk = registered if "/" in registered or not registered else f"{DEFAULT_NAMESPACE}/{registered}"
    facts = CallFacts(_address(ip), called, caller, _entry(pin), region, user, registered_on=trunk, asserted=asserted)
    if live is not None and live != LIVE:
        given = replace(given, tables=live)
    settings = given.settings()
    vault = vault_of(settings, [source] if source else [], needed=False) if pin is not None else None
    if source is not None:
        asked, pins = _declared(ctx, source, vault)
    else:
        asked, pins = _live(settings)
    examined_max = max(len(asked.trunks), len(asked.rules), 1)
    explanation = explain(asked, facts, pins.opens, unknown_pin=pins.unknown, examined_max=examined_max)
    if form == "json":
        show_json(dict(as_json(explanation)))
    else:
        click.echo(render(explanation))
    if isinstance(explanation.decision, Undecided):
        ctx.exit(EXIT_ERROR)


def _entry(keys: str | None) -> str | None:
    """What the keys that were pressed come to; `#` ends an entry, and may be left out."""
    if keys is None:
        return None
    entry = keys.removesuffix(SUBMIT).upper()
    if not PIN_KEYS.issuperset(entry):  # the keys are not repeated: they may be a PIN
        what = "--pin: a phone has the keys 0-9, *, A-D, and # that ends an entry"
        raise ReconcileError(what, 'write it like --pin 1234, or --pin "#" for who enters none')
    return entry


def _address(text: str) -> str:
    try:
        return str(ip_address(text.strip("[]")))
    except ValueError:
        raise ReconcileError(f"--ip: {text} is no IP address", "write it like 203.0.113.5 or 2001:db8::5") from None


def _declared(ctx: click.Context, source: str, vault: Vault | None) -> tuple[Tables, Pins]:
    """The tables that the manifests alone would make, and the PINs in them."""
    reading = read([source])
    if not reading.found:
        show_problems(reading.problems, reading)
        ctx.exit(EXIT_ERROR)
    with store_errors():
        declared = declared_by(reading, vault)
    desired = desire(declared, Live())
    if has_errors([*reading.problems, *desired.problems]):
        click.echo(f"some documents have errors and are left out, run: reconcile validate {source}", err=True)
    if any(isinstance(found, Unreadable) for found in declared.secrets.found.values()):
        click.echo(f"some secrets are not known here, perhaps PINs, run: reconcile validate {source}", err=True)
    return Tables.build(desired.rows), declared_pins(declared)


def _live(settings: Settings) -> tuple[Tables, Pins]:
    """The tables that calls are answered from."""
    with opened_if_there(settings) as store:
        if store is None:
            raise ReconcileError(f"{settings.tables_url}: there are no tables", "run reconcile apply DIR first")
        tables = Tables.build(store.load(origins=False).rows)
        return tables, live_pins(settings)
