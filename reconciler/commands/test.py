"""`reconcile test DIR`: the RoutingTest documents, asked of the manifests beside them."""

from __future__ import annotations

from dataclasses import dataclass

import click

from reconciler.commands.common import has_errors, read, show_json, show_problems, store_errors, vault_of
from reconciler.commands.options import Given, output_option, secrets_option
from reconciler.commands.pins import Pins, declared_pins
from reconciler.errors import EXIT_ERROR
from reconciler.loop import declared_by
from reconciler.manifests.folder import Reading, in_order
from reconciler.model.desired import desire
from reconciler.model.live import Live
from reconciler.model.sources import Source
from reconciler.plan.annotations import annotation
from schemas.problems import Where
from schemas.resources.routing_test import RoutedCall, RoutingTest
from schemas.tables.decisions import Admitted, CallFacts, Challenged, Decision, PinNeeded, Refused, Undecided
from schemas.tables.explain import explain
from schemas.tables.naming import room_pattern
from schemas.tables.rendering import render
from schemas.tables.tables import Tables

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """One call of one test: its place, what was not as expected (empty = all of it was), and the trail."""

    place: Where
    call: str
    faults: tuple[str, ...]
    trail: str


@click.command("test")
@click.argument("source", metavar="DIR")
@output_option("text", "json", "github")
@secrets_option
@click.pass_context
def command(ctx: click.Context, source: str, form: str, given: Given) -> None:
    """Run the RoutingTest documents in DIR against the manifests beside them.

    Needs no tables, and no secrets but the PINs that its calls enter. Exit code 0 when all hold, 1 when one does not,
    and when a document has errors.

    \b
    Example:
      reconcile test manifests/
      reconcile test manifests/ -o github
    """
    reading = read([source])
    with store_errors():
        declared = declared_by(reading, vault_of(given.settings(), [source], needed=False))
    desired = desire(declared, Live())
    problems = in_order([*reading.problems, *desired.problems])
    told = [problem for problem in problems if problem.is_error or problem.waits_for]
    show_problems(told, reading, "github" if form == "github" else "text", err=form != "github")
    tables = Tables.build(desired.rows)
    pins = declared_pins(declared)
    outcomes = [outcome for test in desired.tests for outcome in _run(test, tables, pins)]
    failed = [outcome for outcome in outcomes if outcome.faults]
    broken = _broken(reading)
    if form == "json":
        show_json(_as_json(outcomes, broken))
    elif form == "github":
        click.echo("\n".join(_annotations(outcomes, broken)))
    else:
        _show(outcomes, failed, broken)
    if failed or has_errors(problems):
        ctx.exit(EXIT_ERROR)


def _run(source: Source, tables: Tables, pins: Pins) -> list[Outcome]:
    test = source.document
    assert isinstance(test, RoutingTest)
    out = []
    for index, call in enumerate(test.spec.calls):
        facts = _facts_of(call, test.metadata.namespace)
        explanation = explain(tables, facts, pins.opens, unknown_pin=pins.unknown)
        faults = tuple(_faults(call, facts, explanation.decision, test.metadata.namespace))
        name = f"{test.metadata.name}: {_call_words(call)}"
        out.append(Outcome(source.where(("spec", "calls", index)), name, faults, render(explanation)))
    return out


def _facts_of(call: RoutedCall, namespace: str) -> CallFacts:
    return CallFacts(
        str(call.address),
        call.to,
        call.from_,
        call.pin,
        call.region or "",
        call.user,
        registered_on=f"{namespace}/{call.registered}" if call.registered is not None else "",
        asserted=call.asserted or "",
    )


def _call_words(call: RoutedCall) -> str:
    """The call as its test declares it, but for the digits of its PIN."""
    said = f"call to {call.to} from {call.from_} at {call.address}"
    said += f", asserted {call.asserted}," if call.asserted else ""
    said += f" by the registration of {call.registered}" if call.registered else ""
    said += f" as user {call.user}" if call.user else ""
    said += f" in region {call.region}" if call.region else ""
    return f"{said} with a PIN" if call.pin is not None else said


