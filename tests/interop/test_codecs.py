"""baresip in every codec and packet length: what one says the other hears, as wide as both ends are."""

from __future__ import annotations

import audioop
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from runtime.media.codecs import opus_packets
from tests.peers import Baresip, BridgeProcess, wait_for
from tests.signals import amplitude, speech, tone
from tests.sound import GOOD_FIT, fit, samples, write_wav
from tests.wire import Stream, capturing, stream_to

pytestmark = [pytest.mark.peer("baresip"), pytest.mark.xdist_group("baresip")]
TALK_S = 4.0
FILE_S = 60.0  # baresip hangs up at the end of its file
LOBBY, ALONE = "+15550100000", "+16660000009"
HIGH_HZ = 5_000
"""What no phone of G.711 has ever carried."""


@dataclass(frozen=True)
class Kind:
    """A codec as baresip calls it, and the sound that its files have."""

    codec: str
    rate_hz: int = 8_000
    channels: int = 1

    @property
    def is_wide(self) -> bool:
        return self.rate_hz > 8_000


PCMU, PCMA = Kind("pcmu"), Kind("pcma")
G722, OPUS = Kind("g722/16000/1", 16_000), Kind("opus/48000/2", 48_000, 2)


def said_by(kind: Kind, path: Path, *, reverse: bool = False) -> Path:
    """The shipped sentence over and over, with a high tone where the codec carries it."""
    once = speech(kind.rate_hz)
    linear = audioop.reverse(once, 2) if reverse else once
    if kind.is_wide:
        linear = audioop.add(linear, tone(HIGH_HZ, kind.rate_hz, len(linear) / 2 / kind.rate_hz, 2_500), 2)
    linear *= int(FILE_S * kind.rate_hz * 2 / len(linear)) + 1
    if kind.channels == 2:
        linear = audioop.tostereo(linear, 2, 1, 1)
    return write_wav(path, linear, kind.rate_hz, kind.channels)


def is_wide(heard: Path, kind: Kind) -> bool:
    """Whether the high tone is in what a phone heard."""
    linear = samples(heard, kind.rate_hz)
    return amplitude(linear[-2 * kind.rate_hz :], HIGH_HZ, kind.rate_hz) > 800


def calling(phone: Baresip, number: str, bridge: BridgeProcess) -> None:
    phone.do("dial", f"sip:{number}@{bridge.target}")
    wait_for(lambda: "Call established" in phone.log(), f"an answer: {phone.log()}")


def spoken(bridge: BridgeProcess, name: str) -> None:
    live = bridge.calls()["live"]
    assert {call["audioCodec"] for call in live} == {name}, live


@pytest.mark.parametrize("kind", [PCMU, PCMA, G722, OPUS], ids=lambda kind: kind.codec.split("/")[0])
@pytest.mark.parametrize("ptime", [20, 40])
def test_a_lone_caller_hears_itself(shared_bridge: BridgeProcess, tmp_path: Path, kind: Kind, ptime: int) -> None:
    said = said_by(kind, tmp_path / "said.wav")
    with Baresip(tmp_path / "a", "+15550101111", said, kind.codec, f";ptime={ptime}") as caller:
        calling(caller, ALONE, shared_bridge)
        spoken(shared_bridge, kind.codec.split("/")[0])
        time.sleep(TALK_S)  # real speech takes its time
        caller.do("hangup")
        wait_for(lambda: "terminated" in caller.log().lower(), "the end of the call")
        heard = caller.heard()
    assert fit(said, heard) > GOOD_FIT
    assert is_wide(heard, kind) is kind.is_wide


@pytest.mark.parametrize(
    ("first", "second"),
    [(G722, G722), (OPUS, OPUS), (OPUS, G722), (G722, PCMA), (PCMU, OPUS)],
    ids=lambda kind: kind.codec.split("/")[0],
)
def test_two_callers_hear_each_other(shared_bridge: BridgeProcess, tmp_path: Path, first: Kind, second: Kind) -> None:
    first_says = said_by(first, tmp_path / "first.wav")
    second_says = said_by(second, tmp_path / "second.wav", reverse=True)
    with (
        Baresip(tmp_path / "a", "+15550101111", first_says, first.codec) as one,
        Baresip(tmp_path / "b", "+15550102222", second_says, second.codec) as other,
    ):
        for phone in (one, other):
            calling(phone, LOBBY, shared_bridge)
        time.sleep(TALK_S)
        one.do("sndcode", "7")
        wait_for(lambda: "'7'" in other.log(), f"the digit: {other.log()[-1000:]}")
        for phone in (one, other):
            phone.do("hangup")
        wait_for(lambda: not shared_bridge.calls()["live"], "both calls to end")
        heard_by_one, heard_by_other = one.heard(), other.heard()
    assert fit(second_says, heard_by_one) > GOOD_FIT, "the first hears the second"
    assert fit(first_says, heard_by_other) > GOOD_FIT, "the second hears the first"
    both_wide = first.is_wide and second.is_wide
    if first.is_wide:
        assert is_wide(heard_by_one, first) is both_wide
    if second.is_wide:
        assert is_wide(heard_by_other, second) is both_wide


@pytest.mark.peer("baresip", "tshark")
@pytest.mark.parametrize(
    ("kind", "ptime", "step"),
    [(PCMU, 10, 80), (PCMU, 60, 480), (G722, 20, 160), (G722, 40, 320), (OPUS, 20, 960), (OPUS, 60, 2_880)],
    ids=["pcmu-10", "pcmu-60", "g722-20", "g722-40", "opus-20", "opus-60"],
)
def test_our_stream_has_no_gap_and_no_jump(
    shared_bridge: BridgeProcess, tmp_path: Path, kind: Kind, ptime: int, step: int
) -> None:
    said = said_by(kind, tmp_path / "said.wav")
    dump = tmp_path / "a.pcap"
    with (
        Baresip(tmp_path / "a", "+15550101111", said, kind.codec, f";ptime={ptime}") as caller,
        capturing(dump, caller.rtp_ports),
    ):
        calling(caller, ALONE, shared_bridge)
        time.sleep(TALK_S)
        caller.do("hangup")
        wait_for(lambda: "terminated" in caller.log().lower(), "the end of the call")
        time.sleep(0.5)
    said_of_it, sent = stream_to(dump, caller.rtp_ports)
    assert said_of_it == Stream(len(sent), lost=0, is_faulty=False)
    assert len(sent) > 0.8 * TALK_S * 1000 / ptime, sent[:5]
    assert {(b.sequence - a.sequence) & 0xFFFF for a, b in pairwise(sent)} == {1}, "nothing missing or out of order"
    lengths = [opus_packets.duration(each.payload) if kind is OPUS else len(each.payload) for each in sent]
    steps = [(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(sent)]
    jumps = sum(a != b for a, b in zip(steps, lengths, strict=False))
    # Where the playout buffer moves by a tick, a frame of Opus that goes through is neither made up nor shortened.
    assert jumps <= (len(steps) // 20 if kind is OPUS else 0), "each begins where the one before it ends"
    assert steps.count(step) > 0.9 * len(steps)
