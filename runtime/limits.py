"""Every bound of the bridge in one place, each with its unit. The SIP and media cores keep theirs beside their code.

A stranger can reach each of these; none may be infinite. The comment says what happens at the bound.
"""

from __future__ import annotations

CALLS_MAX = 2_000
"""Live calls of one bridge. At the bound an INVITE gets 503 with Retry-After."""

ROOM_MEMBERS_MAX = 100
"""Members of one embedded room. At the bound a caller gets 486."""

RETRY_AFTER_S = 5
"""What Retry-After says when the bridge is full."""

MEDIA_TIMEOUT_INITIAL_S = 30.0
"""No RTP at all after the answer (LiveKit's media_timeout_initial)."""

MEDIA_TIMEOUT_S = 15.0
"""No RTP any more (LiveKit's media_timeout). A rule's or a trunk's `media.timeout` overrides it."""

PORT_TRIES_MAX = 64
"""Port pairs tried for one call before it is refused with 503."""

TICK_S = 0.020
"""The one clock of all calls."""

TICKS_CAUGHT_UP_MAX = 5
"""Ticks made good after a late wake-up; beyond that the clock starts afresh and the loss is counted."""

PACKETS_PER_TICK_MAX = 64
"""Datagrams read from one media socket in one tick, so that a flood at one call cannot starve the rest."""

RECENT_RECORDS_MAX = 200
"""Ended calls that `bridge calls` can still show."""

SHUTDOWN_GRACE_S = 2.0
"""How long a stopping bridge waits for the answers to its BYEs."""

WAV_BYTES_MAX = 64 << 20
"""A file to be played: larger ones are refused."""
