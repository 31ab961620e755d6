"""The playout buffer: packets in as the network brings them, one frame of 20 ms out per tick.

Called by the session of each call: `insert` for every audio packet, `pull` once per tick. It works on the sender's
timestamps, not on packets, so packets of 10, 30, 40 or 60 ms come out as frames of 20 ms, and silence that was not
sent keeps its length. What it promises:

* Playing starts `delay_ms_start` behind the sender. Running dry stops playing instead of the clock, so packets that
  are merely late still play; when that happens the wanted lead grows by a frame, up to `delay_ms_wanted_max`, and
  comes back by a frame after `calm_windows` windows without it.
* The buffered lead never exceeds `delay_ms_max`; beyond it the oldest audio is given up.
* Two clocks are never equal. Once per window of a second the *smallest* lead seen decides: a frame more than wanted,
  and one frame is left out; next to nothing, and one is repeated. Both wait for a quiet frame; leaving out waits no
  longer than `patient_windows`, repeating happens by itself when the buffer runs dry.
* A hole whose later packets are known is concealed: the frame before it once more, then None.

Timestamps are extended beyond 32 bits inside, times are seconds, leads and sizes are samples (8 per ms).
"""

from __future__ import annotations

from typing import Final

from runtime.media.codecs.g711 import FRAME_BYTES, SAMPLES_PER_S, SILENCE, Law, is_quiet

delay_ms_start: Final = 40
delay_ms_wanted_max: Final = 120
delay_ms_max: Final = 240
window_ticks: Final = 50
calm_windows: Final = 30
patient_windows: Final = 4
PAYLOAD_BYTES_MAX: Final = 1600

_SAMPLES_PER_MS: Final = SAMPLES_PER_S // 1000
_START: Final = delay_ms_start * _SAMPLES_PER_MS
_WANTED_MAX: Final = delay_ms_wanted_max * _SAMPLES_PER_MS
_LEAD_MAX: Final = delay_ms_max * _SAMPLES_PER_MS
_RESYNC: Final = SAMPLES_PER_S
"""A newer packet whose timestamp lies this far back is a sender that set its clock, not a late packet."""
_MUCH_TOO_LONG: Final = 4 * FRAME_BYTES
"""So far above the wanted lead, a frame is left out in speech too."""
_FAR: Final = 1 << 40

_NOTHING: Final = 0
_SKIP_QUIET: Final = 1
_SKIP_ANY: Final = 2
_REPEAT_QUIET: Final = 3


