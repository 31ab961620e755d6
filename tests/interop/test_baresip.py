"""baresip calls the bridge: it hears itself alone, two hear each other, digits arrive."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.peers import Baresip, BridgeProcess, wait_for
from tests.sound import GOOD_FIT, fit, speech

pytestmark = [pytest.mark.peer("baresip"), pytest.mark.xdist_group("baresip")]
TALK_S = 4.0
FILE_S = 60.0  # baresip hangs up at the end of its file
LOBBY = "+15550100000"


@pytest.mark.parametrize("transport", ["", ";transport=tcp"])
def test_a_lone_caller_hears_itself(shared_bridge: BridgeProcess, tmp_path: Path, transport: str) -> None:
    said = speech(tmp_path / "said.wav", FILE_S)
    with Baresip(tmp_path / "a", "+15550101111", said) as caller:
        caller.do("dial", f"sip:+16660000009@{shared_bridge.target}{transport}")
        wait_for(lambda: "Call established" in caller.log(), f"an answer: {caller.log()}")
        assert (shared_bridge.counters()["connections"]["open"] > 0) is bool(transport)
        time.sleep(TALK_S)  # real speech takes its time
        caller.do("hangup")
        wait_for(lambda: "terminated" in caller.log().lower(), "the end of the call")
        heard = caller.heard()
    assert fit(said, heard) > GOOD_FIT


@pytest.mark.parametrize("codecs", [("pcmu", "pcmu"), ("pcma", "pcmu")])
def test_two_callers_hear_each_other_and_digits_arrive(
    shared_bridge: BridgeProcess, tmp_path: Path, codecs: tuple[str, str]
) -> None:
    first_says = speech(tmp_path / "first.wav", FILE_S)
    second_says = speech(tmp_path / "second.wav", FILE_S, reverse=True)
    with (
        Baresip(tmp_path / "a", "+15550101111", first_says, codecs[0]) as first,
        Baresip(tmp_path / "b", "+15550102222", second_says, codecs[1]) as second,
    ):
        for phone in (first, second):
            phone.do("dial", f"sip:{LOBBY}@{shared_bridge.target}")
            wait_for(lambda phone=phone: "Call established" in phone.log(), f"an answer: {phone.log()}")
        live = shared_bridge.counters()["live"]
        assert {call["room"] for call in live} == {"lobby"}
        assert {call["participantIdentity"] for call in live} == {"sip_+15550101111", "sip_+15550102222"}
        time.sleep(TALK_S)
        first.do("sndcode", "7")
        wait_for(lambda: "'7'" in second.log(), f"the digit: {second.log()[-1000:]}")
        for phone in (first, second):
            phone.do("hangup")
        wait_for(lambda: not shared_bridge.counters()["live"], "both calls to end")
        heard_by_first, heard_by_second = first.heard(), second.heard()
    assert fit(second_says, heard_by_first) > GOOD_FIT, "the first hears the second"
    assert fit(first_says, heard_by_second) > GOOD_FIT, "the second hears the first"
