"""Digest as the one who is asked: which challenge is answered, and which never."""

from __future__ import annotations

import pytest

from runtime.sip.auth.client import Authorizer, Login, authorization_of
from runtime.sip.auth.digest import Algorithm, Exchange, response
from runtime.sip.auth.headers import Challenge, parse_credentials
from runtime.sip.message import Headers, Request, Response
from tests.runtime.sip.wire import seeded

INVITE = Request("INVITE", "sip:+15550100000@carrier.example", Headers([("CSeq", "1 INVITE")]))
FIELD = {401: "WWW-Authenticate", 407: "Proxy-Authenticate"}


def challenge(realm="carrier", nonce="n1", algorithm="MD5", qop=("auth",), **kwargs):
    return Challenge(realm, nonce, algorithm, qop, **kwargs)


def refused(*challenges, status=401, name=""):
    return Response(status, "", Headers((name or FIELD[status], str(c)) for c in challenges))


class Asked:
    """One leg's authorizer; `answer` reads what it says to a refusal."""

    def __init__(self, **login):
        self.authorizer = Authorizer(Login("acme", b"tiger", **login), seeded("client"))

    def answer(self, *challenges, request=INVITE, **kwargs):
        line = self.authorizer.answer(request, refused(*challenges, **kwargs))
        return None if line is None else parse_credentials([line[1]])[0]


def again(request, line):
    return Request(request.method, request.uri, request.headers.replaced(*line), request.body)


def test_the_answer_holds_for_the_request_and_its_uri_as_it_is_written():
    given = Asked().answer(challenge(opaque="xyz"))
    exchange = Exchange("INVITE", INVITE.uri, "carrier", "n1", "auth", "00000001", given.cnonce)
    assert given.response == response(Algorithm.MD5, exchange, "acme", b"tiger")
    assert (given.uri, given.opaque, given.username, len(given.cnonce)) == (INVITE.uri, "xyz", "acme", 32)


@pytest.mark.parametrize(("status", "field"), [(401, "Authorization"), (407, "Proxy-Authorization")])
def test_the_field_follows_from_the_status(status, field):
    line = Asked().authorizer.answer(INVITE, refused(challenge(), status=status))
    assert line[0] == field


@pytest.mark.parametrize("status", [400, 403, 408, 494, 500])
def test_no_other_status_asks(status):
    assert Asked().answer(challenge(), status=status, name="WWW-Authenticate") is None


def test_the_strongest_algorithm_wherever_it_stands():
    orders = [["MD5", "SHA-256", "SHA-512-256"], ["SHA-512-256", "SHA-256", "MD5"], ["X", "SHA-512-256", "MD5"]]
    for names in orders:
        assert Asked().answer(*(challenge(algorithm=name) for name in names)).algorithm == "SHA-512-256"


def test_of_equals_the_topmost_as_rfc_8760_says():
    assert Asked().answer(challenge(nonce="first"), challenge(nonce="second")).nonce == "first"


def test_a_login_may_refuse_weak_algorithms():
    strong = {"algorithms": (Algorithm.SHA_256,)}
    assert Asked(**strong).answer(challenge()) is None
    assert Asked(**strong).answer(challenge(), challenge(algorithm="SHA-256")).algorithm == "SHA-256"


@pytest.mark.parametrize(
    "strange",
    [challenge(algorithm="AKAv1-MD5"), challenge(qop=("auth-int",)), challenge(qop=("token",))],
)
def test_what_cannot_be_answered_is_passed_over(strange):
    assert Asked().answer(strange) is None
    assert Asked().answer(strange, challenge()).algorithm == "MD5"


def test_a_broken_challenge_does_not_hide_another():
    headers = Headers([("WWW-Authenticate", 'Digest realm="'), ("WWW-Authenticate", str(challenge()))])
    assert Asked().authorizer.answer(INVITE, Response(401, "", headers)) is not None
    assert Asked().authorizer.answer(INVITE, Response(401, "", Headers())) is None


def test_a_peer_of_rfc_2069_gets_an_answer_of_its_kind():
    given = Asked().answer(challenge(qop=()))
    assert (given.qop, given.nc, given.cnonce) == (None, "", "")
    exchange = Exchange("INVITE", INVITE.uri, "carrier", "n1")
    assert given.response == response(Algorithm.MD5, exchange, "acme", b"tiger")


def test_an_algorithm_by_session_is_answered():
    given = Asked().answer(challenge(algorithm="SHA-256-sess"))
    exchange = Exchange("INVITE", INVITE.uri, "carrier", "n1", "auth", "00000001", given.cnonce)
    assert given.response == response(Algorithm.SHA_256, exchange, "acme", b"tiger", by_session=True)


def test_only_the_login_s_realm_is_answered():
    asked = Asked(realm="carrier")
    assert asked.answer(challenge("evil.example")) is None
    assert asked.answer(challenge("evil.example", algorithm="SHA-256"), challenge()).realm == "carrier"


def test_without_a_realm_the_first_that_asks_and_no_other_after_it():
    asked = Asked()
    assert asked.answer(challenge("carrier")) is not None
    assert asked.answer(challenge("evil.example")) is None
    assert asked.answer(challenge("carrier", "n2")) is not None


def test_the_same_nonce_is_counted_on():
    asked = Asked()
    assert [asked.answer(challenge(nonce=nonce)).nc[-1] for nonce in ("a", "a", "b")] == ["1", "2", "1"]


def test_a_wrong_password_is_not_tried_again_but_a_stale_nonce_is():
    authorizer = Asked().authorizer
    tried = again(INVITE, authorizer.answer(INVITE, refused(challenge())))
    assert authorizer.answer(tried, refused(challenge(nonce="n2"))) is None
    assert authorizer.answer(tried, refused(challenge(nonce="n2", stale=True))) is not None
    assert authorizer.answer(tried, refused(challenge(nonce="n2"), status=407)) is not None, "a proxy asks for itself"


def test_what_a_request_proves_is_found_again():
    line = Asked().authorizer.answer(INVITE, refused(challenge()))
    assert authorization_of(again(INVITE, line)) == [line]
    assert authorization_of(INVITE) == []
