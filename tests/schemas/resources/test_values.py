from __future__ import annotations

import pytest
from hypothesis import given as example
from hypothesis import strategies as st

from schemas.resources import bounds
from schemas.resources.values import duration_ms, duration_text
from tests.schemas.resources import given


@pytest.mark.parametrize(
    ("text", "ms"),
    [("30s", 30_000), ("5m", 300_000), ("2h", 7_200_000), ("1h30m", 5_400_000), ("500ms", 500), ("0s", 0)],
)
def test_durations_are_whole_milliseconds(text, ms):
    assert duration_ms(text) == ms


@example(st.integers(0, 10**10))
def test_a_duration_and_its_writing_are_one(ms):
    assert duration_ms(duration_text(ms)) == ms


@pytest.mark.parametrize(
    "wrong", ["", "30", "s", "1.5h", "-1s", "1d", "1 s", "30S", "1h30", "9999999999s", "٣s", "1m" * 5]
)
def test_other_writings_are_refused_with_examples(wrong):
    found = given.complaints(given.trunk(media={"timeout": wrong}))
    assert found["spec.media.timeout"].endswith("write a duration like 30s, 5m, 2h, 1h30m or 500ms")


def test_a_bare_number_lacks_its_unit():
    assert given.complaints(given.inbound(ringingTimeout=30))["spec.inbound.ringingTimeout"].startswith(
        "`ringingTimeout` is 30, without a unit"
    )


def media(timeout):
    return given.trunk(media={"timeout": timeout})


def room(**fields):
    return given.rule(room=fields)


def register(expires):
    return given.outbound(register={"expires": expires}, auth=given.AUTH)


@pytest.mark.parametrize(
    ("least", "most", "below", "above", "make"),
    [
        ("1s", "10m", "999ms", "10m1ms", media),
        ("1s", "10m", "999ms", "11m", lambda t: given.inbound(ringingTimeout=t)),
        ("1s", "24h", "0s", "24h1ms", lambda t: given.inbound(maxCallDuration=t)),
        ("30s", "24h", "29s", "25h", register),
        ("5s", "1h", "4s", "61m", lambda t: given.outbound(probe={"every": t})),
        ("1s", "24h", "0s", "25h", lambda t: room(emptyTimeout=t)),
        ("1s", "24h", "0s", "25h", lambda t: room(departureTimeout=t)),
    ],
)
def test_durations_have_bounds(least, most, below, above, make):
    given.accepted(make(least))
    given.accepted(make(most))
    for wrong in (below, above):
        (sentence,) = given.complaints(make(wrong)).values()
        assert sentence.endswith(f"write {duration_text(duration_ms(least))} to {duration_text(duration_ms(most))}")


@pytest.mark.parametrize("make", [lambda t: room(emptyTimeout=t), register])
def test_a_duration_that_travels_in_seconds_is_whole_seconds(make):
    (sentence,) = given.complaints(make("40s500ms")).values()
    assert "not whole seconds" in sentence


@pytest.mark.parametrize(
    ("make", "least", "most"),
    [
        (lambda n: given.rule(priority=n), 0, bounds.PRIORITY_MAX),
        (lambda n: given.rule(fallback={"sipCode": n}), 400, 699),
        (lambda n: given.rule(room={"maxParticipants": n}), 1, bounds.PARTICIPANTS_MAX),
        (lambda n: given.trunk(limits={"maxConcurrentCalls": n}), 1, bounds.CONCURRENT_CALLS_MAX),
        (lambda n: given.trunk(limits={"callsPerSecond": n}), 1, bounds.CALLS_PER_SECOND_MAX),
    ],
)
def test_whole_numbers_have_bounds(make, least, most):
    given.accepted(make(least))
    given.accepted(make(most))
    (low,) = given.complaints(make(least - 1)).values()
    (high,) = given.complaints(make(most + 1)).values()
    assert low.endswith(f"at least {least} is needed")
    assert high.endswith(f"at most {most} is allowed")
    for wrong in (True, "5", 1.5, None, [1]):
        assert given.complaints(make(wrong))


@pytest.mark.parametrize("name", ["a", "a-b.c", "0", "x" * 253])
def test_names_are_rfc_1123_subdomains(name):
    given.accepted(given.document("PhoneNumber", {"number": "+12"}, name=name))


@pytest.mark.parametrize("name", ["", "A", "a_b", "-a", "a-", "a..b", "x" * 254, "ä", "a\n", 3, None, ["a"]])
def test_other_names_are_refused(name):
    assert list(given.complaints(given.document("PhoneNumber", {"number": "+12"}, name=name))) == ["metadata.name"]


@pytest.mark.parametrize("namespace", ["a.b", "x" * 64, "", "A"])
def test_namespaces_are_rfc_1123_labels(namespace):
    assert list(given.complaints(given.document("PhoneNumber", {"number": "+12"}, namespace=namespace))) == [
        "metadata.namespace"
    ]


@pytest.mark.parametrize(
    "labels", [{"a/b/c": "x"}, {"": "x"}, {"a": "b c"}, {"a": "x" * 64}, {"-a": "b"}, {"A/b": "c"}]
)
def test_labels_have_kubernetes_grammar(labels):
    assert given.complaints(given.document("Trunk", given.trunk()["spec"], labels=labels))


def test_an_unquoted_label_value_is_to_be_quoted():
    found = given.complaints(given.document("Trunk", given.trunk()["spec"], labels={"zone": 1, "on": True}))
    assert found == {
        "metadata.labels.zone": "`zone` is read as a number, a text is needed, put it in quotes",
        "metadata.labels.on": "`on` is read as `true`, a text is needed, put it in quotes",
    }


@pytest.mark.parametrize(
    "data",
    [
        given.rule(attributes={str(n): "x" for n in range(bounds.ATTRIBUTES_MAX + 1)}),
        given.rule(attributes={"": "x"}),
        given.rule(attributes={"a": "x" * (bounds.ATTRIBUTE_VALUE_CHARS_MAX + 1)}),
        given.rule(metadata="x" * (bounds.METADATA_CHARS_MAX + 1)),
        given.rule(match={"to": ["+1"] * (bounds.NUMBERS_MAX + 1)}),
        given.inbound(allowedAddresses=["192.0.2.1"] * (bounds.ADDRESSES_MAX + 1)),
        given.inbound(headers={f"X-{n}": "x" for n in range(bounds.HEADERS_MAX + 1)}),
        given.trunk(regions=["a"] * (bounds.REGIONS_MAX + 1)),
        given.rule(rule={"direct": {"room": "x" * (bounds.ROOM_CHARS_MAX + 1)}}),
        given.rule(rule={"direct": {"room": ""}}),
        given.rule(room={"agents": [{"agentName": "a"}] * (bounds.AGENTS_MAX + 1)}),
        given.document("RoutingTest", {"calls": []}),
    ],
)
def test_everything_is_bounded(data):
    assert given.complaints(data)
