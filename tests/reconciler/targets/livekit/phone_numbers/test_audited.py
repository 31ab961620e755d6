"""What the audit log says of numbers that are bought and given back: one line each, whenever that became known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.targets.livekit import server
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
