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
* A hole whose later packets are known is concealed: the frame before it once more, then None; where a codec conceals by
  itself, a `Piece` without a payload.
* Packets that cannot be cut (Opus) stay whole: a long one is played for several ticks, short ones are joined to one.

Timestamps are extended beyond 32 bits inside, times are seconds, leads and sizes are steps of the codec's RTP clock.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from runtime.media.codecs import opus_packets
from runtime.media.codecs.codec import Codec
from runtime.media.codecs.quiet import is_quiet

delay_ms_start: Final = 40
delay_ms_wanted_max: Final = 120
delay_ms_max: Final = 240
window_ticks: Final = 50
calm_windows: Final = 30
patient_windows: Final = 4
PAYLOAD_BYTES_MAX: Final = 1600

_RESYNC_S: Final = 1
"""A newer packet whose timestamp lies this far back is a sender that set its clock, not a late packet."""
_MUCH_TOO_LONG: Final = 4
"""So many frames above the wanted lead, one is left out in speech too."""
_FAR: Final = 1 << 40

_NOTHING: Final = 0
_SKIP_QUIET: Final = 1
_SKIP_ANY: Final = 2
_REPEAT_QUIET: Final = 3


class Piece(NamedTuple):
    """What is played in one tick, where it is no payload of just that length."""

    payload: bytes | None
    """None: it was lost."""
    part: int = 0
    """Which tick of its payload."""
    following: bytes | None = None
    """Of a lost one: the payload after it, where that has come."""


Cell = bytes | Piece


