"""Bounds and times of what is done for trunks between calls. Seconds."""

from __future__ import annotations

from typing import Final

PROBE_S: Final = 4.0
"""How long an address may take over OPTIONS: four datagrams by then."""

REGISTER_S: Final = 8.0
"""How long a registrar may take, challenge included, before the next address is tried."""

LEAVE_S: Final = 2.0
"""The same for taking a registration back."""

FIRST_S: Final = 1.0
FIRST_PER_S_MAX: Final = 50
"""New registrations and probes begin within so long, by chance; where there are many, so many of them a second."""

JITTER: Final = 0.1
"""By how much of it a wait is shortened by chance, so that not all trunks are tended to at one moment."""

AHEAD: Final = 0.25
AHEAD_S_MIN: Final = 10.0
AHEAD_S_MAX: Final = 600.0
"""How long before its end a registration is refreshed: a quarter of its time, within these bounds."""

EXPIRES_S_MIN: Final = 10
EXPIRES_S_MAX: Final = 86_400
"""What a registrar may grant, or ask for by Min-Expires; anything else is brought within."""

UNREACHED_S_MIN: Final = 4.0
UNREACHED_S_MAX: Final = 300.0
"""When a registrar of which nothing was heard, or that is out of order, is tried again: doubled each time, at most."""

REFUSED_S_MIN: Final = 60.0
REFUSED_S_MAX: Final = 3_600.0
"""The same for one that refuses us: a wrong password is not tried over and over."""

AGAIN_S: Final = 2.0
"""A registrar that has come back is asked again within so long: all its clients come at that moment."""


def first_s(count: int) -> float:
    """Within how long so many new ones begin."""
    return max(FIRST_S, count / FIRST_PER_S_MAX)
