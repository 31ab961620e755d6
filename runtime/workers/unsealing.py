"""Unseals the secrets in the tables with the key of the state folder; the bridge never seals.

The key may come later than the bridge (the reconciler makes it), and may be put right while it runs: so it is read
again when something cannot be unsealed, at most once a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from schemas.seal import Place, Sealer
from schemas.secret_key import SecretKeyError, read_key

READ_AGAIN_S = 1.0


class KeyedUnsealer:
    """An `Unseal` for one state folder. `log(event, **fields)` hears of a key that cannot be read, once."""

    def __init__(
        self,
        state: str,
        environ: Mapping[str, str],
        log: Callable[..., None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._state = state
        self._environ = environ
        self._log = log
        self._clock = clock
        self._sealer: Sealer | None = None
        self._read_at = float("-inf")
        self._told = ""

    def __call__(self, place: Place, sealed: bytes) -> bytes | None:
        """The secret; None where the key or the value does not fit."""
        if not sealed:
            return None
        secret = self._sealer.unseal(place, sealed) if self._sealer is not None else None
        if secret is None and self._has_new_key() and self._sealer is not None:
            secret = self._sealer.unseal(place, sealed)
        return secret

    def _has_new_key(self) -> bool:
        now = self._clock()
        if now - self._read_at < READ_AGAIN_S:
            return False
        self._read_at = now
        before = self._sealer
        try:
            key = read_key(self._state, self._environ)
        except SecretKeyError as fault:
            if str(fault) != self._told:
                self._told = str(fault)
                self._log(f"secrets cannot be unsealed: {fault}")
            return False
        self._sealer = Sealer(key) if key is not None else None
        return self._sealer != before
