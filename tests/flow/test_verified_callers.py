"""Callers whose carriers sign for their numbers (STIR/SHAKEN), in virtual time: who is shown, refused, kept waiting.

The carrier is `tests.stir_carrier`: its tokens and certificates come from other hands than what verifies them.
"""

from __future__ import annotations

from time import gmtime, strftime
from typing import Any

import pytest

from runtime.calls.call import State
from runtime.stir.signer import Authorities, Signer, read_signer
from runtime.stir.verdict import Fault, Refusal
from schemas.tables.rows import Headers, IdentityCheck, Inbound, RoomKind, Rows, RuleRow, Secret, TrunkRow
from schemas.tables.tables import Tables
from tests.flow.memory import WALL_S, Caller, World
from tests.stir_carrier import CALLER, ORIGID, URL, Carrier

CARRIER = Carrier()
HOSTS = ("*.example.org",)


def signer(carrier: Carrier = CARRIER, at: float = WALL_S) -> Signer:
    found = read_signer(carrier.chain, Authorities.read(carrier.authority.pem), at)
    assert isinstance(found, Signer)
    return found


SIGNER = signer()


def tables(verify: str = "require", rule: dict[str, Any] | None = None, **inbound: Any) -> Tables:
    check = IdentityCheck(verify, HOSTS) if verify != "off" else None
    trunk = TrunkRow(
        "default/home",
        inbound=Inbound(**{"networks": ("198.51.100.0/24",), "identity": check, **inbound}),
        max_concurrent_calls=2,
        accept_refer=True,
    )
    row = RuleRow("default/lobby", **{"kind": RoomKind.DIRECT, "room_name": "lobby", **(rule or {})})
    return Tables.build(Rows({trunk.id: trunk}, {row.id: row}))


def world(verify: str = "require", *, knows: bool = True, **more: Any) -> World:
    made = World(tables(verify, **more))
    if knows:
        made.signers[URL] = SIGNER
    return made


def calls(world: World, identity: str | None, *headers: tuple[str, str], number: str = "+12155551212") -> Caller:
    caller = world.caller(number=number)
    identities = [("Identity", identity)] if identity is not None else []
    caller.dial("+12125551213", headers=[*identities, *headers])
    return caller


def now(world: World) -> float:
    return WALL_S + world.now


def shown(world: World) -> dict[str, str]:
    [member] = world.rooms.members("lobby")
    return dict(member.attributes)


@pytest.mark.parametrize("verify", ["report", "require"])
@pytest.mark.parametrize("attest", ["A", "B", "C"])
def test_a_signed_call_is_let_in_and_shows_who_attests(verify: str, attest: str) -> None:
    here = world(verify)
    caller = calls(here, CARRIER.identity(now(here), attest=attest))
    assert caller.status == 200
    told = shown(here)
    assert (told["sip.verstat"], told["sip.attestation"], told["sip.origID"]) == (
        "TN-Validation-Passed",
        attest,
        ORIGID,
    )
    caller.hang_up()
    [record] = here.records
    assert (record.verstat, record.attestation, record.origid) == ("TN-Validation-Passed", attest, ORIGID)
    assert "TN-Validation-Passed, attestation " + attest in record.line()
    assert "SHAKEN 709J" in record.line()
    assert record.as_json()["verstat"] == "TN-Validation-Passed"


@pytest.mark.parametrize("compact", [False, True])
def test_a_plain_passport_verifies_the_number_and_attests_to_nothing(compact: bool) -> None:
    here = world()
    date = ("Date", strftime("%a, %d %b %Y %H:%M:%S GMT", gmtime(int(now(here)))))
    identity = CARRIER.compact(int(now(here))) if compact else CARRIER.identity(now(here), attest=None)
    assert calls(here, identity, date).status == 200
    told = shown(here)
    assert told["sip.verstat"] == "TN-Validation-Passed"
    assert not {"sip.attestation", "sip.origID"} & told.keys()


