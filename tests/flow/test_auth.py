"""Calls of a trunk that asks for a password, from INVITE to record, in virtual time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtime.sip.auth.client import Login
from runtime.sip.auth.digest import Algorithm
from runtime.sip.auth.limits import FAILURES_MAX, LOCKOUT_S, NONCE_LIFETIME_S
from runtime.sip.parser import parse_message
from runtime.sip.path import Path
from schemas.seal import INBOUND_PASSWORD, KEY_BYTES, Place, Sealer
from schemas.tables.rows import Auth, Inbound, Kind, NumberRow, RoomKind, Rows, RuleRow, Secret, TrunkRow
from schemas.tables.tables import Tables
from tests.flow.memory import World
from tests.runtime.sip.raw import request

SEALER = Sealer(bytes(range(KEY_BYTES)))
HOME, ABROAD = "198.51.100.7", "203.0.113.9"
ACME, WRONG = Login("acme", b"tiger"), Login("acme", b"lion")
NUMBER = "+15550100000"


def sealed(trunk: str, password: bytes = b"tiger") -> Secret:
    return Secret("env:PW", SEALER.seal(Place(Kind.TRUNK, trunk, INBOUND_PASSWORD), password))


def trunk(name: str = "default/acme", *, networks: tuple[str, ...] = (), **auth: object) -> TrunkRow:
    chosen = Auth(**{"username": "acme", "password": sealed(name), **auth})  # type: ignore[arg-type]
    return TrunkRow(name, inbound=Inbound(networks=networks, auth=chosen))


def world(*trunks: TrunkRow, rule: bool = True, sealer: Sealer = SEALER, **numbers: NumberRow) -> World:
    rules = {"default/lobby": RuleRow("default/lobby", RoomKind.DIRECT, "lobby")} if rule else {}
    rows = Rows({row.id: row for row in trunks or (trunk(),)}, rules, numbers)
    return World(Tables.build(rows), unseal=sealer.unseal)


def test_a_caller_that_knows_the_password_comes_in_and_the_challenge_leaves_no_record() -> None:
    bridge = world()
    caller = bridge.caller().dial(NUMBER, login=ACME)
    assert caller.status == 200
    assert bridge.switchboard.reception.challenged == 1
    caller.hang_up()
    (record,) = bridge.records
    assert (record.reason, record.trunk, record.room) == ("hangup", "default/acme", "lobby")


def test_a_password_opens_no_other_number_than_it_was_given_for() -> None:
    """The digest covers the Request-URI, and routing goes by To."""
    bridge = world()
    caller = bridge.caller().dial(NUMBER, login=ACME, to="+15550100001")
    assert caller.status == 403
    assert "To names another number" in caller.warning
    assert bridge.records[-1].reason == "another-number"


def test_the_number_may_be_written_in_two_ways() -> None:
    assert world().caller().dial(NUMBER, login=ACME, to=NUMBER.removeprefix("+")).status == 200


def test_a_call_that_is_up_is_not_asked_again() -> None:
    bridge = world()
    caller = bridge.caller().dial(NUMBER, login=ACME)
    assert caller.change("inactive") == 200
    assert caller.change("sendrecv") == 200
    caller.hang_up()
    assert [record.reason for record in bridge.records] == ["hangup"]
    assert bridge.switchboard.reception.challenged == 1


def test_a_caller_that_does_not_answer_is_challenged_and_nothing_more() -> None:
    bridge = world()
    caller = bridge.caller().dial(NUMBER)
    assert (caller.status, caller.warning) == (401, "")
    assert not bridge.records
    assert (bridge.switchboard.reception.challenged, bridge.switchboard.reception.refused) == (1, 0)


def test_nothing_is_kept_of_who_is_challenged_and_its_ack_is_absorbed() -> None:
    bridge = world(trunk(networks=(f"{HOME}/32",)))
    path = Path("udp", ("192.0.2.2", 5060), (HOME, 5060))
    stale = (
        'Authorization: Digest username="acme", realm="LiveKit", nonce="forged", uri="sip:bob@192.0.2.2", response="x"'
    )
    for extra in ((), (stale,)):
        tags = set()
        for _ in range(2):
            bridge.endpoint.receive_datagram(request(extra=extra), path, bridge.now)
            assert bridge.endpoint.next_event() is None
            ((data, _),) = bridge.endpoint.datagrams_to_send()
            assert data.startswith(b"SIP/2.0 401 Unauthorized\r\n")
            assert (b"stale=true" in data) is bool(extra)
            tags.add(parse_message(data).headers.first("To") or "")
        assert len(tags) == 1, "a repetition gets the same To tag"
        (tag,) = (to.partition(";tag=")[2] for to in tags)
        bridge.endpoint.receive_datagram(request("ACK", to_tag=tag), path, bridge.now)
        assert (bridge.endpoint.next_event(), bridge.endpoint.datagrams_to_send()) == (None, [])
    core = bridge.endpoint._core
    assert (bridge.endpoint.transaction_count, core.transactions.bytes_kept, len(core.alarms)) == (0, 0, 0)
    assert bridge.endpoint.leg_count == 0
    assert bridge.switchboard.reception.challenged == 4


def test_nothing_is_kept_of_a_stranger_that_no_trunk_takes_and_its_record_says_why() -> None:
    others = trunk()
    assert others.inbound is not None
    bridge = world(replace(others, inbound=replace(others.inbound, allowed_numbers=("+15550199999",))))
    caller = bridge.caller(ABROAD).dial(NUMBER)
    assert caller.status == 403
    assert (bridge.endpoint.transaction_count, bridge.endpoint.leg_count) == (0, 0)
    (record,) = bridge.records
    assert (record.status, record.to_user) == (403, NUMBER)
    assert record.trail


def test_a_wrong_password_is_refused_with_a_reason_that_its_caller_does_not_learn() -> None:
    bridge = world()
    caller = bridge.caller().dial(NUMBER, login=WRONG)
    assert (caller.status, caller.warning) == (401, "")
    (record,) = bridge.records
    assert (record.status, record.reason, record.words) == (401, "wrong-credentials", "the password is wrong")
    assert (record.trunk, record.source, record.from_user) == ("default/acme", HOME, "+15550101111")
    assert record.line().endswith("on Trunk default/acme not answered, SIP 401: the password is wrong")
    assert not any(secret in repr(bridge.records) for secret in ("tiger", "lion"))


def test_another_user_name_is_refused() -> None:
    bridge = world()
    bridge.caller().dial(NUMBER, login=Login("eve", b"tiger"))
    assert [(r.status, r.reason, r.words) for r in bridge.records] == [
        (401, "wrong-credentials", "the user name is another")
    ]


def test_a_source_that_goes_on_guessing_is_locked_out_and_comes_back_later() -> None:
    bridge = world()
    for _ in range(FAILURES_MAX):
        bridge.caller().dial(NUMBER, login=WRONG)
    assert [r.reason for r in bridge.records] == ["wrong-credentials"] * (FAILURES_MAX - 1) + ["locked-out"]
    assert bridge.caller().dial(NUMBER, login=ACME).status == 403, "even with the right password"
    assert (bridge.records[-1].reason, bridge.records[-1].status) == ("locked-out", 403)
    assert bridge.caller(ABROAD).dial(NUMBER, login=ACME).status == 200, "nobody else is"
    bridge.now += LOCKOUT_S
    assert bridge.caller().dial(NUMBER, login=ACME).status == 200


def test_a_locked_out_source_still_reaches_its_other_trunks() -> None:
    number = NumberRow("default/other", "+15550100001", trunk="default/other")
    other = replace(trunk("default/other", username="other"), claimed_since=1)
    bridge = world(trunk(), other, **{"default/other": number})
    for _ in range(FAILURES_MAX):
        bridge.caller().dial(NUMBER, login=WRONG)
    assert bridge.caller().dial(NUMBER, login=ACME).status == 403
    assert bridge.caller().dial("+15550100001", login=Login("other", b"tiger")).status == 200


@pytest.mark.parametrize(
    ("address", "login", "status"), [(HOME, ACME, 200), (HOME, WRONG, 401), (HOME, None, 401), (ABROAD, ACME, 403)]
)
def test_a_trunk_with_addresses_and_a_password_needs_both(address: str, login: Login | None, status: int) -> None:
    bridge = world(trunk(networks=("198.51.100.0/24",)))
    assert bridge.caller(address).dial(NUMBER, login=login).status == status
    if address == ABROAD:
        assert bridge.switchboard.reception.challenged == 0, "the source is looked at first"
        assert bridge.records[0].reason == "source-not-allowed"


def test_a_trunk_without_a_password_asks_for_none_whatever_a_caller_shows() -> None:
    open_trunk = TrunkRow("default/home", inbound=Inbound(networks=("198.51.100.0/24",)))
    bridge = world(open_trunk)
    headers = [("Authorization", 'Digest realm="'), ("Proxy-Authorization", "Digest")]
    assert bridge.caller().dial(NUMBER, headers=headers).status == 200


def test_credentials_that_cannot_be_read_are_a_fault_of_syntax() -> None:
    bridge = world()
    assert bridge.caller().dial(NUMBER, headers=[("Authorization", 'Digest realm="')]).status == 400
    assert (bridge.records[0].reason, bridge.records[0].words) == ("syntax", "Malformed Authorization")


def test_what_is_known_is_asked_of_the_rules_again() -> None:
    bridge = world(rule=False)
    caller = bridge.caller().dial(NUMBER, login=ACME)
    assert caller.status == 404
    assert "no DispatchRule" in caller.warning, "who has proven itself is told why"
    assert bridge.records[0].reason == "no-rule"


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_trunk_says_which_algorithms(algorithm: Algorithm) -> None:
    bridge = world(trunk(algorithms=(algorithm.value,)))
    assert bridge.caller().dial(NUMBER, login=replace(ACME, algorithms=(algorithm,))).status == 200
    others = tuple(other for other in Algorithm if other is not algorithm)
    assert bridge.caller().dial(NUMBER, login=replace(ACME, algorithms=others)).status == 401


@pytest.mark.parametrize(("realm", "shown"), [("", "LiveKit"), ("example.com", "example.com")])
def test_the_realm_is_the_trunk_s_or_livekit_s(realm: str, shown: str) -> None:
    bridge = world(trunk(realm=realm))
    assert bridge.caller().dial(NUMBER, login=replace(ACME, realm=shown)).status == 200
    assert bridge.caller().dial(NUMBER, login=replace(ACME, realm="other")).status == 401


@pytest.mark.parametrize("password", [Secret("env:PW"), Secret("env:PW", b"x" * 40), sealed("default/other")])
def test_a_password_that_cannot_be_unsealed_refuses_calls_and_says_so(password: Secret) -> None:
    bridge = world(trunk(password=password))
    caller = bridge.caller().dial(NUMBER, login=ACME)
    assert (caller.status, caller.warning) == (500, "")
    (record,) = bridge.records
    assert record.reason == "secret-unreadable"
    assert "default/acme" in record.words
    assert "secret.key" in record.hint, "it is said what to do"
    assert bridge.switchboard.reception.challenged == 0


def test_another_key_refuses_calls_and_does_no_harm() -> None:
    bridge = world(sealer=Sealer(bytes(KEY_BYTES)))
    assert bridge.caller().dial(NUMBER, login=ACME).status == 500


def test_a_password_is_changed_under_way() -> None:
    bridge = world()
    assert bridge.caller().dial(NUMBER, login=ACME).status == 200
    changed = trunk(password=sealed("default/acme", b"lion"))
    rule = RuleRow("default/lobby", RoomKind.DIRECT, "lobby")
    bridge.switchboard.use_tables(Tables.build(Rows({changed.id: changed}, {rule.id: rule})), 2)
    assert bridge.caller().dial(NUMBER, login=ACME).status == 401
    assert bridge.caller().dial(NUMBER, login=WRONG).status == 200


def test_a_late_answer_is_challenged_again_and_comes_in() -> None:
    bridge = world()
    caller = bridge.caller()
    caller.think_s = NONCE_LIFETIME_S + 1
    assert caller.dial(NUMBER, login=ACME).status == 200
    assert bridge.switchboard.reception.challenged == 2
    assert not bridge.records


def test_only_who_has_proven_a_password_is_trusted() -> None:
    bridge = world()
    bridge.caller().dial(NUMBER, login=WRONG)
    bridge.caller(ABROAD).dial(NUMBER)
    assert not bridge.trusted
    bridge.caller(ABROAD).dial(NUMBER, login=ACME)
    assert bridge.trusted == [ABROAD]


def test_many_strangers_cost_no_memory() -> None:
    bridge = world()
    for n in range(300):
        bridge.caller(f"203.0.113.{n % 250 + 1}").dial(NUMBER)
        bridge.callers.clear()
    bridge.step(40)
    digest = bridge.switchboard.reception.entrance._digest
    assert (len(digest._nonces._used), len(digest._lockout)) == (0, 0)
    assert bridge.endpoint.leg_count == bridge.endpoint.transaction_count == 0
