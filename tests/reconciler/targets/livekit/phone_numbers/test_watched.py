"""A watcher buys nothing, says which apply would, and puts a number back that somebody assigned elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.loop import Loop, declared_by
from reconciler.manifests.folder import Folder, read_documents
from reconciler.manifests.quiet import Batch
from reconciler.plan.gates import Allowances
from reconciler.targets.livekit.phone_numbers.holdings import Wish
from reconciler.targets.livekit.phone_numbers.ledger import Entry, Ledger, Stage
from reconciler.targets.livekit.phone_numbers.ledger_file import LedgerFile
from reconciler.targets.livekit.target import LiveKitTarget
from reconciler.targets.target import Deal, Planned
from tests.livekit_cloud import Cloud, on_sale
from tests.livekit_faults import Front
from tests.livekit_project import RULE, asks

NUMBER = "+14155550100"


@pytest.fixture
def front() -> Iterator[Front]:
    with Front(Cloud(on_sale(NUMBER))) as front:
        yield front


def test_a_watcher_buys_nothing_and_mends_what_it_has(front: Front, tmp_path: Path) -> None:
    cloud = front.behind
    assert isinstance(cloud, Cloud)
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    (manifests / "a.yaml").write_text("---\n".join((RULE, asks())))
    ledger = LedgerFile(tmp_path / "numbers.json")
    said: list[str] = []
    target = LiveKitTarget(front.access, None, "default", ledger=ledger, look_every_s=0.0)
    loop = Loop(Folder(str(manifests)), target, said.append, lambda *_: None, "reconcile apply DIR")
    loop.one_pass(Batch(everything=True))
    assert cloud.sold == []
    assert any(line.endswith("reconcile apply DIR --allow-purchases") for line in "\n".join(said).splitlines())

    buying = LiveKitTarget(front.access, None, "default", ledger=ledger)
    planned = buying.apply(declared_by(read_documents([str(manifests)])), Allowances(purchases=True))
    assert [number for _, number in planned.unwritten] == [NUMBER]  # and nobody writes it: the watcher will
    loop.one_pass(Batch(everything=True))
    assert f'number: "{NUMBER}"' in (manifests / "a.yaml").read_text()

    loop.one_pass(Batch(everything=True))  # reads what was written
    said.clear()
    rules = cloud.rules_of(NUMBER)
    del cloud.numbers[NUMBER].sip_dispatch_rule_ids[:]
    loop.one_pass(Batch(everything=True))
    assert said[0] == f"somebody assigned PhoneNumber default/us ({NUMBER}) to something else: now as declared again"
    assert cloud.rules_of(NUMBER) == rules
    assert cloud.sold == [NUMBER]


def test_a_watcher_finishes_a_purchase_that_an_allowed_apply_was_cut_off_from(front: Front, tmp_path: Path) -> None:
    cloud = front.behind
    assert isinstance(cloud, Cloud)
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    (manifests / "a.yaml").write_text("---\n".join((RULE, asks())))
    ledger = LedgerFile(tmp_path / "numbers.json")
    wish = Wish("US", "415", "local")
    ledger.write(Ledger().put(Entry(NUMBER, "default", "default/us", Stage.CHOSEN, wish)))
    accounts: list[Planned] = []
    target = LiveKitTarget(front.access, None, "default", ledger=ledger, look_every_s=0.0)
    loop = Loop(Folder(str(manifests)), target, print, lambda *_: None, account=lambda done, _: accounts.append(done))
    loop.one_pass(Batch(everything=True))
    assert cloud.sold == [NUMBER]
    assert [planned.deals for planned in accounts] == [(Deal(NUMBER, "default/us", str(wish)),)]
