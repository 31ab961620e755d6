"""The playout buffer: packets in as the network brings them, one frame of 20 ms out per tick.

Called by the session of each call: `insert` for every audio packet, `pull` once per tick. It works on the sender's
timestamps, not on packets, so packets of 10, 30, 40 or 60 ms come out as frames of 20 ms, and silence that was not
sent keeps its length. It decides when what is played; how a hole sounds is the business of who plays it (`mending`,
decoders). What it promises:

* Playing starts `delay_ms_start` behind the sender. Running dry stops playing instead of the clock, so packets that
  are merely late still play; when that happens the wanted lead grows by a frame, up to `delay_ms_wanted_max`, and
  comes back by a frame after `calm_windows` windows without it.
* The delay follows what packets need (`delay`): longer by a frame at once when one was late, shorter slowly, and by
  both it follows the sender's clock. What is added is made up, what is left out is blended.
* The buffered lead never exceeds `delay_ms_max`; beyond it the oldest audio is given up.
* A hole whose later packets are known is a `Piece` without a payload; so are `fade_ticks` when the buffer runs dry.
  Silence that the sender left out (DTX) is None.
* Packets that cannot be cut (Opus) stay whole: a long one is played for several ticks, short ones are joined to one.

Timestamps are extended beyond 32 bits inside, times are seconds, leads and sizes are steps of the codec's RTP clock.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from runtime.media import delay, native
from runtime.media.codecs import opus_packets
from runtime.media.codecs.codec import Codec
from runtime.media.codecs.quiet import is_quiet
from runtime.media.delay import Delay
from runtime.media.losses import LossPattern

delay_ms_start: Final = 40
delay_ms_wanted_max: Final = 120
delay_ms_max: Final = 240
calm_windows: Final = 30
fade_ticks: Final = 3
PAYLOAD_BYTES_MAX: Final = 1600

_RESYNC_S: Final = 1
"""A newer packet whose timestamp lies this far back is a sender that set its clock, not a late packet."""


class Piece(NamedTuple):
    """What is played in one tick, where it is no payload of just that length."""

    payload: bytes | None
    """None: it was lost."""
    part: int = 0
    """Which tick of its payload."""
    following: bytes | None = None
    """Of a lost one: the payload after it, where that has come."""
    instead: bytes | None = None
    """The payload before it that is left out: the two become one frame."""
    made_up: bool = False
    """Nothing is missing of what was sent: it is late, or time is made where the sender's clock is slower."""
    rest: tuple[bytes, ...] = ()
    """What follows the payload in the same tick, of packets that cannot be joined to one."""
    gaps: tuple[tuple[int, int], ...] = ()
    """Where the payload has only silence, because a part of it never came: from and to, in bytes."""


Cell = bytes | Piece


