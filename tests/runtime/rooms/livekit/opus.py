"""libopus, loaded once for all tests."""

from __future__ import annotations

from runtime.rooms.livekit.libopus import load_opus

OPUS = load_opus()
