"""Encrypted media of the test phone (`--encryption`): with the bridge, with baresip, and where the other has none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.rooms.files import load_sound
from tests.interop.test_srtp import DTLS, RULES
from tests.peers import ROOT, Baresip, BridgeProcess, free_sip_port, wait_for
from tests.sound import GOOD_FIT, fit, speech, write_wav

pytestmark = [pytest.mark.peer("baresip"), pytest.mark.xdist_group("baresip")]
MODULES = {"sdes": "module srtp.so\n", "dtls": DTLS + "rtcp_mux yes\n"}
ACCOUNT = {"sdes": ";mediaenc=srtp-mand", "dtls": ";mediaenc=dtls_srtp"}
FILE_S = 30.0


@pytest.mark.parametrize("way", ["sdes", "dtls"])
def test_it_calls_a_bridge_that_requires_encryption(tmp_path: Path, way: str) -> None:
    (folder := tmp_path / "manifests").mkdir()
    (folder / "rules.yaml").write_text(RULES.format(policy="require"))
    with BridgeProcess(folder, tmp_path) as bridge:
        told = bridge.command("call", "--encryption", way, "-o", "json")
        [record] = wait_for(bridge.records, "the record")
    assert told["answered"]
    assert told["mediaEncryption"] == record["mediaEncryption"] == f"{way.upper()} AEAD_AES_128_GCM"
    assert told["heard"].startswith("your speech came back")
    assert record["media"]["packetsUnauthentic"] == 0


@pytest.mark.parametrize("way", ["sdes", "dtls"])
def test_it_calls_a_baresip_that_requires_it(tmp_path: Path, way: str) -> None:
    said, heard = speech(tmp_path / "said.wav", FILE_S), tmp_path / "heard.wav"
    with Baresip(tmp_path / "b", "+1555", said, login=ACCOUNT[way], more=MODULES[way], answers=True) as called:
        told = _phone(
            "call", f"sip:+1555@127.0.0.1:{called.port}", "--encryption", way, "--seconds", "4", "--record", str(heard)
        )
    assert told["answered"], told
    assert told["mediaEncryption"].startswith(f"{way.upper()} A")
    assert fit(said, heard) > GOOD_FIT


@pytest.mark.parametrize("way", ["sdes", "dtls"])
def test_a_baresip_that_requires_it_calls(tmp_path: Path, way: str) -> None:
    said, heard = speech(tmp_path / "said.wav", FILE_S), tmp_path / "heard.wav"
    port = free_sip_port()
    words = ("--listen", f"udp://127.0.0.1:{port}", "--encryption", way, "--seconds", "5", "--record", str(heard))
    with Baresip(tmp_path / "a", "+1555", said, login=ACCOUNT[way], more=MODULES[way]) as caller:
        phone = _started("answer", *words)
        assert phone.stderr is not None
        assert "waits for a call" in phone.stderr.readline()
        caller.do("dial", f"sip:+1666@127.0.0.1:{port}")
        told = json.loads(phone.communicate(timeout=40)[0])
        heard_by_it = caller.heard()
    assert told["answered"], told
    assert told["mediaEncryption"].startswith(f"{way.upper()} A")
    assert fit(said, heard) > GOOD_FIT
    sentence = load_sound(ROOT / "runtime" / "phone" / "answer.wav").linear(8_000)
    assert fit(write_wav(tmp_path / "sentence.wav", sentence), heard_by_it) > GOOD_FIT


def test_who_speaks_plain_is_not_taken(tmp_path: Path) -> None:
    said = speech(tmp_path / "said.wav", FILE_S)
    with Baresip(tmp_path / "b", "+1555", said, answers=True) as called:
        told = _phone("call", f"sip:+1555@127.0.0.1:{called.port}", "--encryption", "sdes")
    assert (told["answered"], told["sipStatus"], told["mediaEncryption"]) == (False, 488, "")


def _started(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "runtime", *words, "-o", "json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def _phone(*words: str) -> dict[str, object]:
    told: dict[str, object] = json.loads(_started(*words).communicate(timeout=60)[0])
    return told
