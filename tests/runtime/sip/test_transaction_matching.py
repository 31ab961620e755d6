"""Which transaction a message belongs to (RFC 3261 sections 17.1.3, 17.2.3 and 8.2.2.2)."""

from __future__ import annotations

import pytest

from runtime.sip.incoming import read_request
from runtime.sip.parser import parse_message
from tests.runtime.sip.bench import Bench
from tests.runtime.sip.raw import PATH, request

# Matching, sections 17.1.3 and 17.2.3


def found(bench, method="INVITE", **kwargs):
    incoming = read_request(parse_message(request(method, **kwargs)), PATH)
    return bench.layer.find_server(incoming, method)


@pytest.mark.parametrize(
    ("change", "matches"),
    [
        ({}, True),
        ({"branch": "Z9HG4BK-1"}, True),
        ({"cseq": 9, "call_id": "other", "from_tag": "x"}, True),
        ({"branch": "z9hG4bK-2"}, False),
        ({"sent_by": "192.0.2.9"}, False),
        ({"sent_by": "192.0.2.1:5060"}, True),
        ({"sent_by": "192.0.2.1:5062"}, False),
    ],
)
def test_branch_and_sent_by_name_a_transaction(change, matches):
    bench = Bench()
    invite = bench.server("INVITE")
    assert found(bench, **change) is (invite if matches else None)


def test_an_ack_finds_its_invite_and_a_cancel_does_not_by_its_own_method():
    bench = Bench()
    invite = bench.server("INVITE")
    assert found(bench, "ACK") is invite
    assert found(bench, "CANCEL") is None
    assert found(bench, "BYE") is None


@pytest.mark.parametrize("branch", [None, "z9hG4bK", "1", "oldstyle"])
@pytest.mark.parametrize(
    ("change", "matches"),
    [
        ({}, True),
        ({"cseq": 2}, False),
        ({"call_id": "other"}, False),
        ({"from_tag": "x"}, False),
        ({"uri": "sip:carol@192.0.2.2"}, False),
        ({"sent_by": "192.0.2.9"}, False),
    ],
)
def test_rfc_2543_peers_are_matched_by_what_makes_a_request(branch, change, matches):
    bench = Bench()
    invite = bench.layer.open_server(read_request(parse_message(request(branch=branch)), PATH))
    assert found(bench, branch=branch, **change) is (invite if matches else None)


def test_an_rfc_2543_ack_is_the_transactions_only_with_our_to_tag():
    bench = Bench()
    invite = bench.layer.open_server(read_request(parse_message(request(branch=None)), PATH))
    invite.to_tag = "us"
    assert found(bench, "ACK", branch=None, to_tag="us") is invite
    assert found(bench, "ACK", branch=None, to_tag="other") is None


def test_a_request_that_came_twice_by_different_ways_is_merged_until_the_first_is_over():
    bench = Bench()
    invite = bench.server("INVITE")
    twin = read_request(parse_message(request(branch="z9hG4bK-2")), PATH)
    assert bench.layer.is_merged(twin)
    for other in ({"cseq": 2}, {"from_tag": "x"}, {"call_id": "x"}, {"to_tag": "us"}):
        assert not bench.layer.is_merged(read_request(parse_message(request(branch="z9hG4bK-2", **other)), PATH))
    invite.abandon()
    assert not bench.layer.is_merged(twin)
