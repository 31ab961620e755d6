"""What people write: manifests as bytes, through the reading library, the checks, the model and the rows."""

from __future__ import annotations

from pathlib import Path

from reconciler.manifests.folder import Reading
from reconciler.manifests.reading import FileReading, read_file
from reconciler.model.desired import desire
from reconciler.model.live import Live
from reconciler.model.standing import Declared
from reconciler.plan.changes import diff
from reconciler.plan.render import brief
from schemas.problems import Problem
from schemas.tables.codec import decode_row, encode_row
from schemas.tables.rows import Rows
from schemas.tables.tables import Tables

FILE = "some.yaml"
EXAMPLES = Path(__file__).parents[2] / "examples" / "manifests"

WORDS = tuple(
    word.encode()
    for word in (
        "apiVersion: dialplane.dev/v1alpha1\n", "kind: Trunk\n", "kind: DispatchRule\n", "kind: PhoneNumber\n",
        "kind: RoutingTest\n", "kind: List\n", "metadata: {name: a}\n", "namespace: ", "spec:\n", "---\n", "...\n",
        "%YAML 1.1\n", "&a", "*a", "<<: *a\n", "!!str ", "!!binary ", "? ", ": ", "- ", "[", "]", "{", "}", "|\n",
        ">-\n", "'", '"', "\\u0000", "null", "~", "true", "0x10", "1e400", ".inf", "+1555", '"+15550100000"',
        "number: ", "trunkRef: {name: a}\n", "dispatchRuleRef: ", "inbound: ", "allowedAddresses: [10.0.0.0/8]",
        "password: ", "valueFrom: {env: A}", "rule: {direct: {room: a}}", "individual: {roomPrefix: a}", "pin: ",
        "match: {to: ['+1*']}", "maxCallDuration: 1h", "regions: []", "priority: 1", "deletionPolicy: Retain",
        "\t", "\r\n", "\x00", "\ufeff", "\u2028", "\x85", "\U0001f600",
    )
)  # fmt: skip


def fuzz_manifest(data: bytes) -> None:
    """One file: documents or problems, each at its place; what is good compiles into rows that stay themselves."""
    read = read_file(data, FILE)
    _check_places(read, data)
    again = read_file(data, FILE, read)
    assert _told(again) == _told(read), "a reading that knows the last one says the same"
    desired = desire(Declared({FILE: read.sources}, ()), Live())
    for problem in desired.problems:
        _check(problem)
    _check_rows(desired.rows)


def _told(read: FileReading) -> tuple[list[Problem], list[Problem]]:
    return read.problems, read.notes


def _check_places(read: FileReading, data: bytes) -> None:
    lines = data.count(b"\n") + data.count(b"\r") + 1
    reading = Reading({FILE: read})
    for problem in (*read.problems, *read.notes):
        _check(problem)
        assert 0 <= problem.where.line <= lines + 1
        assert problem.where.column >= 0
        reading.line(problem.where)


def _check(problem: Problem) -> None:
    assert problem.what
    assert problem.code
    assert str(problem).isprintable(), "what a file says cannot steer a terminal"


def _check_rows(rows: Rows) -> None:
    for kept in (rows.trunks, rows.rules, rows.numbers):
        for id_, row in kept.items():
            assert row.id == id_
    plan = diff(Rows(), rows)
    for change in plan.changes:
        row = change.new
        assert row is not None
        assert brief(change).isprintable()
        assert decode_row(change.kind, change.id, encode_row(row)) == row
    Tables.build(rows)
    assert not diff(rows, rows).changes


def manifest_seeds() -> list[bytes]:
    """The lessons, and a few files that are wrong in one way."""
    lessons = [path.read_bytes() for path in sorted(EXAMPLES.rglob("*.yaml"))]
    head = b"apiVersion: dialplane.dev/v1alpha1\n"
    return [
        *lessons,
        head + b"kind: PhoneNumber\nmetadata: {name: a}\nspec: {number: +15550100000}\n",
        head + b"kind: Trunk\nmetadata: {name: a}\nspec: {inbound: {allowedAddresses: &a [10.0.0.0/8, *a]}}\n",
        b"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n",
        b"kind: List\nitems:\n- " + head.rstrip() + b"\n",
        head + b"kind: Trunk\nmetadata: {name: a}\nspec:\n\tinbound: {}\n",
        "apiVersion: other/v1\nkind: Thing\n---\nkey: é\n".encode("latin-1"),
    ]
