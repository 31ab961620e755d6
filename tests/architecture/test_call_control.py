"""What may happen in a call, and the scenarios with real peers that hold it: by name, and by UDP, TCP and TLS each.

Peers are SIPp, baresip, linphone and kamailio. Those of `test_front.py` go through a proxy that records its route. By
which transports a test runs is read off its parameters; a line without one of them, or a test that was renamed, is
missed here.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

INTEROP = Path(__file__).parents[1] / "interop"
EVERY = frozenset({"udp", "tcp", "tls"})
WORDS = {"u1": "udp", "t1": "tcp", "udp": "udp", "tcp": "tcp", "tls": "tls"}

LINES: dict[str, dict[str, tuple[str, ...]]] = {
    "hold, resume and another codec, of the phone's": {
        "test_front.py": ("test_a_phone_changes_its_call",),
        "test_sipp.py": ("test_hold_resume_and_a_changed_codec_are_answered_truly",),
        "test_linphone.py": ("test_linphone_acknowledges_the_ringing_agrees_on_a_timer_and_either_side_holds",),
        "test_sessions.py": ("test_baresip_holds_and_is_held",),
    },
    "hold of ours, 491 of either side": {
        "test_front.py": ("test_a_phone_that_is_called_is_held_across_glare_and_sent_on",),
        "test_linphone.py": ("test_linphone_acknowledges_the_ringing_agrees_on_a_timer_and_either_side_holds",),
        "test_sessions.py": ("test_a_phone_plays_before_its_answer_and_is_held_across_glare",),
    },
    "UPDATE, before and after the answer": {
        "test_front.py": (
            "test_a_phone_changes_its_call",
            "test_a_phone_acknowledges_what_it_hears_before_the_answer",
        ),
        "test_sessions.py": ("test_sipp_changes_a_call_and_refreshes_it",),
    },
    "session timers: 422, agreed on, refreshed by either side with UPDATE and re-INVITE": {
        "test_front.py": ("test_a_phone_changes_its_call",),
        "test_sessions.py": ("test_sipp_changes_a_call_and_refreshes_it",),
        "test_refreshing.py": ("test_calls_of_either_side_are_refreshed_in_time",),
    },
    "100rel and early media, of ours and of the phone's": {
        "test_front.py": (
            "test_a_phone_acknowledges_what_it_hears_before_the_answer",
            "test_a_phone_that_is_called_is_held_across_glare_and_sent_on",
        ),
        "test_linphone.py": ("test_linphone_acknowledges_the_ringing_agrees_on_a_timer_and_either_side_holds",),
    },
    "an INVITE without an offer": {
        "test_front.py": ("test_a_phone_changes_its_call",),
        "test_sipp.py": ("test_an_invite_without_an_offer_gets_ours_and_the_answer_in_the_ack",),
    },
    "several early dialogs, two answers: one call": {
        "test_front.py": ("test_of_two_phones_that_answer_the_second_is_acknowledged_and_hung_up_on",),
    },
    "487, and answers that cross a CANCEL, of either side": {
        "test_front.py": (
            "test_a_phone_gives_up_while_it_rings",
            "test_a_phone_that_answers_while_it_is_cancelled_is_hung_up_on",
            "test_a_phone_changes_its_call",
        ),
    },
    "redirects": {
        "test_front.py": ("test_a_phone_that_has_moved_is_called_there",),
        "test_sessions.py": ("test_a_call_is_sent_on_to_a_number_that_the_trunk_may_dial",),
    },
    "keys by INFO": {
        "test_front.py": ("test_a_phone_changes_its_call",),
        "test_keys.py": ("test_sipp_tells_of_keys_by_info", "test_a_phone_without_events_is_told_keys_by_info"),
    },
    "a transfer of ours: done, declined, called off, too late": {
        "test_front.py": ("test_a_phone_that_is_called_is_held_across_glare_and_sent_on",),
        "test_transferring.py": (
            "test_a_caller_is_sent_on_and_the_two_talk",
            "test_a_number_that_declines_is_told_with_its_status",
            "test_a_transfer_that_is_called_off_or_takes_too_long_leaves_the_call_in_its_room",
        ),
    },
    "an attended transfer of ours": {
        "test_transferring.py": ("test_two_callers_are_connected_after_a_consultation",),
    },
    "a phone sends its call on": {
        "test_front.py": ("test_a_phone_sends_its_call_on",),
        "test_linphone.py": ("test_linphone_sends_its_call_on",),
        "test_referrals.py": (
            "test_another_phone_takes_the_place_of_the_one_that_refers",
            "test_whom_a_phone_refers_to_is_called_as_any_other",
            "test_baresip_sends_its_call_on",
        ),
    },
    "a phone sends its call on to whom it has consulted": {
        "test_linphone.py": ("test_linphone_sends_its_call_on_to_whom_it_has_consulted",),
    },
    "a phone takes another's place": {
        "test_front.py": ("test_a_phone_takes_another_s_place",),
        "test_referrals.py": ("test_a_phone_takes_another_s_place_by_its_dialog",),
    },
    "it does so by a password, and nobody without it": {
        "test_linphone.py": ("test_whom_linphone_has_consulted_takes_its_place_by_the_trunks_password",),
    },
}


def transports_of(function: ast.FunctionDef) -> frozenset[str]:
    """By which transports a test runs, as its fixtures and parameters say."""
    names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    if "front" in {arg.arg for arg in function.args.args} or "TRANSPORTS" in names:
        return EVERY
    found: set[str] = set()
    for decorator in function.decorator_list:
        match decorator:
            case ast.Name(id="by_every_transport"):
                found |= EVERY
            case ast.Name(id="both"):
                found |= {"udp", "tcp"}
            case ast.Call(args=[ast.Constant(value="transport"), ast.List(elts=values)]):
                found |= {WORDS[value.value] for value in values if isinstance(value, ast.Constant)}
            case _:
                pass
    return frozenset(found) or frozenset({"udp"})


@pytest.mark.parametrize("line", LINES)
def test_each_line_is_held_by_real_peers_and_by_every_transport(line: str) -> None:
    by: set[str] = set()
    for name, tests in LINES[line].items():
        tree = ast.parse((INTEROP / name).read_text())
        written = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert {*tests} <= {*written}, f"{line}: {name} has no {', '.join({*tests} - {*written})}"
        for test in tests:
            by |= transports_of(written[test])
    assert by == EVERY, f"{line}: nothing by {', '.join(sorted(EVERY - by))}"


def test_each_scenario_of_a_proxy_is_in_the_list() -> None:
    tree = ast.parse((INTEROP / "test_front.py").read_text())
    written = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
    assert written <= {test for tests in LINES.values() for test in tests.get("test_front.py", ())}
