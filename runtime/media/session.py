"""The media of one call leg: the facade that the bridge drives, one object per call, one clock for all of them.

Called by the edge that owns the sockets. Datagrams go in as they come (`receive_rtp`, `receive_rtcp`); once per tick
of 20 ms the owner of the clock takes a frame (`pull`), hands one over (`push`), and asks `check` and `rtcp_due`; then
it drains `next_event`. What is to be sent is returned, never sent. It promises:

* Audio is one frame per tick, as the peer encoded it: nothing is decoded that nobody asks for.
* Only one source is heard (see `source`), and audio goes to the address of the SDP until that source is locked.
* A datagram of a stranger never raises; what is wrong with it is a counter in `stats`.
* Bounded: events wait in a queue of `EVENTS_MAX`, audio in the playout buffer of 240 ms.

`now` is monotonic seconds, `wall_s` Unix time at the same moment; addresses are `(host, port)`, whatever follows is
ignored.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from runtime.limits import MEDIA_TIMEOUT_HOLD_S
from runtime.media import dtmf, hearing
from runtime.media.codecs.codec import Codec
from runtime.media.coder import Coder
from runtime.media.config import StreamConfig
from runtime.media.events import DigitDue, DigitHeard, DigitsSent, Event, MediaTimedOut, RemoteBye
from runtime.media.frame import Frame
from runtime.media.incoming import IncomingStream
from runtime.media.key_ears import KeyFilter
from runtime.media.key_tones import KeyTones
from runtime.media.outgoing import OutgoingStream
from runtime.media.reports import Reports
from runtime.media.rtcp_xr import VoipMetrics
from runtime.media.source import Address
from runtime.media.stats import Stats

EVENTS_MAX: Final = 64
PORT_MAX: Final = 65_535
DEAF_TICKS: Final = 25
"""After a tone of ours no tone is a key of the peer's for half a second: a line gives back what it is sent."""

Outbound = tuple[bytes, Address]


