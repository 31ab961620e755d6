from __future__ import annotations

import pytest
from hypothesis import given as example
from hypothesis import strategies as st

from schemas.resources.check import COMPLAINTS_MAX, check
from tests.schemas.resources import given


@pytest.mark.parametrize(
    ("data", "path", "sentence"),
    [
        (
            given.inbound(allowed_addresses=[]),
            "spec.inbound.allowed_addresses",
            "unknown field `allowed_addresses`, did you mean `allowedAddresses`?",
        ),
        (given.trunk(allowed_addresses=[]), "spec.allowed_addresses", "it belongs at `spec.inbound.allowedAddresses`"),
        (given.inbound(allowedAdresses=[]), "spec.inbound.allowedAdresses", "did you mean `allowedAddresses`?"),
        (given.inbound(krisp_enabled=True), "spec.inbound.krisp_enabled", "`noiseCancellation`"),
        (given.trunk(numbers=[]), "spec.numbers", "PhoneNumber"),
        (given.rule(numbers=[]), "spec.numbers", "write `to`, in `spec.match`: the called numbers"),
        (given.rule(inbound_numbers=[]), "spec.inbound_numbers", "write `from`, in `spec.match`: the calling numbers"),
        (given.rule(inboundNumbers=[]), "spec.inboundNumbers", "write `from`, in `spec.match`: the calling numbers"),
        (given.rule(trunk_ids=[]), "spec.trunk_ids", "write `trunkRefs: [{name: …}]`"),
        (
            given.rule(rule={"direct": {"room_name": "a"}}),
            "spec.rule.direct.room_name",
            "`room`, in `spec.rule.direct`",
        ),
        (
            given.rule(rule={"individual": {"no_randomness": True}}),
            "spec.rule.individual.no_randomness",
            "randomize: false",
        ),
        (given.rule(rul=1), "spec.rul", "did you mean `rule`?"),
        (given.outbound(address="a"), "spec.outbound.address", "write `addresses`, a list"),
        (given.number(qqqq=1), "spec.qqqq", "the fields here are number, purchase"),
        (
            given.trunk(provider="Twilio"),
            "spec.provider",
            "`Twilio` is not a value of `provider`, did you mean `twilio`?",
        ),
        (given.trunk(provider="qqqq"), "spec.provider", "write twilio, telnyx, plivo, exotel, wavix or generic"),
        (given.trunk(provider=1), "spec.provider", "`provider` must be twilio,"),
        (given.trunk(regions="us"), "spec.regions", "`regions` must be a list, not a text"),
        (given.trunk(regions={"us": 1}), "spec.regions", "`regions` must be a list, not a map"),
        (given.trunk(media=[]), "spec.media", "`media` must be a map, not a list"),
        (given.trunk(limits={"callsPerSecond": 2.5}), "spec.limits.callsPerSecond", "not a number with a fraction"),
        (
            given.rule(hidePhoneNumber="yes"),
            "spec.hidePhoneNumber",
            "`hidePhoneNumber` must be true or false, not a text",
        ),
        (given.rule(attributes=["a"]), "spec.attributes", "`attributes` must be a map, not a list"),
        (given.rule(attributes={1: "a"}), "spec.attributes.1", "put it in quotes"),
        (given.rule(trunkRefs=[{}]), "spec.trunkRefs.0.name", "`name` is missing"),
        (given.rule(trunkRefs=["a"]), "spec.trunkRefs.0", "`trunkRefs[0]` must be a map, not a text"),
        (given.trunk(regions=["a", 1]), "spec.regions.1", "`regions[1]` is read as a number"),
    ],
)
def test_a_complaint_says_what_is_wrong_and_what_to_write(data, path, sentence):
    assert sentence in given.complaints(data)[path]


