"""The server's offers and our answers to them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.rooms.livekit.description import DescriptionError
from runtime.rooms.livekit.offered import read_offer, write_answer
from tests.runtime.rooms.livekit.scripted import FINGERPRINT, OFFER
from tests.runtime.rooms.livekit.test_description import ours

LITE = "a=ice-lite\r\n"
VIDEO = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:2\r\na=rtpmap:96 VP8/90000\r\na=sendonly\r\n"
AUDIO = "m=audio 9 UDP/TLS/RTP/SAVPF {numbers}\r\na=mid:3\r\n{lines}a={way}\r\n"


def offer(*sections: str) -> str:
    return OFFER.format(ufrag="server") + "".join(sections)


def lines(answer: str, *starts: str) -> list[str]:
    return [line for line in answer.split("\r\n") if line.startswith(starts)]


def test_who_offers_decides_about_addresses_unless_it_is_lite() -> None:
    plain, lite = read_offer(offer()), read_offer(LITE + offer())
    assert (plain.we_are_client, plain.we_control, plain.ice_lite) == (True, False, False)
    assert (lite.we_are_client, lite.we_control, lite.ice_lite) == (True, True, True)
    assert (plain.ufrag, plain.fingerprint, plain.codec) == ("server", FINGERPRINT, None)


def test_audio_and_data_are_taken_and_all_else_is_turned_down_in_its_place() -> None:
    answer = write_answer(offer(VIDEO), ours(), 7, 2)
    assert lines(answer, "m=") == [
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "m=audio 9 UDP/TLS/RTP/SAVPF 0 8 111",
        "m=video 0 UDP/TLS/RTP/SAVPF 0",
    ]
    assert lines(answer, "a=group") == ["a=group:BUNDLE 0 1"]
    assert lines(answer, "a=setup") == ["a=setup:active"] * 2
    assert lines(answer, "a=mid") == ["a=mid:0", "a=mid:1", "a=mid:2"]
    assert lines(answer, "a=recvonly", "a=inactive") == ["a=recvonly", "a=inactive"]
    assert lines(answer, "o=") == ["o=- 7 2 IN IP4 0.0.0.0"]


@pytest.mark.parametrize(
    ("numbers", "maps", "way", "taken"),
    [
        ("63 111", "a=rtpmap:63 red/48000/2\r\na=rtpmap:111 opus/48000/2\r\n", "sendonly", ("111", "recvonly")),
        ("111", "a=rtpmap:111 opus/48000/2\r\n", "inactive", ("111", "inactive")),
        ("109", "a=rtpmap:109 opus/48000/2\r\n", "sendonly", None),
        ("111", "a=rtpmap:111 VP8/90000\r\n", "sendonly", None),
        ("", "", "sendonly", None),
    ],
)
def test_of_audio_what_we_decode_is_taken_by_the_numbers_that_we_know(
    numbers: str, maps: str, way: str, taken: tuple[str, str] | None
) -> None:
    answer = write_answer(offer(AUDIO.format(numbers=numbers, lines=maps, way=way)), ours(), 7, 2)
    last = answer.split("m=audio ")[-1]
    if taken is None:
        assert last.startswith("0 ")
        assert "a=inactive" in last
    else:
        assert last.startswith(f"9 UDP/TLS/RTP/SAVPF {taken[0]}\r\n")
        assert f"a={taken[1]}" in last


@given(st.text(max_size=400))
def test_any_text_is_answered_line_by_line_or_refused(text: str) -> None:
    for sdp in (text, offer() + text):
        try:
            read_offer(sdp)
        except DescriptionError:
            continue
        answer = write_answer(sdp, ours(), 7, 2)
        assert len(lines(answer, "m=")) == sum(line.startswith("m=") for line in sdp.replace("\r\n", "\n").split("\n"))
