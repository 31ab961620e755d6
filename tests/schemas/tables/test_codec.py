"""The codec: canonical bytes of every row and back, and what it refuses."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.tables.codec import ROW_BYTES_MAX, RowError, decode_row, encode_row
from schemas.tables.rows import (
    Auth,
    Direction,
    Inbound,
    Kind,
    NumberRow,
    Outbound,
    OutboundTls,
    RoomKind,
    RuleRow,
    Secret,
    TrunkRow,
    kind_of,
)
from tests.any_rows import CLASSES, any_row

ID = "default/support"


@given(any_row())
def test_decoding_the_bytes_of_any_row_gives_the_row(row):
    assert decode_row(kind_of(row), row.id, encode_row(row)) == row


@given(st.sampled_from(Kind).flatmap(lambda kind: st.tuples(any_row(kind), any_row(kind))))
def test_unequal_rows_of_one_kind_and_id_have_unequal_bytes(pair):
    one, other = (dataclasses.replace(row, id=ID) for row in pair)
    assert (encode_row(one) == encode_row(other)) == (one == other)


@given(any_row(), st.data())
def test_a_change_of_any_field_changes_the_bytes(row, data):
    other = data.draw(any_row(kind_of(row)))
    name = data.draw(st.sampled_from([f.name for f in dataclasses.fields(row) if f.name != "id"]))
    changed = dataclasses.replace(row, **{name: getattr(other, name)})
    assert (encode_row(changed) == encode_row(row)) == (getattr(row, name) == getattr(other, name))


@given(any_row())
def test_a_decoded_row_holds_the_very_types_of_the_original(row):
    assert repr(decode_row(kind_of(row), row.id, encode_row(row))) == repr(row)


# These bytes are kept in files and compared between machines: a change here is a change of SCHEMA_VERSION.
GOLDEN = [
    (NumberRow(ID, "+14155550100"), b'{"number":"+14155550100"}'),
    (
        NumberRow(ID, "+14155550100", "default/us", "default/support", Direction.INBOUND, claimed_since=7),
        b'{"claimed_since":7,"direction":"inbound","number":"+14155550100","rule":"default/support",'
        b'"trunk":"default/us"}',
    ),
    (TrunkRow(ID, inbound=Inbound()), b'{"inbound":{}}'),
    (
        TrunkRow(
            ID,
            outbound=Outbound(
                ("b.example", "a.example"),
                auth=Auth("acme", Secret("env:PASSWORD", b"\x00\xff")),
                tls=OutboundTls(Secret("file:c.pem"), Secret("file:k.pem")),
            ),
        ),
        b'{"outbound":{"addresses":["b.example","a.example"],"auth":{"password":{"key":"env:PASSWORD",'
        b'"sealed":"AP8="},"username":"acme"},"tls":{"certificate":{"key":"file:c.pem"},"key":{"key":"file:k.pem"}}}}',
    ),
    (
        RuleRow(ID, RoomKind.DIRECT, "lobby", trunks=(), attributes=(("team", "söpport"),)),
        '{"attributes":[["team","söpport"]],"kind":"direct","room_name":"lobby","trunks":[]}'.encode(),
    ),
]


@pytest.mark.parametrize(("row", "data"), GOLDEN)
def test_the_bytes_are_these_on_every_python(row, data):
    assert encode_row(row) == data
    assert decode_row(kind_of(row), ID, data) == row


def test_no_trunks_and_every_trunk_differ_in_the_bytes():
    every, none = RuleRow(ID, RoomKind.DIRECT, "lobby"), RuleRow(ID, RoomKind.DIRECT, "lobby", trunks=())
    assert encode_row(every) != encode_row(none)


@pytest.mark.parametrize(
    ("kind", "data", "what"),
    [
        (Kind.NUMBER, b'{"number":"+1","colour":"red"}', "schema version 1 does not know: colour"),
        (Kind.TRUNK, b'{"inbound":{"networks":[],"geo":"us"}}', "field inbound has what schema version 1 does not"),
        (Kind.NUMBER, b'{"id":"default/other","number":"+1"}', "does not know: id"),
        (Kind.NUMBER, b"{}", "field number is missing"),
        (Kind.TRUNK, b'{"inbound":{"auth":{"username":"a"}}}', "field inbound.auth.password is missing"),
        (Kind.NUMBER, b'{"number":1}', "field number is not a text"),
        (Kind.NUMBER, b'{"number":null}', "field number is not a text"),
        (Kind.NUMBER, b'{"number":"+1","trunk":["default/us"]}', "field trunk is not a text"),
        (Kind.NUMBER, b'{"number":"+1","claimed_since":1.5}', "field claimed_since is not a whole number"),
        (Kind.NUMBER, b'{"number":"+1","claimed_since":true}', "field claimed_since is not a whole number"),
        (Kind.NUMBER, b'{"number":"+1","direction":"sideways"}', "none of inbound, outbound, both"),
        (Kind.NUMBER, b'{"number":"+1","direction":["both"]}', "none of inbound, outbound, both"),
        (Kind.RULE, b'{"kind":"direct","room_name":"r","randomize":1}', "neither true nor false"),
        (Kind.RULE, b'{"kind":"direct","room_name":"r","trunks":"default/us"}', "field trunks is not a list"),
        (Kind.RULE, b'{"kind":"direct","room_name":"r","attributes":[["a"]]}', "field attributes is not a list of 2"),
        (
            Kind.RULE,
            b'{"kind":"direct","room_name":"r","pin":{"key":"env:A","sealed":"a"}}',
            "pin.sealed is not base64",
        ),
        (Kind.TRUNK, b'{"inbound":[]}', "field inbound is not an object"),
        (Kind.NUMBER, b"[]", "is not an object"),
        (Kind.NUMBER, b'{"number":"+1"}{}', "goes on behind its end"),
        (Kind.NUMBER, b"", "no row of schema version 1"),
        (Kind.NUMBER, b'{"number":"\xff"}', "no row of schema version 1"),
        (Kind.NUMBER, b"[" * 100_000, "no row of schema version 1"),
        (Kind.NUMBER, b'{"number":"+1","claimed_since":' + b"9" * 10_000 + b"}", "no row of schema version 1"),
        (Kind.NUMBER, b" " * (ROW_BYTES_MAX + 1), f"more than the {ROW_BYTES_MAX}"),
    ],
)
def test_bytes_that_are_no_row_of_this_version_are_refused_by_name_and_field(kind, data, what):
    with pytest.raises(RowError, match="default/support") as refused:
        decode_row(kind, ID, data)
    assert what in str(refused.value)


@given(st.sampled_from(Kind), st.binary(max_size=64))
def test_noise_is_refused_and_nothing_else_happens(kind, data):
    with pytest.raises(RowError):
        decode_row(kind, ID, data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)


@given(any_row(), st.data())
def test_a_field_of_any_other_json_is_refused_or_read_as_its_own_type(row, data):
    name = data.draw(st.sampled_from([f.name for f in dataclasses.fields(row) if f.name != "id"]))
    mangled = json.dumps({**json.loads(encode_row(row)), name: data.draw(JSON)}).encode()
    try:
        read = decode_row(kind_of(row), row.id, mangled)
    except RowError:
        return
    assert decode_row(kind_of(row), row.id, encode_row(read)) == read
    assert type(read) is CLASSES[kind_of(row)]


def test_half_a_surrogate_pair_has_no_bytes():
    with pytest.raises(RowError, match="surrogate"):
        encode_row(TrunkRow(ID, metadata="\ud800"))


def test_a_row_that_is_too_long_to_read_is_too_long_to_write():
    with pytest.raises(RowError, match="more than"):
        encode_row(TrunkRow(ID, metadata="x" * ROW_BYTES_MAX))


def test_the_ids_of_trunk_and_rule_are_shared_between_numbers():
    one, other = (decode_row(Kind.NUMBER, ID, b'{"number":"+1","rule":"d/r","trunk":"d/t"}') for _ in range(2))
    assert one.trunk is other.trunk
    assert one.rule is other.rule
