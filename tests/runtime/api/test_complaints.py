"""What aiohttp complains of becomes one short line a minute, of each kind."""

from __future__ import annotations

import pytest
from aiohttp.http_exceptions import BadHttpMessage

from runtime.api import complaints
from runtime.api.complaints import COMPLAINT_EVERY_S, complaints_to


def test_each_kind_of_complaint_is_told_once_a_minute_and_strangers_hide_none_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, told = 7.0, []
    monkeypatch.setattr(complaints.time, "monotonic", lambda: now)
    logger = complaints_to(lambda event, **fields: told.append((event, fields)), "the API")

    def complain() -> None:
        for fault in (BadHttpMessage("secret"), BadHttpMessage("secret"), KeyError("secret"), KeyError("secret")):
            logger.error("secret %s", "secret", exc_info=fault)

    once = [
        ("the API was sent what is no HTTP request (told once a minute)", {}),
        ("the API could not answer a request (told once a minute)", {"fault": "KeyError"}),
    ]
    complain()
    assert told == once
    now += COMPLAINT_EVERY_S
    complain()
    assert told == once * 2
