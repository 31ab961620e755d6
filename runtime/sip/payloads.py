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
EVENT_PAYLOAD_TYPES = {8_000: 101, 48_000: 110}
"""The numbers that our own offers give to key events, as everybody's do, by the clock that they count at."""
PARAMETERS_MAX = 16
"""Parameters of one fmtp line that are looked at."""

_number = re.compile("0|[1-9][0-9]{0,2}")
_rtpmap = re.compile(r"([0-9]{1,3}) +([A-Za-z0-9\-.!#$%&'*+^_`{|}~]+)/([0-9]{1,6})(?:/([0-9]{1,2}))? *")


Parameters = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Encoding:
    """What an rtpmap line names: the codec in small letters, its RTP clock in Hz, and its channels."""

    name: str
    clock_hz: int
    channels: int = 1


@dataclass(frozen=True, slots=True)
class KnownCodec:
    """A codec of ours: how SDP spells it, its payload number in our offers, and what we say of it (a=fmtp)."""

    spelling: str
    encoding: Encoding
    payload_type: int
    parameters: str = ""

    @property
    def rtpmap(self) -> str:
        """Its rtpmap value without the number."""
        channels = f"/{self.encoding.channels}" if self.encoding.channels > 1 else ""
        return f"{self.spelling}/{self.encoding.clock_hz}{channels}"


CODECS: dict[str, KnownCodec] = {
    "opus": KnownCodec("opus", Encoding("opus", 48_000, 2), 111, "useinbandfec=1"),
    "g722": KnownCodec("G722", Encoding("g722", 8_000), 9),
    "pcmu": KnownCodec("PCMU", Encoding("pcmu", 8_000), 0),
    "pcma": KnownCodec("PCMA", Encoding("pcma", 8_000), 8),
}

_STATIC = {codec.payload_type: codec.encoding for codec in CODECS.values() if codec.payload_type < 96}


def encodings(media: MediaDescription) -> dict[int, Encoding]:
    """Encoding by payload number, in the m-line's order of preference; numbers that name nothing are left out.

    An rtpmap line wins over the static meaning of a number; without one, 0, 8 and 9 mean what RFC 3551 says.
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


def events_beside(known: dict[int, Encoding], clock_hz: int) -> tuple[int, int] | None:
    """The number of key events and their clock: that of the codec beside them (RFC 4733 section 2.2), else 8 kHz.

    Many a phone that offers Opus has key events at 8 kHz alone.
    """
    for clock in (clock_hz, 8_000):
        number = payload_type_of(known, Encoding(EVENT_NAME, clock))
        if number is not None:
            return number, clock
    return None


def parameters_of(media: MediaDescription, payload_type: int) -> Parameters:
    """What the m-line says of a payload number (a=fmtp): name and value, names in small letters."""
    for text in media.all("fmtp"):
        number, _, rest = text.strip().partition(" ")
        if number == str(payload_type):
            pairs = (part.partition("=") for part in rest.split(";")[:PARAMETERS_MAX])
            return tuple((name.strip().lower(), value.strip()) for name, _, value in pairs if name.strip())
    return ()
