"""How long silence is borne with, by each way in which a phone can put a call on hold."""

from __future__ import annotations

import pytest

from runtime.calls.negotiate import stream_of
from runtime.limits import MEDIA_TIMEOUT_HOLD_S, MEDIA_TIMEOUT_S
from runtime.media import rtp
from runtime.media.session import MediaSession
from runtime.sip.offer_answer import OfferAnswer
from tests.runtime.sip.offers import LOCAL

TALKS = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP 0\r\na=%s\r\n"


@pytest.mark.parametrize(
    ("address", "port", "direction"),
    [
        (b"192.0.2.1", 4000, b"sendonly"),
        (b"192.0.2.1", 4000, b"inactive"),
        (b"192.0.2.1", 4000, b"recvonly"),
        (b"0.0.0.0", 4000, b"sendrecv"),
        (b"0.0.0.0", 4000, b"sendonly"),
        (b"192.0.2.1", 0, b"sendrecv"),
    ],
)
def test_a_phone_on_hold_may_be_silent_and_is_missed_soon_when_it_is_back(
    address: bytes, port: int, direction: bytes
) -> None:
    agreement = OfferAnswer()
    talking = stream_of(agreement.answer(TALKS % (b"192.0.2.1", 4000, b"sendrecv"), LOCAL)[1], MEDIA_TIMEOUT_S)
    media = MediaSession(talking, ssrc=1, sequence=1, timestamp=1, cname="c", entropy=lambda n: b"\x80" * n, now=0.0)
    media.receive_rtp(rtp.header(0, True, 1, 160, 7) + bytes(160), ("192.0.2.1", 4000), 0.0)
    held = stream_of(agreement.answer(TALKS % (address, port, direction), LOCAL)[1], MEDIA_TIMEOUT_S)
    assert held.held
    media.reconfigure(held, 1.0)
    media.check(MEDIA_TIMEOUT_HOLD_S)
    assert not _timed_out(media)
    back = stream_of(agreement.answer(TALKS % (b"192.0.2.1", 4000, b"sendrecv"), LOCAL)[1], MEDIA_TIMEOUT_S)
    media.reconfigure(back, 500.0)
    media.check(500.0 + MEDIA_TIMEOUT_S - 1)
    assert not _timed_out(media)
    media.check(500.0 + MEDIA_TIMEOUT_S)
    assert _timed_out(media)


def _timed_out(media: MediaSession) -> bool:
    found = False
    while (event := media.next_event()) is not None:
        found = found or type(event).__name__ == "MediaTimedOut"
    return found
