"""The SDP of a connection that we offer: offers that we write, answers that we read (RFC 8829, 8839, 8842).

We offer LiveKit's single connection, and of its two the one that we publish on; the server sends its candidates by
trickle and answers. The first section is what we publish, and its codecs are all that the whole connection may use, in
our order of preference; the second carries data; each further one takes a track of somebody else. Sections only grow.
What the server offers is read in `offered`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from runtime.media.codecs.codec import Codec
from runtime.media.dtls import Fingerprint
from runtime.rooms.livekit.limits import CANDIDATES_MAX, DESCRIPTION_BYTES_MAX

RoomCodec = Literal["pcmu", "pcma", "opus"]

PAYLOAD_TYPES: Final[dict[RoomCodec, int]] = {"pcmu": 0, "pcma": 8, "opus": 111}
CODECS: Final[dict[str, RoomCodec]] = {str(number): codec for codec, number in PAYLOAD_TYPES.items()}
"""By a payload type as it is written."""
MAPS: Final[dict[RoomCodec, str]] = {
    "pcmu": "a=rtpmap:0 PCMU/8000\r\n",
    "pcma": "a=rtpmap:8 PCMA/8000\r\n",
    "opus": "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n",
}
ICE_LITE: Final = "a=ice-lite"
_PUBLISHED_MID: Final = "0"
_DATA_MID: Final = "1"
_FINGERPRINT: Final = re.compile(r"a=fingerprint:sha-256 ((?:[0-9A-F]{2}:){31}[0-9A-F]{2})\s*", re.IGNORECASE)
_ICE_TEXT: Final = re.compile(r"[A-Za-z0-9+/]{4,256}")


class DescriptionError(Exception):
    """A description that cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Ourselves:
    """What one connection of ours says of itself. `fingerprint` is of our certificate."""

    ufrag: str
    password: str
    fingerprint: Fingerprint
    ssrc: int
    cname: str
    track: str
    """The client's own id of the published track; the server matches track and section by it."""
    codecs: tuple[RoomCodec, ...]
    """What may be published, best first; the first one that the server takes is."""


@dataclass(frozen=True, slots=True)
class Theirs:
    """What the server said of its side of one connection."""

    ufrag: str
    password: str
    fingerprint: Fingerprint
    we_are_client: bool
    """Whether the DTLS handshake is ours to begin."""
    we_control: bool
    """Whether it is ours to say which pair of addresses is used (RFC 8445 section 6.1.1)."""
    ice_lite: bool
    codec: RoomCodec | None
    """What we publish; None when the server takes none of ours, or we publish nothing here."""
    candidates: tuple[str, ...]


def preferred(room_codec: str, phone: Codec) -> tuple[RoomCodec, ...]:
    """All codecs, the wanted one first; `auto` is the phone's own, so that nothing has to be transcoded.

    A phone's codec that rooms do not have (G.722) becomes Opus, which carries its bandwidth.
    """
    wanted = _codec(phone.name if room_codec == "auto" else room_codec)
    return (wanted, *(codec for codec in PAYLOAD_TYPES if codec != wanted))


def _codec(name: str) -> RoomCodec:
    return next((codec for codec in PAYLOAD_TYPES if codec == name), "opus")


def write_offer(ours: Ourselves, session_id: int, version: int, receiving: int) -> str:
    """Our offer with `receiving` sections for others' tracks."""
    mids = [_PUBLISHED_MID, _DATA_MID, *(str(2 + n) for n in range(receiving))]
    transport = write_transport(ours, "actpass")
    numbers = " ".join(str(PAYLOAD_TYPES[codec]) for codec in ours.codecs)
    maps = "".join(MAPS[codec] for codec in ours.codecs)
    audio = f"m=audio 9 UDP/TLS/RTP/SAVPF {numbers}\r\n{transport}{maps}"
    head = write_head(session_id, version, mids)
    published = (
        f"a=mid:{_PUBLISHED_MID}\r\na=sendonly\r\na=msid:phone {ours.track}\r\n"
        f"a=ssrc:{ours.ssrc} cname:{ours.cname}\r\n"
    )
    data = f"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n{transport}a=mid:{_DATA_MID}\r\na=sctp-port:5000\r\n"
    others = "".join(f"{audio}a=mid:{mid}\r\na=recvonly\r\n" for mid in mids[2:])
    return f"{head}{audio}{published}{data}{others}"


def write_head(session_id: int, version: int, mids: Sequence[str]) -> str:
    """The session's own lines; the sections `mids` share one transport."""
    return (
        f"v=0\r\no=- {session_id} {version} IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
        f"a=group:BUNDLE {' '.join(mids)}\r\na=msid-semantic: WMS *\r\n"
    )


def write_transport(ours: Ourselves, setup: str) -> str:
    """The lines of every section that say how to reach us; no candidate: the server learns them from our checks."""
    return (
        f"c=IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=ice-ufrag:{ours.ufrag}\r\na=ice-pwd:{ours.password}\r\n"
        f"a=fingerprint:{ours.fingerprint.algorithm} {ours.fingerprint}\r\na=setup:{setup}\r\n"
    )


def read_answer(sdp: str) -> Theirs:
    """What an answer says. DescriptionError when it lacks what a connection needs."""
    lines = lines_of(sdp)
    we_are_client = first_value(lines, "setup") == "passive"
    return read_theirs(lines, we_are_client=we_are_client, we_control=True, codec=_published_codec(lines))


def lines_of(sdp: str) -> list[str]:
    """The lines of a description. DescriptionError when there are too many."""
    if len(sdp) > DESCRIPTION_BYTES_MAX:
        raise DescriptionError("the server's description is too long")
    return sdp.replace("\r\n", "\n").split("\n")


def read_theirs(lines: Sequence[str], *, we_are_client: bool, we_control: bool, codec: RoomCodec | None) -> Theirs:
    """What any description says of its side. DescriptionError when it lacks what a connection needs."""
    fingerprint = next((found[1] for line in lines if (found := _FINGERPRINT.fullmatch(line))), "")
    if not fingerprint:
        raise DescriptionError("the server's description names no SHA-256 fingerprint")
    ufrag, password = first_value(lines, "ice-ufrag"), first_value(lines, "ice-pwd")
    if not _ICE_TEXT.fullmatch(ufrag) or not _ICE_TEXT.fullmatch(password) or len(password) < 22:
        raise DescriptionError("the server's description names no ICE credentials")
    candidates = [line.removeprefix("a=candidate:") for line in lines if line.startswith("a=candidate:")]
    return Theirs(
        ufrag=ufrag,
        password=password,
        fingerprint=Fingerprint("sha-256", bytes.fromhex(fingerprint.replace(":", ""))),
        we_are_client=we_are_client,
        we_control=we_control,
        ice_lite=ICE_LITE in lines,
        codec=codec,
        candidates=tuple(candidates[:CANDIDATES_MAX]),
    )


def first_value(lines: Sequence[str], name: str) -> str:
    """The value of the first attribute of this name, or ""."""
    start = f"a={name}:"
    return next((line.removeprefix(start).strip() for line in lines if line.startswith(start)), "")


def _published_codec(lines: Sequence[str]) -> RoomCodec | None:
    """The first codec of the first section: the answerer keeps what it takes, in our order (RFC 3264 section 6.1)."""
    for line in lines:
        if line.startswith("m="):
            media, port, _protocol, *numbers = [*line.removeprefix("m=").split(), "", "", ""]
            if media != "audio" or port == "0":
                return None
            return next((CODECS[number] for number in numbers if number in CODECS), None)
    return None
