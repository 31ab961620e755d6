"""Our half of ICE where a phone does the work (RFC 8445 section 2.5): its checks are answered, none is sent.

A bridge has a public address, or one that its peers reach; so it offers that as its one candidate and waits. Whoever
did not see our SDP cannot make a check (`ice_checks`), and gets no answer at all. The address that a check with
USE-CANDIDATE came from is where media go, and goes on to be as long as the phone keeps checking (RFC 7675). Called with
every datagram whose first byte says STUN (RFC 7983); no datagram raises.
"""

from __future__ import annotations

from typing import Final

from runtime.media.ice_checks import CONTROLLED, PRIORITY, USE_CANDIDATE, Checks, IceNames
from runtime.media.source import Address

CONSENT_S: Final = 30.0
"""How long a phone may stop checking until nothing is sent to it any more (RFC 7675 section 5.1)."""
CHECKED_MAX: Final = 8
"""Addresses of one phone that have been checked; the one that was silent longest makes room."""
OUTBID_AFTER_S: Final = 5.0
"""How long the nominated address may be silent before one of lower priority takes its place."""


class IceLite:
    """One component of one call. `nominated` is where the phone wants its media."""

    __slots__ = ("_checked", "_checks", "_priority", "nominated")

    def __init__(self, names: IceNames) -> None:
        self._checks = Checks(names)
        self._checked: dict[Address, float] = {}
        self._priority = 0
        self.nominated: Address | None = None

    def is_checked(self, address: Address) -> bool:
        """Whether the phone has shown that it is there."""
        return address in self._checked

    def consents(self, now: float) -> bool:
        """Whether the nominated address still wants anything."""
        return self.nominated is not None and now - self._checked.get(self.nominated, -CONSENT_S) < CONSENT_S

    def answer(self, data: bytes, address: Address, now: float) -> bytes | None:
        """What a datagram gets; None when it is no check of the phone's."""
        check = self._checks.read(data)
        if check is None:
            return None
        if check.unknown:
            return self._checks.not_understood(check)
        if CONTROLLED in check.attributes:  # a lite side never controls (section 6.1.1)
            return self._checks.role_conflict(check)
        self._note(address, check.attributes, now)
        return self._checks.success(check, address)

    def _note(self, address: Address, attributes: dict[int, bytes], now: float) -> None:
        if address not in self._checked and len(self._checked) >= CHECKED_MAX:
            others = [known for known in self._checked if known != self.nominated]
            del self._checked[min(others, key=lambda known: self._checked[known])]
        last = self._checked.get(self.nominated, 0.0) if self.nominated is not None else 0.0
        self._checked[address] = now
        if USE_CANDIDATE not in attributes:
            return
        priority = int.from_bytes(attributes.get(PRIORITY, b""))
        if self.nominated in (None, address) or priority >= self._priority or now - last > OUTBID_AFTER_S:
            self.nominated, self._priority = address, priority
