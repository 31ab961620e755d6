from __future__ import annotations

from schemas.resources.conditions import REASONS, Condition, ConditionType, Reason, Status


def test_every_reason_belongs_to_a_condition():
    assert {reason for reasons in REASONS.values() for reason in reasons} | {Reason.READY} == set(Reason)
    assert set(REASONS) | {ConditionType.READY} == set(ConditionType)


def test_the_good_reason_is_the_first_and_named_like_its_condition():
    assert all(reasons[0].value == condition.value for condition, reasons in REASONS.items())


def test_a_status_is_read_and_written_in_kubernetes_form():
    ready = {"type": "Ready", "status": "False", "reason": "TrunkNotFound", "message": "no trunk `a`"}
    status = Status.model_validate({"observedGeneration": 2, "revision": 7, "conditions": [ready]})
    assert status.conditions == (
        Condition(type=ConditionType.READY, status="False", reason=Reason.TRUNK_NOT_FOUND, message="no trunk `a`"),
    )
    assert status.model_dump(by_alias=True, exclude_none=True, mode="json")["conditions"] == [ready]
