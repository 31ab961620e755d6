"""Registrations with providers, in virtual time."""

from __future__ import annotations

from dataclasses import replace

from runtime.sip.auth.headers import Challenge, parse_credentials
from runtime.sip.message import Request
from runtime.sip.path import Path
from runtime.trunks import limits
from runtime.trunks.registration import State
from schemas.tables.rows import Secret
from tests.runtime.sip.raw import response
from tests.runtime.trunks.world import AUTH, TRUNK, US, A, B, C, World, account, says

OURS = "<sip:token-out@192.0.2.99:5060>"
OK = says(200, "Expires: 300")


def expires(request: Request) -> str | None:
    return request.headers.first("Expires")


def test_a_trunk_is_registered_with_its_own_contact() -> None:
    world = World()
    world.servers[A] = OK
    world.tend(account())
    world.run(2)
    [asked] = world.registers()
    assert asked.uri == "sip:carrier.example"
    assert asked.headers.first("To") == "<sip:acme@carrier.example>"
    assert (asked.headers.first("From") or "").startswith("<sip:acme@carrier.example>;tag=")
    assert (asked.headers.first("Contact"), expires(asked)) == (OURS, "300")
    assert world.registration.state is State.REGISTERED
    assert world.words == ["registered for 300 s"]
    assert world.keeper.sources == {A}


def test_it_is_refreshed_before_it_ends_with_the_next_cseq() -> None:
    world = World()
    world.servers[A] = OK
    world.tend(account())
    world.run(2)
    world.run(190)
    assert len(world.registers()) == 1
    world.run(40)
    one, two = world.registers()
    assert one.headers.first("Call-ID") == two.headers.first("Call-ID")
    assert [r.headers.first("CSeq") for r in (one, two)] == ["1 REGISTER", "2 REGISTER"]
    assert world.words == ["registered for 300 s"], "a refresh is no news"


def test_the_time_that_our_own_contact_was_given_counts() -> None:
    world = World()
    world.servers[A] = says(
        200, "Expires: 3600", f'Contact: <sip:other@192.0.2.5>;expires=7200, {OURS};q=1;Expires=60, "<";;;'
    )
    world.tend(account())
    world.run(2)
    world.servers[A] = says(200, f"Contact: <sip:x@y>;expires=9, {OURS};expires=60")
    world.run(300)
    assert world.words[-1] == "registered for 60 s"


def test_a_challenge_is_answered_and_a_second_realm_is_not() -> None:
    world = World()

    def asks(realm: str) -> None:
        challenge = says(401, f"WWW-Authenticate: {Challenge(realm, 'n', 'SHA-256', ('auth',))}")
        world.servers[A] = lambda request: OK(request) if request.headers.first("Authorization") else challenge(request)

    asks("carrier")
    world.tend(account())
    world.run(2)
    [given] = parse_credentials(world.registers()[-1].headers.all("Authorization"))
    assert (given.username, given.realm, given.algorithm) == ("acme", "carrier", "SHA-256")
    assert world.registration.state is State.REGISTERED
    asks("elsewhere")
    world.run(300)
    assert world.registration.state is State.FAILED, "the password is the first realm's"
    assert "outbound.auth is missing or wrong" in world.words[-1]


def test_a_wrong_password_is_tried_ever_less_often() -> None:
    world = World()
    world.servers[A] = says(401, f"WWW-Authenticate: {Challenge('carrier', 'n', 'MD5', ('auth',))}")
    world.tend(account())
    world.run(7_200)
    assert 4 < len(world.registers()) <= 20
    world.run(86_400)
    assert len(world.registers()) <= 2 * 60, "at most twice an hour, each with its answer to the challenge"


def test_who_wants_longer_gets_it_once() -> None:
    world = World()
    world.servers[A] = lambda request: (
        says(423, "Min-Expires: 600")(request) if int(expires(request) or 0) < 600 else says(200)(request)
    )
    world.tend(account())
    world.run(2)
    assert [expires(r) for r in world.registers()] == ["300", "600"]
    assert world.registration.words == "for 600 s"
    world.servers[A] = says(423, "Min-Expires: 700")
    world.run(600)
    assert world.registration.state is State.FAILED, "no end of longer"


