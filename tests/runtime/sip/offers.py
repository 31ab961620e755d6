"""Offers that tests of offer/answer begin with."""

from __future__ import annotations

from runtime.sip.offer_answer import LocalMedia

LOCAL = LocalMedia("192.0.2.10", 40_000, ("pcmu", "pcma"), dtmf=True, session_id=77)


def sdp(*lines: str, c: str | None = "IN IP4 198.51.100.1", session: tuple[str, ...] = (), t: str = "0 0") -> bytes:
    head = ["v=0", "o=peer 1 1 IN IP4 198.51.100.1", "s=call", *([f"c={c}"] if c else []), f"t={t}"]
    head += [f"a={text}" for text in session]
    return ("\r\n".join([*head, *lines]) + "\r\n").encode()


AUDIO = (
    "m=audio 11424 RTP/AVP 8 0 101",
    "a=rtpmap:8 PCMA/8000",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:101 telephone-event/8000",
    "a=fmtp:101 0-15",
)
OFFER = sdp(*AUDIO)
