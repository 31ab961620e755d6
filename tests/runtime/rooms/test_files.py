"""Files that rooms play and record."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest

from runtime.errors import BridgeError
from runtime.media.codecs import g711
from runtime.rooms.files import RoomRecording, load_sound, recorder_in
from tests.frames import frame
from tests.sound import SPEECH_PCMU, write_wav


def test_a_recording_is_a_wav_of_all_voices(tmp_path: Path) -> None:
    recording = RoomRecording(tmp_path / "room.wav")
    payload = SPEECH_PCMU[16000:16160]
    recording.write([frame(payload), None])
    recording.write([None, None])
    recording.close()
    with wave.open(str(tmp_path / "room.wav")) as file:
        assert (file.getnframes(), file.getframerate(), file.getnchannels()) == (320, 8000, 1)
        assert file.readframes(160) == g711.decode("pcmu", payload)
        assert file.readframes(160) == bytes(320)


def test_rooms_are_recorded_under_names_that_cannot_leave_the_folder(tmp_path: Path) -> None:
    recording = recorder_in(tmp_path, print)("../../etc/passwd")
    assert recording is not None
    recording.close()
    [file] = tmp_path.iterdir()
    assert file.name.startswith("______etc_passwd-")


def test_a_folder_that_cannot_be_written_is_told_and_costs_no_call(tmp_path: Path) -> None:
    told: list[str] = []
    assert recorder_in(tmp_path / "missing", told.append)("lobby") is None
    assert "lobby is not recorded" in told[0]


def test_a_wav_is_played_as_it_is(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", g711.decode("pcmu", SPEECH_PCMU))
    sound = load_sound(path)
    assert b"".join(frame.in_law("pcmu") for frame in sound) == SPEECH_PCMU
    assert len(sound) == len(SPEECH_PCMU) // 160


def test_what_cannot_be_played_is_said_with_a_next_step(tmp_path: Path) -> None:
    with pytest.raises(BridgeError, match="cannot read"):
        load_sound(tmp_path / "none.wav")
    (tmp_path / "bad.wav").write_bytes(b"RIFFnot a wav")
    with pytest.raises(BridgeError, match="sox"):
        load_sound(tmp_path / "bad.wav")
