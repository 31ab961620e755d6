"""What is done with the sound of one phone, between its session and whoever listens to it: one stage after another.

What the phone says: noise is taken out of it. What it hears: a ringing tone in place of the room, music while it is on
hold. Both as they are then: the recording. Keys are found before all this, by the session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from runtime.media.codecs.codec import TICKS_PER_S
from runtime.media.frame import Frame
from runtime.media.tones import RingingTone
from runtime.media.voice import Voice
from runtime.rooms.music import Music

if TYPE_CHECKING:
    from runtime.media.noise import NoiseFilter

QUIET_TICKS_MAX = TICKS_PER_S
"""After so much silence of the phone there is nothing left in the filter to be heard."""


class Recorder(Protocol):
    """Where the two sides of a call go, tick by tick."""

    def take(self, said: Frame | None, heard: Frame | None) -> None:
        """One tick."""
        ...

    def close(self) -> None:
        """The call is over."""
        ...


class Cleaner:
    """One voice, as it comes out of its filter."""

    __slots__ = ("_filter", "_quiet", "_silence", "_voice")

    def __init__(self, noise_filter: NoiseFilter) -> None:
        self._filter = noise_filter
        self._voice = Voice()
        self._silence = bytes(2 * noise_filter.rate_hz // TICKS_PER_S)
        self._quiet = 0

    @property
    def rate_hz(self) -> int:
        """The rate that it works at."""
        return self._filter.rate_hz

    @property
    def fault(self) -> str:
        """Why it cleans no more."""
        return self._filter.fault

    def step(self, frame: Frame | None) -> Frame | None:
        """One tick."""
        self._quiet = self._quiet + 1 if frame is None or frame.is_silent else 0
        if self._quiet > QUIET_TICKS_MAX:
            return None
        linear = self._silence if frame is None else frame.linear(self.rate_hz)
        return self._voice.speak(self._filter.clean(linear), self.rate_hz)


class LegSound:
    """The stages of one leg. Whoever sets one up sets it here; None: there is none.

    `rings`: until its media starts, whoever listens to the leg hears this ringing tone.
    """

    __slots__ = ("_said", "cleaned_at", "cleaner", "heard_before", "music", "recorder", "ringing")

    def __init__(self, rings: str) -> None:
        self.cleaned_at = 0
        """The rate that a filter was ordered for; 0: none was."""
        self.heard_before = RingingTone(rings) if rings else None
        self.cleaner: Cleaner | None = None
        self.ringing: RingingTone | None = None
        self.music: Music | None = None
        self.recorder: Recorder | None = None
        self._said: Frame | None = None

    def of_phone(self, frame: Frame | None) -> Frame | None:
        """What is heard of the frame that the phone spoke."""
        if self.cleaner is not None:
            frame = self.cleaner.step(frame)
            if self.cleaner.fault:
                self.cleaner = None
        self._said = frame
        return frame

    def for_phone(self, frame: Frame | None, *, silent: bool) -> tuple[Frame | None, Frame | None]:
        """What the phone hears of a frame that is meant for it, and instead of that where it is to be `silent`."""
        if self.ringing is not None:
            frame = self.ringing.frame()
        instead = self.music.frame() if silent and self.music is not None else None
        if self.recorder is not None:
            self.recorder.take(self._said, instead if silent else frame)
        return frame, instead

    def clean_by(self, noise_filter: NoiseFilter) -> None:
        """The filter is there."""
        self.cleaner = Cleaner(noise_filter)

    def close(self) -> None:
        """The call is over."""
        self.cleaner = None
        if self.recorder is not None:
            self.recorder.close()
