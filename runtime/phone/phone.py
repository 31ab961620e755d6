"""One outgoing call of the test phone: the same SIP and media cores as the bridge's, on an ephemeral port.

It plays frames, keeps what it hears, sends digits, hangs up when it is done, and leaves an `Outcome`. It is no
softphone: one call, G.711, by UDP or TCP.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from runtime.calls.negotiate import stream_of
from runtime.errors import BridgeError
from runtime.media.codecs import g711
from runtime.media.session import DigitReceived, MediaSession
from runtime.net.rtp_ports import RtpPortRange, RtpPorts
from runtime.net.sip_sockets import SipSockets
from runtime.net.sip_tcp import CONNECTION_REFUSED
from runtime.settings import Listen
from runtime.sip import events as sip
from runtime.sip.auth.client import Login
from runtime.sip.endpoint import Endpoint, EndpointConfig
from runtime.sip.errors import Fault
from runtime.sip.message import Response
from runtime.sip.offer_answer import LocalMedia, NegotiationFailure, OfferAnswer
from runtime.sip.path import Path
from runtime.workers.clock import MediaClock
from runtime.workers.legs import PhoneLeg, PhoneLegs, new_session

SILENCE = bytes(320)
TAIL_S = 1.5
NOBODY = "nobody answers at that address"
RTP_PORTS = (20002, 39998)
ANSWER_WITHIN_S = 40.0
NO_SIGN_OF_LIFE_S = 5.0
"""A SIP server says 100 at once; RFC 3261's own 32 s are too long for a person who mistyped a port."""


@dataclass(slots=True)
class Outcome:
    """What became of the call. `heard` is 16-bit mono at 8 kHz from the answer on."""

    status: int = 0
    reason: str = ""
    warning: str = ""
    answered: bool = False
    ended_by_peer: bool = False
    heard: bytearray = field(default_factory=bytearray)
    digits: str = ""
    spoke_after_s: float = 0.0
    """How much was heard before the first frame was played."""
    packets_received: int = 0
    packets_lost: int = 0