@pytest.mark.parametrize("field", ["allowedNumbers", "auth", "headers", "ringingTimeout", "noiseCancellation"])
def test_a_field_without_a_value_never_means_any(field):
    found = given.complaints(given.inbound(**{field: None}))
    assert found[f"spec.inbound.{field}"].startswith(f"`{field}` has no value")
    assert "remove the line" in found[f"spec.inbound.{field}"]


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        ("trunk", "did you mean `Trunk`?"),
        ("Dispatchrule", "did you mean `DispatchRule`?"),
        ("Trunks", "did you mean `Trunk`?"),
        ("SIPInboundTrunk", "write `Trunk`, with `spec.inbound`"),
        ("Service", "write Trunk, DispatchRule, PhoneNumber or RoutingTest"),
    ],
)
def test_a_wrong_kind_is_told_with_the_right_one(kind, hint):
    assert given.complaints({**given.number(), "kind": kind}) == {
        "kind": f"`{kind}` is not a kind of dialplane, {hint}"
    }


@pytest.mark.parametrize("version", ["dialplane.dev/v1", "v1", "dialplane/v1alpha1", 1, None])
def test_a_wrong_version_is_told_beside_all_else(version):
    found = given.complaints({**given.number(number="x"), "apiVersion": version})
    assert "dialplane.dev/v1alpha1" in found["apiVersion"]
    assert set(found) == {"apiVersion", "spec.number"}


def test_what_is_missing_is_told():
    assert set(given.complaints({})) == {"apiVersion", "kind"}
    assert set(given.complaints({"kind": "Trunk"})) == {"apiVersion", "metadata", "spec"}
    assert given.complaints({"kind": "Trunk", "apiVersion": "dialplane.dev/v1alpha1", "metadata": {}, "spec": {}}) == {
        "metadata.name": "`name` is missing",
        "spec": "neither `inbound` nor `outbound` is set, a trunk takes or places calls, or both",
    }


@pytest.mark.parametrize("data", [[], None, "text", 3])
def test_a_document_is_a_map(data):
    assert given.complaints(data)[""].startswith("a document is a map with apiVersion, kind, metadata and spec, not ")


def test_one_bad_entry_does_not_make_its_list_empty():
    assert list(given.complaints(given.outbound(addresses=["sip:a"]))) == ["spec.outbound.addresses.0"]


def test_paths_keep_list_indexes_as_numbers():
    _, (complaint,) = check(given.inbound(allowedAddresses=["a.example"]))
    assert complaint.path == ("spec", "inbound", "allowedAddresses", 0)
    assert complaint.code == "host-name"


def test_complaints_are_bounded():
    _, found = check(given.inbound(allowedNumbers=["x"] * 500))
    assert len(found) == COMPLAINTS_MAX + 1
    assert found[-1].what == f"and {500 - COMPLAINTS_MAX} more complaints about this document"


def test_a_value_is_shown_on_one_line_and_cut():
    (sentence,) = given.complaints(given.rule(match={"to": ["x\n" * 15]})).values()
    assert "\n" not in sentence
    (sentence,) = given.complaints(given.trunk(provider="x" * 10_000)).values()
    assert len(sentence) < 300


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3),
    max_leaves=8,
)


def places(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, below in value.items():
            yield from places(below, (*path, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from places(below, (*path, index))


@example(st.data())
def test_whatever_stands_anywhere_is_answered_with_sentences(data):
    doc = data.draw(st.sampled_from(given.everything()))
    path = data.draw(st.sampled_from([path for path in places(doc) if path]))
    target = doc
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = data.draw(json_like)
    made, found = check(doc)
    assert (made is None) == bool(found)
    for complaint in found:
        assert complaint.what
        assert "Input should" not in complaint.what
        assert "validation error" not in complaint.what


def test_a_word_that_stands_alone_below_auth_is_not_repeated():
    document = {**yaml_trunk(), "spec": {"inbound": {"auth": {"acme": None, "hunter2": None}}}}
    said = " ".join(f"{found.path} {found.what} {found.hint}" for found in check(document)[1])
    assert "hunter2" not in said
    assert "`auth` has an unknown field" in said


def yaml_trunk():
    return {"apiVersion": "dialplane.dev/v1alpha1", "kind": "Trunk", "metadata": {"name": "a"}}
