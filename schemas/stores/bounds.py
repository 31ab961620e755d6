"""How much of their past stores keep, whichever store it is."""

from __future__ import annotations

DELTA_ROWS_MAX = 20_000
"""Deltas are kept for at most this many rows in all, and this many revisions; who is further behind loads anew."""
DELTA_REVISIONS_MAX = 1_000

HISTORY_MAX = 10_000
"""Publishes that a store remembers."""

REVISIONS_KEPT = 1_000
"""Revisions whose changes are kept to be undone, unless a setting says otherwise."""
PAST_BYTES_MAX = 64 << 20
"""Bytes of all kept changes together; a revision that takes more by itself is not kept."""
PAST_ENTRY_BYTES = 64
"""What an entry takes beside its id and its bytes."""

BRIDGE_FORGOTTEN_S = 86_400.0
"""A bridge that has been silent for a day is no longer listed."""
