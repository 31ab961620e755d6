"""The SDP of the connection that the server offers: its offers in, our answers out (RFC 3264 section 6, RFC 8829).

Where a call has two connections, others' tracks and their data come by this one, and whatever changes on it the server
offers anew. An answer has the offer's sections in the offer's order: audio that we can decode and data are taken, all
else is turned down.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from runtime.rooms.livekit.description import (
    CODECS,
    ICE_LITE,
    MAPS,
    PAYLOAD_TYPES,
    DescriptionError,
    Ourselves,
    RoomCodec,
    Theirs,
    first_value,
    lines_of,
    read_theirs,
    write_head,
    write_transport,
)
from runtime.rooms.livekit.limits import SECTIONS_MAX

_MID: Final = re.compile(r"[!-~]{1,32}")
_PROTOCOL: Final = re.compile(r"[A-Z]+(/[A-Z]+){0,3}")
_ENCODINGS: Final[dict[RoomCodec, str]] = {"pcmu": "pcmu/8000", "pcma": "pcma/8000", "opus": "opus/48000/2"}


def read_offer(sdp: str) -> Theirs:
    """What an offer says of the server. DescriptionError when it lacks what a connection needs, or is too long."""
    lines = lines_of(sdp)
    if sum(line.startswith("m=") for line in lines) > SECTIONS_MAX:
        raise DescriptionError(f"the server's offer has more than {SECTIONS_MAX} sections")
    # The offerer decides about addresses, unless it is lite and we are not; the answerer begins the handshake.
    return read_theirs(lines, we_are_client=True, we_control=ICE_LITE in lines, codec=None)


def write_answer(offer: str, ours: Ourselves, session_id: int, version: int) -> str:
    """Our answer to an offer that `read_offer` could read."""
    transport = write_transport(ours, "active")
    written = [_answer_section(section, transport) for section in _sections(lines_of(offer))]
    return write_head(session_id, version, [mid for mid, taken, _ in written if taken]) + "".join(
        text for _, _, text in written
    )


def _sections(lines: Sequence[str]) -> list[list[str]]:
    found: list[list[str]] = []
    for line in lines:
        if line.startswith("m="):
            found.append([line])
        elif found:
            found[-1].append(line)
    return found


def _answer_section(section: Sequence[str], transport: str) -> tuple[str, bool, str]:
    """(mid, whether it is taken, its text)."""
    media, port, protocol, *numbers = [*section[0].removeprefix("m=").split(), "", "", ""][:64]
    mid = found[0] if (found := _MID.fullmatch(first_value(section, "mid"))) else ""
    protocol = protocol if _PROTOCOL.fullmatch(protocol) else "UDP/TLS/RTP/SAVPF"
    if mid and port != "0" and media == "application":
        data = f"m=application 9 {protocol} webrtc-datachannel\r\n{transport}a=mid:{mid}\r\na=sctp-port:5000\r\n"
        return mid, True, data
    codecs = _codecs(section, numbers)
    if mid and port != "0" and media == "audio" and codecs:
        takes = " ".join(str(PAYLOAD_TYPES[codec]) for codec in codecs)
        maps = "".join(MAPS[codec] for codec in codecs)
        sent = "a=sendonly" in section or "a=sendrecv" in section
        way = "recvonly" if sent else "inactive"
        return mid, True, f"m=audio 9 {protocol} {takes}\r\n{transport}{maps}a=mid:{mid}\r\na={way}\r\n"
    kind = media if media in ("audio", "video", "application") else "video"
    rest = "webrtc-datachannel" if kind == "application" else "0"
    return mid, False, f"m={kind} 0 {protocol} {rest}\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\na=inactive\r\n"


def _codecs(section: Sequence[str], numbers: Sequence[str]) -> list[RoomCodec]:
    """What we decode, in the offer's order, where it has the numbers that we know it by."""
    offered = {line.removeprefix("a=rtpmap:").lower() for line in section if line.startswith("a=rtpmap:")}
    found: list[RoomCodec] = []
    for number in numbers:
        codec = CODECS.get(number)
        if codec is not None and codec not in found and f"{number} {_ENCODINGS[codec]}" in offered:
            found.append(codec)
    return found
