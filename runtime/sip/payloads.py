"""Which RTP payload number means which codec in one m-line (RFC 3551 section 6, RFC 8866 section 6.6).

Read by `streams` for both sides of an offer and answer. The table names what our media engine speaks; a codec that is
not here is never offered and never chosen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from runtime.sip.sdp import MediaDescription

EVENT_FORMATS = "0-16"
"""RFC 4733: the sixteen keys and flash."""

EVENT_NAME = "telephone-event"
EVENT_PAYLOAD_TYPE = 101
"""The number that our own offers give to key events, as everybody's do."""

_number = re.compile("0|[1-9][0-9]{0,2}")
_rtpmap = re.compile(r"([0-9]{1,3}) +([A-Za-z0-9\-.!#$%&'*+^_`{|}~]+)/([0-9]{1,6})(?:/([0-9]{1,2}))? *")


@dataclass(frozen=True, slots=True)
class Encoding:
    """What an rtpmap line names: the codec in small letters, its RTP clock in Hz, and its channels."""

    name: str
    clock_hz: int
    channels: int = 1


@dataclass(frozen=True, slots=True)
class KnownCodec:
    """A codec of ours: how SDP spells it, and its payload number in our offers."""

    spelling: str
    encoding: Encoding
    payload_type: int


CODECS: dict[str, KnownCodec] = {
    "pcmu": KnownCodec("PCMU", Encoding("pcmu", 8_000), 0),
    "pcma": KnownCodec("PCMA", Encoding("pcma", 8_000), 8),
}

_STATIC = {codec.payload_type: codec.encoding for codec in CODECS.values()}


def encodings(media: MediaDescription) -> dict[int, Encoding]:
    """Encoding by payload number, in the m-line's order of preference; numbers that name nothing are left out.

    An rtpmap line wins over the static meaning of a number; without one, 0 and 8 mean what RFC 3551 says.
    """
    mapped: dict[int, Encoding] = {}
    for text in media.all("rtpmap"):
        found = _rtpmap.fullmatch(text)
        if found is not None:
            mapped.setdefault(int(found[1]), Encoding(found[2].lower(), int(found[3]), int(found[4] or 1)))
    out: dict[int, Encoding] = {}
    for text in media.formats:
        number = int(text) if _number.fullmatch(text) else 128
        encoding = mapped.get(number) or _STATIC.get(number)
        if number <= 127 and encoding is not None:
            out.setdefault(number, encoding)
    return out


def payload_type_of(known: dict[int, Encoding], wanted: Encoding) -> int | None:
    """The first payload number that means this encoding, or None."""
    return next((number for number, encoding in known.items() if encoding == wanted), None)


def event_encoding(clock_hz: int) -> Encoding:
    """Key events at the clock of the codec that they are sent beside (RFC 4733 section 2.2)."""
    return Encoding(EVENT_NAME, clock_hz)
