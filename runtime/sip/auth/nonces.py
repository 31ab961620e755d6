"""Nonces that are known again without being kept: they cost no memory, however many strangers are challenged.

A nonce says when it was given out and how many wrong answers came before it, and is signed together with the source
address by a key that only this process has. So nobody can make one, carry one to another address, or answer one of
another process; and who shows one does hear what is sent to its address. What is kept is the use of nonces by those
who know the password, so that no answer is taken twice; that memory is bounded and forgets only what has expired
anyhow.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from runtime.sip.auth.limits import NONCE_COUNTS_WINDOW, NONCE_LIFETIME_S, NONCES_USED_MAX

KEY_BYTES = 32
TIME_STEP_S = 0.001
TIME_BYTES = 6
RANDOM_BYTES = 10
MAC_BYTES = 16
_SIGNED_BYTES = TIME_BYTES + 1 + RANDOM_BYTES
NONCE_CHARS = (_SIGNED_BYTES + MAC_BYTES) // 3 * 4
"""The bytes are a multiple of three, so that their base64 needs no padding."""


@dataclass(frozen=True, slots=True)
class Nonce:
    """A nonce of ours. `given_at` is monotonic seconds, `wrong_answers` came before it."""

    id: bytes
    given_at: float
    wrong_answers: int


@dataclass(slots=True)
class _Use:
    """Nonce counts that came: the highest, and a bit for each below it within the window."""

    given_at: float
    highest: int
    below: int = 0


class Nonces:
    """Gives out nonces, knows its own again, and remembers how often each was used."""

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        self._entropy = entropy
        self._key = entropy(KEY_BYTES)
        self._used: dict[bytes, _Use] = {}
        self._stale_before = 0.0

    def give(self, source: str, now: float, wrong_answers: int = 0) -> str:
        """A new nonce for a peer at `source`."""
        signed = int(now / TIME_STEP_S).to_bytes(TIME_BYTES) + bytes([wrong_answers]) + self._entropy(RANDOM_BYTES)
        return base64.urlsafe_b64encode(signed + self._mac(signed, source)).decode()

    def read(self, text: str, source: str) -> Nonce | None:
        """The nonce, if this process has given it to this source."""
        if len(text) != NONCE_CHARS:
            return None
        try:
            data = base64.b64decode(text, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        signed, mac = data[:_SIGNED_BYTES], data[_SIGNED_BYTES:]
        if not hmac.compare_digest(mac, self._mac(signed, source)):
            return None
        return Nonce(signed, int.from_bytes(signed[:TIME_BYTES]) * TIME_STEP_S, signed[TIME_BYTES])

    def is_stale(self, nonce: Nonce, now: float) -> bool:
        """Whether it was given out too long ago."""
        return now - nonce.given_at > NONCE_LIFETIME_S or nonce.given_at < self._stale_before

    def take(self, nonce: Nonce, count: int, now: float) -> bool:
        """Note that a right answer came with this nonce count; False when it came before, or may have."""
        use = self._used.get(nonce.id)
        if use is not None:
            return _note(use, count)
        self._make_room(now)
        if self.is_stale(nonce, now):
            return False
        self._used[nonce.id] = _Use(nonce.given_at, count)
        return True

    def _make_room(self, now: float) -> None:
        """Forget what has expired; where that is not enough, all of it, and take nothing of it any more."""
        while self._used:
            oldest = next(iter(self._used))
            if now - self._used[oldest].given_at <= NONCE_LIFETIME_S:
                break
            del self._used[oldest]
        if len(self._used) >= NONCES_USED_MAX:
            self._used.clear()
            self._stale_before = now + TIME_STEP_S

    def _mac(self, signed: bytes, source: str) -> bytes:
        return hmac.digest(self._key, signed + source.encode(), "sha256")[:MAC_BYTES]


def _note(use: _Use, count: int) -> bool:
    if count > use.highest:
        ahead = min(count - use.highest, NONCE_COUNTS_WINDOW + 1)
        use.below = (use.below << ahead | 1 << (ahead - 1)) & ((1 << NONCE_COUNTS_WINDOW) - 1)
        use.highest = count
        return True
    behind = use.highest - count
    bit = 1 << (behind - 1) if 0 < behind <= NONCE_COUNTS_WINDOW else 0
    if not bit or use.below & bit:
        return False
    use.below |= bit
    return True
