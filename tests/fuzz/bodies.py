"""Small texts of strangers beside the call itself: keys and news in bodies, who calls, who is to take whose place."""

from __future__ import annotations

from runtime.calls.referrals import referred
from runtime.calls.transfers import fragment
from runtime.media.dtmf import EVENTS
from runtime.media.info_digits import read_key, write_relay
from runtime.sip.errors import SipSyntaxError
from runtime.sip.identity import TEXT_CHARS_MAX, read_identity
from runtime.sip.message import Headers
from runtime.sip.replaces import read_replaces

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


REFER_WORDS = (
    b"SIP/2.0 200 OK", b"SIP/2.0 180 ", b"\r\n", b";to-tag=", b";from-tag=", b";early-only", b"@", b"<sip:", b"tel:+",
    b">", b"?Replaces=", b"%3Bto-tag%3D", b"%3Bfrom-tag%3D", b";method=BYE", b"&", b", ",
)  # fmt: skip


def fuzz_refer(data: bytes) -> None:
    """What is told of a transfer, whom it is to, and which dialog is named: read or refused, and never more."""
    told = fragment(data)
    assert told is None or (0 <= told[0] <= 999 and told[1].isprintable())
    text = data.decode("utf-8", "replace").replace("\r", " ").replace("\n", " ")
    try:
        found = read_replaces(Headers([("Replaces", text)]))
    except SipSyntaxError:
        pass
    else:
        assert found is not None
        assert read_replaces(Headers([("Replaces", str(found))])) == found
    target = referred(Headers([("Refer-To", text)]))
    if target is not None:
        assert target.number.isprintable()
        assert ";" not in target.number
        assert not target.replaces or str(read_replaces(Headers([("Replaces", target.replaces)]))) == target.replaces


def refer_seeds() -> list[bytes]:
    """News, targets and dialogs."""
    return [
        b"SIP/2.0 200 OK\r\n",
        b"SIP/2.0 603 Decline",
        b"98732@sip.example.com;from-tag=r33;to-tag=ff87ff;early-only",
        b"<sip:+15550109999@a?Replaces=id%40x%3Bto-tag%3D1%3Bfrom-tag%3D2>",
        b"tel:+15550109999",
        b"<sip:a@b;method=BYE>",
    ]
