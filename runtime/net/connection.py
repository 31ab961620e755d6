"""One SIP connection: splits its stream into messages, writes what it is given, and speaks TLS where it is told to.

Its bounds are kept here as far as they concern it alone; who may have one at all, and whose turn it is, is the table's
(`runtime.net.connections`), which also looks after all of them once a second: no connection has a timer of its own.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from runtime.limits import (
    PONG_WITHIN_S,
    TCP_LINGER_S,
    TCP_MESSAGES_PER_TURN_MAX,
    TCP_READS_PER_MESSAGE_MAX,
    TCP_UNSENT_BYTES_MAX,
    TLS_HANDSHAKE_S,
    WS_HANDSHAKE_S,
)
from runtime.net.framing import Framing, Item, Over, Part, PlainFraming
from runtime.net.sip_transport import unmapped
from runtime.net.tls_stream import TlsError, TlsStream
from runtime.sip.certificates import is_for, shown
from runtime.sip.framing import Framed, Ping, Pong
from runtime.sip.path import Path

if TYPE_CHECKING:
    from runtime.net.connections import Connections

REST_S_MIN = 0.01
"""A stream that has used up its rate rests at least so long: one wake-up for some messages, not one for each."""

CLOSED = "Connection Closed"


class Connection(asyncio.BufferedProtocol):
    """One connection, accepted (`path` None until it is made) or of our own making; with `tls` it is encrypted.

    `framing`: how messages stand in its stream; None: one behind the other.

    What is sent before it is made waits. `why` is the reason phrase of its end, one of a few, and `detail` what there
    is to say about this one; `is_stranger` is who made it then.
    """

    def __init__(
        self,
        table: Connections,
        transport_name: str,
        path: Path | None = None,
        tls: TlsStream | None = None,
        framing: Framing | None = None,
    ) -> None:
        self.path = path
        self.why = CLOSED
        self.detail = ""
        self.heard_at = time.monotonic()
        self.has_spoken = False
        self.is_stranger = False
        self._table = table
        self._name = transport_name
        self._tls = tls
        self._made_at = self.heard_at
        self._is_shaking_hands = False
        self._framing: Framing = framing or PlainFraming()
        self._transport: asyncio.Transport | None = None
        self._unsent = bytearray()
        self._is_paused = False
        self._crumbs = 0
        self._over_at: float | None = None
        self._is_ours = path is not None
        self._ping_at = self.heard_at + self._framing.ping_after_s
        self._pinged_at: float | None = None
        self._answers_pings = False

    # -- asyncio.BufferedProtocol ----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there: an accepted one asks the table for its place, one of ours sends what has waited."""
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]  # uvloop's transport has no asyncio base class
        self._made_at = time.monotonic()
        if self._over_at is not None:
            self.abort(self.why)
        elif self.path is None:
            self._accept(transport)
        elif self._tls is not None:
            self._decrypt()
        else:
            self._send_waiting()

    def get_buffer(self, _sizehint: int) -> bytearray:
        """Where the next bytes go: there is room for few, so that no peer has the loop read much at a time."""
        return self._table.read_into

    def buffer_updated(self, nbytes: int) -> None:
        """Some bytes of the stream."""
        if self._over_at is not None:
            return
        data = bytes(memoryview(self._table.read_into)[:nbytes])
        self.heard_at = time.monotonic()
        if self._tls is not None:
            self._tls.receive(data)
        else:
            self._framing.receive(data)
        self._crumbs += 1
        if not self._is_paused:
            self.read_on()

    def eof_received(self) -> None:
        """The peer sends no more: the connection is closed when what we have written is sent."""
        broken = self._framing.end()
        if broken is not None and self._over_at is None:
            self._take(broken)
        self.close(self.why)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._transport = None
        self._finish(self.why)
        self._table.remove(self)

    # -- what the table and the transport want ---------------------------------------------------------------------

    def secure(self, tls: TlsStream) -> None:
        """Speak TLS; before it is made."""
        assert self._transport is None, "a stream is encrypted from its first byte on"
        self._tls = tls

    def send(self, message: bytes) -> None:
        """Send one message, now or when the connection is made."""
        self._write(self._framing.wrapped(message))

    def _write(self, data: bytes) -> None:
        """Write, or keep until the connection is made. A peer that lets too much of it pile up is cut off."""
        if self._transport is None or (self._tls is not None and not self._tls.is_ready):
            self._unsent += data
            waiting = len(self._unsent)
        elif self._tls is None:
            self._transport.write(data)
            waiting = self._transport.get_write_buffer_size()
        else:
            waiting = self._encrypt(self._tls, data)
        if waiting + self._framing.waiting > TCP_UNSENT_BYTES_MAX:
            self.abort("Peer Does Not Read")

    def check(self, now: float) -> None:
        """Once a second: a message, a handshake or an end that takes too long (a peer that does not read)."""
        if self._over_at is not None:
            if now >= self._over_at + TCP_LINGER_S:
                self.abort(self.why)
            return
        if self._tls is not None and not self._tls.is_ready:
            if self._transport is not None and now >= self._made_at + TLS_HANDSHAKE_S:
                self.abort("TLS Handshake Took Too Long")
            return
        if not self._framing.is_ready:
            if self._transport is not None and now >= self._made_at + WS_HANDSHAKE_S:
                self.abort("WebSocket Handshake Took Too Long")
            return
        late = self._framing.check(now)
        if late is not None:
            self._take(late)
        elif self._pinged_at is not None and now >= self._pinged_at + PONG_WITHIN_S:
            self._pinged_at = None
            if self._answers_pings and self.heard_at < now - PONG_WITHIN_S:
                self.abort("No Answer To Keep-Alive")

    def wants_ping(self, now: float) -> bool:
        """Whether it is quiet enough for a ping, which whoever made a connection sends (RFC 5626 section 4.4.1).

        A WebSocket's is sent by whoever accepted it: a web page cannot (RFC 7118 section 6).
        """
        if not self._is_ours and not self.keeps_alive:
            return False
        if self._over_at is not None or self._transport is None or self._pinged_at is not None:
            return False
        return now >= max(self._ping_at, self.heard_at + self._framing.ping_after_s)

    @property
    def keeps_alive(self) -> bool:
        """Whether it is pinged without a call that needs it, too."""
        return self._framing.keeps_alive

    def ping(self, now: float) -> None:
        """Ask whether the peer is there. One that has never answered is only kept from being forgotten by a NAT."""
        self._ping_at = now + self._framing.ping_after_s
        self._pinged_at = now
        self._write(self._framing.ping())

    def close(self, why: str) -> None:
        """Close when everything that was written is sent."""
        self._finish(why)
        if self._transport is not None:
            self._say_goodbye()
            self._transport.close()

    def abort(self, why: str) -> None:
        """Close at once."""
        self._finish(why)
        if self._transport is not None:
            self._transport.abort()

    @property
    def words(self) -> str:
        """Why it has ended, as a reason phrase."""
        return f"{self.why} ({self.detail})" if self.detail else self.why

    def _finish(self, why: str) -> None:
        """Nothing more goes in or out."""
        if self._over_at is None:
            self._over_at = time.monotonic()
        self.why = why
        self._table.unlist(self)

    def _accept(self, transport: asyncio.BaseTransport) -> None:
        local, remote = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
        if not local or not remote:  # gone before it was accepted
            self.abort(self.why)
            return
        ours, theirs = ((unmapped(str(end[0])), int(end[1])) for end in (local, remote))
        self.path = Path(self._name, ours, theirs)
        if not self._table.add(self):
            self.abort("Too Many Connections")

    def _send_waiting(self) -> None:
        if self._unsent:
            waiting, self._unsent = bytes(self._unsent), bytearray()
            self._write(waiting)

    # -- TLS -------------------------------------------------------------------------------------------------------

    def _decrypt(self) -> bool:
        """Take what comes out of TLS, in this turn of the loop or when it is its own: a record may hold one byte.

        False where there is nothing to read messages from (yet).
        """
        tls = self._tls
        assert tls is not None, "asked only where there is TLS"
        if not self._table.has_time():
            self._pause(True)
            self._table.wait_for_turn(self)
            return False
        try:
            if not tls.is_ready and not self._shake_hands(tls):
                return False
            self._framing.receive(tls.read())
        except TlsError as fault:
            self._pass_on(tls)  # the alert that tells the peer
            self.close(str(fault))
            return False
        self._pass_on(tls)
        return True

    def _shake_hands(self, tls: TlsStream) -> bool:
        """One step of the handshake; True where it is done."""
        if tls.server_side and not self._is_shaking_hands and not self._table.may_shake_hands(self):
            self.abort("Too Many TLS Handshakes")
            return False
        self._is_shaking_hands = True
        tls.shake_hands()
        self._pass_on(tls)
        if not tls.is_ready:
            self._rest_from_crumbs()
            return False
        name = self.path.name if self.path is not None else ""
        if name and not is_for(tls.certificate, name):
            self.detail = f"for {shown(tls.certificate)}, not {name}"
            self.close("Certificate Of Another Name")
            return False
        self._send_waiting()
        return True

    def _encrypt(self, tls: TlsStream, data: bytes) -> int:
        """Send through TLS; how many bytes wait now."""
        assert self._transport is not None, "TLS is ready on a connection that was made"
        try:
            tls.write(data)
        except TlsError as fault:
            self.close(str(fault))
            return 0
        self._pass_on(tls)
        return self._transport.get_write_buffer_size()

    def _pass_on(self, tls: TlsStream) -> None:
        out = tls.taken()
        if out and self._transport is not None:
            self._transport.write(out)

    def _say_goodbye(self) -> None:
        last = self._framing.goodbye()
        if last and (self._tls is None or self._tls.is_ready):
            self._write(last)
        if self._tls is not None and self._tls.is_ready:
            self._tls.say_goodbye()
            self._pass_on(self._tls)

    # -- the stream ------------------------------------------------------------------------------------------------

    def read_on(self) -> None:
        """Handle what is here, some messages at a time: between two times the loop may tick and hear others."""
        assert self.path is not None, "data comes from a connection that was made"
        if self._tls is not None and self._over_at is None and not self._decrypt():
            return
        for _ in range(TCP_MESSAGES_PER_TURN_MAX):
            if not self._table.has_time():
                break
            rest_s = self._table.user.rest_s(self.path.remote[0])
            if rest_s > 0 and self._over_at is None:
                self._pause(True)
                asyncio.get_running_loop().call_later(max(rest_s, REST_S_MIN), self.read_on)
                return
            item = self._framing.next_item(time.monotonic()) if self._over_at is None else None
            if item is None:
                self._all_read()
                return
            if isinstance(item, Framed):
                self._crumbs = 0
            self._take(item)
        self._pause(True)
        self._table.wait_for_turn(self)

    def _all_read(self) -> None:
        if self._tls is not None and self._tls.is_over and self._over_at is None:
            self.eof_received()
        else:
            self._rest_from_crumbs()

    def _rest_from_crumbs(self) -> None:
        """Read again: at once, or in turn where the message that has begun comes in ever more parts."""
        if self._crumbs < TCP_READS_PER_MESSAGE_MAX or self._over_at is not None:
            self._pause(False)
        else:
            self._pause(True)
            self._table.wait_for_crumbs(self)

    def read_once_more(self) -> None:
        """The turn of a connection that brings crumbs: for one read."""
        self._crumbs = TCP_READS_PER_MESSAGE_MAX - 1
        self.read_on()

    def _pause(self, wanted: bool) -> None:
        """Read no more from the socket for now, or read again."""
        if wanted is self._is_paused or self._transport is None or self._transport.is_closing():
            return
        self._is_paused = wanted
        if wanted:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _take(self, item: Item) -> None:
        own = self._framing.taken()
        if own:
            self._write(own)
        if isinstance(item, Part):
            return
        if isinstance(item, Over):
            self._linger(item.why)
            return
        if isinstance(item, Pong):
            self._answers_pings, self._pinged_at = True, None
            return
        if isinstance(item, Ping):
            self.has_spoken = True
            self._write(self._framing.pong())
            return
        assert self.path is not None, "data comes from a connection that was made"
        self._table.user.received(item.data, self.path, item.fault)
        if item.fault is None:
            self.has_spoken = True
        else:
            self._linger(item.fault[1])

    def _linger(self, why: str) -> None:
        """The stream is lost: the answer has been written, and the peer gets a moment to read it.

        Closing at once would reset the connection while the peer still sends, and destroy the answer on its way.
        """
        self._finish(why)
        if self._transport is not None and not self._transport.is_closing():
            self._say_goodbye()
            self._transport.write_eof()