class MediaSession:
    """One call's media; see the module. `entropy(n)` gives n random bytes, for the spread of the report interval."""

    __slots__ = (
        "_coder",
        "_config",
        "_deaf",
        "_events",
        "_events_dropped",
        "_in",
        "_key_filter",
        "_key_tones",
        "_out",
        "_reports",
        "_rtcp_from",
        "_timed_out",
    )

    def __init__(
        self,
        config: StreamConfig,
        *,
        ssrc: int,
        sequence: int,
        timestamp: int,
        cname: str,
        entropy: Callable[[int], bytes],
        now: float,
    ) -> None:
        self._config = config
        self._rtcp_from: Address | None = None
        self._in = IncomingStream(config, self._tell, now)
        self._coder = Coder(config.codec, config.opus)
        self._out = OutgoingStream(ssrc, sequence, timestamp, config.codec, config.dtmf_clock_hz)
        self._reports = Reports(cname, entropy, now)
        self._events: deque[Event] = deque()
        self._events_dropped = 0
        self._key_filter = KeyFilter() if config.hears_tones else None
        self._key_tones = KeyTones()
        self._deaf = 0
        self._timed_out = False

    @property
    def config(self) -> StreamConfig:
        """What holds now."""
        return self._config

    @property
    def codec(self) -> Codec:
        """What the peer speaks and is spoken to in."""
        return self._config.codec

    @property
    def remote(self) -> Address:
        """Where audio goes at the moment."""
        return self._in.to

    @property
    def inlet(self) -> Any:
        """Of the native core: packets of the stream that is heard go by it, not by `receive_rtp`. None without."""
        return self._in.inlet

    @property
    def senders(self) -> tuple[Address, ...]:
        """Who alone can be heard; none while that is still to be found out."""
        locked = self._in.locked
        return (locked, self._config.remote) if locked is not None else ()

    @property
    def refused(self) -> int:
        """Datagrams that were no RTP, or of others than the peer."""
        return self._in.rejected + self._in.malformed

    def reconfigure(self, config: StreamConfig, now: float) -> None:
        """After a re-INVITE: SSRC, sequence, timestamps, digits and counters go on; a moved remote is learned anew."""
        before, self._config = self._config, config
        self._in.reconfigure(config, now)
        if config.remote != before.remote:
            self._rtcp_from = None
        if config.codec is not before.codec or config.opus != before.opus:
            self._coder.use(config.codec, config.opus)
        if config.codec is not before.codec or config.dtmf_clock_hz != before.dtmf_clock_hz:
            self._out.use(config.codec, config.dtmf_clock_hz)
        if config.hears_tones != before.hears_tones:
            self._key_filter = KeyFilter() if config.hears_tones else None
        if not config.takes_digits and self._out.digits.pending:
            self._out.digits.clear()
            self._tell(DigitsSent())  # nobody waits for keys that can no more be pressed
        if config.held or before.held or config.timeout_s != before.timeout_s:
            self._in.heard_at = now

    # -- in ------------------------------------------------------------------------------------------------------------

    def receive_rtp(self, data: bytes, address: Address, now: float) -> None:
        """Take a datagram from the RTP port."""
        heard = self._in.streams
        self._in.receive(data, address, now)
        if self._in.streams != heard:
            self._reports.restart()

    def receive_rtcp(self, data: bytes, address: Address, now: float, wall_s: float) -> None:
        """Take a datagram from the RTCP port; only the host that is heard is believed, and of it only one port.

        The port that signalling names, or the one beside the RTP that is heard, is the peer's, however late it speaks;
        where neither has spoken, whoever was first stays: others of that host must not turn our reports to them.
        """
        host_port = address[:2]
        is_named = host_port in (self._config.remote_rtcp, self._beside_rtp())
        is_first = self._rtcp_from is None and host_port[0] == self._in.to[0]
        is_peer = is_named or is_first or host_port == self._rtcp_from
        if not is_peer or not self._config.peer.may_be(host_port[0]):
            self._in.rejected += 1
            return
        before = self._reports.received
        if self._reports.receive(data, self._out, self._in.source.ssrc, now, wall_s):
            self._tell(RemoteBye())
        if self._reports.received > before:
            self._rtcp_from = host_port
            if self._config.held:
                self._in.heard_at = now

    def reject(self) -> None:
        """Count a datagram that came from a port of our own: a loop, and nobody's voice."""
        self._in.rejected += 1

    # -- out -----------------------------------------------------------------------------------------------------------

    def pull(self, now: float) -> Frame | None:
        """The peer's audio for this tick, None for silence."""
        frame = self._in.pull(now)
        if self._key_filter is None:
            return frame
        keys, frame = self._key_filter.step(frame)
        for key in keys:
            if not self._deaf:
                self._tell(DigitHeard(key))
        self._deaf = max(0, self._deaf - 1)
        return frame

    def push(self, frame: Frame | None, now: float, *, instead: Frame | None = None) -> list[Outbound]:
        """Send one tick: this frame, of whatever codec, silence for None, or what is due of the digits.

        Call it every tick, on hold too: the RTP timestamp is the count of ticks. `instead`: what is heard where the
        config is `silent`.
        """
        config = self._config
        if not config.send or self._in.to_nobody or (config.waits and not self._in.streams):
            self._out.skip()
            return []
        sound = instead if config.silent else frame
        if self.digits_pending:
            packets = self._press(sound)
        else:
            payload = self._coder.payload(sound)
            packets = self._out.tick(payload, config.payload_type_send, None, config.ptime_ms)
        to = self._in.to
        return [(packet, to) for packet in packets]

    def _press(self, sound: Frame | None) -> list[bytes]:
        """One tick in which digits or pauses are still to be sent."""
        config = self._config
        by_events = not (config.keys_by_info or config.keys_by_tone)
        due = None if by_events else self._out.due()
        if due is not None and config.keys_by_info:
            self._tell(DigitDue(*due))
        elif due is not None:
            self._key_tones.begin(*due)
        tone = self._key_tones.frame()
        if tone is not None:
            self._deaf = DEAF_TICKS
        payload = self._coder.payload(tone or sound)
        digit_type = config.dtmf_send if by_events else None
        packets = self._out.tick(payload, config.payload_type_send, digit_type, config.ptime_ms)
        if not self.digits_pending:
            self._tell(DigitsSent())
        return packets

    def send_digits(self, text: str, now: float, *, tone_ms: int = dtmf.tone_ms, gap_ms: int = dtmf.gap_ms) -> bool:
        """Queue digits behind those still pending; `w` is half a second of pause.

        False, and nothing queued, when the peer takes no digits or too many digits wait already;
        ValueError when `text` is not made of digits (`dtmf.is_digits` tells beforehand).
        """
        return self._config.takes_digits and self._out.digits.add(text, tone_ms, gap_ms)

    @property
    def digits_pending(self) -> bool:
        """Whether digits or pauses are still to be sent."""
        return self._out.digits.pending or self._key_tones.sounding

    def rtcp_due(self, now: float, wall_s: float) -> Outbound | None:
        """The report that is due, about every five seconds."""
        if not self._reports.due(now):
            return None
        data = self._reports.report(self._out, self._in.reception, self._in.source.ssrc, self._metrics(), now, wall_s)
        return None if self._in.to_nobody else (data, self._rtcp_to())

    def close(self, now: float, wall_s: float) -> Outbound | None:
        """The RTCP BYE that ends our stream, where it went anywhere."""
        data = self._reports.bye(self._out, self._in.reception, self._in.source.ssrc, self._metrics(), now, wall_s)
        return None if self._in.to_nobody else (data, self._rtcp_to())

    def _metrics(self) -> VoipMetrics | None:
        """What the peer wants to know of how it is heard."""
        ssrc = self._in.source.ssrc
        if not self._config.wants_metrics or ssrc is None:
            return None
        rtt_ms = self._reports.remote.rtt_ms
        return hearing.metrics(ssrc, self._in.reception, self._in.jitter, rtt_ms, self._config.codec)

    def _rtcp_to(self) -> Address:
        """Where the peer's reports come from, else by the SDP, else beside the learned RTP port (RFC 3550 §11)."""
        if self._rtcp_from is not None:
            return self._rtcp_from
        if self._in.to == self._config.remote:
            return self._config.remote_rtcp
        return self._beside_rtp()

    def _beside_rtp(self) -> Address:
        return self._in.to[0], min(self._in.to[1] + 1, PORT_MAX)

    # -- clock and events ----------------------------------------------------------------------------------------------

    def check(self, now: float) -> None:
        """Say so when the peer has been silent too long; much longer while it is not expected to speak (hold)."""
        silent_s = now - self._in.heard_at
        initial = self._in.streams == 0
        limit_s = self._config.timeout_initial_s if initial else self._config.timeout_s
        if self._config.held:
            limit_s = max(limit_s, MEDIA_TIMEOUT_HOLD_S)
        if silent_s < limit_s:
            self._timed_out = False
        elif not self._timed_out:
            self._timed_out = True
            self._tell(MediaTimedOut(initial, silent_s, self._in.source.outside if initial else ""))

    def next_event(self) -> Event | None:
        """What happened, oldest first; None when all is told."""
        return self._events.popleft() if self._events else None

    def _tell(self, event: Event) -> None:
        if len(self._events) < EVENTS_MAX:
            self._events.append(event)
        else:
            self._events_dropped += 1

    @property
    def stats(self) -> Stats:
        """The counters of this moment."""
        received, played, remote = self._in.reception, self._in.jitter, self._reports.remote
        return Stats(
            packets_sent=self._out.packets,
            octets_sent=self._out.octets,
            received=received.received,
            lost=received.lost,
            late=played.late,
            duplicates=received.duplicates,
            rejected_source=self._in.rejected,
            malformed=self._in.malformed + self._reports.malformed + self._in.digits.malformed,
            unknown_payload_type=self._in.unknown,
            frames_concealed=played.concealed,
            frames_skipped=played.skipped,
            frames_inserted=played.inserted,
            frames_discarded=played.discarded,
            starved=played.starved,
            streams=self._in.streams,
            rtcp_received=self._reports.received,
            events_dropped=self._events_dropped,
            jitter_ms=received.jitter_ms,
            playout_ms=played.lead_ms,
            rtt_ms=remote.rtt_ms,
            remote_lost=remote.lost,
            remote_fraction_lost=remote.fraction_lost,
            remote_jitter_ms=remote.jitter_ms,
            mos=hearing.heard_mos(received, played, remote.rtt_ms, self._config.codec),
            remote_mos=hearing.remote_mos(remote, self._out.packets, self._config.codec),
        )
