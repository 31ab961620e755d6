"""The most of everything in digest authentication: each a named constant with its unit."""

from __future__ import annotations

VALUES_MAX = 16
"""Challenges or credentials in one message, all header lines of a field together; more is 400."""

PARAMS_MAX = 32
"""Parameters of one challenge or of one set of credentials; more is 400."""

NONCE_LIFETIME_S = 60.0
"""How long a challenge of ours may be answered; a later answer is challenged anew, with stale=true."""

NONCES_USED_MAX = 10_000
"""Nonces whose use is remembered against replay. Beyond it all that were given out so far count as stale."""

NONCE_COUNTS_WINDOW = 64
"""How far behind the highest nonce count of a nonce a lower one is still told from a replay."""

TRIES_MAX = 3
"""Wrong answers to one run of challenges: the last gets 403 instead of another challenge."""

FAILURES_MAX = 10
"""Wrong answers from one source within `FAILURES_WINDOW_S`; with the last it is locked out."""

FAILURES_WINDOW_S = 300.0
"""The time in which wrong answers add up."""

LOCKOUT_S = 300.0
"""How long a source is locked out: 403 to whatever it answers."""

SOURCES_MAX = 10_000
"""Sources whose wrong answers are remembered; the one that was quiet longest is forgotten first."""

CLIENT_TRIES_MAX = 3
"""Challenges of one request of ours that are answered: a proxy's, the callee's, and a stale one's successor."""
