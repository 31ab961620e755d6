"""`bridge call` tells what a stranger's server said, and lets it steer no terminal."""

from __future__ import annotations

import pytest

from runtime.commands.call import _report
from runtime.phone.heard import Heard
from runtime.phone.phone import Outcome


def test_a_refusal_that_would_steer_a_terminal_is_made_plain(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = Outcome()
    outcome.status, outcome.reason, outcome.warning = 403, "Go\x1b[2JAway", "never\ragain"
    _report("sip:x@y", outcome, Heard(0.0, 0.0, None, 0.0), None, "text")
    told = capsys.readouterr().out
    assert told.rstrip("\n").isprintable()
    assert "403 Go" in told


def test_a_refusal_by_our_own_bridge_says_where_the_reason_is(capsys, tmp_path) -> None:
    outcome = Outcome()
    outcome.status, outcome.reason = 403, "Forbidden"
    _report("sip:x@y", outcome, Heard(0.0, 0.0, None, 0.0), None, "text", tmp_path)
    assert f"bridge calls --state {tmp_path}" in capsys.readouterr().out