def test_the_next_server_is_tried_at_once_and_a_refusal_is_final() -> None:
    world = World(A, B, C)
    world.servers[B], world.servers[C] = says(503), OK
    world.tend(account())
    world.run(limits.REGISTER_S + 2)
    assert [len(world.registers(address)) for address in (A, B, C)] == [1, 1, 1]
    assert world.registration.state is State.REGISTERED
    assert world.keeper.sources == {A, B, C}
    world = World(A, B)
    world.servers[A], world.servers[B] = says(403), OK
    world.tend(account())
    world.run(5)
    assert not world.registers(B)


def test_a_registrar_that_restarts_is_asked_ever_less_often_until_it_is_back() -> None:
    world = World()
    world.servers[A] = OK
    world.tend(account())
    world.run(2)
    del world.servers[A]
    world.run(3_600)
    tries = len(world.registers())
    assert 12 < tries < 40
    assert not world.registration.is_live(world.now)
    assert world.keeper.sources == frozenset()
    world.servers[A] = OK
    world.run(limits.UNREACHED_S_MAX)
    assert world.registration.state is State.REGISTERED
    assert world.words[-1] == "registered for 300 s"


def test_a_failed_refresh_does_not_end_what_was_registered() -> None:
    world = World()
    world.servers[A] = OK
    world.tend(account())
    world.run(2)
    world.servers[A] = says(500)
    world.run(270)
    assert world.registration.state is State.FAILED
    assert world.keeper.trunk_of("token-out", A, world.now) == TRUNK
    world.run(40)
    assert world.keeper.trunk_of("token-out", A, world.now) == ""


def test_retry_after_is_kept_to() -> None:
    world = World()
    world.servers[A] = says(503, "Retry-After: 900")
    world.tend(account())
    world.run(2)
    count = len(world.registers())
    world.run(440)
    assert len(world.registers()) == count


def test_who_calls_must_know_the_contact_and_be_the_registrar() -> None:
    world = World(A, B)
    world.servers[A] = OK
    world.tend(account())
    assert world.keeper.trunk_of("token-out", A, world.now) == "", "not yet"
    world.run(2)
    trunk_of = world.keeper.trunk_of
    assert [trunk_of("token-out", address, world.now) for address in (A, B, C)] == [TRUNK, TRUNK, ""]
    assert (trunk_of("acme", A, world.now), trunk_of("", A, world.now)) == ("", "")


def test_it_is_taken_back_when_the_bridge_stops_and_begun_no_more() -> None:
    world = World()
    world.servers[A] = OK
    world.tend(account())
    world.run(2)
    world.keeper.stop(world.now)
    assert world.keeper.is_leaving
    assert world.keeper.trunk_of("token-out", A, world.now) == ""
    world.settle()
    assert not world.keeper.is_leaving
    assert expires(world.registers()[-1]) == "0"
    world.tend(account())
    world.run(600)
    assert len(world.registers()) == 2


def test_what_is_under_way_is_taken_back_too() -> None:
    world = World()
    slow: list[Request] = []
    world.servers[A] = lambda request: slow.append(request)
    world.tend(account())
    world.run(1.5)
    world.servers[A] = OK
    world.keeper.stop(world.now)
    world.settle()
    assert expires(world.registers()[-1]) == "0"
    assert int((world.registers()[-1].headers.first("CSeq") or "").split()[0]) > 2
    late = response(slow[0], 200, to_tag="them", extra=("Expires: 300",), contact="")
    world.endpoint.receive_datagram(late, Path("udp", US, (A, 5060)), world.now)
    world.run(20)
    assert not world.keeper.is_leaving
    assert world.keeper.sources == frozenset()


def test_taking_it_back_does_not_wait_for_the_dead() -> None:
    world = World()
    world.servers[A] = OK
    world.tend(account())
    world.run(2)
    del world.servers[A]
    world.keeper.stop(world.now)
    world.run(limits.LEAVE_S + 0.5)
    assert not world.keeper.is_leaving


def test_new_tables_touch_what_they_change() -> None:
    world = World()
    world.servers[A] = OK
    other = account("default/other")
    world.tend(account(), other)
    world.run(2)
    assert len(world.registers()) == 2
    world.tend(account(), other, left_out=3)
    assert "3 trunks" in world.words[-1]
    world.run(2)
    assert len(world.registers()) == 2, "nothing has changed"
    changed = account(auth=replace(AUTH, password=Secret("env:PASSWORD", b"lion")))
    world.tend(changed)
    world.run(2)
    assert sorted(expires(r) or "" for r in world.registers()[2:]) == ["0", "0", "300"]
    assert world.keeper.registration("default/other") is None