def bad(what: str, at: float) -> tuple[str | None, Signer | Refusal]:
    """An Identity header with one thing wrong, and what is at its place."""
    match what:
        case "none":
            return None, SIGNER
        case "another kind":
            token = CARRIER.token(at, headers={"ppt": "div"})
            return f"{token};info=<{URL}>;ppt=div", SIGNER
        case "old":
            return CARRIER.identity(at - 61), SIGNER
        case "too new":
            return CARRIER.identity(at + 62), SIGNER
        case "another caller":
            return CARRIER.identity(at, caller="12155550000"), SIGNER
        case "another called":
            return CARRIER.identity(at, called="12125550000"), SIGNER
        case "forged":
            return CARRIER.identity(at, key=Carrier().own.key), SIGNER
        case "unreachable":
            return CARRIER.identity(at), Refusal(Fault.NO_CERTIFICATE, "its certificate cannot be had: no answer")
        case "http":
            return CARRIER.identity(at, url=URL.replace("https", "http")), SIGNER
        case "elsewhere":
            return CARRIER.identity(at, url="https://169.254.169.254/latest"), SIGNER
        case "untrusted":
            found = read_signer(Carrier().chain, Authorities.read(CARRIER.authority.pem), at)
            return CARRIER.identity(at), found
    assert what == "noise"
    return "x" * 500, SIGNER


FAULTS = {
    "none": (428, "Use Identity Header", "identity-missing", "No-TN-Validation"),
    "another kind": (428, "Use Identity Header", "identity-missing", "No-TN-Validation"),
    "old": (403, "Stale Date", "identity-stale", "TN-Validation-Failed"),
    "too new": (403, "Stale Date", "identity-stale", "TN-Validation-Failed"),
    "another caller": (438, "Invalid Identity Header", "identity-invalid", "TN-Validation-Failed"),
    "another called": (438, "Invalid Identity Header", "identity-invalid", "TN-Validation-Failed"),
    "forged": (438, "Invalid Identity Header", "identity-invalid", "TN-Validation-Failed"),
    "noise": (438, "Invalid Identity Header", "identity-invalid", "TN-Validation-Failed"),
    "unreachable": (436, "Bad Identity Info", "identity-no-certificate", "No-TN-Validation"),
    "http": (436, "Bad Identity Info", "identity-no-certificate", "No-TN-Validation"),
    "elsewhere": (436, "Bad Identity Info", "identity-no-certificate", "No-TN-Validation"),
    "untrusted": (437, "Unsupported Credential", "identity-untrusted", "TN-Validation-Failed"),
}


@pytest.mark.parametrize("what", FAULTS)
def test_a_trunk_that_requires_it_refuses_with_the_status_of_the_rfc(what: str) -> None:
    status, phrase, reason, verstat = FAULTS[what]
    here = world()
    identity, here.signers[URL] = bad(what, now(here))
    caller = calls(here, identity)
    assert (caller.status, caller.phrase) == (status, phrase)
    [record] = here.records
    assert (record.status, record.reason, record.verstat) == (status, reason, verstat)
    assert record.words
    assert record.words.replace('"', "'")[:40] in caller.warning
    assert caller.why.startswith(f"STIR;cause={status};text=")
    assert record.hint
    assert here.switchboard.reception.refused == 1
    assert not here.switchboard.live_calls()
    assert all(ports.closed for ports in here.ports)


@pytest.mark.parametrize("what", FAULTS)
def test_a_trunk_that_reports_lets_it_in_and_says_so(what: str) -> None:
    here = world("report")
    identity, here.signers[URL] = bad(what, now(here))
    caller = calls(here, identity)
    assert caller.status == 200
    told = shown(here)
    assert told["sip.verstat"] == FAULTS[what][3]
    assert not {"sip.attestation", "sip.origID"} & told.keys()
    caller.hang_up()
    assert here.records[0].verstat_words
    assert "12155551212" not in here.records[0].verstat_words


