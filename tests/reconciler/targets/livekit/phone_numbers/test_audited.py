"""What the audit log says of numbers that are bought and given back: one line each, whenever that became known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import ReconcileError
from reconciler.targets.livekit import server
from reconciler.targets.livekit.memory import Memory
from reconciler.targets.livekit.phone_numbers.ledger import Ledger, Stage
from reconciler.targets.livekit.phone_numbers.ledger_file import LedgerFile
from schemas.stores import StoreError
from tests.livekit_cloud import Cloud, on_sale
from tests.livekit_faults import Fault, Front, always
from tests.livekit_project import RULE, Project, asks

FIRST, SECOND = "+14155550100", "+14155550101"


@pytest.fixture
def project(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    with Front(Cloud(on_sale(FIRST), on_sale(SECOND))) as front:
        for name, value in front.environment.items():
            monkeypatch.setenv(name, value)
        yield Project(tmp_path, front, capsys)


def lines(project: Project) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (project.state / "audit.jsonl").read_text().splitlines()]


def told(project: Project) -> list[tuple[str, str]]:
    """Each line's event, and the number that it is about."""
    return [(line["event"], line["details"].get("number", "")) for line in lines(project)]


def test_each_purchase_and_each_release_has_a_line(project: Project) -> None:
    project.write(RULE, asks(more="  deletionPolicy: Delete\n"), asks("second"))
    assert project.apply() == 3
    project.buy()
    assert told(project) == [("refusal", ""), ("purchase", FIRST), ("purchase", SECOND), ("apply", "")]
    bought = lines(project)[1]
    assert bought["details"] == {
        "number": FIRST,
        "object": "PhoneNumber default/us",
        "asked": "a local number in US/415",
    }
    assert (bought["note"], bought["owner"]) == (f"apply {project.folder}", "default")
    assert bought["target"].startswith("livekit:127.0.0.1")
    project.write(RULE)
    assert project.apply("--allow-releases", "--allow-any", "DispatchRule/default/support") == 0, project.said
    assert told(project)[4:] == [("number-release", FIRST), ("apply", "")]
    project.write(RULE, asks("second"))
    project.buy()
    assert ("purchase", SECOND) not in told(project)[6:], "it was kept, and not bought again"


def test_a_purchase_whose_end_was_not_known_is_told_by_the_apply_that_finds_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "BACKOFF_FIRST_S", 0.0)
    project.write(RULE, asks())
    project.cloud.lag = 99
    project.front.faults = always("PurchasePhoneNumber", Fault(500, "internal", done=True))
    assert project.apply("--allow-purchases") == 1
    assert ("purchase", FIRST) not in told(project)
    project.front.well()
    project.cloud.show_all()
    assert project.apply() == 0, project.said
    assert [event for event in told(project) if event[0] == "purchase"] == [("purchase", FIRST)]
    assert project.cloud.sold == [FIRST]


def test_what_was_written_is_noted_down_where_livekit_cannot_be_read_back(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "BACKOFF_FIRST_S", 0.0)
    project.write(RULE, asks())
    project.front.faults = lambda _, method: (
        Fault(503, "unavailable") if method == "ListSIPInboundTrunk" and project.cloud.sold else None
    )
    assert project.apply("--allow-purchases", "-o", "json") == 1
    assert told(project) == [("purchase", FIRST), ("apply", "")]
    applied = lines(project)[1]
    assert (applied["details"]["written"], applied["details"]["cutOff"]) == (2, True)
    assert applied["changes"]["DispatchRule"] == {"create": ["default/support"]}
    report, _, error = project.said.rpartition("error: ")
    assert error == "the front says 503, apply again\n"
    assert (json.loads(report)["applied"], json.loads(report)["written"]) == (False, 2)
    project.front.well()
    project.run("status", "--target", "livekit")
    assert "an apply was cut off: the front says 503, apply again" in project.said
    project.buy()
    assert project.cloud.sold == [FIRST]
    project.run("status", "--target", "livekit")
    assert "cut off" not in project.said


def test_a_purchase_is_noted_down_where_the_ledger_cannot_be_written_after_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(RULE, asks(), asks("second"))
    write = LedgerFile.write

    def fails(file: LedgerFile, ledger: Ledger) -> None:
        if ledger.entries[FIRST].stage is Stage.BOUGHT:
            raise ReconcileError("the ledger cannot be written: No space left on device", "make room")
        write(file, ledger)

    monkeypatch.setattr(LedgerFile, "write", fails)
    assert project.apply("--allow-purchases") == 1
    assert "error: the ledger cannot be written: No space left on device, make room" in project.said
    assert "Not all was done: 1 object written at" in project.said
    assert (project.cloud.sold, told(project)) == ([FIRST], [("purchase", FIRST), ("apply", "")])
    monkeypatch.setattr(LedgerFile, "write", write)
    project.buy()
    assert project.cloud.sold == [FIRST, SECOND]


def test_what_was_written_is_noted_down_where_it_cannot_be_remembered(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> int:
        raise StoreError("what is remembered", "the disk is full", "make room")

    project.write(RULE)
    monkeypatch.setattr(Memory, "keep", fails)
    assert project.apply() == 1
    assert "error: what is remembered: the disk is full, make room" in project.said
    assert told(project) == [("apply", "")]


def test_an_apply_that_has_written_nothing_leaves_no_line(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "BACKOFF_FIRST_S", 0.0)
    project.write(RULE)
    project.front.faults = lambda call, _: Fault(503, "unavailable") if call > 3 else None
    assert project.apply() == 1
    assert "nothing was changed" in project.said
    assert not (project.state / "audit.jsonl").exists()
