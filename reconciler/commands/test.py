"""`reconcile test DIR`: the RoutingTest documents, asked of the manifests beside them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import click

from reconciler.commands.common import has_errors, read, show_json, show_problems, store_errors, vault_of
from reconciler.commands.options import Given, output_option, secrets_option
from reconciler.errors import EXIT_ERROR
from reconciler.loop import declared_by
from reconciler.manifests.folder import in_order
from reconciler.model.desired import desire
from reconciler.model.live import Live
from reconciler.model.sources import Source
from schemas.resources.routing_test import RoutedCall, RoutingTest
from schemas.seal import Unseal, opens_pin, unseals_nothing
from schemas.tables.decisions import Admitted, CallFacts, Decision, PinNeeded, Refused
from schemas.tables.explain import explain
from schemas.tables.naming import room_pattern
from schemas.tables.rendering import render
from schemas.tables.tables import Tables

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """One call of one test: its place, what was not as expected (empty = all of it was), and the trail."""

    place: str
    call: str
    faults: tuple[str, ...]
    trail: str


@click.command("test")
@click.argument("source", metavar="DIR")
@output_option("text", "json")
@secrets_option
@click.pass_context
def command(ctx: click.Context, source: str, form: str, given: Given) -> None:
    """Run the RoutingTest documents in DIR against the manifests beside them.

    Needs no tables, and no secrets but the PINs that its calls enter. Exit code 0 when all hold, 1 when one does not,
    and when a document has errors.

    \b
    Example:
      reconcile test manifests/
    """
    reading = read([source])
    with store_errors():
        declared = declared_by(reading, vault_of(given.settings(), [source], needed=False))
    desired = desire(declared, Live())
    problems = in_order([*reading.problems, *desired.problems])
    show_problems([problem for problem in problems if problem.is_error or problem.waits_for], reading)
    tables = Tables.build(desired.rows)
    sealer = declared.secrets.sealer
    unseal = sealer.unseal if sealer is not None else unseals_nothing
    outcomes = [outcome for test in desired.tests for outcome in _run(test, tables, unseal)]
    failed = [outcome for outcome in outcomes if outcome.faults]
    if form == "json":
        show_json(_as_json(outcomes))
    else:
        _show(outcomes, failed)
    if failed or has_errors(problems):
        ctx.exit(EXIT_ERROR)


def _run(source: Source, tables: Tables, unseal: Unseal) -> list[Outcome]:
    test = source.document
    assert isinstance(test, RoutingTest)
    out = []
    for index, call in enumerate(test.spec.calls):
        facts = CallFacts(str(call.address), call.to, call.from_, call.pin, call.region or "", call.user)
        explanation = explain(tables, facts, partial(opens_pin, unseal))
        faults = tuple(_faults(call, explanation.decision, test.metadata.namespace))
        name = f"{test.metadata.name}: call to {call.to} from {call.from_}"
        out.append(Outcome(str(source.where(("spec", "calls", index))), name, faults, render(explanation)))
    return out


def _faults(call: RoutedCall, decision: Decision, namespace: str) -> list[str]:
    """What was expected and is not so. What the test leaves out is not compared."""
    expect = call.expect
    seen = _seen(call, decision)
    wanted = {
        "trunk": f"{namespace}/{expect.trunk}" if expect.trunk is not None else None,
        "rule": f"{namespace}/{expect.rule}" if expect.rule is not None else None,
        "room": expect.room,
        "reason": expect.reason,
    }
    return [
        f"{name} is {seen[name] or 'none'}, expected {value}"
        for name, value in wanted.items()
        if value is not None and value != seen[name]
    ]


def _seen(call: RoutedCall, decision: Decision) -> dict[str, str]:
    """What came out, by the names of the expectations."""
    seen = {"trunk": decision.trunk.id if decision.trunk is not None else "", "rule": "", "room": "", "reason": ""}
    if isinstance(decision, Admitted | PinNeeded):
        seen["rule"] = decision.rule.id
    if isinstance(decision, Admitted):
        seen["room"] = room_pattern(decision.rule, call.from_, call.to)
    if isinstance(decision, Refused):
        seen["reason"] = decision.reason.value
    return seen


def _show(outcomes: list[Outcome], failed: list[Outcome]) -> None:
    for outcome in outcomes:
        if not outcome.faults:
            click.echo(f"ok      {outcome.call}")
            continue
        click.echo(f"FAILED  {outcome.call}: {'; '.join(outcome.faults)} ({outcome.place})")
        for line in outcome.trail.splitlines():
            click.echo(f"          {line}")
    if not outcomes:
        click.echo("There is no RoutingTest here.")
        return
    click.echo(f"{len(outcomes) - len(failed)} of {len(outcomes)} hold")


def _as_json(outcomes: list[Outcome]) -> dict[str, object]:
    calls = [
        {"place": outcome.place, "call": outcome.call, "ok": not outcome.faults, "faults": list(outcome.faults)}
        for outcome in outcomes
    ]
    return {"formatVersion": FORMAT_VERSION, "failed": sum(not call["ok"] for call in calls), "calls": calls}
