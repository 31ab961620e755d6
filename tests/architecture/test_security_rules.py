"""What hostile SIP has done to others, the rule that we keep for each, and the tests that hold it: by name.

RTP Bleed and Inject (ES2017-04, CVE-2017-14114, CVE-2025-53399): a source is learned in a short window, the SDP's
preferred, and then locked; ports are random, and rest after a call. Digest leak (CVE-2021-41158): a challenge is
answered for our own requests, on a leg that we began, of its realm and from its destination. MESSAGE and SUBSCRIBE of
anybody (ES2021-07, ES2021-08): methods that are not ours get 405 or 501, and a password is asked for before anything is
kept. Floods (ES2021-06): sources are rated before anything is parsed, every table is bounded. DTLS ClientHello races
(CVE-2023-49786): DTLS is taken from whom ICE checked, or each for itself. SDP, multipart and CSeq crashes (ES2018-02,
ES2018-03, ES2017-01, ES2017-02): typed errors, bounds, no recursion. Header smuggling (ES2020-01): names are tokens,
and known by their parsed names. SRTP and STUN underflows (CVE-2021-37706): lengths first. Toll fraud: where to, how
many, how fast and how long are the trunk's to say. CRLF out of API and agent values: one writer, which refuses it.

A rule without a test is a promise; a test that was renamed is missed here.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

RULES: dict[str, dict[str, tuple[str, ...]]] = {
    "a media source is learned in a window, the SDP's preferred, and locked": {
        "runtime/media/test_source.py": (
            "test_the_address_of_the_sdp_locks_with_its_first_packet",
            "test_after_the_lock_all_others_are_refused_whatever_ssrc_they_claim",
            "test_an_attacker_who_was_first_loses_to_the_address_of_the_sdp",
            "test_one_packet_sprayed_over_all_ports_does_not_take_a_call_from_a_peer_behind_nat",
            "test_a_flood_from_many_addresses_is_bounded",
        ),
        "runtime/media/test_session.py": (
            "test_an_injector_is_not_heard_and_gets_no_audio",
            "test_rtcp_of_a_stranger_is_refused",
        ),
        "interop/test_hostile.py": ("test_ten_thousand_mutated_datagrams_are_each_accounted_for_and_disturb_no_call",),
    },
    "media ports are random, and rest after a call": {
        "runtime/net/test_rtp_ports.py": ("test_a_pair_rests_after_a_call_while_there_are_others",),
    },
    "a challenge is answered for our own requests, of the trunk's realm, from its destination": {
        "runtime/sip/test_endpoint_auth.py": (
            "test_a_caller_that_challenges_us_gets_no_answer",
            "test_a_dialog_that_was_moved_elsewhere_gets_no_answer",
            "test_another_realm_than_the_login_s_gets_no_answer",
            "test_stale_nonces_are_answered_so_often_and_no_more",
        ),
        "flow/test_dialling.py": ("test_a_password_answers_a_challenge_of_the_trunks_own_address_alone",),
    },
    "methods that are not ours are refused, and nothing is kept before a password": {
        "runtime/sip/test_endpoint_intake.py": (
            "test_methods_that_are_not_served",
            "test_methods_of_dialogs_get_481_outside_of_one",
            "test_an_invite_from_where_no_calls_are_taken_is_refused_and_nothing_of_it_is_kept",
        ),
        "flow/test_auth.py": (
            "test_nothing_is_kept_of_who_is_challenged_and_its_ack_is_absorbed",
            "test_many_strangers_cost_no_memory",
        ),
    },
    "floods meet rates before the parser, and bounds behind it": {
        "runtime/gate/test_sources.py": (
            "test_a_flood_of_a_stranger_is_cut_before_it_is_looked_at",
            "test_a_flood_of_one_source_costs_another_nothing",
            "test_the_memory_of_sources_is_bounded",
            "test_a_scanner_is_never_answered",
        ),
        "runtime/sip/test_endpoint_intake.py": (
            "test_transactions_are_bounded_and_those_of_calls_have_room_of_their_own",
            "test_no_address_can_fill_what_the_transactions_of_all_may_keep",
        ),
        "runtime/net/test_connections.py": ("test_strangers_take_no_place_of_a_carrier",),
        "interop/test_scanners.py": ("test_scans_find_nothing_open_and_disturb_nothing",),
    },
    "DTLS is taken from the settled pair alone": {
        "runtime/rooms/livekit/test_ice_socket.py": ("test_a_settled_socket_hears_and_speaks_to_its_peer_alone",),
        "runtime/media/test_dtls.py": (
            "test_noise_is_no_handshake",
            "test_another_certificate_than_the_one_in_the_answer_ends_the_handshake",
        ),
        "runtime/media/test_dtls_leg.py": (
            "test_a_client_hello_that_comes_first_does_not_stop_the_phone",
            "test_an_alert_ends_nothing_for_good",
            "test_handshakes_are_bounded_at_a_time_and_in_all",
            "test_with_ice_nobody_shakes_hands_before_its_check",
        ),
    },
    "descriptions, bodies and numbers have bounds and typed faults": {
        "runtime/sip/test_sdp.py": (
            "test_everything_is_bounded",
            "test_noise_is_refused_and_never_crashes",
        ),
        "runtime/sip/test_limits.py": ("test_no_bound_is_without_a_test",),
        "runtime/sip/test_fields.py": ("test_a_broken_cseq_is_400",),
        "runtime/sip/test_validate.py": ("test_a_body_that_is_no_session_description_is_415_and_says_what_is",),
        "fuzz/test_targets.py": ("test_mutants_hold_the_laws",),
    },
    "no header is smuggled": {
        "runtime/sip/test_parser.py": (
            "test_a_fault_in_a_request_is_answered_with_what_could_be_read",
            "test_no_control_byte_beside_a_name_makes_another_header",
        ),
        "runtime/sip/test_message.py": ("test_unknown_names_keep_their_spelling_and_compare_without_case",),
        "runtime/routing/test_headers.py": ("test_the_first_of_each_name_counts_and_credentials_stay_here",),
    },
    "encrypted media of any length never raises": {
        "runtime/media/test_srtp.py": ("test_no_datagram_raises",),
        "runtime/media/test_protection.py": ("test_no_datagram_raises_or_is_taken",),
        "runtime/media/test_ice_lite.py": ("test_no_datagram_raises",),
        "runtime/media/test_dtls_leg.py": ("test_no_datagram_raises_or_gets_anywhere",),
        "runtime/media/test_session.py": ("test_every_truncation_of_a_packet_is_counted_or_played",),
    },
    "toll fraud meets the trunk's own bounds": {
        "flow/test_toll_fraud.py": (
            "test_calls_that_come_in_use_up_nothing_of_what_may_be_placed",
            "test_a_call_that_is_not_answered_counts_until_it_is_over",
        ),
        "flow/test_dialling.py": (
            "test_what_may_not_be_called_is_refused_with_what_to_do",
            "test_toll_fraud_meets_the_trunks_own_limits_of_calls_out",
            "test_a_trunk_has_the_last_word_on_how_long_its_calls_last",
        ),
        "flow/test_transfers.py": ("test_a_guarded_trunk_sends_nobody_to_a_number_that_it_may_not_call",),
        "runtime/routing/test_refer_to.py": ("test_what_was_guarded_is_what_is_sent",),
        "interop/test_providers.py": (
            "test_more_calls_than_the_trunk_may_place_are_refused_before_the_carrier_hears_of_them",
        ),
    },
    "no value breaks out of its line": {
        "runtime/sip/test_writer.py": ("test_a_value_that_breaks_its_line_is_refused",),
        "runtime/routing/test_headers.py": ("test_what_may_be_set_is_one_line_and_not_the_bridges",),
        "runtime/api/livekit/test_server.py": ("test_a_line_break_in_what_becomes_a_header_is_refused_by_name",),
        "runtime/sip/test_offer_answer.py": ("test_a_warning_holds_nothing_that_breaks_it",),
    },
}


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_held_by_tests_that_are_there(rule: str) -> None:
    for name, tests in RULES[rule].items():
        written = set(re.findall(r"^(?:async )?def (test_\w+)\(", (TESTS / name).read_text(), re.MULTILINE))
        assert {*tests} <= written, f"{rule}: {name} has no {', '.join({*tests} - written)}"
