"""`bridge call` tells what a stranger's server said, and lets it steer no terminal."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from runtime.commands.call import _login, _tell, call
from runtime.commands.script import Report
from runtime.errors import BridgeError
from runtime.phone.heard import Heard
from runtime.phone.outcome import Outcome
from runtime.sip.auth.client import Login


def test_a_refusal_that_would_steer_a_terminal_is_made_plain(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = Outcome()
    outcome.status, outcome.reason, outcome.warning = 403, "Go\x1b[2JAway", "never\ragain"
    _tell(Report(outcome, Heard(0.0, 0.0, None, 0.0)), None, logs_in=False, presses=False)
    told = capsys.readouterr().out
    assert told.rstrip("\n").isprintable()
    assert "403 Go" in told


def test_a_password_comes_from_the_environment_or_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_PASSWORD", "tiger")
    file = tmp_path / "password"
    file.write_bytes(b"tiger\r\n")
    assert _login("acme", "ACME_PASSWORD", None) == _login("acme", None, file) == Login("acme", b"tiger")
    assert _login(None, None, None) is None


@pytest.mark.parametrize(
    ("user", "variable", "file"),
    [
        ("acme", None, None),
        (None, "ACME_PASSWORD", None),
        (None, None, "password"),
        ("acme", "ACME_PASSWORD", "password"),
        ("acme", "NOT_SET", None),
        ("acme", None, "missing"),
        ("acme", None, "empty"),
        ("ac\nme", "ACME_PASSWORD", None),
    ],
)
def test_half_a_login_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: str | None, variable: str | None, file: str | None
) -> None:
    monkeypatch.setenv("ACME_PASSWORD", "tiger")
    (tmp_path / "password").write_text("tiger")
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(BridgeError) as told:
        _login(user, variable, tmp_path / file if file else None)
    assert "tiger" not in str(told.value)


def test_a_refusal_by_our_own_bridge_says_where_the_reason_is(capsys, tmp_path) -> None:
    outcome = Outcome()
    outcome.status, outcome.reason = 403, "Forbidden"
    _tell(Report(outcome, Heard(0.0, 0.0, None, 0.0)), tmp_path, logs_in=False, presses=False)
    assert f"bridge calls --state {tmp_path}" in capsys.readouterr().out


def test_a_listener_that_is_not_there_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    target = f"sip:+15550100000@127.0.0.1:{port};transport=tcp"
    done = CliRunner().invoke(call, [target])
    assert done.exit_code == 1
    assert done.stdout == f"not answered, nobody listens at tcp://127.0.0.1:{port}\n"


@pytest.mark.parametrize(("status", "reason"), [(401, "Unauthorized"), (407, "Proxy Authentication Required")])
def test_who_is_asked_for_a_password_is_told_how_to_give_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, status: int, reason: str
) -> None:
    outcome, silence = Outcome(status, reason), Heard(0.0, 0.0, None, 0.0)
    _tell(Report(outcome, silence), tmp_path, logs_in=False, presses=False)
    told = capsys.readouterr().out
    assert "it asks for a password: --user NAME --password-env VARIABLE" in told
    assert "bridge calls" not in told, "nothing is written down of a challenge"
    _tell(Report(outcome, silence), tmp_path, logs_in=True, presses=False)
    told = capsys.readouterr().out
    assert "it asks for" not in told
    assert "bridge calls" in told


def test_other_sound_may_be_a_prompt_for_a_pin(capsys: pytest.CaptureFixture[str]) -> None:
    outcome, hint = Outcome(200, "OK", answered=True), 'perhaps a prompt that asks for a PIN: try --dtmf "PIN#"'
    for heard, presses, hinted in (
        (Heard(5.0, 2.9, None, 0.0), False, True),
        (Heard(5.0, 2.9, None, 0.0), True, False),
        (Heard(5.0, 2.9, 0.1, 1.0), False, False),
        (Heard(5.0, 0.0, None, 0.0), False, False),
    ):
        _tell(Report(outcome, heard), None, logs_in=False, presses=presses)
        assert (hint in capsys.readouterr().out) == hinted
