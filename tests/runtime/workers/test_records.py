"""The file of call records: rotated without a split line, nobody else's to read, never through a planted link."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runtime.errors import BridgeError
from runtime.limits import RECORDS_FILES_KEPT
from runtime.workers.records import RecordFile, newest_records, numbered, open_records


def line(number: int) -> str:
    return json.dumps({"callId": f"SCL_{number:05d}"})


def test_full_files_are_set_aside_whole_and_so_many_are_kept(tmp_path: Path) -> None:
    path, lines_each = tmp_path / "records.jsonl", 10
    file = RecordFile(path, bytes_max=lines_each * (len(line(0)) + 1))
    total = lines_each * (RECORDS_FILES_KEPT + 3) + 1
    for number in range(total):
        file.write(line(number))
    file.close()
    texts = [numbered(path, age).read_text() for age in range(RECORDS_FILES_KEPT, -1, -1)]
    assert (
        "".join(texts).splitlines()
        == [line(number) for number in range(total)][-(lines_each * RECORDS_FILES_KEPT + 1) :]
    )
    assert not numbered(path, RECORDS_FILES_KEPT + 1).exists()
    assert all(numbered(path, age).stat().st_mode & 0o777 == 0o600 for age in range(RECORDS_FILES_KEPT + 1))
    assert [record["callId"] for record in newest_records(path, 3)] == [f"SCL_{n:05d}" for n in range(total - 3, total)]


def test_a_file_that_is_there_goes_on_and_a_broken_line_in_it_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text('{"callId": "SCL_1", "half\n' + line(2) + "\n")
    file = open_records(path)
    file.write(line(3))
    file.close()
    assert [record["callId"] for record in newest_records(path, 9)] == ["SCL_00002", "SCL_00003"]


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "records.jsonl").symlink_to(victim)
    with pytest.raises(BridgeError, match="symbolic link"):
        open_records(tmp_path / "records.jsonl")
    assert victim.read_text() == "mine"
