"""The SDP of a call's one connection."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.media.codecs.codec import PCMA
from runtime.rooms.livekit.description import DescriptionError, Ourselves, preferred, read_answer, write_offer
from tests.runtime.rooms.livekit.scripted import ANSWER, FINGERPRINT


def ours(room_codec: str = "auto") -> Ourselves:
    return Ourselves("ufrag", "p" * 22, FINGERPRINT, 7, "cname", "track", preferred(room_codec, PCMA))


@pytest.mark.parametrize(("wanted", "numbers"), [("auto", "8 0 111"), ("opus", "111 0 8"), ("pcmu", "0 8 111")])
def test_the_wanted_codec_is_offered_first_and_all_others_behind_it(wanted: str, numbers: str) -> None:
    offer = write_offer(ours(wanted), 1, 1, 2)
    assert [line for line in offer.split("\r\n") if line.startswith("m=audio")] == [
        f"m=audio 9 UDP/TLS/RTP/SAVPF {numbers}"
    ] * 3


def test_sections_keep_their_places_when_some_are_added() -> None:
    small, large = (
        [line for line in write_offer(ours(), 1, n, n).split("\r\n") if line.startswith(("m=", "a=mid"))]
        for n in (1, 3)
    )
    assert large[: len(small)] == small
    assert "a=group:BUNDLE 0 1 2 3 4\r\n" in write_offer(ours(), 1, 2, 3)


def test_the_first_codec_that_the_server_kept_is_published() -> None:
    assert read_answer(ANSWER.format(numbers="8 111")).codec == "pcma"
    assert read_answer(ANSWER.format(numbers="63 111")).codec == "opus"
    assert read_answer(ANSWER.format(numbers="9")).codec is None
    assert read_answer(ANSWER.format(numbers="0").replace("m=audio 9", "m=audio 0")).codec is None


@pytest.mark.parametrize("missing", ["a=fingerprint", "a=ice-ufrag", "a=ice-pwd"])
def test_an_answer_that_lacks_what_a_connection_needs_is_refused(missing: str) -> None:
    lines = [line for line in ANSWER.format(numbers="0").split("\r\n") if not line.startswith(missing)]
    with pytest.raises(DescriptionError):
        read_answer("\r\n".join(lines))


@given(st.text(max_size=400))
def test_any_text_is_read_or_refused(text: str) -> None:
    for sdp in (text, ANSWER.format(numbers="0") + text):
        try:
            read_answer(sdp)
        except DescriptionError:
            pass
