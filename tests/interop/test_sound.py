"""What is done with the sound of calls, with phones that we did not write: keys as tones, noise, recordings, music."""

from __future__ import annotations

import audioop
import random
import stat
import subprocess
import time
import wave
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from runtime.media.key_ears import KeyEars
from runtime.media.key_tones import tone_of
from tests.interop.test_dialling import Calling
from tests.peers import Baresip, BridgeProcess, bridge_with, wait_for
from tests.sound import GOOD_FIT, fit, samples, speech, write_wav

pytestmark = [pytest.mark.peer("baresip"), pytest.mark.xdist_group("baresip")]

RULES = """\
apiVersion: dialplane.dev/v1alpha1
kind: Trunk
metadata: {name: here}
spec:
  inbound: {allowedAddresses: [127.0.0.1/32]}
  holdMusic: builtIn
---
apiVersion: dialplane.dev/v1alpha1
kind: DispatchRule
metadata: {name: keys}
spec:
  match: {to: ["+1661*"]}
  rule: {direct: {room: keys}}
  media: {dtmf: [rfc4733, inband]}
  recording: {format: wav}
---
apiVersion: dialplane.dev/v1alpha1
kind: DispatchRule
metadata: {name: recorded}
spec:
  match: {to: ["+1662*"]}
  rule: {direct: {room: recorded}}
  recording: {format: opus}
---
apiVersion: dialplane.dev/v1alpha1
kind: DispatchRule
metadata: {name: clean}
spec:
  match: {to: ["+1663*"]}
  rule: {direct: {room: clean}}
  noiseCancellation: true
  recording: {format: wav}
---
apiVersion: dialplane.dev/v1alpha1
kind: DispatchRule
metadata: {name: short}
spec:
  match: {to: ["+1664*"]}
  rule: {direct: {room: short}}
  recording: {format: wav, maxDuration: 1s}
---
apiVersion: dialplane.dev/v1alpha1
kind: DispatchRule
metadata: {name: rings}
spec:
  match: {to: ["+1665*"]}
  rule: {direct: {room: rings}}
  answer: onRequest
  ringback: gb
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeProcess]:
    """A bridge with a rule for each."""
    with bridge_with(RULES, tmp_path_factory.mktemp("sound")) as bridge:
        yield bridge


def call(bridge: BridgeProcess, phone: Baresip, number: str, talk_s: float) -> dict[str, Any]:
    """One call of so many seconds: its record."""
    before = len(bridge.records())
    phone.do("dial", f"sip:{number}@{bridge.target}")
    wait_for(lambda: "Call established" in phone.log(), f"an answer: {phone.log()}")
    time.sleep(talk_s)
    phone.do("hangup")
    return wait_for(lambda: bridge.records()[before:], "the record")[0]


def recorded(bridge: BridgeProcess, record: dict[str, Any]) -> Path:
    """The recording of a call, when it is whole."""
    path = bridge.state / "recordings" / record["recording"]
    wait_for(path.exists, f"{path}: {bridge.log()}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return path


def sides(path: Path) -> tuple[bytes, bytes]:
    """What the phone said and what it heard, read by who did not write it: 16-bit mono at 8 kHz."""
    with av.open(str(path)) as file:
        resampler = av.AudioResampler("s16", "stereo", 8000)
        frames = [out for frame in file.decode(audio=0) for out in resampler.resample(frame)]
        stereo = b"".join(bytes(frame.planes[0])[: 4 * frame.samples] for frame in frames)
    return audioop.tomono(stereo, 2, 1, 0), audioop.tomono(stereo, 2, 0, 1)


def pressed(path: Path, keys: str) -> Path:
    """Speech, and these keys as tones of 80 ms with pauses of 80 ms between."""
    said = samples(speech(path, 1.0))
    tones = b"".join(tone_of(key, 80) + bytes(1280) for key in keys)
    return write_wav(path, said + bytes(1600) + tones + bytes(320_000))


def noisy(work: Path, seconds: float) -> tuple[Path, Path]:
    """Speech, and the same with white noise of 1,200 over it."""
    clean, drawn = speech(work / "clean.wav", seconds), random.Random(7)
    spoken = samples(clean)
    noise = array("h", (round(drawn.gauss(0, 1200)) for _ in range(len(spoken) // 2))).tobytes()
    return clean, write_wav(work / "noisy.wav", audioop.add(spoken, noise, 2))


def quietest(linear: bytes) -> int:
    """The level of the pauses between words."""
    levels = sorted(audioop.rms(linear[at : at + 640], 2) for at in range(0, len(linear) - 640, 640))
    return levels[len(levels) // 10]


def test_keys_are_heard_in_the_voice_and_kept_from_the_room(here: BridgeProcess, tmp_path: Path) -> None:
    said = pressed(tmp_path / "said.wav", "5512#")
    with Baresip(tmp_path / "a", "+15550101111", said) as phone:
        record = call(here, phone, "+16610000001", 4.0)
    assert record["media"]["digits"] == 5
    left, _ = sides(recorded(here, record))
    loud = [audioop.rms(left[at : at + 320], 2) for at in range(0, len(left) - 320, 320)]
    speech_ends = max(tick for tick, rms in enumerate(loud) if rms > 1000)
    assert audioop.rms(left, 2) > 100, "the speech before them is there"
    assert fit(speech(tmp_path / "speech.wav", 1.0), write_wav(tmp_path / "left.wav", left)) > GOOD_FIT
    assert speech_ends < 3 * 50, "of the tones nothing long enough to be found again is left"


def test_a_recording_has_both_sides_and_is_announced(here: BridgeProcess, tmp_path: Path) -> None:
    said = speech(tmp_path / "said.wav", 60)
    with Baresip(tmp_path / "a", "+15550101111", said) as phone:
        before = len(here.records())
        phone.do("dial", f"sip:+16620000001@{here.target}")
        wait_for(lambda: "Call established" in phone.log(), "an answer")
        time.sleep(4.0)
        live = here.counters()["live"][0]
        part = here.state / "recordings" / (live["recording"] + ".part")
        assert part.exists(), "it grows aside"
        phone.do("hangup")
        record = wait_for(lambda: here.records()[before:], "the record")[0]
    path = recorded(here, record)
    assert path.suffix == ".opus"
    assert not part.exists()
    left, right = sides(path)
    lasted = record["endedAt"] - record["answeredAt"]
    assert abs(len(left) / 16_000 - lasted) < 0.5
    assert fit(said, write_wav(tmp_path / "left.wav", left)) > GOOD_FIT
    assert fit(said, write_wav(tmp_path / "right.wav", right)) > GOOD_FIT, "alone in a room it hears itself"


def test_a_recording_ends_when_its_rule_says_so(here: BridgeProcess, tmp_path: Path) -> None:
    with Baresip(tmp_path / "a", "+15550101111", speech(tmp_path / "said.wav", 60)) as phone:
        record = call(here, phone, "+16640000001", 2.5)
    with wave.open(str(recorded(here, record))) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 8000, 8000)


def test_noise_is_taken_out_of_what_the_phone_says(here: BridgeProcess, tmp_path: Path) -> None:
    clean, said = noisy(tmp_path, 12)
    with Baresip(tmp_path / "a", "+15550101111", said) as phone:
        record = call(here, phone, "+16630000001", 8.0)
    left, _ = sides(recorded(here, record))
    heard = left[4 * 16_000 :]  # it has learned what the noise is
    assert quietest(heard) < 300, "between the words, where 1,200 came in"
    assert fit(clean, write_wav(tmp_path / "l.wav", heard)) > GOOD_FIT


def test_a_phone_on_hold_hears_music(here: BridgeProcess, tmp_path: Path) -> None:
    silence = write_wav(tmp_path / "said.wav", bytes(16_000 * 60))
    with Baresip(tmp_path / "a", "+15550101111", silence) as phone:
        phone.do("dial", f"sip:+16620000001@{here.target}")
        wait_for(lambda: "Call established" in phone.log(), "an answer")
        call_id = here.counters()["live"][0]["callId"]
        time.sleep(1.0)
        assert here.steer(call_id, "hold")["hold"] == "local"
        time.sleep(4.0)
        here.steer(call_id, "resume")
        time.sleep(1.0)
        before = len(here.records())
        phone.do("hangup")
        record = wait_for(lambda: here.records()[before:], "the record")[0]
    # What baresip dumps of a call ends with the first re-INVITE, so what was sent to it is looked at.
    _, heard = sides(recorded(here, record))
    loud = [audioop.rms(heard[at : at + 1600], 2) > 50 for at in range(0, len(heard) - 1600, 1600)]
    assert 30 <= sum(loud) <= 50, f"four seconds of tenths: {loud}"
    assert not any(loud[:8])
    assert not any(loud[-8:]), "nobody else is in the room"


def test_a_caller_hears_the_ringing_tone_of_its_country(here: BridgeProcess, tmp_path: Path) -> None:
    silence = write_wav(tmp_path / "said.wav", bytes(16_000 * 60))
    with Baresip(tmp_path / "a", "+15550101111", silence) as phone:
        phone.do("dial", f"sip:+16650000001@{here.target}")
        wait_for(lambda: "183" in phone.log(), f"early media: {phone.log()}")
        time.sleep(3.5)
        here.steer(here.counters()["live"][0]["callId"], "answer")
        wait_for(lambda: "Call established" in phone.log(), "an answer")
        phone.do("hangup")
        wait_for(lambda: not here.counters()["live"], "the end")
        heard = samples(phone.heard())
    ticks = [audioop.rms(heard[at : at + 320], 2) > 3000 for at in range(0, len(heard) - 320, 320)]
    bursts = "".join("x" if loud else "." for loud in ticks)
    assert ("x" * 18) in bursts
    lengths = [len(burst) for burst in bursts.split(".") if burst]
    assert all(17 <= length <= 21 for length in lengths[1:-1]), f"400 ms each: {bursts}"


def test_what_a_killed_bridge_leaves_is_made_whole(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with bridge_with(RULES, tmp_path) as bridge, Baresip(
        tmp_path / "a", "+15550101111", speech(tmp_path / "said.wav", 60)
    ) as phone:  # fmt: skip
        state = bridge.state
        phone.do("dial", f"sip:+16610000001@{bridge.target}")
        wait_for(lambda: "Call established" in phone.log(), "an answer")
        time.sleep(3.5)
        bridge.process.kill()
        bridge.process.wait()
        [part] = (state / "recordings").glob("*.part")
    with BridgeProcess(bridge.manifests, tmp_path) as again:
        whole = wait_for(lambda: [*(state / "recordings").glob("*.wav")], "the recording")[0]
        assert "left behind" in again.log()
    assert not part.exists()
    shown = subprocess.run(["soxi", "-D", str(whole)], capture_output=True, text=True, check=True).stdout
    assert 2.0 <= float(shown) <= 5.0


def test_a_phone_that_is_called_and_takes_no_events_hears_keys_as_tones(tmp_path: Path) -> None:
    silence = write_wav(tmp_path / "said.wav", bytes(16_000 * 60))
    with (
        Baresip(tmp_path / "phone", "+15550109999", silence, answers=True) as phone,
        Calling(tmp_path, phone.port, media=", dtmf: [inband]") as bridge,
    ):
        bridge.dial(wait_until_answered=True, dtmf="159#")
        time.sleep(1)
        phone.do("hangup")
        wait_for(bridge.records, "the record")
        heard, ears = samples(phone.heard()), KeyEars()
    assert "".join(ears.hear(heard[at : at + 320]) for at in range(0, len(heard) - 319, 320)) == "159#"
