"""CORE. Which requests the LiveKit-compatible API knows: ours, and those that the LiveKit server answers."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TWIRP = re.compile(r"/twirp/(livekit\.[A-Za-z]+)/([A-Za-z]+)")
_SLASHES = re.compile(r"/{2,}")
_PASSED_ON = frozenset({"/rtc", "/rtc/v1", "/rtc/validate", "/rtc/v1/validate", "/settings/regions", "/agent"})
OURS = "livekit.SIP"


@dataclass(frozen=True, slots=True)
class Ours:
    """A method of `livekit.SIP`, answered here."""

    method: str


@dataclass(frozen=True, slots=True)
class PassedOn:
    """The path and query that the LiveKit server is asked for."""

    target: str
    is_twirp: bool


def route(raw_target: str) -> Ours | PassedOn | None:
    """Where a request's path and query, as they came, lead; None = nowhere.

    Slashes in a row are one, as with LiveKit: `ws://host/` + `/rtc`. A percent sign in a path leads nowhere: no path of
    these needs one, and what two programs would decode differently is never passed on.
    """
    path, mark, query = raw_target.partition("?")
    path = _SLASHES.sub("/", path)
    twirp = _TWIRP.fullmatch(path)
    if twirp is not None and twirp[1] == OURS:
        return Ours(twirp[2])
    if twirp is None and path not in _PASSED_ON:
        return None
    return PassedOn(path + mark + query, twirp is not None)
