"""Any folder of what LiveKit can hold: each field of each kind that it has, in documents that may clash and change."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import strategies as st

from tests.reconciler.declaring import Document, document

NAMES = ("a", "b", "c")
NUMBERS = ("+14155550100", "+14155550101", "+442071838750")
_NETWORKS = ("10.1.0.0/16", "10.2.3.4")
_text = st.sampled_from(["", "some text", "two\nlines\n"])
_pairs = st.dictionaries(st.sampled_from(["team", "tenant"]), st.sampled_from(["x", "y"]), max_size=2)
_numbers = st.lists(st.sampled_from(NUMBERS), max_size=2, unique=True)
_place = st.sampled_from([{"env": "PARTNER_PASSWORD"}, {"env": "BOARD_PIN"}])
_auth = st.fixed_dictionaries({"username": st.sampled_from(["acme", "other"]), "passwordFrom": _place})
_policy = {
    "headers": st.dictionaries(st.sampled_from(["X-Team", "X-Tenant"]), st.sampled_from(["x", "y"]), max_size=2),
    "headersToAttributes": st.just({"X-Tenant": "tenant"}),
    "attributesToHeaders": st.just({"tenant": "X-Tenant"}),
    "includeHeaders": st.sampled_from(["none", "x", "all"]),
}
_media = st.fixed_dictionaries(
    {},
    optional={
        "codecs": st.permutations(["g722", "pcmu", "pcma"]),
        "encryption": st.sampled_from(["disable", "allow", "require"]),
        "roomCodec": st.just("auto"),
        "timeout": st.sampled_from(["15s", "1m30s"]),
    },
)
_inbound = st.fixed_dictionaries(
    {
        "allowedAddresses": st.lists(
            st.sampled_from(["10.1.0.0/16", "10.2.3.4", "2001:db8::/32"]), min_size=1, unique=True
        )
    },
    optional={
        **_policy,
        "allowedNumbers": _numbers,
        "calledNumbers": st.sampled_from(["any", "declared"]),
        "auth": st.builds(lambda auth, realm: {**auth, **realm}, _auth, st.sampled_from([{}, {"realm": "r"}])),
        "ringingTimeout": st.sampled_from(["30s", "3m"]),
        "maxCallDuration": st.sampled_from(["2h", "1500ms", "24h"]),
        "noiseCancellation": st.booleans(),
    },
)
_outbound = st.fixed_dictionaries(
    {"addresses": st.sampled_from([["sip.example.com"], ["a.example.com:5080"]])},
    optional={
        **_policy,
        "transport": st.sampled_from(["auto", "udp", "tcp", "tls"]),
        "fromHost": st.just("acme.example.com"),
        "auth": _auth,
        "destinationCountry": st.just("US"),
    },
)
_halves = st.one_of(
    st.fixed_dictionaries({"inbound": _inbound}),
    st.fixed_dictionaries({"outbound": _outbound}),
    st.fixed_dictionaries({"inbound": _inbound, "outbound": _outbound}),
)
_policy_of_end = st.sampled_from([{}, {"deletionPolicy": "Retain"}])
_trunk = st.builds(
    lambda halves, rest, end: {**halves, **rest, **end},
    _halves,
    st.fixed_dictionaries({}, optional={"media": _media, "metadata": _text}),
    _policy_of_end,
)
_room = st.fixed_dictionaries(
    {},
    optional={
        "agents": st.sampled_from([[], [{"agentName": "a"}, {"agentName": "b", "metadata": "{}"}]]),
        "emptyTimeout": st.just("60s"),
        "departureTimeout": st.just("20s"),
        "maxParticipants": st.just(4),
        "metadata": _text,
        "preset": st.sampled_from(["", "large"]),
    },
)
_choice = st.one_of(
    st.sampled_from([{"direct": {"room": "lobby"}}, {"direct": {"room": "hall"}}]),
    *(
        st.fixed_dictionaries(
            {kind: st.fixed_dictionaries({}, optional={"roomPrefix": st.just("call"), "randomize": st.booleans()})}
        )
        for kind in ("individual", "callee")
    ),
)
_refs = st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True)
_scope = st.one_of(st.just({}), _refs.map(lambda names: {"trunkRefs": [{"name": name} for name in names]}))
_rule = st.builds(
    lambda spec, scope, end: {**spec, **scope, **end},
    st.fixed_dictionaries(
        {"rule": _choice},
        optional={
            "match": st.fixed_dictionaries({}, optional={"to": _numbers, "from": _numbers}),
            "pinFrom": st.just({"env": "BOARD_PIN"}),
            "room": _room,
            "attributes": _pairs,
            "metadata": _text,
            "hidePhoneNumber": st.booleans(),
            "noiseCancellation": st.booleans(),
            "media": _media,
        },
    ),
    _scope,
    _policy_of_end,
)
_number = st.fixed_dictionaries(
    {"trunkRef": st.sampled_from(NAMES).map(lambda name: {"name": name})},
    optional={
        "dispatchRuleRef": st.sampled_from(NAMES).map(lambda name: {"name": name}),
        "direction": st.sampled_from(["inbound", "outbound", "both"]),
    },
)


def _folder(trunks: dict[str, Any], rules: dict[str, Any], numbers: dict[str, Any]) -> list[Document]:
    """Each number under its own name: the number of a PhoneNumber cannot change."""
    named = dict(zip(NUMBERS, NAMES, strict=True))
    return [
        *(document("Trunk", name, spec) for name, spec in trunks.items()),
        *(document("DispatchRule", name, spec) for name, spec in rules.items()),
        *(document("PhoneNumber", named[n], {"number": n, **spec}) for n, spec in numbers.items()),
    ]


folders = st.builds(
    _folder,
    st.dictionaries(st.sampled_from(NAMES), _trunk, min_size=1),
    st.dictionaries(st.sampled_from(NAMES), _rule),
    st.dictionaries(st.sampled_from(NUMBERS), _number),
)


def clashing_folder(chance: Random) -> list[Document]:
    """A small folder in which much clashes, refers to what is not there, or waits for what does."""

    def trunk() -> dict[str, Any]:
        spec: dict[str, Any] = {}
        halves = chance.choice([1, 2, 3])
        if halves & 1:
            spec["inbound"] = inbound = {"allowedAddresses": chance.sample(_NETWORKS, chance.choice([1, 2]))}
            if chance.random() < 0.5:
                inbound["calledNumbers"] = chance.choice(["any", "declared"])
            if chance.random() < 0.3:
                inbound["allowedNumbers"] = chance.sample(NUMBERS, 1)
        if halves & 2:
            spec["outbound"] = {"addresses": ["sip.example.com"]}
        return spec | _retained(chance)

    def rule() -> dict[str, Any]:
        spec: dict[str, Any] = {"rule": {"direct": {"room": chance.choice(["lobby", "hall"])}}}
        if chance.random() < 0.4:
            fields = chance.sample(["to", "from"], chance.choice([1, 2]))
            spec["match"] = {field: chance.sample(NUMBERS, chance.choice([1, 2])) for field in fields}
        if chance.random() < 0.5:
            spec["trunkRefs"] = [{"name": name} for name in chance.sample(NAMES, chance.choice([1, 2]))]
        return spec | _retained(chance)

    def number() -> dict[str, Any]:
        spec: dict[str, Any] = {"trunkRef": {"name": chance.choice(NAMES)}}
        if chance.random() < 0.5:
            spec["dispatchRuleRef"] = {"name": chance.choice(NAMES)}
        if chance.random() < 0.5:
            spec["direction"] = chance.choice(["inbound", "outbound", "both"])
        return spec

    trunks = {name: trunk() for name in NAMES if chance.random() < 0.6} or {"a": trunk()}
    rules = {name: rule() for name in NAMES if chance.random() < 0.6}
    numbers = {number_: number() for number_ in NUMBERS if chance.random() < 0.6}
    return _folder(trunks, rules, numbers)


def _retained(chance: Random) -> dict[str, Any]:
    return {"deletionPolicy": "Retain"} if chance.random() < 0.2 else {}