class TestPhone:
    """Places one call. `frames` are 20 ms of PCMU each; `seconds` 0 = as long as there is something to play or send.

    `login` answers the challenges of whoever is called.
    """

    __test__ = False  # pytest: the name starts with Test, it is none

    def __init__(self, frames: Sequence[bytes], digits: str, seconds: float, login: Login | None = None) -> None:
        self._frames = frames
        self._digits = digits
        self._seconds = seconds
        self._login = login
        self._sip = SipSockets(self)
        self._endpoint = Endpoint(EndpointConfig(user_agent="dialplane-test-phone"), os.urandom, self._sip)
        self._legs = PhoneLegs()
        self._clock = MediaClock(self._tick)
        self._offer_answer = OfferAnswer()
        self._phone: PhoneLeg | None = None
        self._leg = 0
        self._connected = False
        self._unreachable = ""
        self._played = 0
        self._silent_until = float("inf")
        self._ends_at = float("inf")
        self._done = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self.outcome = Outcome()

    async def call(self, target: str, caller: str, via: Listen) -> Outcome:
        """Call `target` (a SIP URI) through `via`; returns when it is over. BridgeError when no port is free."""
        any_host = "::" if ":" in via.host else "0.0.0.0"  # noqa: S104 - an ephemeral port on the way to the peer
        await self._sip.open([Listen(via.transport, any_host, 0)])
        path = self._sip.path_to(via.transport, (via.host, via.port))
        assert path is not None, "the listener is of the peer's own kind"
        ports = RtpPortRange(*RTP_PORTS).reserve(path.local[0])
        if isinstance(ports, str):
            self._sip.close()
            raise BridgeError("no free RTP port for the test phone", "close other calls and try again")
        try:
            return await self._run(target, caller, path, ports)
        finally:
            self._clock.stop()
            if self._timer is not None:
                self._timer.cancel()
            self._sip.close()
            ports.close()
            self._legs.close()

    async def _run(self, target: str, caller: str, path: Path, ports: RtpPorts) -> Outcome:
        self._phone = PhoneLeg("phone", ports, "pcmu")
        self._legs.add(self._phone)
        session_id = int.from_bytes(os.urandom(6))
        local = LocalMedia(ports.address, ports.port, ("pcmu", "pcma"), dtmf=True, session_id=session_id)
        self._leg = self._endpoint.invite(
            target,
            path,
            time.monotonic(),
            from_=f"<sip:{caller}@{path.local[0]}>",
            to=f"<{target}>",
            body=self._offer_answer.offer(local),
            login=self._login,
        )
        self._silent_until = time.monotonic() + NO_SIGN_OF_LIFE_S
        self._clock.start()
        self._drain()
        try:
            await asyncio.wait_for(self._done.wait(), ANSWER_WITHIN_S + self._seconds + len(self._frames) / 50)
        except TimeoutError:
            pass
        finally:
            self._hang_up()
            self._legs.remove("phone")
        return self.outcome

    def _hang_up(self) -> None:
        """Leave no call behind: BYE, or CANCEL before an answer; one that is over already is no matter."""
        if not self._done.is_set():
            end = self._endpoint.bye if self.outcome.answered else self._endpoint.cancel
            end(self._leg, time.monotonic())
            self._drain()

    # -- SipUser ---------------------------------------------------------------------------------------------------

    def received(self, data: bytes, path: Path, framing_fault: Fault | None = None) -> None:
        """A message for the endpoint."""
        self._connected = True
        self._silent_until = float("inf")
        self._endpoint.receive_datagram(data, path, time.monotonic(), framing_fault)
        self._drain()

    def connection_failed(self, path: Path, why: str) -> None:
        """The connection could not be made, or has closed."""
        if not self._connected:
            peer = Listen(path.transport, *path.remote)
            refused = why == CONNECTION_REFUSED
            self._unreachable = f"nobody listens at {peer}" if refused else f"no way to {peer}: {why.lower()}"
        self._endpoint.connection_failed(path, why, time.monotonic())
        self._drain()

    def knows(self, address: str) -> bool:
        """The phone has called whoever speaks to it."""
        return True

    def rest_s(self, address: str) -> float:
        """One call is no burst."""
        return 0.0

    def connections_needed(self) -> Collection[Path]:
        """The connection of the call."""
        return self._endpoint.connections()

    # -- signalling ------------------------------------------------------------------------------------------------

    def _drain(self) -> None:
        while (event := self._endpoint.next_event()) is not None:
            self._handle(event)
        for data, path in self._endpoint.datagrams_to_send():
            self._sip.send(data, path)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._endpoint.next_deadline()
        if deadline is not None and not self._done.is_set():
            delay = max(0.0, deadline - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._on_timer)

    def _on_timer(self) -> None:
        self._endpoint.handle_timer(time.monotonic())
        self._drain()

    def _handle(self, event: sip.Event) -> None:
        match event:
            case sip.Answered():
                self._answered(event.response)
            case sip.Rejected() if self._unreachable:
                self.outcome.reason = self._unreachable  # the 503 is of our own making
            case sip.Rejected():
                self._note(event.response)
            case sip.InviteTimedOut():
                self.outcome.reason = NOBODY
            case sip.ByeReceived():
                self.outcome.ended_by_peer = True
            case sip.LegEnded():
                self._done.set()
            case sip.ReinviteReceived():
                self._endpoint.respond(event.leg, 488, time.monotonic())
            case sip.RequestReceived():
                self._endpoint.respond_request(event.request_id, 501, time.monotonic())
            case _:
                pass  # ringing and the rest change nothing for a test call

    def _note(self, response: Response) -> None:
        self.outcome.status, self.outcome.reason = response.status, response.reason
        warning = response.headers.first("Warning") or ""
        self.outcome.warning = warning.partition('"')[2].rpartition('"')[0]

    def _answered(self, response: Response) -> None:
        self._note(response)
        assert self._phone is not None
        try:
            negotiated = self._offer_answer.accept(response.body)
        except NegotiationFailure as fault:
            self.outcome.reason = f"the answer's SDP cannot be used: {fault.reason}"
            self._endpoint.bye(self._leg, time.monotonic())
            return
        now = time.monotonic()
        self.outcome.answered = True
        self._phone.start(stream_of(negotiated, timeout_s=3600.0), new_session, now)
        if self._digits:
            self._phone.send_digits(self._digits, now)
        if self._seconds:
            self._ends_at = now + self._seconds

    # -- media -----------------------------------------------------------------------------------------------------

    def _tick(self, now: float) -> None:
        if now >= self._silent_until:
            self.outcome.reason = NOBODY
            self._done.set()
        phone = self._phone
        if phone is None or phone.session is None or self._done.is_set():
            return
        self._legs.read(now, time.time())
        self._listen(phone, phone.session, now)
        self._speak(phone, phone.session, now)
        self._legs.flush()
        phone.report(now, time.time())
        if now >= self._ends_at:
            self._ends_at = float("inf")
            self._endpoint.bye(self._leg, now)
            self._drain()

    def _listen(self, phone: PhoneLeg, session: MediaSession, now: float) -> None:
        frame = phone.pull(now)
        self.outcome.heard += SILENCE if frame is None else g711.decode(phone.law, frame)
        while (event := session.next_event()) is not None:
            if isinstance(event, DigitReceived):
                self.outcome.digits += event.digit
        self.outcome.packets_received = session.stats.received
        self.outcome.packets_lost = session.stats.lost

    def _speak(self, phone: PhoneLeg, session: MediaSession, now: float) -> None:
        frame: bytes | None = None
        if session.digits_pending:
            pass  # digits come first, speech after them
        elif self._played < len(self._frames):
            if self._played == 0:
                self.outcome.spoke_after_s = len(self.outcome.heard) / 16000
            frame = self._frames[self._played]
            self._played += 1
            if phone.law != "pcmu":
                frame = g711.encode(phone.law, g711.decode("pcmu", frame))
        elif self._ends_at == float("inf") and not self._seconds:
            self._seconds = TAIL_S
            self._ends_at = now + TAIL_S
        phone.push(frame, now)