def test_nothing_is_fetched_for_what_could_not_hold_anyway() -> None:
    for what in ("none", "another kind", "old", "another caller", "another called", "http", "elsewhere", "noise"):
        here = world("report", knows=False)
        calls(here, bad(what, now(here))[0])
        assert not here.fetching, what


def test_a_stranger_and_a_trunk_that_does_not_ask_cause_no_fetch() -> None:
    here = world("require", knows=False)
    stranger = here.caller("203.0.113.9", number="+12155551212")
    stranger.dial("+12125551213", headers=[("Identity", CARRIER.identity(now(here)))])
    assert not here.fetching
    here = world("off", knows=False)
    assert calls(here, CARRIER.identity(now(here))).status == 200
    assert not here.fetching
    assert "sip.verstat" not in shown(here)
    assert here.switchboard.live_calls()[0].record.verstat == ""


def test_a_call_beyond_the_trunk_s_limit_causes_no_fetch() -> None:
    here = world(knows=False)
    for _ in range(3):
        calls(here, CARRIER.identity(now(here)))
    assert len(here.fetching) == 2
    assert here.callers[-1].status == 503


def test_a_call_waits_for_its_certificate_and_many_wait_for_one() -> None:
    here = world(knows=False)
    first, second = (calls(here, CARRIER.identity(now(here))) for _ in range(2))
    assert (first.status, second.status) == (0, 0)
    assert {call.state for call in here.switchboard.live_calls()} == {State.VERIFYING}
    assert not here.legs
    here.step(1)
    here.fetched(URL, SIGNER)
    here.settle()
    assert (first.status, second.status) == (200, 200)


def test_who_gives_up_while_it_is_fetched_is_gone() -> None:
    here = world(knows=False)
    caller = calls(here, CARRIER.identity(now(here)))
    caller.endpoint.cancel(caller.leg, here.now)
    here.settle()
    assert caller.status == 487
    [record] = here.records
    assert record.reason == "cancelled"
    assert all(ports.closed for ports in here.ports)
    here.fetched(URL, SIGNER)
    here.settle()
    assert not here.switchboard.live_calls()
    assert len(here.records) == 1


def test_a_bridge_that_stops_refuses_who_waits() -> None:
    here = world(knows=False)
    caller = calls(here, CARRIER.identity(now(here)))
    here.switchboard.stop(here.moment)
    here.settle()
    assert caller.status == 480
    assert here.records[0].reason == "shutdown"


def test_one_passport_that_holds_is_enough() -> None:
    here = world(knows=False)
    other = "https://b.example.org/c.pem"
    caller = here.caller(number="+12155551212")
    identities = [CARRIER.identity(now(here)), CARRIER.identity(now(here), url=other, attest="B")]
    caller.dial("+12125551213", headers=[("Identity", each) for each in identities])
    here.fetched(URL, Refusal(Fault.NO_CERTIFICATE, "no"))
    here.settle()
    here.fetched(other, SIGNER)
    here.settle()
    assert caller.status == 200
    assert shown(here)["sip.attestation"] == "B"


@pytest.mark.parametrize("verify", ["off", "report"])
def test_no_header_can_claim_to_be_verified(verify: str) -> None:
    claims = (("X-V", "sip.verstat"), ("X-A", "sip.attestation"), ("X-O", "sip.origID"), ("X-C", "sip.carrierVerstat"))
    here = world(verify, headers=Headers(to_attributes=tuple(sorted(claims)), include="all"))
    forged = [(name, "TN-Validation-Passed") for name, _ in claims]
    calls(here, None, *forged, ("P-Asserted-Identity", "<tel:+1;verstat=TN-Validation-Passed>"))
    told = shown(here)
    assert told.get("sip.verstat") == (None if verify == "off" else "No-TN-Validation")
    assert not {"sip.attestation", "sip.origID", "sip.carrierVerstat"} & told.keys()