def _broken(reading: Reading) -> list[str]:
    """The tests, by name or place, that cannot be run because of their own errors; a file of which nothing is known."""
    out = []
    for file in reading.sources.values():
        out += [
            f"the RoutingTest at {source.place}"
            for source in file.sources
            if source.document is None and source.written("kind") == "RoutingTest"
        ]
        if not file.whole and not file.sources:
            out.append(f"what {file.file} may hold")
    return out


def _faults(call: RoutedCall, facts: CallFacts, decision: Decision | Undecided, namespace: str) -> list[str]:
    """What was expected and is not so. What the test leaves out is not compared."""
    if isinstance(decision, Undecided):
        return [f"cannot be decided: {decision.sentence}"]
    expect = call.expect
    seen = _seen(facts, decision)
    wanted = {
        "trunk": f"{namespace}/{expect.trunk}" if expect.trunk is not None else None,
        "rule": f"{namespace}/{expect.rule}" if expect.rule is not None else None,
        "room": expect.room,
        "reason": expect.reason,
        "asks": expect.asks,
    }
    return [
        f"{name} is {seen[name] or 'none'}, expected {value}"
        for name, value in wanted.items()
        if value is not None and value != seen[name]
    ]


def _seen(facts: CallFacts, decision: Decision) -> dict[str, str]:
    """What came out, by the names of the expectations."""
    seen = {
        "trunk": decision.trunk.id if decision.trunk is not None else "",
        "rule": "",
        "room": "",
        "reason": "",
        "asks": "",
    }
    if isinstance(decision, Admitted | PinNeeded):
        seen["rule"] = decision.rule.id
    if isinstance(decision, Challenged | PinNeeded):
        seen["asks"] = "password" if isinstance(decision, Challenged) else "pin"
    if isinstance(decision, Admitted):
        seen["room"] = room_pattern(decision.rule, facts.caller_by(decision.trunk), facts.called)
    if isinstance(decision, Refused):
        seen["reason"] = decision.reason.value
    return seen


def _show(outcomes: list[Outcome], failed: list[Outcome], broken: list[str]) -> None:
    for outcome in outcomes:
        if not outcome.faults:
            click.echo(f"ok      {outcome.call}")
            continue
        click.echo(f"FAILED  {outcome.call}: {'; '.join(outcome.faults)} ({outcome.place})")
        for line in outcome.trail.splitlines():
            click.echo(f"          {line}")
    if outcomes:
        click.echo(f"{len(outcomes) - len(failed)} of {len(outcomes)} hold")
    for name in broken:
        click.echo(f"{name} cannot be run until that is mended")
    if not outcomes and not broken:
        click.echo("There is no RoutingTest here.")


def _annotations(outcomes: list[Outcome], broken: list[str]) -> list[str]:
    """What does not hold, at its place, with the trail; then how many hold."""
    failed = [outcome for outcome in outcomes if outcome.faults]
    lines = [
        annotation("error", f"{one.call}: {'; '.join(one.faults)}\n{one.trail}", one.place, "RoutingTest")
        for one in failed
    ]
    lines += [annotation("error", f"{name} cannot be run until that is mended", title="RoutingTest") for name in broken]
    return [*lines, annotation("notice", f"{len(outcomes) - len(failed)} of {len(outcomes)} hold", title="RoutingTest")]


def _as_json(outcomes: list[Outcome], broken: list[str]) -> dict[str, object]:
    calls = [
        {"place": str(outcome.place), "call": outcome.call, "ok": not outcome.faults, "faults": list(outcome.faults)}
        for outcome in outcomes
    ]
    failed = sum(not call["ok"] for call in calls)
    return {"formatVersion": FORMAT_VERSION, "failed": failed, "calls": calls, "notRun": broken}
