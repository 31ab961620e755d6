"""Digest as the one who asks, in virtual time; the client that answers is ours, or written by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.sip.auth.client import Authorizer, Login
from runtime.sip.auth.digest import ALGORITHMS, Algorithm, Exchange, response
from runtime.sip.auth.headers import Credentials, parse_challenges
from runtime.sip.auth.limits import FAILURES_MAX, LOCKOUT_S, NONCE_LIFETIME_S, TRIES_MAX
from runtime.sip.auth.server import Account, Asked, DigestServer, Failed, Fault, Proven, is_same_target
from runtime.sip.message import Headers, Request, Response
from tests.runtime.sip.wire import seeded

HERE = "192.0.2.1"
URI = "sip:+15550100000@192.0.2.2"
ACME = Account("default/acme", "acme", b"tiger", "example.com")


class Asking:
    """A server and the time; `ask` puts one request before it."""

    def __init__(self, account=ACME):
        self.server = DigestServer(seeded("server"))
        self.account = account
        self.now = 1000.0

    def ask(self, *lines, source=HERE, uri=URI, name="Authorization"):
        request = Request("INVITE", uri, Headers((name, str(line)) for line in lines))
        return self.server.judge(request, self.account, source, self.now)

    def challenge(self, **kwargs):
        return first_challenge(self.ask(**kwargs))

    def answer(self, password=b"tiger", challenge=None, **changes):
        """Right credentials by hand, with these changes made before they are worked out."""
        challenge = challenge or self.challenge()
        parts = {
            "username": "acme", "realm": challenge.realm, "nonce": challenge.nonce, "uri": URI, "response": "",
            "algorithm": challenge.algorithm, "qop": "auth", "nc": "00000001", "cnonce": "mine", **changes,
        }  # fmt: skip
        given = Credentials(**parts)
        exchange = Exchange("INVITE", given.uri, given.realm, given.nonce, given.qop, given.nc, given.cnonce)
        return replace(given, response=response(Algorithm(given.algorithm), exchange, given.username, password))


def first_challenge(verdict):
    return parse_challenges([value for _, value in verdict.headers])[0]


def logged_in(asking, login, source=HERE):
    """What our own client makes of it: the verdict on its answer."""
    request = Request("INVITE", URI, Headers([("CSeq", "1 INVITE")]))
    asked = asking.server.judge(request, asking.account, source, asking.now)
    assert isinstance(asked, Asked)
    refused = Response(401, "", Headers(asked.headers))
    line = Authorizer(login, seeded("client")).answer(request, refused)
    if line is None:
        return None
    again = replace(request, headers=request.headers.added(*line))
    return asking.server.judge(again, asking.account, source, asking.now)


def test_one_challenge_for_each_algorithm_the_strongest_first_with_one_nonce():
    asked = Asking().ask()
    assert isinstance(asked, Asked)
    assert {name for name, _ in asked.headers} == {"WWW-Authenticate"}
    found = [parse_challenges([value]) for _, value in asked.headers]
    assert [[c.algorithm for c in line] for line in found] == [["SHA-512-256"], ["SHA-256"], ["MD5"]]
    assert {(c.realm, c.qop, c.stale) for line in found for c in line} == {("example.com", ("auth",), False)}
    assert len({c.nonce for line in found for c in line}) == 1


def test_an_account_says_which_algorithms():
    asked = Asking(replace(ACME, algorithms=(Algorithm.MD5,))).ask()
    assert [parse_challenges([value])[0].algorithm for _, value in asked.headers] == ["MD5"]


secrets = st.binary(min_size=1, max_size=40)
users = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), min_size=1, max_size=20)


@given(algorithm=st.sampled_from(ALGORITHMS), username=users, realm=users, password=secrets)
def test_our_client_satisfies_our_server_whatever_the_credentials(algorithm, username, realm, password):
    asking = Asking(Account("t", username, password, realm, (algorithm,)))
    assert logged_in(asking, Login(username, password)) == Proven()
    assert logged_in(asking, Login(username, password, realm)) == Proven()
    assert isinstance(logged_in(asking, Login(username, password + b"x")), Failed)
    assert isinstance(logged_in(asking, Login(username + "x", password)), Failed)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("name", ["Authorization", "Proxy-Authorization"])
def test_each_algorithm_and_both_fields_prove(algorithm, name):
    asking = Asking()
    assert asking.ask(asking.answer(algorithm=algorithm.value), name=name) == Proven()


def test_an_rfc_2069_peer_proves_itself_once_for_each_nonce():
    asking = Asking()
    challenge = asking.challenge()
    line = asking.answer(challenge=challenge, qop=None, nc="", cnonce="")
    assert asking.ask(line) == Proven()
    assert first_challenge(asking.ask(line)).stale


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"username": "eve"}, "user name"),
        ({"password": b"lion"}, "password"),
        ({"password": b""}, "password"),
        ({"uri": "sip:+15550100666@192.0.2.2"}, "another request"),
        ({"qop": "auth-int"}, "a qop that was not offered"),
    ],
)
def test_what_does_not_fit_is_challenged_anew_and_told_apart_for_the_record(changes, words):
    asking = Asking()
    failed = asking.ask(asking.answer(**changes))
    assert isinstance(failed, Failed)
    assert (failed.status, failed.fault) == (401, Fault.WRONG_CREDENTIALS)
    assert words in failed.words
    assert not any(secret in repr(failed) for secret in ("tiger", "lion"))
    assert not first_challenge(failed).stale
    assert asking.ask(asking.answer(challenge=first_challenge(failed))) == Proven(), "the next try may be right"


def test_a_response_of_another_request_does_not_fit():
    asking = Asking()
    line = replace(asking.answer(), uri="sip:+15550100666@192.0.2.2")
    assert isinstance(asking.ask(line, uri="sip:+15550100666@192.0.2.2"), Failed)
    assert isinstance(asking.ask(replace(asking.answer(), response="")), Failed)


def test_credentials_for_another_realm_are_for_somebody_else():
    asking = Asking()
    other = asking.answer(realm="proxy.example.net")
    assert isinstance(asking.ask(other), Asked)
    assert asking.ask(other, asking.answer()) == Proven(), "and do not hide ours"


@pytest.mark.parametrize("algorithm", ["SHA-512-256-sess", "AKAv1-MD5", "md4"])
def test_an_algorithm_that_was_not_asked_for_is_not_looked_at(algorithm):
    asking = Asking()
    assert isinstance(asking.ask(replace(asking.answer(), algorithm=algorithm)), Asked)


def test_no_weaker_algorithm_than_asked_for_is_taken():
    asking = Asking(replace(ACME, algorithms=(Algorithm.SHA_256,)))
    assert isinstance(asking.ask(asking.answer(algorithm="MD5")), Asked)
    assert asking.ask(asking.answer()) == Proven()


def test_an_answer_that_comes_too_late_is_stale_and_no_failure():
    asking = Asking()
    late = asking.answer()
    asking.now += NONCE_LIFETIME_S + 0.1
    asked = asking.ask(late)
    assert isinstance(asked, Asked)
    assert first_challenge(asked).stale
    assert asking.ask(asking.answer(challenge=first_challenge(asked))) == Proven()


def test_an_answer_is_not_taken_twice_and_its_nonce_serves_on():
    asking = Asking()
    challenge = asking.challenge()
    first = asking.answer(challenge=challenge)
    assert asking.ask(first) == Proven()
    assert first_challenge(asking.ask(first)).stale
    assert asking.ask(asking.answer(challenge=challenge, nc="00000002")) == Proven()
    assert asking.ask(asking.answer(challenge=challenge, nc="0000000A")) == Proven()
    assert first_challenge(asking.ask(asking.answer(challenge=challenge, nc="00000002"))).stale


@pytest.mark.parametrize("password", [b"tiger", b"lion"])
def test_a_nonce_that_is_not_ours_tells_nothing_of_the_password_and_locks_nobody_out(password):
    asking, elsewhere = Asking(), Asking()
    foreign = elsewhere.challenge(source="192.0.2.9")
    for _ in range(2 * FAILURES_MAX):
        asked = asking.ask(asking.answer(challenge=foreign, password=password))
        assert isinstance(asked, Asked)
        assert first_challenge(asked).stale
    assert asking.ask(asking.answer()) == Proven()


def test_a_request_that_shows_a_nonce_of_ours_is_known_before_it_is_parsed():
    asking = Asking()
    head = f"INVITE {URI} SIP/2.0\r\nAuthorization: {asking.answer()}\r\n".encode()
    assert asking.server.vouches(head, HERE, asking.now)
    assert not asking.server.vouches(head, "192.0.2.9", asking.now)
    assert not asking.server.vouches(head, HERE, asking.now + NONCE_LIFETIME_S + 1)
    assert not asking.server.vouches(head.replace(b'nonce="', b'nonce="A'), HERE, asking.now)
    assert not asking.server.vouches(b"INVITE x\r\n", HERE, asking.now)


def test_the_last_wrong_answer_in_a_row_gets_no_further_challenge():
    asking = Asking()
    challenge, statuses = asking.challenge(), []
    for _ in range(TRIES_MAX):
        failed = asking.ask(asking.answer(challenge=challenge, password=b"lion"))
        statuses.append((failed.status, failed.fault, bool(failed.headers)))
        challenge = first_challenge(failed) if failed.headers else None
    wrong = Fault.WRONG_CREDENTIALS
    assert statuses == [(401, wrong, True)] * (TRIES_MAX - 1) + [(403, wrong, False)]
    assert asking.ask(asking.answer()) == Proven(), "one call's tries are no lock-out"


def test_wrong_answers_lock_their_source_out_even_of_the_right_one():
    asking = Asking()
    verdicts = [asking.ask(asking.answer(password=b"lion")) for _ in range(FAILURES_MAX)]
    assert [v.fault for v in verdicts] == [Fault.WRONG_CREDENTIALS] * (FAILURES_MAX - 1) + [Fault.LOCKED_OUT]
    before = asking.now
    asking.now += LOCKOUT_S - 1
    locked = asking.ask()
    assert (locked.status, locked.fault, locked.headers) == (403, Fault.LOCKED_OUT, ())
    assert isinstance(asking.ask(source="192.0.2.77"), Asked), "others come and go"
    asking.now = before + LOCKOUT_S
    assert asking.ask(asking.answer()) == Proven()


@pytest.mark.parametrize("line", ["Digest", 'Digest username="acme"', 'Digest realm="a", realm="b"', 'Digest x="'])
def test_a_field_that_cannot_be_read_is_a_fault_of_syntax(line):
    failed = Asking().ask(line)
    assert (failed.status, failed.fault) == (400, Fault.SYNTAX)


def test_schemes_that_nobody_knows_are_challenged():
    assert isinstance(Asking().ask("NoOneKnowsThisScheme opaque-data=here"), Asked)


@pytest.mark.parametrize(
    ("given_uri", "requested", "same"),
    [
        ("sip:+1555@a", "sip:+1555@a", True),
        ("sip:+1555@a", "sip:+1555@a:5060;transport=udp", True),  # LiveKit drops port and transport
        ("sip:+1555@carrier.example", "sip:+1555@192.0.2.2:5070", True),  # a proxy has rewritten the host
        ("sips:+1555@a", "sip:+1555@a", True),
        ("tel:+1555", "sip:+1555@a", True),
        ("sip:+1555;phone-context=x@a", "sip:+1555@a", True),
        ("sip:+1555@a", "sip:+1666@a", False),
        ("sip:a:5999", "sip:a:5060", True),
        ("sip:a", "sip:+1555@a", False),  # it would be good for any number
        ("sip:b", "sip:+1555@a", False),
        ("sip:+1555@a", "sip:a", False),
        ("tel:+1555", "sip:a", False),
        ("/dir/index.html", "sip:+1555@a", False),
        ("", "sip:+1555@a", False),
    ],
)
def test_the_uri_of_a_digest_may_differ_in_what_proxies_rewrite(given_uri, requested, same):
    assert is_same_target(given_uri, requested) is same


def test_no_secret_is_shown():
    assert "tiger" not in repr(ACME)
    assert "tiger" not in repr(Login("acme", b"tiger"))
