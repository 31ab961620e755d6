"""What strangers in a room may say to a phone."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import models

from runtime.rooms.livekit.desk import Desk, EndAsked, PlayDigit, Reply
from runtime.rooms.livekit.limits import DATA_BYTES_MAX, DIGITS_BURST, RPC_BURST

HEADERS = (("X-Tenant", "acme"), ("Subject", "hello"))


def desk() -> Desk:
    return Desk("sip_1", HEADERS, lambda identity: identity.startswith("sip_"), 0.0)


def digit(text: str, sender: str = "agent", to: tuple[str, ...] = ()) -> bytes:
    tone = models.SipDTMF(digit=text)
    return models.DataPacket(sip_dtmf=tone, participant_identity=sender, destination_identities=to).SerializeToString()


def call(method: str, payload: str, version: int = 1) -> bytes:
    request = models.RpcRequest(id="r", method=method, payload=payload, version=version)
    return models.DataPacket(rpc_request=request, participant_identity="agent").SerializeToString()


def answer(reactions: list[object]) -> models.RpcResponse:
    ack, reply, *_ = reactions
    assert isinstance(ack, Reply)
    assert isinstance(reply, Reply)
    packets = [models.DataPacket.FromString(each.data) for each in (ack, reply)]
    assert packets[0].rpc_ack.request_id == packets[1].rpc_response.request_id == "r"
    assert [list(packet.destination_identities) for packet in packets] == [["agent"], ["agent"]]
    return packets[1].rpc_response


def test_a_digit_of_an_agent_is_played_and_one_of_another_phone_only_when_it_names_us() -> None:
    assert desk().receive(digit("5"), 0.0) == [PlayDigit("5")]
    assert desk().receive(digit("5", "sip_2"), 0.0) == []
    assert desk().receive(digit("5", "sip_2", ("sip_1",)), 0.0) == [PlayDigit("5")]


@pytest.mark.parametrize("text", ["", "55", "x", "\r", "é"])
def test_what_is_no_digit_is_passed_over(text: str) -> None:
    assert desk().receive(digit(text), 0.0) == []


def test_our_digits_are_what_livekit_writes() -> None:
    packet = models.DataPacket.FromString(Desk.digit("D"))
    assert (packet.sip_dtmf.digit, packet.sip_dtmf.code) == ("d", 15)


def test_headers_are_told_by_name() -> None:
    all_of_them = answer(desk().receive(call("lk.sip.GetRemoteHeaders", ""), 0.0))
    assert json.loads(all_of_them.payload) == {"headers": dict(HEADERS)}
    some = answer(desk().receive(call("lk.sip.GetRemoteHeaders", '{"include": ["x-tenant", 3]}'), 0.0))
    assert json.loads(some.payload) == {"headers": {"X-Tenant": "acme"}}
    others = answer(desk().receive(call("lk.sip.GetRemoteHeaders", '{"exclude": ["x-tenant"]}'), 0.0))
    assert json.loads(others.payload) == {"headers": {"Subject": "hello"}}


def test_the_call_can_be_ended_with_headers_of_one_line() -> None:
    reactions = desk().receive(call("lk.sip.EndCall", '{"headers": {"X-Why": "done"}}'), 0.0)
    assert answer(reactions).payload == "{}"
    assert reactions[2] == EndAsked((("X-Why", "done"),), "agent")


@pytest.mark.parametrize(
    "payload",
    [
        "[]", "{", "[" * 100_000, '{"headers": 3}', '{"headers": {"X": 3}}', '{"headers": {"X-A": "a\\r\\nVia: b"}}',
        '{"headers": {"X-A\\r\\nVia": "a"}}', '{"headers": {"Via": "a"}}', '{"headers": {"X-A": "a\\u2028b"}}',
        json.dumps({"headers": {f"X-{n}": "" for n in range(33)}}), json.dumps({"headers": {"X-A": "a" * 2000}}),
    ],
)  # fmt: skip
def test_a_payload_that_would_break_out_ends_nothing(payload: str) -> None:
    reactions = desk().receive(call("lk.sip.EndCall", payload), 0.0)
    assert len(reactions) <= 2
    if reactions:
        assert answer(reactions).error.code == 1500


def test_unknown_methods_and_versions_are_answered_as_such() -> None:
    assert answer(desk().receive(call("lk.sip.Transfer", "{}"), 0.0)).error.code == 1400
    assert answer(desk().receive(call("lk.sip.EndCall", "{}", version=7), 0.0)).error.code == 1404


def test_rates_and_sizes_are_bounded() -> None:
    one = desk()
    assert sum(len(one.receive(digit("1"), 0.0)) for _ in range(500)) == DIGITS_BURST
    assert sum(len(one.receive(call("x", "{}"), 0.0)) for _ in range(500)) == 2 * RPC_BURST
    assert one.receive(bytes(DATA_BYTES_MAX + 1), 0.0) == []


@given(st.binary(max_size=300))
def test_no_packet_raises(data: bytes) -> None:
    assert desk().receive(data, 0.0) == []


def test_who_calls_too_often_takes_nothing_from_others() -> None:
    ours = desk()
    for _ in range(int(RPC_BURST) + 5):
        ours.receive(call("lk.sip.GetRemoteHeaders", "{}"), 0.0)
    assert ours.receive(call("lk.sip.GetRemoteHeaders", "{}"), 0.0) == []
    request = models.RpcRequest(id="r", method="lk.sip.EndCall", payload="{}", version=1)
    other = models.DataPacket(rpc_request=request, participant_identity="honest").SerializeToString()
    assert any(isinstance(each, EndAsked) for each in ours.receive(other, 0.0))


@pytest.mark.parametrize(
    ("body", "told"),
    [("h\N{EURO SIGN}".encode(), {"body": "h\N{EURO SIGN}"}), (b"\xff", {"bodyBase64": "/w=="})],
)
def test_what_a_phone_writes_is_told_as_data(body: bytes, told: dict[str, str]) -> None:
    packet = models.DataPacket.FromString(Desk.message("MESSAGE", "text/plain", body))
    assert (packet.kind, packet.user.topic) == (models.DataPacket.RELIABLE, "sip.message")
    assert json.loads(packet.user.payload) == {"method": "MESSAGE", "contentType": "text/plain", **told}
