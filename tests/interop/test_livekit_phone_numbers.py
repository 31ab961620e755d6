"""Phone numbers beside a genuine livekit-server: its descriptor of their messages, and that it has no such service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

from reconciler.cli import run
from reconciler.targets.livekit.phone_numbers.messages import FIELDS, FILE, METHODS, SERVICE, Status, Type, message
from tests.livekit_peers import PROGRAM, needs_livekit
from tests.livekit_project import RULE, asks
from tests.livekit_telephony import Telephony

pytestmark = [needs_livekit, pytest.mark.peer("redis-server"), pytest.mark.xdist_group("livekit-telephony")]

_Field = descriptor_pb2.FieldDescriptorProto
_SYNTAX = 12
"""The last field of a FileDescriptorProto that is written."""


@pytest.fixture(scope="module")
def genuine() -> descriptor_pb2.FileDescriptorProto:
    """The descriptor that lies in the program, as Go's protobuf puts it there."""
    program = Path(PROGRAM).read_bytes()
    start = program.index(bytes([0x0A, len(FILE)]) + FILE.encode() + b"\x12\x07livekit")
    return descriptor_pb2.FileDescriptorProto.FromString(program[start : _end(program, start)])


def _end(data: bytes, at: int) -> int:
    while True:
        tag, at = _varint(data, at)
        length, at = _varint(data, at)
        at += length
        if tag >> 3 == _SYNTAX:
            return at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            return value, at


def test_the_messages_are_livekits_own(genuine: descriptor_pb2.FileDescriptorProto) -> None:
    assert {entry.name for entry in genuine.message_type} == FIELDS.keys() - {"TokenPagination"}
    for theirs in genuine.message_type:
        ours = message(theirs.name).DESCRIPTOR
        assert [_told(field) for field in theirs.field] == [
            (field.number, field.name, field.type, field.is_repeated, field.has_presence and field.message_type is None)
            for field in ours.fields
        ]


def _told(field: descriptor_pb2.FieldDescriptorProto) -> tuple[int, str, int, bool, bool]:
    is_optional = field.proto3_optional and field.type != _Field.TYPE_MESSAGE
    return field.number, field.name, field.type, field.label == _Field.LABEL_REPEATED, is_optional


def test_the_enums_and_methods_are_livekits_own(genuine: descriptor_pb2.FileDescriptorProto) -> None:
    theirs = {enum.name: [(value.name, value.number) for value in enum.value] for enum in genuine.enum_type}
    for values, name, prefix in ((Status, "PhoneNumberStatus", "STATUS"), (Type, "PhoneNumberType", "TYPE")):
        assert [(f"PHONE_NUMBER_{prefix}_{value.name}", value.value) for value in values] == theirs[name]
    service = next(service for service in genuine.service if service.name == SERVICE)
    pairs = {one.name: (one.input_type, one.output_type) for one in service.method}
    assert pairs == {name: tuple(f".livekit.{part}" for part in parts) for name, parts in METHODS.items()}


@pytest.fixture
def livekit(tmp_path: Path) -> Iterator[Telephony]:
    with Telephony(tmp_path / "livekit") as server:
        assert isinstance(server, Telephony)
        yield server


def test_a_server_of_ones_own_sells_no_numbers_and_that_is_said(
    livekit: Telephony, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in livekit.environment.items():
        monkeypatch.setenv(name, value)
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    (manifests / "a.yaml").write_text("---\n".join((RULE, RULE.replace("support", "b").replace("lobby", "b"), asks())))
    there = ["--target", "livekit", "--state", str(tmp_path / "state")]
    assert run(["apply", str(manifests), *there, "--allow-purchases"]) == 1
    said = capsys.readouterr().err
    assert "this LiveKit server has no phone numbers of its own, only LiveKit Cloud has" in said
    assert said.count("no phone numbers of its own") == 1
    assert [rule.name.partition(" ")[0] for rule in livekit.objects()] == ["b"]
