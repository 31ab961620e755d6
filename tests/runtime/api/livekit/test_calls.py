"""Calls are placed and transferred as LiveKit's own client, unchanged, asks for them and reads what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest
from google.protobuf.duration_pb2 import Duration
from livekit import api
from livekit.protocol import sip

from runtime.api.livekit import limits, server
from runtime.routing.dial import (
    DialRequest,
    Failure,
    FailureKind,
    TransferReason,
    Transferred,
    TransferRequest,
)
from tests.runtime.api.livekit.requests import LEAST
from tests.runtime.api.livekit.serving import DIALLER, KEY, SECRET, asking, served, switching, token
from tests.runtime.api.livekit.switch import Switch

TRANSFER = {"room_name": "lobby", "participant_identity": "sip_1", "transfer_to": "sip:ann@example.com"}
JSON = "application/json"


def asked_of(switch_answer: Any, ask: Any) -> tuple[Any, list[Any]]:
    """What the client gets or raises when its order comes to `switch_answer`, and what was ordered."""

    async def scenario(url: str, switch: Switch) -> tuple[Any, list[Any]]:
        switch.answer = switch_answer
        switch.open()
        async with api.LiveKitAPI(url, KEY, SECRET) as client:
            try:
                return await ask(client.sip), switch.asked
            except api.TwirpError as fault:
                return fault, switch.asked

    got, orders = switching(scenario)
    return got, orders


def rights(room: str = "lobby", call: bool = True) -> str:
    made = api.AccessToken(KEY, SECRET).with_sip_grants(api.SIPGrants(call=call))
    return made.with_grants(api.VideoGrants(room_admin=True, room=room)).to_jwt()


async def post(
    url: str, method: str, fields: Mapping[str, Any], request_id: str = "", authorization: str = ""
) -> tuple[int, dict[str, Any]]:
    """Status and JSON of one raw request."""
    headers = {"Authorization": f"Bearer {authorization or rights()}", "Content-Type": JSON}
    if request_id:
        headers["X-Livekit-Request-Id"] = request_id
    path = f"{url}/twirp/livekit.SIP/{method}"
    async with aiohttp.ClientSession() as session, session.post(path, json=fields, headers=headers) as answer:
        return answer.status, await answer.json()


# -- placing -----------------------------------------------------------------------------------------------------------


def test_an_unchanged_client_places_a_call() -> None:
    request = sip.CreateSIPParticipantRequest(**LEAST, wait_until_answered=True, dtmf="1", participant_identity="ann")
    info, orders = asked_of(None, lambda client: client.create_sip_participant(request, trunk_id=DIALLER))
    assert (info.sip_call_id, info.participant_id, info.room_name) == ("SCL_a", "PA_b", "lobby")
    assert info.participant_identity == "sip_+15550100002"
    assert orders == [
        DialRequest(
            "+15550100002",
            "lobby",
            "shop/dialler",
            identity="ann",
            dtmf="1",
            ringing_timeout_s=30,
            wait_until_answered=True,
        )
    ]


def test_an_unchanged_client_reads_the_status_of_a_call_that_failed() -> None:
    busy = Failure(FailureKind.ABORTED, "the carrier refused the call", 486, "Busy Here")
    request = sip.CreateSIPParticipantRequest(**LEAST, wait_until_answered=True)
    fault, _ = asked_of(busy, lambda client: client.create_sip_participant(request))
    assert isinstance(fault, api.SipCallError)
    assert (fault.sip_status_code, fault.sip_status) == (486, "Busy Here")
    assert (fault.code, fault.status) == ("resource_exhausted", 429)
    assert fault.message == "sip status 486: Busy Here; the carrier refused the call"


def test_an_unchanged_client_is_told_why_nothing_was_dialled() -> None:
    full = Failure(FailureKind.UNAVAILABLE, "this bridge is stopping")
    request = sip.CreateSIPParticipantRequest(**LEAST)
    fault, _ = asked_of(full, lambda client: client.create_sip_participant(request))
    assert not isinstance(fault, api.SipCallError)
    assert (fault.code, fault.status, fault.message) == ("unavailable", 503, "this bridge is stopping")


def test_json_is_answered_in_json() -> None:
    async def scenario(url: str, switch: Switch) -> None:
        switch.open()
        assert await post(url, "CreateSIPParticipant", {**LEAST, "ringingTimeout": "5s"}) == (
            200,
            {
                "participant_id": "PA_b",
                "participant_identity": "sip_+15550100002",
                "room_name": "lobby",
                "sip_call_id": "SCL_a",
            },
        )
        assert switch.asked == [DialRequest("+15550100002", "lobby", "shop/dialler", ringing_timeout_s=5)]

    switching(scenario)


@pytest.mark.parametrize("method", ["CreateSIPParticipant", "TransferSIPParticipant"])
def test_what_is_refused_reaches_nobody(method: str) -> None:
    async def scenario(url: str, switch: Switch) -> None:
        fields = {"CreateSIPParticipant": LEAST, "TransferSIPParticipant": TRANSFER}[method]
        for missing in fields.keys() - {"sip_trunk_id"}:
            status, answer = await post(url, method, {**fields, missing: ""})
            assert (status, answer["code"]) == (400, "invalid_argument")
            assert answer["meta"] == {"argument": missing}
        for name in ("X\r\nVia", "X-A"):
            status, answer = await post(url, method, {**fields, "headers": {name: "1\r\nVia: x"}})
            assert (status, answer["meta"]) == (400, {"argument": "headers"})
        for authorization in (token(admin=True), rights(call=False)):
            status, answer = await post(url, method, fields, authorization=authorization)
            assert (status, answer["code"]) == (401, "unauthenticated")
        assert switch.asked == []

    switching(scenario)


def test_a_trunk_that_is_not_live_is_not_found() -> None:
    request = sip.CreateSIPParticipantRequest(**{**LEAST, "sip_trunk_id": "ST_x"})
    fault = asking(lambda client: client.sip.create_sip_participant(request))
    assert (fault.code, fault.status) == ("not_found", 404)


# -- transferring ------------------------------------------------------------------------------------------------------


def test_an_unchanged_client_transfers_a_call() -> None:
    request = sip.TransferSIPParticipantRequest(**TRANSFER, ringing_timeout=Duration(seconds=9), play_dialtone=True)
    answer, orders = asked_of(None, lambda client: client.transfer_sip_participant(request))
    assert (answer.transfer_id, answer.status) == ("STR_c", sip.STS_TRANSFER_SUCCESSFUL)
    assert (answer.reason, answer.sip_status.code) == (sip.STR_COMPLETED, 200)
    assert orders == [TransferRequest("lobby", "sip_1", "<sip:ann@example.com>", True, ringing_timeout_s=9)]


def test_an_unchanged_client_reads_why_a_transfer_failed() -> None:
    declined = Failure(FailureKind.ABORTED, "they declined", 603, "Decline")
    outcome = Transferred("STR_c", TransferReason.REJECTED, 603, "Decline", declined)
    request = sip.TransferSIPParticipantRequest(**TRANSFER)
    fault, _ = asked_of(outcome, lambda client: client.transfer_sip_participant(request))
    assert isinstance(fault, api.SipCallError)
    assert (fault.sip_status_code, fault.sip_status) == (603, "Decline")
    assert (fault.sip_transfer_reason, fault.sip_transfer_id) == ("STR_REJECTED", "STR_c")
    assert (fault.code, fault.status) == ("permission_denied", 403)


def test_a_transfer_needs_the_administration_of_its_room() -> None:
    async def scenario(url: str, switch: Switch) -> None:
        for authorization in (rights("another"), token(call=True, admin=True)):
            status, answer = await post(url, "TransferSIPParticipant", TRANSFER, authorization=authorization)
            assert (status, answer["code"]) == (401, "unauthenticated")
            assert "roomAdmin" in answer["msg"]
        assert switch.asked == []

    switching(scenario)


# -- again and again ---------------------------------------------------------------------------------------------------


def test_a_repeated_request_is_one_call() -> None:
    async def scenario(url: str, switch: Switch) -> None:
        both = [asyncio.create_task(post(url, "CreateSIPParticipant", LEAST, "id")) for _ in range(2)]
        await switch.begins()
        switch.open()
        first, second = await asyncio.gather(*both)
        assert first == second == await post(url, "CreateSIPParticipant", LEAST, "id")
        assert len(switch.asked) == 1
        status, answer = await post(url, "CreateSIPParticipant", {**LEAST, "dtmf": "1"}, "id")
        assert (status, answer["meta"]) == (400, {"argument": "X-Livekit-Request-Id"})
        await post(url, "CreateSIPParticipant", LEAST)
        assert len(switch.asked) == 2

    switching(scenario)


def test_one_body_under_one_id_to_two_methods_is_two_requests() -> None:
    async def scenario(url: str, switch: Switch) -> None:
        switch.open()
        both = {**LEAST, **TRANSFER}
        assert (await post(url, "CreateSIPParticipant", both, "id"))[0] == 200
        assert (await post(url, "TransferSIPParticipant", both, "id"))[0] == 400

    switching(scenario)


def test_a_client_that_hangs_up_does_not_end_the_call() -> None:
    async def scenario(url: str, switch: Switch) -> None:
        gone = asyncio.create_task(post(url, "CreateSIPParticipant", LEAST, "id"))
        await switch.begins()
        gone.cancel()
        await asyncio.wait([gone])
        status, answer = await post(url, "CreateSIPParticipant", {**LEAST, "dtmf": "1"}, "id")
        assert (status, answer["code"]) == (400, "invalid_argument"), "it is still under way"
        switch.open()
        assert (await post(url, "CreateSIPParticipant", LEAST, "id"))[1]["sip_call_id"] == "SCL_a"
        assert (len(switch.asked), switch.cancelled) == (1, 0)

    switching(scenario)


def test_who_repeats_a_request_needs_the_right_to_it() -> None:
    async def scenario(url: str, switch: Switch) -> None:
        switch.open()
        await post(url, "TransferSIPParticipant", TRANSFER, "id")
        status, _ = await post(url, "TransferSIPParticipant", TRANSFER, "id", rights("another"))
        assert status == 401

    switching(scenario)


def test_too_many_orders_and_too_long_a_wait_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ORDERS_MAX", 1)
    monkeypatch.setattr(limits, "DIAL_S_MAX", 0.3)

    async def scenario(url: str, switch: Switch) -> None:
        slow = asyncio.create_task(post(url, "CreateSIPParticipant", LEAST))
        await switch.begins()
        status, answer = await post(url, "CreateSIPParticipant", LEAST)
        assert (status, answer["code"]) == (429, "resource_exhausted")
        status, answer = await slow
        assert (status, answer["code"]) == (408, "deadline_exceeded")

    switching(scenario)


def test_a_fault_of_ours_is_not_told_to_strangers(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(url: str, switch: Switch) -> None:
        switch.answer = ZeroDivisionError("secret")
        switch.open()
        headers = {"Authorization": f"Bearer {rights()}", "Content-Type": JSON}
        path = f"{url}/twirp/livekit.SIP/CreateSIPParticipant"
        async with (
            aiohttp.ClientSession() as session,
            session.post(path, json=LEAST, headers=headers) as answer,
        ):
            assert answer.status == 500
            assert "secret" not in await answer.text()

    switching(scenario)
    assert any(record.exc_info for record in caplog.records)


def test_the_listener_stops_while_a_call_is_being_placed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "STOP_S_MAX", 0.05)

    async def run() -> None:
        switch = Switch()

        async def scenario(url: str) -> Any:
            waiting = asyncio.gather(post(url, "CreateSIPParticipant", LEAST), return_exceptions=True)
            await switch.begins()
            return waiting

        waiting = await served(scenario, None, switch)
        [told] = await waiting
        assert isinstance(told, aiohttp.ClientError), "the connection ends without an answer"
        assert switch.cancelled == 1

    asyncio.run(run())
