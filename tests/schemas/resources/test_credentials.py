from __future__ import annotations

import pytest
from hypothesis import given as example
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.resources.check import check
from schemas.resources.documents import KINDS
from tests.schemas.resources import given

SECRET = "Tiger-1234567!"


def auth(**fields):
    return given.inbound(auth={"username": "acme", **fields})


@pytest.mark.parametrize(
    "place", [{"env": "A_1"}, {"file": "dir/key.pem"}, {"secretKeyRef": {"name": "a", "key": "b.c"}}]
)
def test_a_secret_is_named_by_exactly_one_place(place):
    given.accepted(auth(passwordFrom=place))
    given.accepted(given.rule(pinFrom=place))


@pytest.mark.parametrize(
    "place",
    [{}, {"env": "A", "file": "b"}, {"env": "A", "secretKeyRef": {"name": "a", "key": "b"}}, {"secretKeyRef": {}}],
)
def test_no_place_or_two_are_refused(place):
    assert given.complaints(auth(passwordFrom=place))


@pytest.mark.parametrize(
    "data",
    [
        auth(password=SECRET, passwordFrom={"env": "A"}),
        auth(password=SECRET),
        auth(passwordFrom=SECRET),
        auth(passwordFrom=1234567),
        auth(passwordFrom={SECRET: None}),
        auth(passwordFrom={"value": SECRET}),
        auth(passwordFrom={"env": SECRET}),
        auth(passwordFrom={"env": 1234567}),
        auth(passwordFrom={"file": SECRET + "\n"}),
        auth(passwordFrom={"secretKeyRef": {"name": SECRET, "key": SECRET}}),
        auth(passwordFrom={"secretKeyRef": SECRET}),
        auth(passwordFrom=[SECRET]),
        given.inbound(auth=SECRET),
        given.inbound(authPassword=SECRET),
        given.trunk(password=SECRET),
        given.rule(pin=SECRET),
        given.inbound(headers={"X-Api-Key": 1234567}),
        given.inbound(headers={"X-Api-Key": f"{SECRET}\r\n"}),
        given.document("RoutingTest", {"calls": [{"to": "a", "from": "b", "address": "::1", "pin": 1234567}]}),
        given.rule(pinFrom=1234567),
        given.rule(rule={"direct": {"room": "lobby", "pin": SECRET}}),
        given.outbound(tls={"certificateFrom": SECRET, "keyFrom": SECRET}),
    ],
)
def test_a_secret_written_out_is_refused_and_never_repeated(data):
    found = given.complaints(data)
    assert "1234567" not in repr(found)
    assert "unquoted" not in {complaint.code for complaint in check(data)[1]}, "that code shows the source"
    with pytest.raises(ValidationError) as refused:
        KINDS[data["kind"]].model_validate(data)
    assert "1234567" not in str(refused.value).replace("\n" + "spec.inbound.auth.passwordFrom." + SECRET, "")


@pytest.mark.parametrize(
    "data",
    [auth(password=SECRET), auth(passwordFrom=SECRET), given.rule(pin=1), given.rule(pinFrom=1), given.trunk(pin=1)],
)
def test_the_complaint_says_where_secrets_go(data):
    assert any("{env: NAME}" in sentence for sentence in given.complaints(data).values())


@example(st.text(min_size=1, max_size=40).filter(lambda s: not s.isidentifier()))
def test_an_environment_variable_that_is_none_is_not_repeated(text):
    found = given.complaints(given.rule(pinFrom={"env": f"{text}-{SECRET}"}))
    assert SECRET not in repr(found)


@pytest.mark.parametrize("name", ["", 'a"b', "a\\b", "a\r\nb", "x" * 256, 7])
def test_a_user_name_fits_into_a_quoted_string(name):
    assert list(given.complaints(given.inbound(auth={"username": name, "passwordFrom": {"env": "A"}}))) == [
        "spec.inbound.auth.username"
    ]


def test_digest_algorithms_are_chosen_by_their_names():
    place = {"env": "A"}
    assert given.accepted(auth(passwordFrom=place)).spec.inbound.auth.algorithms is None
    chosen = given.accepted(auth(passwordFrom=place, algorithms=["MD5", "SHA-256"]))
    assert chosen.spec.inbound.auth.algorithms == ("MD5", "SHA-256")


@pytest.mark.parametrize("algorithms", [[], ["MD5", "MD5"], ["md5"], ["SHA-512"], "MD5"])
def test_no_other_algorithms_are(algorithms):
    assert given.complaints(auth(passwordFrom={"env": "A"}, algorithms=algorithms))
