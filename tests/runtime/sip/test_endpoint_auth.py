"""The endpoint and challenges: its own requests made again with credentials, and never for whom it should not be."""

from __future__ import annotations

import pytest

from runtime.sip.auth.client import Login
from runtime.sip.auth.headers import Challenge, parse_credentials
from runtime.sip.auth.limits import CLIENT_TRIES_MAX
from runtime.sip.endpoint import Path
from runtime.sip.events import Answered, InviteReceived, LegEnded, ReinviteRejected, Rejected, RequestAnswered
from runtime.sip.message import Request
from tests.runtime.sip.raw import PATH, PEER, US, Raw, methods, read, request, response

LOGIN = Login("acme", b"tiger")
AWAY = ("198.51.100.66", 5060)


def challenge(nonce="n1", realm="carrier", **kwargs):
    return (f"WWW-Authenticate: {Challenge(realm, nonce, 'SHA-256', ('auth',), **kwargs)}",)


def credentials(message: Request, name="Authorization"):
    return parse_credentials(message.headers.all(name))


def refuse(raw, message, status=401, extra=None, **kwargs):
    """The peer challenges a request of ours; what we send at once, the ACK left out."""
    tag = "" if ";tag=" in message.headers.first("To") else "them"
    sent = raw.send(response(message, status, to_tag=tag, extra=challenge() if extra is None else extra), **kwargs)
    return [m for m in sent if m.method != "ACK"]


def calling(**kwargs):
    raw = Raw()
    leg, invite = raw.calling(login=LOGIN, **kwargs)
    return raw, leg, invite


def answered_with_login():
    """A call of ours with a login that was answered without a challenge."""
    raw, leg, invite = calling()
    raw.send(response(invite, 200, to_tag="them"))
    raw.events()
    return raw, leg


def test_a_challenged_invite_is_made_again_with_credentials():
    raw, leg, invite = calling(headers=[("X-Call", "7")])
    (again,) = refuse(raw, invite)
    assert raw.events() == [], "nobody is told"
    old, new = invite.headers, again.headers
    assert new.first("CSeq") == "2 INVITE"
    assert new.first("Via") != old.first("Via")
    for name in ("Call-ID", "From", "To", "Contact", "X-Call", "Content-Type"):
        assert new.first(name) == old.first(name)
    assert (again.uri, again.body) == (invite.uri, invite.body)
    (given,) = credentials(again)
    assert (given.username, given.realm, given.nonce, given.algorithm) == ("acme", "carrier", "n1", "SHA-256")
    (ack,) = raw.send(response(again, 200, to_tag="us"))
    assert [type(event) for event in raw.events()] == [Answered]
    assert ack.headers.first("CSeq") == "2 ACK"
    assert credentials(ack) == credentials(again), "RFC 3261 section 22.1"
    assert raw.endpoint.bye(leg, raw.now)
    (bye,) = raw.sent()
    assert bye.headers.first("CSeq") == "3 BYE"
    raw.send(response(bye, 200))
    raw.settle()


def test_a_proxy_is_answered_in_its_own_field():
    raw, _, invite = calling()
    line = challenge()[0].replace("WWW-Authenticate", "Proxy-Authenticate")
    (again,) = refuse(raw, invite, 407, (line,))
    assert credentials(again, "Proxy-Authorization")
    assert not credentials(again)


def test_a_proxy_and_the_peer_behind_it_are_both_answered():
    raw, _, invite = calling()
    line = challenge()[0].replace("WWW-Authenticate", "Proxy-Authenticate")
    (second,) = refuse(raw, invite, 407, (line,))
    (third,) = refuse(raw, second)
    assert credentials(third)
    assert credentials(third, "Proxy-Authorization") == credentials(second, "Proxy-Authorization")


def test_a_wrong_password_is_told_after_one_try():
    raw, leg, invite = calling()
    (again,) = refuse(raw, invite)
    assert refuse(raw, again, extra=challenge("n2")) == []
    rejected, ended = raw.events()
    assert (rejected.response.status, ended) == (401, LegEnded(leg))
    raw.settle()


def test_stale_nonces_are_answered_so_often_and_no_more():
    raw, _, message = calling()
    for count in range(CLIENT_TRIES_MAX):
        (message,) = refuse(raw, message, extra=challenge(f"n{count}", stale=count > 0))
    assert refuse(raw, message, extra=challenge("last", stale=True)) == []
    assert isinstance(raw.events()[0], Rejected)
    raw.settle()


def test_without_a_login_a_challenge_is_a_refusal():
    raw = Raw()
    _, invite = raw.calling()
    assert refuse(raw, invite) == []
    assert isinstance(raw.events()[0], Rejected)


@pytest.mark.parametrize("extra", [(), ("WWW-Authenticate: Digest",), ('WWW-Authenticate: Basic realm="x"',)])
def test_a_challenge_that_cannot_be_answered_is_a_refusal(extra):
    raw, _, invite = calling()
    assert refuse(raw, invite, extra=extra) == []
    assert isinstance(raw.events()[0], Rejected)
    raw.settle()


def test_a_challenge_after_ringing_forgets_the_early_dialog():
    raw, leg, invite = calling()
    raw.send(response(invite, 180, to_tag="early"))
    (again,) = refuse(raw, invite)
    raw.events()
    raw.send(response(again, 180, to_tag="second"))
    raw.send(response(again, 200, to_tag="second"))
    assert raw.endpoint.leg_info(leg).remote_tag == "second"
    assert raw.endpoint.bye(leg, raw.now)
    assert methods(raw.sent()) == ["BYE"]


