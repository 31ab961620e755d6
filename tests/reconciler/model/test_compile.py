from __future__ import annotations

from reconciler.model.desired import desire
from reconciler.model.live import Live
from schemas.tables.rows import (
    Agent,
    Auth,
    Direction,
    Headers,
    Inbound,
    Media,
    NumberRow,
    Outbound,
    OutboundTls,
    PinPrompts,
    Recording,
    Room,
    RoomKind,
    RuleRow,
    Secret,
    TrunkRow,
)
from tests.reconciler.declaring import declared, document, number, ref, rule, trunk


def rows(*documents):
    desired = desire(declared({"a.yaml": list(documents)}), Live())
    assert not desired.problems
    return desired.rows


def test_what_nobody_wrote_keeps_the_rows_own_defaults():
    found = rows(trunk(), rule(), number())
    assert found.trunks["default/carrier"] == TrunkRow("default/carrier", Inbound(("10.1.0.0/16",)), claimed_since=1)
    assert found.rules["default/support"] == RuleRow("default/support", RoomKind.DIRECT, "lobby", claimed_since=1)
    assert found.numbers["default/main"] == NumberRow("default/main", "+14155550100", claimed_since=1)


def test_every_field_of_a_trunk_reaches_its_row():
    policy = {
        "headers": {"X-B": "b", "X-A": "a"},
        "headersToAttributes": {"X-Tenant": "tenant"},
        "attributesToHeaders": {"tenant": "X-Tenant"},
        "includeHeaders": "x",
    }
    auth = {"username": "acme", "realm": "r", "passwordFrom": {"env": "P"}}
    declared_trunk = trunk(
        inbound={
            **policy,
            "allowedAddresses": ["192.0.2.7", "2001:db8::/32"],
            "allowedNumbers": ["+1 415*"],
            "calledNumbers": "declared",
            "auth": auth,
            "ringingTimeout": "30s",
            "maxCallDuration": "2h",
            "noiseCancellation": True,
        },
        outbound={
            **policy,
            "addresses": ["sip.example.com"],
            "transport": "tls",
            "proxy": "sip:proxy.example.com;transport=tls",
            "fromHost": "acme.example.com",
            "auth": auth,
            "register": {"expires": "5m"},
            "probe": {"every": "30s"},
            "tls": {"certificateFrom": {"file": "c.pem"}, "keyFrom": {"secretKeyRef": {"name": "tls", "key": "key"}}},
            "destinationCountry": "US",
            "allowedDestinations": ["+1*"],
            "limits": {"maxConcurrentCalls": 20, "callsPerSecond": 2, "maxCallDuration": "1h"},
        },
        media={"codecs": ["pcma"], "encryption": "require", "roomCodec": "opus", "dtmf": ["info"], "timeout": "15s"},
        mediaAddresses=["192.0.2.0/24"],
        regions=["us-east"],
        limits={"maxConcurrentCalls": 50, "callsPerSecond": 5},
        referTo="tel",
        metadata="m",
    )
    headers = Headers((("X-A", "a"), ("X-B", "b")), (("X-Tenant", "tenant"),), (("tenant", "X-Tenant"),), "x")
    password = Auth("acme", Secret("env:P"), "r")
    assert rows(declared_trunk).trunks["default/carrier"] == TrunkRow(
        "default/carrier",
        Inbound(("192.0.2.7/32", "2001:db8::/32"), ("+1415*",), True, password, headers, 30_000, 7_200_000, True),
        Outbound(
            ("sip.example.com",),
            "tls",
            "acme.example.com",
            password,
            headers,
            300_000,
            30_000,
            OutboundTls(Secret("file:c.pem"), Secret("secret:tls/key")),
            "US",
            ("+1*",),
            20,
            2,
            3_600_000,
            proxy="sip:proxy.example.com;transport=tls;lr",
        ),
        Media(("pcma",), "require", "opus", ("info",), 15_000),
        ("us-east",),
        50,
        5,
        "m",
        "tel",
        media_networks=("192.0.2.0/24",),
        claimed_since=1,
    )


def test_every_field_of_a_rule_reaches_its_row():
    spec = {
        "trunkRefs": [ref("carrier"), ref("carrier")],
        "match": {"to": ["+1 (415) 555-0100"], "from": ["+44*"]},
        "priority": 7,
        "pinFrom": {"env": "PIN"},
        "pinPrompts": {"ask": "a.wav", "goodbye": "b.wav"},
        "rule": {"callee": {"roomPrefix": "line", "randomize": True}},
        "room": {
            "agents": [{"agentName": "a", "metadata": "{}"}],
            "emptyTimeout": "60s",
            "departureTimeout": "20s",
            "maxParticipants": 4,
            "metadata": "rm",
            "preset": "p",
        },
        "attributes": {"team": "support"},
        "metadata": "m",
        "hidePhoneNumber": True,
        "noiseCancellation": True,
        "media": {"timeout": "20s"},
        "answer": "immediately",
        "ringback": "gb",
        "holdMusic": "builtIn",
        "recording": {"format": "wav", "maxDuration": "1h"},
        "messages": "room",
        "fallback": {"sipCode": 486},
    }
    assert rows(trunk(), document("DispatchRule", "support", spec)).rules["default/support"] == RuleRow(
        "default/support",
        RoomKind.CALLEE,
        "line",
        True,
        ("default/carrier",),
        ("+14155550100",),
        ("+44*",),
        7,
        Secret("env:PIN"),
        PinPrompts("a.wav", "", "b.wav"),
        Room((Agent("a", "{}"),), 60_000, 20_000, 4, "rm", "p"),
        (("team", "support"),),
        "m",
        True,
        True,
        Media(timeout_ms=20_000),
        "immediately",
        "gb",
        "builtIn",
        Recording("wav", 3_600_000),
        "room",
        486,
        claimed_since=1,
    )


def test_the_kinds_of_room_randomise_as_livekit_does():
    found = rows(
        document("DispatchRule", "i", {"rule": {"individual": {}}, "priority": 1}),
        document("DispatchRule", "c", {"rule": {"callee": {}}, "priority": 2}),
    ).rules
    assert (found["default/i"].kind, found["default/i"].randomize) == (RoomKind.INDIVIDUAL, True)
    assert (found["default/c"].kind, found["default/c"].randomize) == (RoomKind.CALLEE, False)


def test_every_field_of_a_number_reaches_its_row():
    declared_number = number(trunkRef=ref("carrier"), dispatchRuleRef=ref("support"), direction="inbound")
    assert rows(trunk(), rule(), declared_number).numbers["default/main"] == NumberRow(
        "default/main", "+14155550100", "default/carrier", "default/support", Direction.INBOUND, 1
    )
