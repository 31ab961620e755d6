"""The media of one call leg: the facade that the bridge drives, one object per call, one clock for all of them.

Called by the edge that owns the sockets. Datagrams go in as they come (`receive_rtp`, `receive_rtcp`); once per tick
of 20 ms the owner of the clock takes a frame (`pull`), hands one over (`push`), and asks `check` and `rtcp_due`; then
it drains `next_event`. What is to be sent is returned, never sent. It promises:

* Audio is 160 bytes of G.711 in `law` per tick, as the peer encoded it: nothing is decoded here.
* Only one source is heard (see `source`), and audio goes to the address of the SDP until that source is locked.
* A datagram of a stranger never raises; what is wrong with it is a counter in `stats`.
* Bounded: events wait in a queue of `EVENTS_MAX`, audio in the playout buffer of 240 ms.

`now` is monotonic seconds, `wall_s` Unix time at the same moment; addresses are `(host, port)`, whatever follows is
ignored.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from runtime.limits import MEDIA_TIMEOUT_HOLD_S, MEDIA_TIMEOUT_INITIAL_S, MEDIA_TIMEOUT_S
from runtime.media import dtmf, reception, rtp, source
from runtime.media.codecs.g711 import FRAME_BYTES, SILENCE, Law
from runtime.media.dtmf import DigitReceiver
from runtime.media.events import DigitDue, DigitReceived, DigitsSent, Event, MediaTimedOut, RemoteBye, SourceLocked
from runtime.media.jitter import JitterBuffer
from runtime.media.outgoing import OutgoingStream
from runtime.media.reception import Reception
from runtime.media.reports import Reports
from runtime.media.source import ANYBODY, Address, Peer, SourceLock
from runtime.media.stats import Stats

EVENTS_MAX: Final = 64
PORT_MAX: Final = 65_535
COMFORT_NOISE: Final = 13
"""RFC 3389: what to play while the peer is silent. Our silence is silent, so it is only a sign of life."""

Outbound = tuple[bytes, Address]


@dataclass(frozen=True, slots=True)
class StreamConfig:
    """What offer and answer agreed on. `send` and `receive` are ours; `dtmf_*` is None without telephone-events."""

    codec: Law
    payload_type_send: int
    payload_type_receive: int
    dtmf_send: int | None
    dtmf_receive: int | None
    remote: Address
    remote_rtcp: Address
    send: bool = True
    receive: bool = True
    keys_by_info: bool = False
    """Our digits go by SIP INFO: each is told as a `DigitDue` when its time has come."""
    ptime_ms: int = 20
    """The peer's wish for our packets: 40 and 60 are honoured, all else gets 20."""
    silent: bool = False
    """What is sent holds silence and no word of what is pushed."""
    waits: bool = False
    """Nothing is sent before something was heard: whoever has not shown that it is there could be anybody's victim."""
    peer: Peer = ANYBODY
    """Who may be heard and spoken to, whatever the SDP says."""
    timeout_s: float = MEDIA_TIMEOUT_S
    """Silence of the peer, once it was heard, that ends in `MediaTimedOut`."""
    timeout_initial_s: float = MEDIA_TIMEOUT_INITIAL_S
    """The same before anything was heard. On hold it is `MEDIA_TIMEOUT_HOLD_S`: many a phone sends nothing then,
    whatever it says, and its RTCP and its re-INVITEs are signs of life."""

    @property
    def takes_digits(self) -> bool:
        """Whether the peer can be told of digits."""
        return self.keys_by_info or self.dtmf_send is not None

    @property
    def held(self) -> bool:
        """Whether either side has the call on hold."""
        return not (self.send and self.receive)


