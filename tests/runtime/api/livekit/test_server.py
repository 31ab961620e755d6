"""The LiveKit-compatible API as LiveKit's own client, unchanged, sees it with its URL set to the bridge."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import pytest
from livekit.protocol import models, sip

from runtime.api.livekit import limits
from tests.runtime.api.livekit.serving import CARRIER, DIALLER, KEY, SECRET, asking, posted, serving, token

# -- lists -------------------------------------------------------------------------------------------------------------


def test_an_unchanged_client_lists_the_live_inbound_trunks() -> None:
    [trunk] = asking(lambda client: client.sip.list_inbound_trunk(sip.ListSIPInboundTrunkRequest())).items
    assert (trunk.sip_trunk_id, trunk.name, trunk.metadata) == (CARRIER, "carrier", "gold")
    assert (list(trunk.numbers), list(trunk.allowed_addresses)) == (["+15550100000"], ["192.0.2.0/24"])
    assert (trunk.ringing_timeout.seconds, trunk.max_call_duration.seconds) == (180, 86_400)
    assert trunk.media.encryption == sip.SIP_MEDIA_ENCRYPT_ALLOW
    assert [(codec.name, codec.rate) for codec in trunk.media.codecs] == [("PCMU", 8000)]
    assert (trunk.media.media_timeout.seconds, trunk.media.media_timeout.nanos) == (15, 500_000_000)


def test_an_unchanged_client_lists_the_live_outbound_trunks() -> None:
    [trunk] = asking(lambda client: client.sip.list_outbound_trunk(sip.ListSIPOutboundTrunkRequest())).items
    assert (trunk.sip_trunk_id, trunk.name) == (DIALLER, "shop/dialler")
    assert (trunk.address, trunk.transport) == ("sip.example.com:5061", sip.SIP_TRANSPORT_TLS)
    assert list(trunk.numbers) == ["+15550100001"]


def test_an_unchanged_client_lists_the_live_rules_in_id_order() -> None:
    rules = asking(lambda client: client.sip.list_dispatch_rule(sip.ListSIPDispatchRuleRequest())).items
    assert [rule.sip_dispatch_rule_id for rule in rules] == sorted(rule.sip_dispatch_rule_id for rule in rules)
    by_name = {rule.name: rule for rule in rules}
    assert by_name["support"].rule.dispatch_rule_direct.room_name == "lobby"
    assert list(by_name["support"].trunk_ids) == [CARRIER]
    assert list(by_name["support"].numbers) == ["+15550100000"], "of the PhoneNumber that points at it"
    assert list(by_name["any"].numbers) == ["+1415*"]
    assert not by_name["any"].rule.dispatch_rule_individual.no_randomness


def test_the_old_list_of_trunks_tells_which_way_each_goes() -> None:
    status, body = posted("ListSIPTrunk", b"{}")
    assert status == 200
    kinds = {item["name"]: item["kind"] for item in body["items"]}
    assert kinds == {"carrier": "TRUNK_INBOUND", "shop/dialler": "TRUNK_OUTBOUND"}


@pytest.mark.parametrize("listed", ["Trunk", "InboundTrunk", "OutboundTrunk", "DispatchRule"])
def test_no_secret_is_ever_in_an_answer(listed: str) -> None:
    said = json.dumps(posted(f"ListSIP{listed}", b"{}")[1])
    assert "items" in said
    for secret in ("TRUNK_PASSWORD", "sealed", "PIN", SECRET):
        assert secret not in said


@pytest.mark.parametrize("named", [CARRIER, "carrier", "default/carrier"])
def test_a_name_is_taken_wherever_an_id_is(named: str) -> None:
    request = sip.ListSIPInboundTrunkRequest(trunk_ids=[named])
    assert len(asking(lambda client: client.sip.list_inbound_trunk(request)).items) == 1
    assert posted("GetSIPInboundTrunk", json.dumps({"sip_trunk_id": named}).encode())[1]["trunk"]["name"] == "carrier"


def test_lists_are_filtered_as_livekit_filters() -> None:
    def names(**filters: Any) -> set[str]:
        return {
            item["name"] for item in posted("ListSIPDispatchRule", json.dumps(filters).encode())[1].get("items", [])
        }

    assert names() == {"support", "any", "none"}
    assert names(trunk_ids=["carrier"]) == {"support", "any"}, "a rule for every trunk passes, one for none does not"
    assert names(trunk_ids=["shop/dialler"]) == {"any"}
    assert names(dispatch_rule_ids=["support", "absent"]) == {"support"}
    trunks = posted("ListSIPInboundTrunk", json.dumps({"numbers": ["1 555 010 0000"]}).encode())[1]
    assert len(trunks["items"]) == 1, "numbers are compared normalised"
    assert posted("ListSIPInboundTrunk", json.dumps({"numbers": ["+15559999999"]}).encode())[1] == {"items": []}


def test_pages_follow_each_other_until_one_is_empty() -> None:
    def page(after: str) -> list[str]:
        request = sip.ListSIPDispatchRuleRequest(page=models.Pagination(after_id=after, limit=2))
        rules = asking(lambda client: client.sip.list_dispatch_rule(request)).items
        return [rule.sip_dispatch_rule_id for rule in rules]

    first = page("")
    second = page(first[-1])
    assert (len(first), len(second), page(second[-1])) == (2, 1, [])
    assert posted("ListSIPTrunk", b'{"page": {"limit": -1}}')[1]["code"] == "invalid_argument"


# -- changes -----------------------------------------------------------------------------------------------------------


def test_a_change_is_refused_with_where_the_object_is_declared() -> None:
    fault = asking(lambda client: client.sip.delete_trunk(sip.DeleteSIPTrunkRequest(sip_trunk_id=CARRIER)))
    assert (fault.code, fault.status) == ("failed_precondition", 412)
    assert "Trunk default/carrier is declared in trunks.yaml:3" in fault.message
    assert fault.metadata == {"declared": "trunks.yaml:3"}
    status, body = posted("UpdateSIPDispatchRule", b'{"sip_dispatch_rule_id": "support", "update": {"name": "x"}}')
    assert (status, body["meta"]["declared"]) == (412, "rules.yaml:9")


def test_a_new_object_is_refused_with_how_to_declare_it() -> None:
    request = sip.CreateSIPInboundTrunkRequest(trunk=sip.SIPInboundTrunkInfo(name="new"))
    fault = asking(lambda client: client.sip.create_inbound_trunk(request))
    assert fault.code == "failed_precondition"
    assert "manifest of kind Trunk" in fault.message
    assert "reconcile apply" in fault.message


def test_what_is_not_live_is_not_found() -> None:
    fault = asking(
        lambda client: client.sip.delete_dispatch_rule(sip.DeleteSIPDispatchRuleRequest(sip_dispatch_rule_id="SDR_x"))
    )
    assert (fault.code, fault.status) == ("not_found", 404)
    assert posted("DeleteSIPTrunk", b"{}")[1]["code"] == "invalid_argument"
    assert posted("GetSIPOutboundTrunk", b'{"sip_trunk_id": "carrier"}')[1]["code"] == "not_found"


# -- bad input ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("authorization", "words"),
    [
        ("", "Must start with Bearer"),
        ("Basic eDp5", "Must start with Bearer"),
        ("Bearer x", "invalid authorization token"),
        ("Bearer a.b.c", "invalid authorization token"),
        (f"Bearer {token(life_s=-3600, admin=True)}", "expired"),
        (f"Bearer {token(life_s=86_400, call=True)}", "sip.admin"),
        (f"Bearer {token(life_s=86_400)[:-4]}AAAA", "LIVEKIT_API_SECRET"),
    ],
    ids=["none", "basic", "no-token", "no-json", "expired", "other-grant", "other-secret"],
)
def test_a_token_that_does_not_allow_it_is_told_why(authorization: str, words: str) -> None:
    status, body = posted("ListSIPTrunk", b"{}", Authorization=authorization)
    assert (status, body["code"]) == (401, "unauthenticated")
    assert words in body["msg"]


@pytest.mark.parametrize(("key", "secret"), [("other", SECRET), (KEY, "wrong" * 8)])
def test_wrong_keys_are_told_to_an_unchanged_client(key: str, secret: str) -> None:
    fault = asking(lambda client: client.sip.list_inbound_trunk(sip.ListSIPInboundTrunkRequest()), key, secret)
    assert (fault.code, fault.status) == ("unauthenticated", 401)


@pytest.mark.parametrize("form", ["application/json", "application/protobuf"])
@pytest.mark.parametrize("body", [b"\xff\xff", b"{", b"[" * 5000])
def test_a_malformed_body_is_told_as_such(form: str, body: bytes) -> None:
    status, answer = posted("ListSIPTrunk", body, form)
    assert (status, answer["code"]) == (400, "malformed")


def test_other_bodies_and_paths_are_bad_routes() -> None:
    assert posted("ListSIPTrunk", b"<x/>", "text/xml")[1]["code"] == "bad_route"
    assert posted("ListSIPThings", b"{}")[1]["code"] == "bad_route"


def test_a_body_beyond_the_bound_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SIP_BODY_BYTES_MAX", 1000)
    assert posted("ListSIPTrunk", b" " * 1001)[1]["code"] == "invalid_argument"


@pytest.mark.parametrize(
    "fields",
    [
        {"sip_call_to": "+1\r\nX: y"},
        {"headers": {"X-A": "1\nVia: x"}},
        {"headers": {"X-A\r": "1"}},
        {"trunk": {"hostname": "a\0b"}},
    ],
)
def test_a_line_break_in_what_becomes_a_header_is_refused_by_name(fields: dict[str, Any]) -> None:
    body = {"sip_call_to": "+15550100002", "room_name": "lobby", **fields}
    status, answer = posted("CreateSIPParticipant", json.dumps(body).encode())
    assert (status, answer["code"]) == (400, "invalid_argument")
    assert answer["meta"]["argument"].split(".")[0] == next(iter(fields))


def test_connections_are_bounded_and_a_silent_one_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CONNECTIONS_MAX", 2)
    monkeypatch.setattr(limits, "FIRST_REQUEST_S_MAX", 0.2)

    async def scenario(url: str) -> None:
        host, port = url.removeprefix("http://").split(":")
        silent = [await asyncio.open_connection(host, int(port)) for _ in range(2)]
        await asyncio.sleep(0.05)
        third, writer = await asyncio.open_connection(host, int(port))
        assert await third.read() == b"", "one too many"
        for reader, _ in silent:
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b"", "cut off"
        for closing in (writer, *(w for _, w in silent)):
            closing.close()

    serving(scenario)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /" + b"a" * limits.REQUEST_LINE_BYTES_MAX + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * (limits.HEADER_BYTES_MAX + 1) + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    ],
    ids=["tls", "long-line", "long-header", "bad-length"],
)
def test_what_is_no_http_is_refused_and_told_in_one_short_line(sent: bytes, caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []

    async def scenario(url: str) -> bytes:
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(sent)
        try:
            return await reader.readline()
        finally:
            writer.close()

    answer = serving(scenario, log=lambda event, **_: told.append(event))
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
    line = "the LiveKit-compatible API was sent what is no HTTP request (told once a minute)"
    assert told == ([] if sent.startswith(b"\x16") else [line]), "aiohttp itself says nothing of TLS"
    assert not caplog.records