def test_a_password_that_cannot_be_unsealed_is_said_and_tried_later() -> None:
    world = World()
    world.servers[A], world.unseals = OK, False
    world.tend(account())
    world.run(2)
    assert not world.registers()
    assert "cannot be unsealed" in world.words[-1]
    world.unseals = True
    world.run(limits.REFUSED_S_MIN)
    assert world.registration.state is State.REGISTERED


def test_a_host_that_nobody_knows_is_said() -> None:
    world = World()
    world.addresses = []
    world.tend(account())
    world.run(2)
    assert world.words[-1] == "not registered: no address is known for carrier.example"


def test_why_it_failed_is_known_until_it_is_registered_again() -> None:
    world = World()
    world.tend(account())
    world.run(limits.REGISTER_S + 2)
    assert world.registration.failure.endswith("no answer")
    seen = set()
    for _ in range(40):
        world.run(1)
        seen.add(world.registration.state)
        assert world.registration.failure.endswith("no answer")
    assert State.ASKING in seen
    world.servers[A] = OK
    world.run(limits.UNREACHED_S_MAX)
    assert (world.registration.state, world.registration.failure) == (State.REGISTERED, "")


def test_a_closed_connection_is_made_again_at_once() -> None:
    world = World(transport="tcp")
    world.servers[A] = OK
    world.tend(account())
    world.run(2)
    [at] = world.keeper.connections(world.now)
    world.keeper.connection_failed(at, world.now)
    world.run(limits.AGAIN_S + 0.5)
    assert len(world.registers()) == 2


def test_the_connection_of_a_registration_is_kept_through_failed_refreshes() -> None:
    world = World(A, B, transport="tcp")
    world.servers[A] = OK
    world.tend(account())
    world.run(2)
    at = Path("tcp", US, (A, 5060))
    world.servers[A] = world.servers[B] = says(500)
    while world.registration.state is not State.FAILED:
        world.run(1)
    assert world.registers(B), "the next way was asked, and refuses too"
    assert world.keeper.trunk_of("token-out", A, world.now) == TRUNK
    assert world.keeper.connections(world.now) == {at}, "calls come by it"
    world.run(limits.EXPIRES_S_MAX)
    assert world.keeper.connections(world.now) == set(), "nobody calls by it any more"


def test_a_connection_that_closes_after_a_failed_refresh_is_made_again_once() -> None:
    world = World(transport="tcp")
    world.servers[A] = OK
    world.tend(account())
    world.run(2)
    [at] = world.keeper.connections(world.now)
    world.servers[A] = says(403)
    while world.registration.state is not State.FAILED:
        world.run(1)
    count = len(world.registers())
    for _ in range(5):  # it refuses, and closes each time
        world.keeper.connection_failed(at, world.now)
        world.run(limits.AGAIN_S + 0.5)
    assert len(world.registers()) == count + 1
    assert world.keeper.connections(world.now) == set()


def test_a_user_with_a_domain_is_registered_as_that() -> None:
    world = World()
    world.servers[A] = OK
    world.tend(account(auth=replace(AUTH, username="acme@pbx.example")))
    world.run(2)
    assert world.registers()[0].headers.first("To") == "<sip:acme@pbx.example>"


def test_answers_that_come_late_or_twice_change_nothing() -> None:
    world = World()
    late: list[bytes] = []

    def slow(request: Request) -> bytes | None:
        late.append(response(request, 403, to_tag="them"))
        return None

    world.servers[A] = slow
    world.tend(account())
    world.run(limits.REGISTER_S + 2)
    words = list(world.words)
    for data in late:
        world.endpoint.receive_datagram(data, world.registration.at, world.now)  # type: ignore[arg-type]
    world.settle()
    assert world.words == words


def test_trunks_that_are_left_out_are_told_of_when_their_number_changes() -> None:
    world = World()
    for left_out in (0, 3, 3, 2, 2, 0, 0):
        world.tend(left_out=left_out)
    left = "trunks are neither registered nor probed: there are too many of them"
    assert world.words == [f"3 {left}", f"2 {left}", "all trunks that want it are registered and probed again"]
