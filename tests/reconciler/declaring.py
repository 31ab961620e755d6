"""Declarations for tests: documents as plain maps, read through the real reading edge, and any valid folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from hypothesis import strategies as st

from reconciler.manifests.reading import read_file
from reconciler.model.sources import FileSources
from reconciler.model.standing import Declared

Document = dict[str, Any]
Folder = Mapping[str, Sequence[Document] | str]


def document(kind: str, name: str, spec: Document, namespace: str = "", labels: Document | None = None) -> Document:
    metadata: Document = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    if labels:
        metadata["labels"] = labels
    return {"apiVersion": "dialplane.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


def trunk(
    name: str = "carrier", net: int = 1, namespace: str = "", labels: Document | None = None, **spec: Any
) -> Document:
    inbound = spec.pop("inbound", {"allowedAddresses": [f"10.{net}.0.0/16"]})
    return document("Trunk", name, {"inbound": inbound, **spec}, namespace, labels)


def rule(name: str = "support", room: str = "lobby", namespace: str = "", **spec: Any) -> Document:
    return document("DispatchRule", name, {"rule": {"direct": {"room": room}}, **spec}, namespace)


def number(name: str = "main", digits: str = "+14155550100", namespace: str = "", **spec: Any) -> Document:
    return document("PhoneNumber", name, {"number": digits, **spec}, namespace)


def ref(name: str, namespace: str = "") -> Document:
    return {"name": name, "namespace": namespace} if namespace else {"name": name}


def broken(good: Document) -> Document:
    """The same document with a field that nobody knows."""
    return {**good, "spec": {**good["spec"], "nonsense": 1}}


def text(documents: Sequence[Document] | str) -> bytes:
    """A file: YAML as it stands, or documents as JSON, which YAML is a superset of."""
    if isinstance(documents, str):
        return documents.encode()
    return "\n---\n".join(json.dumps(one) for one in documents).encode()


def declared(folder: Folder) -> Declared:
    """What reading this folder gives; a file that says the same as before gives the same sources, as in a watch."""
    return Declared({name: _read(name, text(folder[name])) for name in sorted(folder)})


@lru_cache(maxsize=10_000)
def _read(name: str, content: bytes) -> FileSources:
    return read_file(content, name).sources


def codes(problems: Sequence[Any]) -> list[str]:
    return [problem.code for problem in problems]


NAMES = ("a", "b", "c")
_secret = st.sampled_from([{"env": "PIN"}, {"file": "pin.txt"}, {"secretKeyRef": {"name": "pins", "key": "one"}}])
_pattern = st.sampled_from(["+14155550100", "+14155550101", "+1415*", "+44*", "anonymous"])
_patterns = st.lists(_pattern, max_size=2, unique=True)
_text = st.sampled_from(["", "some text"])
_pairs = st.dictionaries(st.sampled_from(["team", "tenant"]), st.sampled_from(["x", "y"]), max_size=2)
_headers = st.dictionaries(st.sampled_from(["X-Team", "X-Tenant"]), st.sampled_from(["x", "y"]), max_size=2)
_auth = st.fixed_dictionaries({"username": st.just("acme"), "passwordFrom": _secret}, optional={"realm": st.just("r")})
_media = st.fixed_dictionaries(
    {},
    optional={
        "codecs": st.permutations(["opus", "g722", "pcmu", "pcma"]),
        "encryption": st.sampled_from(["disable", "allow", "require"]),
        "roomCodec": st.sampled_from(["auto", "opus", "pcmu", "pcma"]),
        "dtmf": st.sampled_from([["rfc4733"], ["info", "rfc4733"]]),
        "keying": st.sampled_from([["dtls"], ["sdes", "dtls"]]),
        "timeout": st.sampled_from(["15s", "1m30s"]),
    },
)
_policy = {
    "headers": _headers,
    "headersToAttributes": st.just({"X-Tenant": "tenant"}),
    "attributesToHeaders": st.just({"tenant": "X-Tenant"}),
    "includeHeaders": st.sampled_from(["none", "x", "all"]),
}
_inbound = st.fixed_dictionaries(
    {
        "allowedAddresses": st.lists(
            st.sampled_from(["10.1.0.0/16", "10.2.3.4", "2001:db8::/32"]), min_size=1, unique=True
        )
    },
    optional={
        **_policy,
        "allowedNumbers": _patterns,
        "calledNumbers": st.sampled_from(["any", "declared"]),
        "auth": _auth,
        "ringingTimeout": st.sampled_from(["30s", "1m"]),
        "maxCallDuration": st.sampled_from(["2h", "1500ms"]),
        "noiseCancellation": st.booleans(),
    },
)
_recording = st.fixed_dictionaries(
    {"format": st.sampled_from(["wav", "opus"])}, optional={"maxDuration": st.sampled_from(["1s", "4h"])}
)
_outbound = st.fixed_dictionaries(
    {"addresses": st.sampled_from([["sip.example.com"], ["a.example.com:5080", "b.example.com"]])},
    optional={
        **_policy,
        "transport": st.sampled_from(["auto", "udp", "tcp", "tls", "wss"]),
        "proxy": st.sampled_from(["sip:proxy.example.com", "SIP:[2001:db8::1]:5061;lr;transport=TLS"]),
        "fromHost": st.just("acme.example.com"),
        "auth": _auth,
        "register": st.just({"expires": "5m"}),
        "probe": st.just({"every": "30s"}),
        "tls": st.fixed_dictionaries({"certificateFrom": _secret, "keyFrom": _secret}),
        "destinationCountry": st.just("US"),
        "callerForm": st.sampled_from(["asGiven", "+E.164"]),
        "allowedDestinations": _patterns,
        "recording": _recording,
        "limits": st.fixed_dictionaries(
            {},
            optional={
                "maxConcurrentCalls": st.just(20),
                "callsPerSecond": st.just(2),
                "maxCallDuration": st.sampled_from(["1h", "24h"]),
            },
        ),
    },
).filter(lambda outbound: "register" not in outbound or "auth" in outbound)
_trunk_spec = st.fixed_dictionaries(
    {"inbound": _inbound},
    optional={
        "provider": st.sampled_from(["generic", "twilio", "telnyx", "plivo", "exotel", "wavix"]),
        "referTo": st.sampled_from(["asGiven", "tel", "sip"]),
        "outbound": _outbound,
        "media": _media,
        "mediaAddresses": st.lists(st.sampled_from(["10.1.0.0/16", "2001:db8::1"]), max_size=2, unique=True),
        "regions": st.lists(st.sampled_from(["us-east", "eu"]), max_size=2, unique=True),
        "limits": st.fixed_dictionaries({}, optional={"maxConcurrentCalls": st.just(50), "callsPerSecond": st.just(5)}),
        "holdMusic": st.sampled_from(["builtIn", "hold.wav"]),
        "allowedNamespaces": st.sampled_from(["Same", "All", ["other"]]),
        "metadata": _text,
    },
)
_room = st.fixed_dictionaries(
    {},
    optional={
        "agents": st.sampled_from([[], [{"agentName": "a"}, {"agentName": "b", "metadata": "{}"}]]),
        "emptyTimeout": st.just("60s"),
        "departureTimeout": st.just("20s"),
        "maxParticipants": st.just(4),
        "metadata": _text,
        "preset": _text,
    },
)
_choice = st.one_of(
    st.fixed_dictionaries({"direct": st.fixed_dictionaries({"room": st.sampled_from(["lobby", "hall"])})}),
    *(
        st.fixed_dictionaries(
            {kind: st.fixed_dictionaries({}, optional={"roomPrefix": st.just("call"), "randomize": st.booleans()})}
        )
        for kind in ("individual", "callee")
    ),
)
_some_trunk = st.sampled_from([{"name": name} for name in NAMES])
_rule_spec = st.fixed_dictionaries(
    {"rule": _choice},
    optional={
        "match": st.fixed_dictionaries({}, optional={"to": _patterns, "from": _patterns}),
        "priority": st.integers(0, 3),
        "pinFrom": _secret,
        "room": _room,
        "attributes": _pairs,
        "metadata": _text,
        "hidePhoneNumber": st.booleans(),
        "noiseCancellation": st.booleans(),
        "media": _media,
        "answer": st.sampled_from(["whenRoomReady", "immediately", "onRequest"]),
        "ringback": st.sampled_from(["none", "tone", "room", "gb"]),
        "holdMusic": st.sampled_from(["builtIn", "hold.wav"]),
        "recording": _recording,
        "fallback": st.just({"sipCode": 486}),
    },
)
_scope = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"trunkRefs": st.lists(_some_trunk, min_size=1, max_size=2)}),
    st.just({"trunkSelector": {"matchLabels": {"region": "us"}}}),
)
_number_spec = st.fixed_dictionaries(
    {"number": st.sampled_from(["+14155550100", "+14155550101", "+442071838750"])},
    optional={
        "trunkRef": _some_trunk,
        "dispatchRuleRef": _some_trunk,
        "direction": st.sampled_from(["inbound", "outbound", "both"]),
    },
)
_labels = st.sampled_from([None, {"region": "us"}, {"region": "eu"}])

any_document = st.one_of(
    st.builds(document, st.just("Trunk"), st.sampled_from(NAMES), _trunk_spec, st.just(""), _labels),
    st.builds(
        lambda name, spec, scope: document("DispatchRule", name, {**spec, **scope}),
        st.sampled_from(NAMES),
        _rule_spec,
        _scope,
    ),
    st.builds(document, st.just("PhoneNumber"), st.sampled_from(NAMES), _number_spec),
)
any_folder = st.dictionaries(
    st.sampled_from(["one.yaml", "two.yaml", "three.yaml"]),
    st.lists(any_document, max_size=4, unique_by=lambda one: (one["kind"], one["metadata"]["name"])),
    max_size=3,
)
"""Files with valid documents, which may still miss what they refer to, repeat a name, or clash."""

any_torn_folder = st.dictionaries(
    st.sampled_from(["one.yaml", "two.yaml", "three.yaml"]),
    st.one_of(
        st.lists(st.one_of(any_document, any_document.map(broken)), max_size=4),
        st.just("kind: [unclosed"),
    ),
    max_size=3,
)
"""The same with broken documents and unreadable files among them."""