@pytest.mark.parametrize(
    "asserted",
    [
        "<sip:+12155551212;verstat=TN-Validation-Passed-B@c.example;user=phone>",
        "<sip:+12155551212@c.example;verstat=TN-Validation-Passed-B>",
        "<tel:+12155551212;verstat=TN-Validation-Passed-B>",
        "<sip:+12155551212@c.example>;verstat=TN-Validation-Passed-B",
    ],
)
@pytest.mark.parametrize("trusts", [True, False])
def test_what_a_carrier_says_is_told_apart_and_only_believed_where_it_is_trusted(asserted: str, trusts: bool) -> None:
    here = world("off", trust_identity=trusts)
    calls(here, None, ("P-Asserted-Identity", asserted))
    told = shown(here)
    assert told.get("sip.carrierVerstat") == ("TN-Validation-Passed-B" if trusts else None)
    assert "sip.verstat" not in told


@pytest.mark.parametrize("value", ["TN-Validation-Great", "TN-Validation-Passed-X", ""])
def test_what_is_no_verstat_is_not_told(value: str) -> None:
    here = world("off", trust_identity=True)
    calls(here, None, ("P-Asserted-Identity", f"<tel:+12155551212;verstat={value or 'x'}>"))
    assert "sip.carrierVerstat" not in shown(here)


def test_a_caller_cannot_speak_for_its_carrier_in_from() -> None:
    here = world("off", trust_identity=True)
    number = "+12155551212;verstat=TN-Validation-Passed"
    calls(here, None, ("P-Asserted-Identity", "<tel:+12155551212>"), number=number)
    assert "sip.carrierVerstat" not in shown(here)
    here = world("off", trust_identity=True)
    calls(here, None, number=number)
    assert shown(here)["sip.carrierVerstat"] == "TN-Validation-Passed"


def test_the_number_that_is_verified_is_the_one_that_is_shown() -> None:
    asserted = ("P-Asserted-Identity", "<tel:+12155551212>")
    here = world("require", trust_identity=True)
    assert calls(here, CARRIER.identity(now(here)), asserted, number="anonymous").status == 200
    here = world("require", trust_identity=False)
    refused = calls(here, CARRIER.identity(now(here)), asserted, number="+12155550000")
    assert refused.status == 438
    assert "trustIdentity" in here.records[0].hint


@pytest.mark.parametrize("hides", [{"hide_phone_number": True}, {}])
def test_a_hidden_caller_s_origin_is_hidden_too(hides: dict[str, Any]) -> None:
    here = world(rule=hides)
    private = [] if hides else [("Privacy", "id")]
    assert calls(here, CARRIER.identity(now(here)), *private).status == 200
    told = shown(here)
    assert told["sip.verstat"] == "TN-Validation-Passed"
    assert "sip.origID" not in told
    assert CALLER not in str(told)


def test_who_has_no_verified_number_is_not_asked_for_a_pin() -> None:
    pin = {"pin": Secret("env:PIN", b"sealed"), "kind": RoomKind.DIRECT}
    here = World(tables(rule=pin), unseal=lambda place, sealed: "1234")
    here.signers[URL] = SIGNER
    assert calls(here, None).status == 428
    assert not here.prompts
    assert calls(here, CARRIER.identity(now(here))).status == 200
    here.step(0.1)
    assert here.prompts


def test_a_phone_that_takes_another_s_place_is_not_verified() -> None:
    here = world()
    caller = calls(here, CARRIER.identity(now(here)))
    [call] = here.switchboard.live_calls()
    assert call.attributes["sip.verstat"] == "TN-Validation-Passed"
    info = here.endpoint.leg_info(call.leg)
    assert info is not None
    replaces = f"{info.call_id};to-tag={info.local_tag};from-tag={info.remote_tag}"
    taker = here.caller(number="+12155550000")
    taker.dial("+12125551213", headers=[("Replaces", replaces)])
    assert taker.status == 200
    assert caller.ended
    assert not {"sip.verstat", "sip.attestation", "sip.origID"} & shown(here).keys()
