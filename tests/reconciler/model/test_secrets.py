"""Secrets on their way into rows: sealed at their place, needed or not, and never in the open."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model.desired import desire
from reconciler.model.live import Live
from reconciler.model.memo import Memo
from reconciler.model.records import Record, encode_record
from reconciler.model.secrets import Secrets, Unreadable
from reconciler.model.standing import Declared
from schemas.resources.conditions import ConditionType, Reason
from schemas.seal import (
    CLIENT_CERTIFICATE,
    CLIENT_KEY,
    INBOUND_PASSWORD,
    KEY_BYTES,
    OUTBOUND_PASSWORD,
    PIN,
    Place,
    Sealer,
)
from schemas.tables.rows import Kind
from schemas.tables.tables import Tables
from tests.reconciler.declaring import any_torn_folder, broken, codes, declared, ref, rule, trunk

SEALER = Sealer(bytes(KEY_BYTES))
GONE = Unreadable("the environment variable PW is not set", "set it where the reconciler runs")
CARRIER = (Kind.TRUNK, "default/carrier")


def with_auth(**place):
    inbound = {
        "allowedAddresses": ["10.1.0.0/16"],
        "auth": {"username": "acme", "passwordFrom": place or {"env": "PW"}},
    }
    return trunk(inbound=inbound)


def wanted(folder, found=None, *, live=None, needed=True, memo=None, sealer=SEALER):
    read = declared(folder)
    secrets = Secrets(found or {}, sealer, needed)
    return desire(Declared(read.files, read.unread, secrets), live or Live(), memo)


def lived(desired):
    records = {
        f"{kind}/{id_}": encode_record(Record(source.place.file, source.data))
        for kind, sources in desired.sources.items()
        for id_, source in sources.items()
    }
    return Live(1, Tables.build(desired.rows), desired.rows, {}, records)


def password(desired):
    return desired.rows.trunks["default/carrier"].inbound.auth.password


def unsealed(secret, field, kind=Kind.TRUNK, id_="default/carrier"):
    return SEALER.unseal(Place(kind, id_, field), secret.sealed)


def test_each_secret_is_sealed_at_its_own_place():
    place = {"env": "PW"}
    outbound = {
        "addresses": ["sip.example.com"],
        "auth": {"username": "acme", "passwordFrom": place},
        "tls": {"certificateFrom": place, "keyFrom": place},
    }
    documents = [trunk(inbound=with_auth()["spec"]["inbound"], outbound=outbound), rule(pinFrom={"env": "PIN"})]
    desired = wanted({"a.yaml": documents}, {"env:PW": b"tiger", "env:PIN": b"1234"})
    row = desired.rows.trunks["default/carrier"]
    assert unsealed(row.inbound.auth.password, INBOUND_PASSWORD) == b"tiger"
    assert unsealed(row.outbound.auth.password, OUTBOUND_PASSWORD) == b"tiger"
    assert unsealed(row.outbound.tls.certificate, CLIENT_CERTIFICATE) == b"tiger"
    assert unsealed(row.outbound.tls.key, CLIENT_KEY) == b"tiger"
    pin = desired.rows.rules["default/support"].pin
    assert unsealed(pin, PIN, Kind.RULE, "default/support") == b"1234"
    assert not desired.problems
    assert "tiger" not in repr(desired)


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ({"env": "PW"}, "env:PW"),
        ({"file": "pw.txt"}, "file:net/carriers/pw.txt"),
        ({"file": "/run/pw"}, "file:/run/pw"),
        ({"secretKeyRef": {"name": "sip", "key": "password"}}, "secret:sip/password"),
    ],
)
def test_where_a_secret_is_looked_for(place, name):
    desired = wanted({"net/carriers/a.yaml": [with_auth(**place)]}, {name: b"tiger"})
    assert unsealed(password(desired), INBOUND_PASSWORD) == b"tiger"


def test_a_missing_secret_holds_back_its_object_and_nothing_else():
    folder = {"a.yaml": [with_auth(), trunk("other", 2), rule(), rule("strict", trunkRefs=[ref("carrier")])]}
    desired = wanted(folder, {"env:PW": GONE})
    assert sorted(desired.rows.trunks) == ["default/other"]
    assert sorted(desired.rows.rules) == ["default/support"], "the rule that names the trunk waits for it"
    assert codes(desired.problems) == ["secret-not-found", "waits"]
    error = desired.problems[0]
    assert error.is_error
    assert error.where.path == "spec.inbound.auth.passwordFrom"
    assert str(error).endswith("the environment variable PW is not set, set it where the reconciler runs")
    verdict = desired.verdicts[CARRIER]
    assert (verdict.type, verdict.reason) == (ConditionType.RESOLVED_REFS, Reason.SECRET_NOT_FOUND)


def test_a_secret_that_goes_missing_leaves_the_row_as_it_is_live():
    folder = {"a.yaml": [with_auth()]}
    live = lived(wanted(folder, {"env:PW": b"tiger"}))
    desired = wanted({"a.yaml": [trunk(inbound={**with_auth()["spec"]["inbound"], "calledNumbers": "declared"})]},
                     {"env:PW": GONE}, live=live)  # fmt: skip
    assert desired.rows == live.mine


def test_without_need_a_missing_secret_is_a_warning_and_the_live_one_is_assumed():
    folder = {"a.yaml": [with_auth()]}
    live = lived(wanted(folder, {"env:PW": b"tiger"}))
    desired = wanted(folder, {"env:PW": GONE}, live=live, needed=False)
    assert desired.rows == live.mine, "a plan without secrets shows no change"
    (warning,) = desired.problems
    assert (warning.code, warning.is_error) == ("secret-not-found", False)
    moved = wanted({"a.yaml": [with_auth(env="OTHER")]}, {"env:OTHER": GONE}, live=live, needed=False)
    assert password(moved).sealed == b"", "what is at another place is not known"


def test_nobody_complains_where_nobody_looked():
    desired = wanted({"a.yaml": [with_auth(), rule(pinFrom={"file": "x"})]}, needed=False, sealer=None)
    assert not desired.problems
    assert password(desired).sealed == b""


@pytest.mark.parametrize("pin", [b"12#4", b"12345678901234567", "é".encode(), b"1234 ", b"tiger", b"1a"])
def test_a_pin_that_nobody_can_enter_is_refused_and_not_repeated(pin):
    desired = wanted({"a.yaml": [trunk(), rule(pinFrom={"env": "PIN"})]}, {"env:PIN": pin})
    (error,) = desired.problems
    assert "there is no PIN that a caller can enter" in str(error)
    assert pin.decode() not in str(error)
    assert not desired.rows.rules


def test_another_secret_changes_the_row_and_the_same_one_does_not():
    folder, memo = {"a.yaml": [with_auth()]}, Memo()
    first = wanted(folder, {"env:PW": b"tiger"}, memo=memo)
    live = lived(first)
    again = wanted(folder, {"env:PW": b"tiger"}, live=live, memo=memo)
    assert again.rows.trunks["default/carrier"] is live.mine.trunks["default/carrier"]
    other = wanted(folder, {"env:PW": b"lion"}, live=live, memo=memo)
    assert unsealed(password(other), INBOUND_PASSWORD) == b"lion"
    assert other.rows.trunks["default/carrier"].claimed_since == first.rows.trunks["default/carrier"].claimed_since
    resealed = wanted(folder, {"env:PW": b"lion"}, live=lived(other), memo=memo, sealer=Sealer(b"k" * KEY_BYTES))
    assert password(resealed).sealed != password(other).sealed, "another key is another seal"


def test_a_document_that_breaks_keeps_its_live_secret():
    live = lived(wanted({"a.yaml": [with_auth()]}, {"env:PW": b"tiger"}))
    for found in ({"env:PW": b"lion"}, {}):
        assert wanted({"a.yaml": [broken(with_auth())]}, found, live=live).rows == live.mine


names = ["env:PIN", "file:pin.txt", "secret:pins/one"]
values = st.one_of(st.sampled_from([b"1", b"2"]), st.just(GONE))
found_ = st.fixed_dictionaries(dict.fromkeys(names, values))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(any_torn_folder, found_), min_size=2, max_size=5), st.booleans())
def test_a_pass_with_a_memory_gives_what_a_pass_without_gives(passes, needed):
    memo, live = Memo(), Live()
    for folder, found in passes:
        quick = wanted(folder, found, live=live, needed=needed, memo=memo)
        slow = wanted(folder, found, live=live, needed=needed)
        assert quick.rows == slow.rows
        assert codes(quick.problems) == codes(slow.problems)
        live = Live(live.revision + 1, Tables.build(quick.rows), quick.rows)
