"""The test phone's media: what it says, presses and hears in its one call. EDGE: RTP sockets and the 20 ms clock."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from runtime.media.codecs.codec import PCMA, PCMU, TICKS_PER_S, Codec
from runtime.media.config import StreamConfig
from runtime.media.dtls import new_identity
from runtime.media.events import DigitReceived
from runtime.media.frame import Frame
from runtime.media.session import MediaSession
from runtime.media.sound import Sound
from runtime.net.rtp_ports import RtpPortRange
from runtime.phone.outcome import Outcome
from runtime.sip.keying import PLAIN_ALWAYS, Encryption, Way
from runtime.sip.offer_answer import LocalMedia
from runtime.workers.clock import MediaClock
from runtime.workers.legs import PhoneLeg, PhoneLegs, new_session

HEARD_HZ_MAX = 16_000
"""What is heard is kept at the rate of the best codec that the phone has, and no higher."""
TAIL_S = 1.5
"""How long it listens after its last word: an echo takes 0.4 s."""
PAUSE_S = 2.0
"""Between a sentence and the same sentence again."""
HANDSHAKE_S = 5.0
"""How long it keeps its words back where keys are made by a handshake."""
RTP_PORTS = (20002, 39998)
LEG = "phone"


@dataclass(frozen=True, slots=True)
class Script:
    """What the phone does once it talks. `frames` follow the `digits`.

    `seconds` 0: as long as there is something to press or say. `repeats`: the frames are said again after a pause.
    `codecs` are what it speaks, best first. `encryption`: the one way that its media must be encrypted; None: it is
    plain.
    """

    frames: Sound
    digits: str = ""
    seconds: float = 0.0
    repeats: bool = False
    codecs: tuple[Codec, ...] = (PCMU, PCMA)
    encryption: Way | None = None

    @property
    def heard_hz(self) -> int:
        """The rate of what it hears."""
        return min(HEARD_HZ_MAX, max(codec.rate_hz for codec in self.codecs))

    @property
    def length_s(self) -> float:
        """How long it speaks or waits, at the most."""
        return self.seconds + len(self.frames) / 50

    @property
    def period_s(self) -> float:
        """How long it takes until it says the same again."""
        return len(self.frames) / 50 + PAUSE_S if self.repeats else float("inf")

    def frame(self, number: int) -> Frame | None:
        """What is said in this tick, counted from the first word; None: a pause."""
        if self.repeats:
            number %= len(self.frames) + round(PAUSE_S * 50)
        return self.frames[number] if number < len(self.frames) else None

    def is_said(self, number: int) -> bool:
        """Whether all has been said by this tick."""
        return not self.repeats and number >= len(self.frames)


class Voice:
    """The `Media` of one call. `on_end(now)` is called once, when the script is over."""

    def __init__(self, script: Script, outcome: Outcome, on_end: Callable[[float], None]) -> None:
        self._script = script
        self._outcome = outcome
        outcome.heard_hz = script.heard_hz
        self._on_end = on_end
        self._legs = PhoneLegs(new_identity(datetime.now(UTC)) if script.encryption == "dtls" else None)
        self._clock = MediaClock(self._tick)
        self._phone: PhoneLeg | None = None
        self._played = 0
        self._ends_at: float | None = None
        self._mute_until = 0.0

    def open(self, address: str) -> LocalMedia | str:
        """Bind a port pair on an address of ours; in words why there is none."""
        ports = RtpPortRange(*RTP_PORTS).reserve(address)
        if isinstance(ports, str):
            return "no free RTP port for the test phone"
        self._phone = PhoneLeg(LEG, ports, self._script.codecs[0])
        self._legs.add(self._phone)
        return LocalMedia(
            ports.address,
            ports.port,
            tuple(codec.name for codec in self._script.codecs),
            dtmf=True,
            session_id=int.from_bytes(os.urandom(6)),
            encryption=self._encryption(),
        )

    def start(self, stream: StreamConfig, now: float) -> None:
        """Speak and listen from now on; or, where that has begun, go on by this."""
        assert self._phone is not None, "media is agreed on for ports that are open"
        has_begun = self._phone.session is not None
        self._outcome.codec = stream.codec.name
        self._phone.start(stream, new_session, now)
        if has_begun:
            return
        if self._script.digits:
            self._phone.send_digits(self._script.digits, now)
        self._mute_until = now + HANDSHAKE_S
        if self._script.seconds:
            self._ends_at = now + self._script.seconds
        self._clock.start()

    def _encryption(self) -> Encryption:
        way = self._script.encryption
        return PLAIN_ALWAYS if way is None else Encryption("require", os.urandom, (way,), self._legs.certificate)

    def close(self) -> None:
        """Fall silent, and give the ports back."""
        self._clock.stop()
        phone = self._legs.remove(LEG)
        if phone is not None:
            phone.close(time.monotonic(), time.time())
        self._legs.close()

    # -- one tick --------------------------------------------------------------------------------------------------

    def _tick(self, now: float) -> None:
        phone = self._phone
        assert phone is not None, "the clock begins with the media"
        assert phone.session is not None, "the clock begins with the media"
        self._legs.read(now, time.time())
        self._listen(phone, phone.session, now)
        self._speak(phone, phone.session, now)
        phone.report(now, time.time())
        if self._ends_at is not None and now >= self._ends_at:
            self._ends_at = float("inf")
            self._on_end(now)

    def _listen(self, phone: PhoneLeg, session: MediaSession, now: float) -> None:
        frame, outcome = phone.pull(now), self._outcome
        rate_hz = outcome.heard_hz
        outcome.heard += bytes(2 * rate_hz // TICKS_PER_S) if frame is None else frame.linear(rate_hz)
        while (event := session.next_event()) is not None:
            if isinstance(event, DigitReceived):
                outcome.digits += event.digit
        if phone.shield is not None:
            outcome.encryption = phone.shield.encryption
        outcome.packets_received = session.stats.received
        outcome.packets_lost = session.stats.lost

    def _speak(self, phone: PhoneLeg, session: MediaSession, now: float) -> None:
        frame: Frame | None = None
        if self._is_mute(phone, now):
            pass
        elif session.digits_pending:
            pass  # digits come first, speech after them
        elif not self._script.is_said(self._played):
            if self._played == 0:
                self._outcome.spoke_after_s = len(self._outcome.heard) / 2 / self._outcome.heard_hz
            frame = self._script.frame(self._played)
            self._played += 1
        elif self._ends_at is None:
            self._ends_at = now + TAIL_S
        phone.push(frame, now)
        self._legs.flush()

    def _is_mute(self, phone: PhoneLeg, now: float) -> bool:
        """Whether what is said now would be lost, for there are no keys yet; a handshake may also never be finished."""
        shield = phone.shield
        return shield is not None and not shield.is_agreed and now < self._mute_until