class JitterBuffer:
    """Playout of one stream. The public attributes are counters, of frames unless said otherwise."""

    __slots__ = (
        "_begun",
        "_calm",
        "_cells",
        "_codec",
        "_delay",
        "_dry",
        "_fade",
        "_floor",
        "_gathered",
        "_hole_at",
        "_lead_max",
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
        "_wanted",
        "_wanted_min",
        "concealed",
        "discarded",
        "inserted",
        "late",
        "losses",
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
        self.inserted = 0
        """Made up in addition, because a packet was late or the sender's clock is slower."""
        self.losses = LossPattern()
        """How the holes lie."""
        self.discarded = 0
        """Given up at the upper bound of the lead."""
        self._calm = 0
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
        self._partial: dict[int, tuple[bytearray, list[tuple[int, int]]]] = {}
        self._gathered: dict[int, dict[int, bytes]] = {}
        self._begun = self._playing = self._dry = False
        self._newest = self._newest_end = self._next = self._floor = 0
        self._silence_start = self._silence_end = 0
        self._opened_at = 0.0
        self._packet_samples = self._step
        self._fade = 0
        self._hole_at = 0
        self._delay = Delay(self._step)

    @property
    def lead_ms(self) -> int:
        """How much audio is ahead of the next frame to play."""
        return max(0, self._newest_end - self._next) * 1000 // self._codec.clock_hz

    @property
    def waiting(self) -> int:
        """Frames that are at hand."""
        return len(self._cells)

    @property
    def unfinished(self) -> int:
        """Frames of which a part is at hand."""
        return len(self._partial) + len(self._gathered)

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
        if offset < self._delay.least and self._playing:
            self._delay.least = offset
            if offset < 0:
                self._delay.is_late()
        if offset + size <= 0:
            self.late += 1
            return
        if size == self._step and offset % self._step == 0:
            self._cells[start] = payload
        elif codec.cuttable:
            self._split(start, payload)
        else:
            self._place(start, payload, size)
        if start + size > self._newest_end:
            self._extend(start, size, follows=follows)

    def pull(self, now: float) -> Cell | None:
        """The frame to play at this tick, None for silence."""
        lead = self._newest_end - self._next
        if not self._playing and not self._start(lead, now):
            return self._faded()
        control = self._delay
        control.ticks -= 1
        if control.ticks == 0:
            self._review()
        frame = self._cells.pop(self._next, None)
        if frame is None:
            return self._hole(lead)
        if control.adjust != delay.NOTHING:
            frame = self._adjusted(frame)
        self._next += self._step
        if self._partial or self._gathered:
            self._forget_parts()
        return frame

    def _faded(self) -> Cell | None:
        """What is played while nothing is: a few ticks of what was said last, for it may only be late."""
        if not self._fade:
            return None
        self._fade -= 1
        return Piece(None, made_up=True)

    def _extend(self, start: int, size: int, *, follows: bool) -> None:
        """Nothing newer is here; what it follows without a gap in its numbers, and does not touch, was silence."""
        if follows and start > self._newest_end:
            self._silence_start, self._silence_end = self._newest_end, start
        self._newest, self._newest_end, self._packet_samples = start, start + size, size
        if self._newest_end - self._next > self._lead_max:
            self._give_up()

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

    def _forget_parts(self) -> None:
        """Parts of what was played whole: a sender may send both, and nobody asks for them any more."""
        for parts in (self._partial, self._gathered):
            for cell in [cell for cell in parts if cell < self._next]:
                del parts[cell]

    def _start(self, lead: int, now: float) -> bool:
        """Whether to play from this tick on: enough is at hand, or the first of it has waited long enough."""
        if not self._cells and not ((self._partial or self._gathered) and lead >= self._step):
            return False
        if lead < self._wanted + self._packet_samples - self._step and (
            now - self._opened_at < self._wanted / self._codec.clock_hz
        ):
            return False
        self._playing = True
        self._hole_at = self._next
        self._fade = 0
        self._delay.forget()
        return True

    def _split(self, start: int, payload: bytes) -> None:
        """Cut a packet that is no frame of ours into the frames it covers; what is not filled stays silent."""
        silence, end = self._codec.silence, start + len(payload)
        cell = self._next + max(0, (start - self._next) // self._step * self._step)
        while cell < end:
            first, last = max(start, cell), min(end, cell + self._step)
            frame, filled = self._partial.pop(cell) if cell in self._partial else (bytearray(silence), [])
            frame[first - cell : last - cell] = payload[first - start : last - start]
            filled.append((first - cell, last - cell))
            if sum(until - since for since, until in filled) >= self._step:
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
        """Short packets become one, but for those of another mode or bandwidth than the first."""
        beside = self._gathered.pop(cell)
        packets = [beside[start] for start in sorted(beside)]
        self._cells[cell] = opus_packets.join(packets) or Piece(packets[0], rest=tuple(packets[1:]))

    def _give_up(self) -> None:
        """Jump ahead, so that no more than the wanted lead is left."""
        ahead = self._newest_end - self._wanted - self._next
        self._next += -(-ahead // self._step) * self._step
        for cells in (self._cells, self._partial, self._gathered):
            for cell in [cell for cell in cells if cell < self._next]:
                del cells[cell]
                self.discarded += 1
        self._delay.forget()

    def _hole(self, lead: int) -> Cell | None:
        """No whole frame for this tick: dry, a frame in part, silence that the sender left out, or loss."""
        if lead < self._step:
            self._playing = False
            self._dry = True
            self._floor = self._next
            self._fade = fade_ticks - 1
            self.starved += 1
            return Piece(None, made_up=True)
        here = self._next
        if here in self._gathered:
            self._join(here)
            self._next += self._step
            return self._cells.pop(here)
        partial = self._partial.pop(here, None)
        if partial is None and here < self._silence_end and here + self._step > self._silence_start:
            self._next += self._step
            return None
        if partial is None and self._delay.adjust == delay.INSERT_SOON and lead < self._lead_max - self._step:
            self._insert()  # a packet was late before: this one may only be late, too
            return Piece(None, made_up=True)
        self._next += self._step
        following = self._payload_at(self._next)
        if partial is not None:
            return Piece(bytes(partial[0]), following=following, gaps=_gaps(partial[1], self._step))
        self.concealed += 1
        self.losses.note(max(0, here - self._hole_at) // self._step)
        self._hole_at = self._next
        return Piece(None, following=following)

    def _payload_at(self, cell: int) -> bytes | None:
        found = self._cells.get(cell)
        return found.payload if isinstance(found, Piece) else found

    def _review(self) -> None:
        """A window is over."""
        self._delay.review(self._wanted)
        self._calm += 1
        if self._calm >= calm_windows:
            self._calm = 0
            self._wanted = max(self._wanted - self._step, self._wanted_min)

    def _adjusted(self, frame: Cell) -> Cell:
        """Leave out or make up one frame, if this is the moment; moves `_next` accordingly."""
        control, payload = self._delay, frame.payload if isinstance(frame, Piece) else frame
        control.patience -= 1
        is_time = control.adjust == delay.SKIP_ANY or (control.adjust == delay.INSERT_SOON and control.patience <= 0)
        if not is_time and (payload is None or not is_quiet(self._codec, payload)):
            return frame
        if control.adjust in (delay.INSERT_QUIET, delay.INSERT_SOON):
            self._cells[self._next] = frame
            self._next -= self._step
            self._insert()
            return Piece(None, following=payload, made_up=True)
        following = self._cells.get(self._next + self._step)
        if following is None or (isinstance(following, Piece) and following.part):
            return frame  # a long packet loses its end, never its beginning
        del self._cells[self._next + self._step]
        self._next += self._step
        control.moved(-1)
        self.skipped += 1
        return following if isinstance(following, Piece) else Piece(following, instead=payload)

    def _insert(self) -> None:
        """What is made up is played in addition to what was sent: from now on packets are earlier by a frame."""
        self.inserted += 1
        self._delay.moved(1)


def make_playout(codec: Codec) -> JitterBuffer:
    """The native one where there is one; what is rare, it asks for here."""
    if native.core is None:
        return JitterBuffer(codec)
    made: JitterBuffer = native.core.JitterBuffer(codec, LossPattern(), Piece, is_quiet, opus_packets.join)
    return made


def _gaps(filled: list[tuple[int, int]], size: int) -> tuple[tuple[int, int], ...]:
    """Where nothing was filled in."""
    found, at = [], 0
    for since, until in sorted(filled):
        if since > at:
            found.append((at, since))
        at = max(at, until)
    return (*found, (at, size)) if at < size else tuple(found)