def test_a_challenge_that_crosses_our_cancel_is_the_end():
    raw, leg, invite = calling()
    raw.send(response(invite, 100))
    assert raw.endpoint.cancel(leg, raw.now)
    assert methods(raw.sent()) == ["CANCEL"]
    assert refuse(raw, invite) == []
    assert isinstance(raw.events()[0], Rejected)
    raw.settle()


def test_an_invite_that_was_made_again_can_be_cancelled():
    raw, leg, invite = calling()
    (again,) = refuse(raw, invite)
    raw.send(response(again, 100))
    assert raw.endpoint.cancel(leg, raw.now)
    (cancel,) = raw.sent()
    assert (cancel.method, cancel.headers.first("CSeq")) == ("CANCEL", "2 CANCEL")
    assert cancel.headers.first("Via") == again.headers.first("Via")
    raw.send(response(again, 487, to_tag="them"))
    raw.settle()


def test_bye_and_other_requests_are_answered_too():
    raw, leg = answered_with_login()
    assert raw.endpoint.request(leg, "INFO", raw.now, body=b"x", content_type="text/plain")
    (info,) = raw.sent()
    (again,) = refuse(raw, info)
    assert (again.method, again.headers.first("CSeq"), again.body) == ("INFO", "3 INFO", b"x")
    raw.send(response(again, 200))
    (event,) = raw.events()
    assert isinstance(event, RequestAnswered)
    assert event.response.status == 200
    assert raw.endpoint.bye(leg, raw.now)
    (bye,) = raw.sent()
    assert bye.headers.first("CSeq") == "4 BYE"
    (again,) = refuse(raw, bye, extra=challenge("n1"))
    assert credentials(again)[0].nc == "00000002", "the same nonce, counted on"
    raw.send(response(again, 200))
    assert raw.events() == [LegEnded(leg)]
    raw.settle()


def test_a_bye_that_nobody_lets_through_ends_the_leg_all_the_same():
    raw, leg = answered_with_login()
    raw.endpoint.bye(leg, raw.now)
    (bye,) = raw.sent()
    (again,) = refuse(raw, bye)
    assert refuse(raw, again, extra=challenge("n2")) == []
    assert raw.events() == [LegEnded(leg)]
    raw.settle()


def test_a_challenged_reinvite_is_made_again():
    raw, leg = answered_with_login()
    assert raw.endpoint.reinvite(leg, raw.now, b"v=0\r\n")
    (reinvite,) = raw.sent()
    (again,) = refuse(raw, reinvite)
    assert (again.method, again.headers.first("CSeq")) == ("INVITE", "3 INVITE")
    assert again.headers.first("To").endswith("tag=them")
    assert refuse(raw, again, extra=challenge("n2")) == []
    assert isinstance(raw.events()[0], ReinviteRejected)


def test_a_caller_that_challenges_us_gets_no_answer():
    """The digest leak: whoever calls us must not have our request inside its call authenticated."""
    raw = Raw()
    leg = raw.confirmed()
    raw.endpoint.bye(leg, raw.now)
    (bye,) = raw.sent()
    assert refuse(raw, bye) == []
    assert raw.events() == [LegEnded(leg)]


@pytest.mark.parametrize("away", [AWAY, (PEER[0], 5099)])
def test_a_dialog_that_was_moved_elsewhere_gets_no_answer(away):
    raw, leg, invite = calling()
    raw.send(response(invite, 200, to_tag="them", contact=f"<sip:evil@{away[0]}:{away[1]}>"))
    raw.events()
    raw.endpoint.bye(leg, raw.now)
    ((data, path),) = raw.endpoint.datagrams_to_send()
    assert path.remote == away
    assert refuse(raw, read(data), path=Path("udp", US, away)) == []
    assert raw.events() == [LegEnded(leg)]


def test_another_realm_than_the_login_s_gets_no_answer():
    raw = Raw()
    _, invite = raw.calling(login=Login("acme", b"tiger", "carrier"))
    assert refuse(raw, invite, extra=challenge(realm="evil.example")) == []


def test_a_challenged_invite_may_come_again_with_the_same_cseq():
    raw = Raw()
    first = raw.called()
    raw.endpoint.respond(first, 401, raw.now)
    (answer,) = raw.sent()[-1:]
    raw.send(request("ACK", to_tag=answer.headers.first("To").partition("tag=")[2]))
    raw.events()
    sent = raw.send(request(branch="z9hG4bK-2", extra=("Authorization: Digest",)))
    assert methods(sent) == ["100"], "and not 482"
    (event,) = raw.events()
    assert isinstance(event, InviteReceived)
    raw.endpoint.respond(event.leg, 403, raw.now)
    raw.settle()


def test_an_invite_that_was_refused_otherwise_may_not():
    raw = Raw()
    raw.endpoint.respond(raw.called(), 403, raw.now)
    raw.sent()
    assert methods(raw.send(request(branch="z9hG4bK-2"))) == ["482"]


def test_a_call_with_a_login_leaves_nothing_behind():
    raw, _, invite = calling()
    (again,) = refuse(raw, invite)
    raw.send(response(again, 486, to_tag="them"), PATH)
    raw.settle()
