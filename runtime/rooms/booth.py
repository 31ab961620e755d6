"""The booth: where callers are who have been answered and have no room yet. Each hears a prompt, or nothing.

It is ticked with the rooms, once for all who are in it. A prompt may still be on its way from a disk when it is asked
for: the caller hears nothing meanwhile, and after `FETCH_TICKS_MAX` what the bridge has anyway.
"""

from __future__ import annotations

from collections.abc import Callable

from runtime.limits import TICK_S
from runtime.media.frame import Frame
from runtime.media.sound import Sound
from runtime.rooms.adapter import Leg

FETCH_S_MAX = 1.0
"""How long a caller waits for a file."""

FETCH_TICKS_MAX = round(FETCH_S_MAX / TICK_S)


class Fetch:
    """A prompt that was asked for; `sound` is set when it is there. `instead` is there at once."""

    __slots__ = ("instead", "sound")

    def __init__(self, instead: Sound, sound: Sound | None = None) -> None:
        self.instead = instead
        self.sound = sound


class _Caller:
    __slots__ = ("at", "fetch", "leg", "sound", "waited")

    def __init__(self, leg: Leg) -> None:
        self.leg = leg
        self.hush()

    def hush(self) -> None:
        self.fetch: Fetch | None = None
        self.sound: Sound | None = None
        self.at = self.waited = 0

    def frame(self) -> Frame | None:
        """The frame of this tick, if there is one."""
        if self.fetch is not None:
            self.waited += 1
            self.sound = self.fetch.sound or (self.fetch.instead if self.waited > FETCH_TICKS_MAX else None)
            if self.sound is None:
                return None
            self.fetch = None
        if self.sound is None:
            return None
        frame = self.sound[self.at]
        self.at += 1
        return frame

    @property
    def is_done(self) -> bool:
        """Whether the frame before was the prompt's last; every prompt has one."""
        return self.sound is not None and self.at >= len(self.sound)


class Booth:
    """All callers without a room; used from the event loop's thread only. `played(call_id)` hears of a prompt's end."""

    def __init__(self, played: Callable[[str], None]) -> None:
        self._played = played
        self._callers: dict[str, _Caller] = {}

    def __len__(self) -> int:
        return len(self._callers)

    def play(self, call_id: str, leg: Leg, fetch: Fetch) -> None:
        """Let a caller hear this, from the next tick on, instead of what it hears. It comes in if it is not here."""
        caller = self._callers.get(call_id)
        if caller is None:
            caller = self._callers[call_id] = _Caller(leg)
        caller.hush()
        caller.fetch = fetch

    def hush(self, call_id: str) -> None:
        """Let a caller hear nothing; nobody is told of the end of the prompt."""
        caller = self._callers.get(call_id)
        if caller is not None:
            caller.hush()

    def leave(self, call_id: str) -> None:
        """The caller has a room now, or is gone; unknown calls are fine."""
        self._callers.pop(call_id, None)

    def tick(self, now: float) -> None:
        """One 20 ms step of every caller."""
        done: list[str] = []
        for call_id, caller in self._callers.items():
            caller.leg.pull(now)  # nobody listens, but what is said now must not be heard in the room later
            caller.leg.push(caller.frame(), now)
            if caller.is_done:
                caller.hush()
                done.append(call_id)
        for call_id in done:
            self._played(call_id)
