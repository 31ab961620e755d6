"""Session timers as values (RFC 4028): what one side asks for, what both then agree on, and the headers that say so.

`sessions` keeps the clock of each call by these; nothing here sends or waits. A call whose sides have agreed on an
interval is over when nobody has refreshed it by then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from runtime.sip.errors import SipSyntaxError
from runtime.sip.fields import has_option
from runtime.sip.grammar import LWS, find_param, parse_params
from runtime.sip.message import Headers, Request
from runtime.sip.requests import Pairs

OPTION = "timer"
"""The option tag (section 7)."""

MIN_SE_S = 90
"""Section 5: no interval is shorter, whoever asks."""

THEIRS_S_MIN = 20
"""The shortest interval that a peer's 2xx may set, though section 5 has 90 for it as well: every refresh costs us."""

INTERVAL_S_MAX = 86_400
"""The longest interval that we take over from a peer: a day."""

GRACE_S_MAX = 32
"""Section 10: who does not refresh hangs up this long before the end, or after two thirds where that is earlier."""

_delta = re.compile(rf"([0-9]{{1,10}}){LWS}((?:;.*)?)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Asked:
    """A Session-Expires field; `refresher` is `uac`, `uas`, or "" where it is left to the other side."""

    interval_s: int
    refresher: str


@dataclass(frozen=True, slots=True)
class Agreed:
    """What holds from now on: the interval, and whether it is us who refresh."""

    interval_s: int
    ours: bool

    @property
    def refresh_after_s(self) -> float:
        """Section 10: half of the interval is the recommended time."""
        return self.interval_s / 2

    @property
    def expires_after_s(self) -> float:
        """When whoever has heard nothing hangs up."""
        return self.interval_s - min(GRACE_S_MAX, self.interval_s / 3)

    def asked_again(self) -> tuple[str, str]:
        """The header of a request of ours that leaves the roles as they are."""
        return "Session-Expires", f"{self.interval_s};refresher={'uac' if self.ours else 'uas'}"


def read_asked(headers: Headers) -> Asked | None:
    """The Session-Expires of a message, None where there is none. SipSyntaxError where it cannot be read."""
    text = headers.first("Session-Expires")
    if text is None:
        return None
    interval_s, params = _read(text, "Session-Expires")
    refresher = (find_param(params, "refresher") or "").lower()
    if refresher not in ("", "uac", "uas"):
        raise SipSyntaxError(400, "Malformed Session-Expires")
    return Asked(min(interval_s, INTERVAL_S_MAX), refresher)


def read_min_se(headers: Headers) -> int | None:
    """The Min-SE of a message, None where there is none. SipSyntaxError where it cannot be read."""
    text = headers.first("Min-SE")
    return None if text is None else _read(text, "Min-SE")[0]


def is_too_small(headers: Headers) -> bool:
    """Whether a request asks for an interval that is answered 422 (section 9). SipSyntaxError where it is unreadable.

    Who does not know session timers could make nothing of a 422: a proxy asked in its name, and gets what it asks.
    """
    asked = read_asked(headers)
    return asked is not None and asked.interval_s < MIN_SE_S and is_supported(headers)


def is_supported(headers: Headers) -> bool:
    """Whether who sent this knows session timers."""
    return has_option(headers, "Supported", OPTION)


def agreed_by_us(headers: Headers, held: Agreed | None) -> Agreed | None:
    """What our 2xx to this INVITE or UPDATE agrees on (section 9, table 2); `held` is what was agreed on before.

    We begin with a timer where the peer asks for one. Where it knows timers we leave the refreshing to it if it does
    not mind; a refresh that has lost the header does not end a timer that both sides know.
    """
    asked = read_asked(headers)
    if asked is None:
        if held is None:
            return None
        return Agreed(held.interval_s, ours=True) if is_supported(headers) else None
    interval_s = max(asked.interval_s, MIN_SE_S)
    return Agreed(interval_s, ours=asked.refresher == "uas" or not is_supported(headers))


def agreed_by_them(headers: Headers) -> Agreed | None:
    """What a 2xx to a request of ours agrees on (section 7.2); one that cannot be read agrees on nothing."""
    try:
        asked = read_asked(headers)
    except SipSyntaxError:
        return None
    if asked is None or asked.interval_s < 1:
        return None
    return Agreed(max(asked.interval_s, THEIRS_S_MIN), ours=asked.refresher != "uas")


def headers_of_answer(agreed: Agreed) -> list[tuple[str, str]]:
    """The headers of our 2xx. `Require` where the peer has to do something (section 9)."""
    out = [("Session-Expires", f"{agreed.interval_s};refresher={'uas' if agreed.ours else 'uac'}")]
    return out if agreed.ours else [("Require", OPTION), *out]


def widened(request: Request, response_headers: Headers) -> Pairs | None:
    """The Session-Expires and Min-SE of a request that got 422 and is sent once more (section 7.4); None: it is not."""
    if "Min-SE" in request.headers:
        return None
    try:
        wanted_s = read_min_se(response_headers)
        asked = read_asked(request.headers)
    except SipSyntaxError:
        return None
    if wanted_s is None or asked is None or not asked.interval_s < wanted_s <= INTERVAL_S_MAX:
        return None
    role = f";refresher={asked.refresher}" if asked.refresher else ""
    return [("Session-Expires", f"{wanted_s}{role}"), ("Min-SE", str(wanted_s))]


def _read(text: str, name: str) -> tuple[int, tuple[tuple[str, str | None], ...]]:
    found = _delta.fullmatch(text)
    if found is None:
        raise SipSyntaxError(400, f"Malformed {name}")
    return int(found[1]), parse_params(found[2])