class JitterBuffer:
    """Playout of one stream. The public attributes are counters, of frames unless said otherwise."""

    __slots__ = (
        "_adjust",
        "_begun",
        "_calm",
        "_cells",
        "_dry",
        "_floor",
        "_last",
        "_law",
        "_low",
        "_newest",
        "_newest_end",
        "_next",
        "_opened_at",
        "_packet_samples",
        "_partial",
        "_playing",
        "_silence_end",
        "_silence_start",
        "_ticks",
        "_wanted",
        "_windows_long",
        "concealed",
        "discarded",
        "late",
        "repeated",
        "skipped",
        "starved",
    )

    def __init__(self, law: Law) -> None:
        self.concealed = 0
        """Holes: audio that was lost or too late, with later audio at hand."""
        self.starved = 0
        """Times that the buffer ran dry, the end of each stretch of speech included."""
        self.late = 0
        """Packets that came after their moment."""
        self.skipped = 0
        """Left out, because the sender's clock is faster or a delay had grown."""
        self.repeated = 0
        """Repeated, because the sender's clock is slower."""
        self.discarded = 0
        """Given up at the upper bound of the lead."""
        self._wanted = _START
        self._calm = 0
        self._windows_long = 0
        self.flush(law)

    def flush(self, law: Law) -> None:
        """Forget all audio and the sender's clock; the counters and the wanted lead stay."""
        self._law: Law = law
        self._cells: dict[int, bytes] = {}
        self._partial: dict[int, tuple[bytearray, int]] = {}
        self._begun = self._playing = self._dry = False
        self._newest = self._newest_end = self._next = self._floor = 0
        self._silence_start = self._silence_end = 0
        self._opened_at = 0.0
        self._packet_samples = FRAME_BYTES
        self._last: bytes | None = None
        self._adjust, self._low, self._ticks = _NOTHING, _FAR, window_ticks

    @property
    def lead_ms(self) -> int:
        """How much audio is ahead of the next frame to play."""
        return max(0, self._newest_end - self._next) // _SAMPLES_PER_MS

    def insert(self, timestamp: int, payload: bytes, now: float, *, newest: bool = True, follows: bool = True) -> None:
        """Take one packet's audio. `newest`: no later sequence was seen; `follows`: none is missing before it."""
        size = len(payload)
        if not 0 < size <= PAYLOAD_BYTES_MAX:
            return
        if not self._begun:
            self._begin(timestamp, now)
        start = self._newest + ((timestamp - self._newest + 0x80000000 & 0xFFFFFFFF) - 0x80000000)
        if newest and start < self._next - _RESYNC:
            self.flush(self._law)
            self._begin(timestamp, now)
            start = timestamp
        if not self._playing:
            self._prepare(start, now)
        offset = start - self._next
        if offset + size <= 0:
            self.late += 1
            return
        if size == FRAME_BYTES and offset % FRAME_BYTES == 0:
            self._cells[start] = payload
        else:
            self._split(start, payload)
        end = start + size
        if end > self._newest_end:
            if follows and start > self._newest_end:
                self._silence_start, self._silence_end = self._newest_end, start
            self._newest, self._newest_end, self._packet_samples = start, end, size
            if end - self._next > _LEAD_MAX:
                self._give_up()

    def pull(self, now: float) -> bytes | None:
        """The frame to play at this tick, None for silence."""
        lead = self._newest_end - self._next
        if not self._playing and not self._start(lead, now):
            return None
        if lead < self._low:
            self._low = lead
        self._ticks -= 1
        if self._ticks == 0:
            self._review()
        frame = self._cells.pop(self._next, None)
        if frame is None:
            return self._hole(lead)
        if self._adjust != _NOTHING:
            frame = self._adjusted(frame)
        self._next += FRAME_BYTES
        self._last = frame
        return frame

    def _begin(self, timestamp: int, now: float) -> None:
        self._begun = True
        self._newest = self._newest_end = self._next = timestamp
        self._floor = timestamp - _LEAD_MAX
        self._opened_at = now

    def _prepare(self, start: int, now: float) -> None:
        """While not playing: move the place where playing will start, for audio that begins at `start`."""
        if not self._cells and start >= self._newest_end:
            self._opened_at = now
            if start > self._newest_end:
                # Silence or loss ended: all before it is played, or never will be.
                self._partial.clear()
                self._next = start
            elif self._dry:
                # Nothing is missing, it was only late: the lead was too small.
                self._wanted = min(self._wanted + FRAME_BYTES, _WANTED_MAX)
                self._calm = 0
            self._dry = False
        elif self._floor <= start < self._next and self._newest_end - start <= _LEAD_MAX - FRAME_BYTES:
            self._next -= -(-(self._next - start) // FRAME_BYTES) * FRAME_BYTES

    def _start(self, lead: int, now: float) -> bool:
        """Whether to play from this tick on: enough is at hand, or the first of it has waited long enough."""
        if not self._cells and not (self._partial and lead >= FRAME_BYTES):
            return False
        if lead < self._wanted + self._packet_samples - FRAME_BYTES and (
            now - self._opened_at < self._wanted / SAMPLES_PER_S
        ):
            return False
        self._playing = True
        self._watch()
        return True

    def _split(self, start: int, payload: bytes) -> None:
        """Cut a packet that is no frame of ours into the frames it covers; what is not filled stays silent."""
        law, end = self._law, start + len(payload)
        cell = self._next + max(0, (start - self._next) // FRAME_BYTES * FRAME_BYTES)
        while cell < end:
            first, last = max(start, cell), min(end, cell + FRAME_BYTES)
            frame, filled = self._partial.pop(cell) if cell in self._partial else (bytearray(SILENCE[law]), 0)
            frame[first - cell : last - cell] = payload[first - start : last - start]
            filled += last - first
            if filled >= FRAME_BYTES:
                self._cells[cell] = bytes(frame)
            else:
                self._partial[cell] = (frame, filled)
            cell += FRAME_BYTES

    def _give_up(self) -> None:
        """Jump ahead, so that no more than the wanted lead is left."""
        ahead = self._newest_end - self._wanted - self._next
        self._next += -(-ahead // FRAME_BYTES) * FRAME_BYTES
        for cells in (self._cells, self._partial):
            for cell in [cell for cell in cells if cell < self._next]:
                del cells[cell]
                self.discarded += 1
        self._watch()

    def _hole(self, lead: int) -> bytes | None:
        """No whole frame for this tick: dry, a frame in part, silence that the sender left out, or loss."""
        if lead < FRAME_BYTES:
            self._playing = False
            self._dry = True
            self._floor = self._next
            self._last = None
            self.starved += 1
            return None
        here = self._next
        self._next += FRAME_BYTES
        partial = self._partial.pop(here, None)
        if partial is not None:
            return bytes(partial[0])
        frame, self._last = self._last, None
        if here < self._silence_end and here + FRAME_BYTES > self._silence_start:
            return None
        self.concealed += 1
        return frame

    def _watch(self) -> None:
        """Begin a window of observing the smallest lead."""
        self._adjust = _NOTHING
        self._low = _FAR
        self._ticks = window_ticks

    def _review(self) -> None:
        """Decide, at the end of a window, whether the delay is too long, too short or right."""
        excess, low = self._low - self._wanted, self._low
        self._watch()
        if excess >= FRAME_BYTES:
            self._windows_long += 1
            hurry = self._windows_long > patient_windows or excess >= _MUCH_TOO_LONG
            self._adjust = _SKIP_ANY if hurry else _SKIP_QUIET
        else:
            self._windows_long = 0
            self._adjust = _REPEAT_QUIET if low <= FRAME_BYTES else _NOTHING
        self._calm += 1
        if self._calm >= calm_windows:
            self._calm = 0
            self._wanted = max(self._wanted - FRAME_BYTES, _START)

    def _adjusted(self, frame: bytes) -> bytes:
        """Leave out or repeat one frame, if this one will do; moves `_next` accordingly."""
        if self._adjust != _SKIP_ANY and not is_quiet(self._law, frame):
            return frame
        if self._adjust == _REPEAT_QUIET:
            self._cells[self._next] = frame
            self._next -= FRAME_BYTES
            self.repeated += 1
        else:
            following = self._cells.pop(self._next + FRAME_BYTES, None)
            if following is None:
                return frame
            frame = following
            self._next += FRAME_BYTES
            self._windows_long = 0
            self.skipped += 1
        self._watch()
        return frame
