"""`reconcile operator`: apply what a Kubernetes cluster declares, and say in each object's status what became of it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import click

from reconciler.commands.auditing import note_down
from reconciler.commands.options import Given, settings_options_but_secrets
from reconciler.commands.target import Where, opened_target, target_option
from reconciler.errors import ReconcileError
from reconciler.settings import METRICS_EXAMPLE
from schemas.environment import address_and_port
from schemas.seal import Sealer
from schemas.secret_key import read_or_make_key

if TYPE_CHECKING:
    from reconciler.operator.serve import Operator

LOOK_EVERY_S = 60.0
"""How often a LiveKit server is asked what others have changed there."""
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@click.command("operator")
@click.option("--namespace", "-n", "namespaces", metavar="NS", multiple=True, help="Only these; may be given again.")
@click.option("--all-namespaces", "-A", is_flag=True, help="All namespaces, as if no --namespace is given.")
@click.option(
    "--lease", metavar="[NS/]NAME", default="dialplane-operator", show_default=True, help="Who holds it leads."
)
@click.option(
    "--allow-deletes",
    metavar="N",
    type=click.IntRange(0),
    help="Delete up to N objects, however many, also such as vanished without a trace.",
)
@click.option(
    "--metrics",
    metavar="IP:PORT",
    default="off",
    show_default=True,
    envvar="DIALPLANE_METRICS",
    help="Where /metrics (Prometheus), /livez and /readyz are answered; without a key.",
)
@target_option
@settings_options_but_secrets
def command(
    namespaces: Sequence[str],
    all_namespaces: bool,
    lease: str,
    allow_deletes: int | None,
    metrics: str,
    at: Where,
    given: Given,
) -> None:
    """Apply the Trunks, DispatchRules and PhoneNumbers of a Kubernetes cluster, and write their status.

    In a Pod its ServiceAccount is used, elsewhere the kubeconfig. Of several operators one leads, by a Lease. Secrets
    come from Secrets of each object's own namespace. An object that is broken, or whose change is unsafe, keeps its
    last good version, and its status says why and what allows it.

    \b
    Example:
      reconcile operator --all-namespaces --tables redis://redis:6379/0 --metrics 0.0.0.0:8081
      reconcile operator --namespace telephony --target livekit
    """
    settings = given.settings()
    if namespaces and all_namespaces:
        raise ReconcileError("--namespace and --all-namespaces are two different wishes", "leave one of them out")
    lease_namespace, _, lease_name = lease.rpartition("/")
    for name in (*namespaces, lease_name, *([lease_namespace] if lease_namespace else [])):
        if not _NAME.fullmatch(name):
            raise ReconcileError(f"{name[:80]!r} is no name that Kubernetes knows", "write it like telephony")
    monitored = None if metrics == "off" else address_and_port(metrics)
    if monitored is None and metrics != "off":
        hint = f"write it like --metrics {METRICS_EXAMPLE}"
        raise ReconcileError(f"--metrics {metrics[:80]!r} is not an IP address and a port", hint)
    from reconciler.operator.serve import Operator, Wanted  # kopf takes half a second to import

    def sealer() -> Sealer:
        return Sealer(read_or_make_key(settings.state, os.environ))

    with opened_target(at, settings, to_write=True, look_every_s=LOOK_EVERY_S) as target:
        wanted = Wanted(tuple(dict.fromkeys(namespaces)), lease_name, lease_namespace, allow_deletes, monitored)
        account = partial(note_down, settings, note="operator", target=target.manner.address)
        operator = Operator(wanted, target, _say, account, sealer)
        asyncio.run(_run(operator))


async def _run(operator: Operator) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await operator.run(stop)


def _say(line: str) -> None:
    click.echo(line)
