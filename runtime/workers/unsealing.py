"""Unseals the secrets in the tables with the key of the state folder; the bridge never seals.

The key may come later than the bridge (the reconciler makes it), and may be put right while it runs. A file that holds
it may be on a disk that hangs, so it is never read on the event loop: the thread that follows the tables reads it
before it hands new ones over, and again, once a second, from when something could not be unsealed until another key
is there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from schemas.seal import Place, Sealer
from schemas.secret_key import SecretKeyError, read_key

READ_AGAIN_S = 1.0


class KeyedUnsealer:
    """An `Unseal` for one state folder. `hand_over(call)` has the event loop call something.

    `log(event, **fields)` hears there of a key that cannot be read, once.
    """

    def __init__(
        self,
        state: str,
        environ: Mapping[str, str],
        hand_over: Callable[[Callable[[], None]], object],
        log: Callable[..., None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._state = state
        self._environ = environ
        self._hand_over = hand_over
        self._log = log
        self._clock = clock
        self._sealer: Sealer | None = None
        self._is_asked = False
        self._read_at = float("-inf")
        self._last_read: Sealer | None = None
        self._told = ""

    # -- on the loop -----------------------------------------------------------------------------------------------

    def __call__(self, place: Place, sealed: bytes) -> bytes | None:
        """The secret; None where the key or the value does not fit, and then another key is looked for."""
        if not sealed:
            return None
        secret = self._sealer.unseal(place, sealed) if self._sealer is not None else None
        if secret is None:
            self._is_asked = True
        return secret

    def _take(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self._is_asked = False

    # -- on the thread ---------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Read the key if something could not be unsealed, at most once a second."""
        if self._is_asked and self._clock() - self._read_at >= READ_AGAIN_S:
            self.read()

    def read(self) -> None:
        """Read the key. Where there is none (any more) the last good one stays."""
        self._read_at = self._clock()
        try:
            key = read_key(self._state, self._environ)
        except SecretKeyError as fault:
            self._tell(str(fault))
            return
        sealer = Sealer(key) if key is not None else None
        if sealer is not None and sealer != self._last_read:
            self._last_read = sealer
            self._hand_over(lambda: self._take(sealer))

    def _tell(self, fault: str) -> None:
        if fault != self._told:
            self._told = fault
            self._hand_over(lambda: self._log(f"secrets cannot be unsealed: {fault}"))