class MediaSession:
    """One call's media; see the module. `entropy(n)` gives n random bytes, for the spread of the report interval."""

    __slots__ = (
        "_config",
        "_digits_in",
        "_events",
        "_events_dropped",
        "_jitter",
        "_last_heard",
        "_locked",
        "_malformed",
        "_out",
        "_reception",
        "_rejected",
        "_reports",
        "_rtcp_from",
        "_source",
        "_streams",
        "_timed_out",
        "_to",
        "_to_nobody",
        "_unknown",
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
        self._source = SourceLock(config.remote, config.peer)
        self._locked: Address | None = None
        self._to = config.remote
        self._to_nobody = not config.peer.may_be(config.remote[0])
        """The SDP leads to where the trunk's media may not go, and nobody else was heard yet."""
        self._rtcp_from: Address | None = None
        self._reception = Reception()
        self._jitter = JitterBuffer(config.codec)
        self._digits_in = DigitReceiver()
        self._out = OutgoingStream(ssrc, sequence, timestamp)
        self._reports = Reports(cname, entropy, now)
        self._events: deque[Event] = deque()
        self._events_dropped = self._rejected = self._malformed = self._unknown = self._streams = 0
        self._timed_out = False
        self._last_heard = now

    @property
    def config(self) -> StreamConfig:
        """What holds now."""
        return self._config

    @property
    def law(self) -> Law:
        """The law of the frames that `pull` gives and `push` takes."""
        return self._config.codec

    @property
    def remote(self) -> Address:
        """Where audio goes at the moment."""
        return self._to

    @property
    def senders(self) -> tuple[Address, ...]:
        """Who alone can be heard; none while that is still to be found out."""
        return (self._locked, self._config.remote) if self._locked is not None else ()

    @property
    def refused(self) -> int:
        """Datagrams that were no RTP, or of others than the peer."""
        return self._rejected + self._malformed

    def reconfigure(self, config: StreamConfig, now: float) -> None:
        """After a re-INVITE: SSRC, sequence, timestamps, digits and counters go on; a moved remote is learned anew."""
        before, self._config = self._config, config
        if config.remote != before.remote:
            self._source.reopen(config.remote, config.peer)
            self._to = config.remote
            self._to_nobody = not config.peer.may_be(config.remote[0])
            self._rtcp_from = None
            self._last_heard = now
        if not config.takes_digits and self._out.digits.pending:
            self._out.digits.clear()
            self._tell(DigitsSent())  # nobody waits for keys that can no more be pressed
        if config.codec != before.codec or config.receive != before.receive:
            self._jitter.flush(config.codec)
        if config.held or before.held or config.timeout_s != before.timeout_s:
            self._last_heard = now

    # -- in ------------------------------------------------------------------------------------------------------------

    def receive_rtp(self, data: bytes, address: Address, now: float) -> None:
        """Take a datagram from the RTP port."""
        packet = rtp.parse(data)
        if packet is None:
            self._malformed += 1
            return
        payload_type, marker, sequence, timestamp, ssrc, payload, _, _ = packet
        is_audio = payload_type == self._config.payload_type_receive
        verdict = self._source.judge(address[:2], ssrc, sequence, now, is_audio=is_audio)
        if verdict == source.REJECTED:
            self._rejected += 1
            return
        self._last_heard = now
        if self._locked is not self._source.locked:
            self._follow_source()
        if verdict == source.NEW_STREAM:
            self._begin_stream()
        config = self._config
        if payload_type == config.dtmf_receive:
            self._receive_event(verdict, sequence, timestamp, marker, payload, now)
            return
        if verdict == source.PENDING:
            return
        order = self._count(sequence, now)
        if is_audio:
            if config.receive and order != reception.DUPLICATE and order != reception.STRANGE:
                self._reception.note_transit(timestamp, now)
                follows = order == reception.NEXT
                self._jitter.insert(timestamp, payload, now, newest=order != reception.REORDERED, follows=follows)
        elif payload_type != COMFORT_NOISE:
            self._unknown += 1

    def _count(self, sequence: int, now: float) -> int:
        order = self._reception.arrived(sequence, now)
        if order == reception.RESTARTED:
            self._jitter.flush(self._config.codec)
            self._streams += 1
        return order

    def _begin_stream(self) -> None:
        self._streams += 1
        self._reception.restart()
        self._jitter.flush(self._config.codec)
        self._digits_in.restart()
        self._reports.restart()

    def _follow_source(self) -> None:
        """Audio goes where the locked source is; until then to the SDP's address."""
        self._locked = self._source.locked
        if self._locked is not None:
            self._to = self._locked
            self._to_nobody = False
            self._tell(SourceLocked(self._locked))

    def _receive_event(
        self, verdict: int, sequence: int, timestamp: int, marker: bool, payload: bytes, now: float
    ) -> None:
        if verdict == source.PENDING:
            # Some gateways send events under an SSRC of their own: the digit counts, the audio stream stays.
            self._digits_in.restart()
        else:
            self._count(sequence, now)
        if self._config.receive:
            digit = self._digits_in.receive(timestamp, marker, payload)
            if digit is not None:
                self._tell(DigitReceived(digit))

    def receive_rtcp(self, data: bytes, address: Address, now: float, wall_s: float) -> None:
        """Take a datagram from the RTCP port; only the host that is heard is believed, and of it only one port.

        The port that signalling names, or the one beside the RTP that is heard, is the peer's, however late it speaks;
        where neither has spoken, whoever was first stays: others of that host must not turn our reports to them.
        """
        host_port = address[:2]
        is_named = host_port in (self._config.remote_rtcp, self._beside_rtp())
        is_first = self._rtcp_from is None and host_port[0] == self._to[0]
        is_peer = is_named or is_first or host_port == self._rtcp_from
        if not is_peer or not self._config.peer.may_be(host_port[0]):
            self._rejected += 1
            return
        before = self._reports.received
        if self._reports.receive(data, self._out, self._source.ssrc, now, wall_s):
            self._tell(RemoteBye())
        if self._reports.received > before:
            self._rtcp_from = host_port
            if self._config.held:
                self._last_heard = now

    def reject(self) -> None:
        """Count a datagram that came from a port of our own: a loop, and nobody's voice."""
        self._rejected += 1

    # -- out -----------------------------------------------------------------------------------------------------------

    def pull(self, now: float) -> bytes | None:
        """The peer's audio for this tick: 160 bytes in `law`, None for silence."""
        return self._jitter.pull(now)

    def push(self, payload: bytes | None, now: float) -> list[Outbound]:
        """Send one tick: this frame of 160 bytes in `law`, silence for None, or what is due of the digits.

        Call it every tick, on hold too: the RTP timestamp is the count of ticks.
        """
        config = self._config
        if not config.send or self._to_nobody or (config.waits and not self._streams):
            self._out.skip()
            return []
        frame = SILENCE[config.codec] if payload is None or config.silent else payload
        assert len(frame) == FRAME_BYTES
        pressing = self._out.digits.pending
        due = self._out.due() if config.keys_by_info else None
        if due is not None:
            self._tell(DigitDue(*due))
        digit_type = None if config.keys_by_info else config.dtmf_send
        packets = self._out.tick(frame, config.payload_type_send, digit_type, config.ptime_ms)
        if pressing and not self._out.digits.pending:
            self._tell(DigitsSent())
        return [(packet, self._to) for packet in packets]

    def send_digits(self, text: str, now: float, *, tone_ms: int = dtmf.tone_ms, gap_ms: int = dtmf.gap_ms) -> bool:
        """Queue digits behind those still pending; `w` is half a second of pause.

        False, and nothing queued, when the peer takes no digits or too many digits wait already;
        ValueError when `text` is not made of digits (`dtmf.is_digits` tells beforehand).
        """
        return self._config.takes_digits and self._out.digits.add(text, tone_ms, gap_ms)

    @property
    def digits_pending(self) -> bool:
        """Whether digits or pauses are still to be sent."""
        return self._out.digits.pending

    def rtcp_due(self, now: float, wall_s: float) -> Outbound | None:
        """The report that is due, about every five seconds."""
        if not self._reports.due(now):
            return None
        data = self._reports.report(self._out, self._reception, self._source.ssrc, now, wall_s)
        return None if self._to_nobody else (data, self._rtcp_to())

    def close(self, now: float, wall_s: float) -> Outbound | None:
        """The RTCP BYE that ends our stream, where it went anywhere."""
        data = self._reports.bye(self._out, self._reception, self._source.ssrc, now, wall_s)
        return None if self._to_nobody else (data, self._rtcp_to())

    def _rtcp_to(self) -> Address:
        """Where the peer's reports come from, else by the SDP, else beside the learned RTP port (RFC 3550 §11)."""
        if self._rtcp_from is not None:
            return self._rtcp_from
        if self._to == self._config.remote:
            return self._config.remote_rtcp
        return self._beside_rtp()

    def _beside_rtp(self) -> Address:
        return self._to[0], min(self._to[1] + 1, PORT_MAX)

    # -- clock and events ----------------------------------------------------------------------------------------------

    def check(self, now: float) -> None:
        """Say so when the peer has been silent too long; much longer while it is not expected to speak (hold)."""
        silent_s = now - self._last_heard
        initial = self._streams == 0
        limit_s = self._config.timeout_initial_s if initial else self._config.timeout_s
        if self._config.held:
            limit_s = max(limit_s, MEDIA_TIMEOUT_HOLD_S)
        if silent_s < limit_s:
            self._timed_out = False
        elif not self._timed_out:
            self._timed_out = True
            self._tell(MediaTimedOut(initial, silent_s, self._source.outside if initial else ""))

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
        received, played, remote = self._reception, self._jitter, self._reports.remote
        return Stats(
            packets_sent=self._out.packets,
            octets_sent=self._out.octets,
            received=received.received,
            lost=received.lost,
            late=played.late,
            duplicates=received.duplicates,
            rejected_source=self._rejected,
            malformed=self._malformed + self._reports.malformed + self._digits_in.malformed,
            unknown_payload_type=self._unknown,
            frames_concealed=played.concealed,
            frames_skipped=played.skipped,
            frames_repeated=played.repeated,
            frames_discarded=played.discarded,
            starved=played.starved,
            streams=self._streams,
            rtcp_received=self._reports.received,
            events_dropped=self._events_dropped,
            jitter_ms=received.jitter_ms,
            playout_ms=played.lead_ms,
            rtt_ms=remote.rtt_ms,
            remote_lost=remote.lost,
            remote_fraction_lost=remote.fraction_lost,
            remote_jitter_ms=remote.jitter_ms,
        )
