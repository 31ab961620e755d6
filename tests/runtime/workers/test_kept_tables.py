"""The last good tables on the disk: what was kept is read, whatever was torn off the end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.workers import kept_tables
from runtime.workers.kept_tables import FILE, KeptTables, KeptTablesError
from schemas.stores import Head
from schemas.tables.rows import Delta, Kind, NumberRow, Rows, kind_of
from tests.any_rows import any_row

STORE = "redis://127.0.0.1:6379/0"


def kept(folder: Path, store: str = STORE) -> tuple[KeptTables, list[str]]:
    said: list[str] = []
    return KeptTables(folder, store, said.append), said


def numbered(count: int, digits: str = "+1") -> Rows:
    return Rows(numbers={f"default/n{i}": NumberRow(f"default/n{i}", digits) for i in range(count)})


def at(revision: int) -> Head:
    return Head(revision, f"digest-{revision}", "epoch")


def edited(revision: int) -> Delta:
    return Delta((NumberRow("default/n0", f"+{revision}"),), ((Kind.NUMBER, f"default/n{revision}"),))


def test_what_was_kept_is_read_by_the_next_bridge(tmp_path: Path) -> None:
    file, said = kept(tmp_path)
    assert not file.is_there
    assert file.read() is None
    file.keep(at(1), lambda: numbered(3), None, None)
    file.keep(at(2), pytest.fail, at(1), [edited(2)])
    head, rows = kept(tmp_path)[0].read()
    assert head == at(2)
    assert {id_: row.number for id_, row in rows.numbers.items()} == {"default/n0": "+2", "default/n1": "+1"}
    assert stat.S_IMODE(os.stat(tmp_path / FILE).st_mode) == 0o600
    assert said == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(any_row(), max_size=5, unique_by=lambda row: (kind_of(row), row.id)), cut=st.integers(0, 400))
def test_any_rows_come_back_and_a_torn_end_is_what_was_before_it(tmp_path: Path, rows, cut: int) -> None:
    file, _ = kept(tmp_path)
    file.keep(at(1), lambda: numbered(1), None, None)
    whole = (tmp_path / FILE).stat().st_size
    file.keep(at(2), pytest.fail, at(1), [Delta(tuple(rows))])
    full = (tmp_path / FILE).stat().st_size
    os.truncate(tmp_path / FILE, max(whole, full - cut))
    again, _ = kept(tmp_path)
    head, found = again.read()
    every = {
        (kind_of(row), row.id): row for home in (found.trunks, found.rules, found.numbers) for row in home.values()
    }
    added = {(kind_of(row), row.id): row for row in rows} if not cut else {}
    assert head == at(1 if cut else 2)
    assert every == {(Kind.NUMBER, "default/n0"): NumberRow("default/n0", "+1")} | added
    again.keep(at(3), lambda: numbered(2), head, [edited(3)])
    assert kept(tmp_path)[0].read()[0] == at(3), "nothing is added behind a torn end"


def test_what_follows_on_another_state_is_written_whole(tmp_path: Path) -> None:
    file, _ = kept(tmp_path)
    file.keep(at(1), lambda: numbered(3), None, None)
    file.keep(at(7), lambda: numbered(1, "+7"), at(6), [edited(7)])
    assert kept(tmp_path)[0].read() == (at(7), numbered(1, "+7"))


def test_a_file_that_has_grown_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_tables, "LEAST_GROWTH_BYTES", 500)
    file, _ = kept(tmp_path)
    file.keep(at(1), lambda: numbered(3), None, None)
    sizes = []
    for revision in range(2, 30):
        file.keep(at(revision), lambda revision=revision: numbered(3, f"+{revision}"), at(revision - 1), [edited(9)])
        sizes.append((tmp_path / FILE).stat().st_size)
    assert max(sizes) < 2000
    assert kept(tmp_path)[0].read()[0] == at(29)


def test_tables_of_another_store_are_none(tmp_path: Path) -> None:
    kept(tmp_path)[0].keep(at(1), lambda: numbered(1), None, None)
    assert kept(tmp_path, "redis://elsewhere:6379/0")[0].read() is None


@pytest.mark.parametrize(
    "data", [b"no line of ours\n", b"[2,1,2,3,4,5,6,7]\n", b'[1,"x"]\n', b"\xff\n", b"[" * 4000 + b"\n"]
)
def test_a_strangers_file_is_told(tmp_path: Path, data: bytes) -> None:
    (tmp_path / FILE).write_bytes(data)
    with pytest.raises(KeptTablesError, match="damaged, or of another version"):
        kept(tmp_path)[0].read()


def test_a_disk_that_refuses_is_told_once_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, said = kept(tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(kept_tables, "write_whole", full)
        file.keep(at(1), lambda: numbered(1), None, None)
        file.keep(at(2), lambda: numbered(1), at(1), [edited(2)])
    assert len(said) == 1
    assert "cannot be kept in" in said[0]
    file.keep(at(3), lambda: numbered(2), at(2), [edited(3)])
    assert kept(tmp_path)[0].read() == (at(3), numbered(2))