class JitterBuffer:
    """Playout of one stream. The public attributes are counters, of frames unless said otherwise."""

    __slots__ = (
        "_adjust",
        "_begun",
        "_calm",
        "_cells",
        "_codec",
        "_dry",
        "_floor",
        "_gathered",
        "_last",
        "_lead_max",
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
        "_step",
        "_ticks",
        "_wanted",
        "_wanted_min",
        "_windows_long",
        "concealed",
        "discarded",
        "late",
        "repeated",
        "skipped",
        "starved",
    )

    def __init__(self, codec: Codec) -> None:
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
        self._calm = 0
        self._windows_long = 0
        self._codec = codec
        self._wanted = delay_ms_start * codec.clock_hz // 1000
        self.flush(codec)

    def flush(self, codec: Codec) -> None:
        """Forget all audio and the sender's clock; the counters and the wanted lead stay."""
        per_ms = codec.clock_hz // 1000
        self._wanted = self._wanted * codec.clock_hz // self._codec.clock_hz
        self._codec = codec
        self._step = codec.step
        self._wanted_min, self._lead_max = delay_ms_start * per_ms, delay_ms_max * per_ms
        self._cells: dict[int, Cell] = {}
        self._partial: dict[int, tuple[bytearray, int]] = {}
        self._gathered: dict[int, dict[int, bytes]] = {}
        self._begun = self._playing = self._dry = False
        self._newest = self._newest_end = self._next = self._floor = 0
        self._silence_start = self._silence_end = 0
        self._opened_at = 0.0
        self._packet_samples = self._step
        self._last: Cell | None = None
        self._adjust, self._low, self._ticks = _NOTHING, _FAR, window_ticks

    @property
    def lead_ms(self) -> int:
        """How much audio is ahead of the next frame to play."""
        return max(0, self._newest_end - self._next) * 1000 // self._codec.clock_hz

    def insert(self, timestamp: int, payload: bytes, now: float, *, newest: bool = True, follows: bool = True) -> None:
        """Take one packet's audio. `newest`: no later sequence was seen; `follows`: none is missing before it."""
        codec = self._codec
        size = len(payload) if codec.cuttable else opus_packets.duration(payload)
        if not size or len(payload) > PAYLOAD_BYTES_MAX:
            return
        if not self._begun:
            self._begin(timestamp, now)
        start = self._newest + ((timestamp - self._newest + 0x80000000 & 0xFFFFFFFF) - 0x80000000)
        if newest and start < self._next - _RESYNC_S * codec.clock_hz:
            self.flush(codec)
            self._begin(timestamp, now)
            start = timestamp
        if not self._playing:
            self._prepare(start, now)
        offset = start - self._next
        if offset + size <= 0:
            self.late += 1
            return
        if size == self._step and offset % self._step == 0:
            self._cells[start] = payload
        elif codec.cuttable:
            self._split(start, payload)
        else:
            self._place(start, payload, size)
        end = start + size
        if end > self._newest_end:
            if follows and start > self._newest_end:
                self._silence_start, self._silence_end = self._newest_end, start
            self._newest, self._newest_end, self._packet_samples = start, end, size
            if end - self._next > self._lead_max:
                self._give_up()

    def pull(self, now: float) -> Cell | None:
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
        self._next += self._step
        self._last = frame
        return frame

    def _begin(self, timestamp: int, now: float) -> None:
        self._begun = True
        self._newest = self._newest_end = self._next = timestamp
        self._floor = timestamp - self._lead_max
        self._opened_at = now

    def _prepare(self, start: int, now: float) -> None:
        """While not playing: move the place where playing will start, for audio that begins at `start`."""
        if not self._cells and start >= self._newest_end:
            self._opened_at = now
            if start > self._newest_end:
                # Silence or loss ended: all before it is played, or never will be.
                self._partial.clear()
                self._gathered.clear()
                self._next = start
            elif self._dry:
                # Nothing is missing, it was only late: the lead was too small.
                self._wanted = min(self._wanted + self._step, delay_ms_wanted_max * self._codec.clock_hz // 1000)
                self._calm = 0
            self._dry = False
        elif self._floor <= start < self._next and self._newest_end - start <= self._lead_max - self._step:
            self._next -= -(-(self._next - start) // self._step) * self._step

    def _start(self, lead: int, now: float) -> bool:
        """Whether to play from this tick on: enough is at hand, or the first of it has waited long enough."""
        if not self._cells and not ((self._partial or self._gathered) and lead >= self._step):
            return False
        if lead < self._wanted + self._packet_samples - self._step and (
            now - self._opened_at < self._wanted / self._codec.clock_hz
        ):
            return False
        self._playing = True
        self._watch()
        return True

    def _split(self, start: int, payload: bytes) -> None:
        """Cut a packet that is no frame of ours into the frames it covers; what is not filled stays silent."""
        silence, end = self._codec.silence, start + len(payload)
        cell = self._next + max(0, (start - self._next) // self._step * self._step)
        while cell < end:
            first, last = max(start, cell), min(end, cell + self._step)
            frame, filled = self._partial.pop(cell) if cell in self._partial else (bytearray(silence), 0)
            frame[first - cell : last - cell] = payload[first - start : last - start]
            filled += last - first
            if filled >= self._step:
                self._cells[cell] = bytes(frame)
            else:
                self._partial[cell] = (frame, filled)
            cell += self._step

    def _place(self, start: int, payload: bytes, size: int) -> None:
        """Keep a packet that cannot be cut in the cells that it lasts for, or beside the others of one cell."""
        step = self._step
        cell = self._next + (start - self._next) // step * step
        if size < step:
            if cell < self._next:
                return
            beside = self._gathered.setdefault(cell, {})
            beside[start] = payload
            if len(beside) * size >= step:
                self._join(cell)
        else:
            for part in range(max(0, (self._next - cell) // step), size // step):
                self._cells[cell + part * step] = Piece(payload, part)

    def _join(self, cell: int) -> None:
        """Short packets become one; those that are too different for that are not worth another encoding."""
        beside = self._gathered.pop(cell)
        packets = [beside[start] for start in sorted(beside)]
        self._cells[cell] = opus_packets.join(packets) or packets[0]

    def _give_up(self) -> None:
        """Jump ahead, so that no more than the wanted lead is left."""
        ahead = self._newest_end - self._wanted - self._next
        self._next += -(-ahead // self._step) * self._step
        for cells in (self._cells, self._partial, self._gathered):
            for cell in [cell for cell in cells if cell < self._next]:
                del cells[cell]
                self.discarded += 1
        self._watch()

    def _hole(self, lead: int) -> Cell | None:
        """No whole frame for this tick: dry, a frame in part, silence that the sender left out, or loss."""
        if lead < self._step:
            self._playing = False
            self._dry = True
            self._floor = self._next
            self._last = None
            self.starved += 1
            return None
        here = self._next
        self._next += self._step
        partial = self._partial.pop(here, None)
        if partial is not None:
            return bytes(partial[0])
        if here in self._gathered:
            self._join(here)
            return self._cells.pop(here)
        frame, self._last = self._last, None
        if here < self._silence_end and here + self._step > self._silence_start:
            return None
        self.concealed += 1
        return frame if self._codec.cuttable else Piece(None, following=self._payload_at(here + self._step))

    def _payload_at(self, cell: int) -> bytes | None:
        found = self._cells.get(cell)
        return found.payload if isinstance(found, Piece) else found

    def _watch(self) -> None:
        """Begin a window of observing the smallest lead."""
        self._adjust = _NOTHING
        self._low = _FAR
        self._ticks = window_ticks

    def _review(self) -> None:
        """Decide, at the end of a window, whether the delay is too long, too short or right."""
        excess, low = self._low - self._wanted, self._low
        self._watch()
        if excess >= self._step:
            self._windows_long += 1
            hurry = self._windows_long > patient_windows or excess >= _MUCH_TOO_LONG * self._step
            self._adjust = _SKIP_ANY if hurry else _SKIP_QUIET
        else:
            self._windows_long = 0
            self._adjust = _REPEAT_QUIET if low <= self._step else _NOTHING
        self._calm += 1
        if self._calm >= calm_windows:
            self._calm = 0
            self._wanted = max(self._wanted - self._step, self._wanted_min)

    def _adjusted(self, frame: Cell) -> Cell:
        """Leave out or repeat one frame, if this one will do; moves `_next` accordingly."""
        payload = frame.payload if isinstance(frame, Piece) else frame
        if self._adjust != _SKIP_ANY and (payload is None or not is_quiet(self._codec, payload)):
            return frame
        if self._adjust == _REPEAT_QUIET:
            self._cells[self._next] = frame if self._codec.cuttable else Piece(None)
            self._next -= self._step
            self.repeated += 1
        else:
            following = self._cells.pop(self._next + self._step, None)
            if following is None:
                return frame
            frame = following
            self._next += self._step
            self._windows_long = 0
            self.skipped += 1
        self._watch()
        return frame
