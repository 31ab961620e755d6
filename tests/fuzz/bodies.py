"""Small texts of strangers beside the call itself: keys in bodies, who calls by which header."""

from __future__ import annotations

from runtime.media.dtmf import EVENTS
from runtime.media.info_digits import read_key, write_relay
from runtime.sip.identity import TEXT_CHARS_MAX, read_identity
from runtime.sip.message import Headers

WORDS = (b"Signal=", b"Duration=", b"d=", b"hf", b"!", b"10", b"\r\n")


def fuzz_key(data: bytes) -> None:
    """A body is one key, a flash, or none; what we write of a key reads the same."""
    key = read_key(data)
    assert key is None or key == "" or key in EVENTS
    if key:
        assert read_key(write_relay(key, 250)) == key


def key_seeds() -> list[bytes]:
    """As phones write them."""
    return [b"Signal=5\r\nDuration=160\r\n", b"Signal= *\nDuration= 100", b"#", b"d=7\r\n", b"Signal=!\r\nDuration=1"]


IDENTITY_WORDS = (
    b"P-Asserted-Identity: ", b"Remote-Party-ID: ", b"Diversion: ", b"History-Info: ", b"Privacy: ", b"id", b";",
    b"<tel:+", b"<sip:", b"@a>", b";reason=", b";privacy=full", b";party=called", b"?Privacy=none", b", ", b"\n", b'"',
)  # fmt: skip
_NAMES = ("P-Asserted-Identity", "Remote-Party-ID", "Diversion", "History-Info", "Privacy")


def fuzz_identity(data: bytes) -> None:
    """Header lines never fail a call, and what is told of them is short and can be shown."""
    lines = data.decode("utf-8", "replace").splitlines()[:24]
    found = [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    told = read_identity(Headers([pair for pair in found if pair[0] in _NAMES]))
    texts = (told.asserted.user, told.asserted.name, told.remote_party.user, told.remote_party.name, told.caller)
    for text in (*texts, told.diverted_by, told.diversion_reason, told.first_called):
        assert len(text) <= TEXT_CHARS_MAX
        assert text.isprintable()
    assert told.privacy.isprintable()


def identity_seeds() -> list[bytes]:
    """As carriers write them."""
    return [
        b'P-Asserted-Identity: "Ada" <sip:+15550107777@c>, <tel:+15550107777>\nPrivacy: id;critical',
        b"Remote-Party-ID: <sip:1@c>;party=calling;screen=yes;privacy=full",
        b"Diversion: <sip:1@a>;reason=no-answer;counter=1\nDiversion: <tel:+2>;reason=unconditional",
        b"History-Info: <sip:1@a?Privacy=history>;index=1, <sip:2@b?Reason=SIP%3Bcause%3D302>;index=1.1",
    ]
