"""`bridge calls` shows what strangers sent, as text and nothing else."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from runtime.commands.admin import is_loopback
from runtime.commands.calls import _show
from runtime.commands.columns import table


def test_no_live_call_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    _show({"live": [], "recent": [], "revision": 1, "admitted": 0, "challenged": 0, "refused": 0})
    assert capsys.readouterr().out == "no live calls\nrevision 1, 0 admitted, 0 asked for a password, 0 refused\n"


@pytest.mark.parametrize("name", ["[/x]", "[red]alice", "[link=https://example.com]x", ":bomb:"])
def test_a_name_that_looks_like_markup_is_shown_as_it_is(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    call = {"callId": "SCL_1", "from": name, "to": name, "room": "lobby", "answeredAt": 0, "state": "routed"}
    ended = {"from": name, "to": name, "room": "", "sipStatus": 404, "words": f"no rule for {name}"}
    _show({"live": [call], "recent": [ended], "revision": 1, "admitted": 1, "challenged": 0, "refused": 1})
    assert "".join(capsys.readouterr().out.split()).count(name[:5]) >= 2


@pytest.mark.parametrize(
    ("verstat", "attestation", "shown"),
    [
        ("TN-Validation-Passed", "A", "+1 (verified A)"),
        ("TN-Validation-Passed", "", "+1 (verified)"),
        ("TN-Validation-Failed", "", "+1 (verification failed)"),
        ("No-TN-Validation", "", "+1 (not verified)"),
        ("", "", "+1"),
    ],
)
def test_who_is_verified_is_shown(
    verstat: str, attestation: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = {"from": "+1", "to": "+2", "room": "", "sipStatus": 200, "words": "hung up"}
    ended |= {"verstat": verstat, "attestation": attestation}
    _show({"live": [], "recent": [ended], "revision": 1, "admitted": 1, "challenged": 0, "refused": 0})
    assert f"\n{shown} " in capsys.readouterr().out


def test_a_pipe_gets_whole_ids_and_plain_columns(capsys: pytest.CaptureFixture[str]) -> None:
    room = "r" * 200
    call = {"callId": "SCL_uGZvL8mVKa3P", "from": "+1", "to": "+2", "room": room, "answeredAt": 0, "state": "routed"}
    call["media"] = {"mos": 4.4, "mosRemote": None}
    ended = {**call, "sipStatus": 200, "words": "hung up", "media": {"mos": None, "mosRemote": 3.2}}
    _show({"live": [call], "recent": [ended], "revision": 1, "admitted": 1, "challenged": 0, "refused": 0})
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["SCL_uGZvL8mVKa3P", "+1", "+2", room, "4.4", "/", "-", "routed"]
    assert lines[5].split() == ["+1", "+2", room, "200", "-", "/", "3.2", "hung", "up"]


def test_a_narrow_terminal_shows_a_call_id_whole() -> None:
    shown = io.StringIO()
    out = Console(width=60, force_terminal=True, file=shown)
    made = table(out, "live calls: 1", "call", "from", "to", "room", "since", whole="call")
    made.add_row("SCL_uGZvL8mVKa3P", "+15550199001", "+15550100001", "sound", "15 s, on hold (local)")
    out.print(made)
    assert "SCL_uGZvL8mVKa3P" in shown.getvalue()


def test_the_key_is_sent_to_the_loopback_only() -> None:
    assert is_loopback("http://127.0.0.1:8080")
    assert is_loopback("http://[::1]:8080")
    for url in ("http://192.0.2.1:8080", "http://localhost.example.com", "http://127.0.0.1@192.0.2.1/", "nonsense"):
        assert not is_loopback(url)
