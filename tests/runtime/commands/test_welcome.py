"""What a bridge says at its start can be done: a suggested call is one that its tables admit."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.commands.options import program, state_words
from runtime.commands.welcome import TestCall, admitted_call, welcome, without_tables
from runtime.settings import BridgeSettings, local_host, parse_listen
from tests.schemas.tables.kit import number, outbound_trunk, rule, tables_of, trunk

HERE = parse_listen("udp://127.0.0.1:5070", "--listen")
LOOPBACK = trunk("here", ["127.0.0.0/8"])


@pytest.fixture
def settings(tmp_path: Path) -> BridgeSettings:
    return BridgeSettings(state=tmp_path, tables="", prompts=tmp_path, listen=(HERE,), rtp_first=1, rtp_last=2)


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([LOOPBACK, rule("any")], "+15550100000"),
        ([LOOPBACK, rule("one", to=["+14155550100"])], "+14155550100"),
        ([LOOPBACK, rule("r", trunks=["here"]), number("n", "+14155550101", trunk="here", rule="r")], "+14155550101"),
        ([LOOPBACK, rule("prefix", to=["+1415*"])], ""),
        ([LOOPBACK, rule("pinned", pin="123"), rule("open", to=["+14155550100"], priority=1)], "+14155550100"),
        ([trunk("elsewhere"), rule("any")], ""),
        ([trunk("here", ["127.0.0.0/8"], auth="acme"), rule("prefix", to=["+1415*"])], ""),
        ([outbound_trunk("out"), rule("any")], ""),
        ([], ""),
    ],
)
def test_a_call_is_suggested_only_where_it_is_admitted(rows, found):
    call = admitted_call(tables_of(*rows), "127.0.0.1", "")
    assert call == (TestCall(found) if found else None)


GUARDED = trunk("here", ["127.0.0.0/8"], auth="acme inc")


@pytest.mark.parametrize(
    ("rows", "words", "options"),
    [
        ([LOOPBACK, rule("r", pin="4711")], ", with its PIN for PIN", ' --dtmf "PIN#"'),
        ([GUARDED, rule("r")], ", with the password in TRUNK", " --user 'acme inc' --password-env TRUNK"),
        (
            [GUARDED, rule("r", pin="4711")],
            ", with the password in TRUNK and its PIN for PIN",
            " --user 'acme inc' --password-env TRUNK --dtmf \"PIN#\"",
        ),
    ],
)
def test_a_call_that_is_asked_for_something_is_suggested_with_it(settings, monkeypatch, rows, words, options):
    monkeypatch.setenv("MAKELEVEL", "1")
    told = welcome([HERE], tables_of(*rows), settings, Path("m"))
    assert f"try it, in a second terminal{words}:\n" in told
    assert f"bridge call --state {settings.state}{options}\n" in told
    assert "4711" not in told


def test_the_suggested_call_names_number_port_and_transport(settings, monkeypatch):
    told = welcome([HERE], tables_of(LOOPBACK, rule("one", to=["+14155550100"])), settings, Path("m"))
    assert "call 'sip:+14155550100@127.0.0.1:5070;transport=udp'" in told
    assert "explain m --to +14155550100 --from +15550199999 --ip 127.0.0.1" in told
    assert f"calls --state {settings.state}" in told


def test_who_came_by_make_is_told_make(settings, monkeypatch):
    monkeypatch.setenv("MAKELEVEL", "1")
    usual = settings.__class__(**{**{f: getattr(settings, f) for f in settings.__slots__}, "state": Path(".dialplane")})
    assert "    make call\n" in welcome([HERE], tables_of(LOOPBACK, rule("any")), usual, None)


def test_where_no_call_is_admitted_none_is_suggested(settings):
    told = welcome([HERE], tables_of(), settings, Path("m"))
    assert "admit no call from 127.0.0.1" in told
    assert "bridge call " not in told
    assert "make call" not in told


@pytest.mark.parametrize(
    ("host", "local"),
    [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("192.0.2.1", "192.0.2.1"), ("127.0.0.2", "127.0.0.2")],
)
def test_a_local_call_goes_to_the_address_listened_on(host, local):
    assert local_host(host) == local


def test_a_program_that_is_not_on_the_path_is_named_by_its_place(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program("bridge").endswith("bin/bridge")
    assert program("no-such-program") == "no-such-program"


def test_the_usual_state_folder_needs_no_word():
    assert state_words(Path(".dialplane")) == ""
    assert state_words(Path("a b")) == " --state 'a b'"


def test_a_bridge_without_tables_says_where_it_listens_and_how_they_are_made(settings):
    told = without_tables([HERE], settings, None, None)
    assert "listens on udp://127.0.0.1:5070, and refuses every call" in told
    assert f"reconcile apply DIR --state {settings.state}\n" in told
    named = without_tables([HERE], settings, None, "sqlite:///a b.db")
    assert f"reconcile apply DIR --state {settings.state} --tables 'sqlite:///a b.db'\n" in named
    assert "reconcile validate 'my m'\n" in without_tables([HERE], settings, Path("my m"), None)
