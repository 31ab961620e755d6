"""One running bridge: ties sockets, clock, tables and rooms to the switchboard. It decides nothing itself.

datagram -> endpoint -> switchboard -> commands -> rooms, media, records
tick     -> sockets -> sessions -> rooms -> sessions -> sockets
store    -> tables reader (thread) -> switchboard.use_tables
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime

from runtime.calls.board import Now
from runtime.calls.reasons import EndReason
from runtime.calls.record import CallRecord, EndedBy
from runtime.calls.switchboard import Switchboard
from runtime.gate.sources import SourceGate
from runtime.media.dtls import new_identity
from runtime.net.certificate_fetch import CertificateFetcher
from runtime.net.certificates import Certificates
from runtime.net.dns_client import DnsClient
from runtime.net.locator import Locator
from runtime.net.machine_names import MachineNames
from runtime.net.rtp_ports import RtpPortRange
from runtime.net.sip_sockets import SipSockets
from runtime.net.tls_contexts import TlsContexts
from runtime.rooms.adapter import Rooms
from runtime.rooms.booth import Booth
from runtime.rooms.prompts import Prompts
from runtime.settings import Listen
from runtime.sip.endpoint import Endpoint, EndpointConfig
from runtime.sip.errors import Fault
from runtime.sip.events import AskAnswered, MessageDropped
from runtime.sip.message import Request
from runtime.sip.path import Address, Path
from runtime.stir.signer import Signer
from runtime.stir.verdict import Refusal
from runtime.trunks.keeper import Keeper
from runtime.trunks.tended import Tended
from runtime.workers.carrier import Carrier
from runtime.workers.clock import MediaClock
from runtime.workers.collector import Collector
from runtime.workers.control import CallControl
from runtime.workers.hops import HopFinder
from runtime.workers.legs import PhoneLegs
from runtime.workers.noise import NoiseFilters
from runtime.workers.recordings import Recordings
from runtime.workers.tending import Tending, contact_tokens
from schemas.seal import Unseal, unseals_nothing
from schemas.tables.rows import Pairs
from schemas.tables.tables import Tables

ALLOWED = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "NOTIFY", "UPDATE", "PRACK", "INFO", "REFER", "MESSAGE")
"""Methods that the bridge takes; NOTIFY tells of the transfers that it asked for."""

SUPPORTED = ("100rel", "timer", "replaces")
"""RFC 3262, RFC 4028 and RFC 3891."""

CONTACT_KEY_BYTES = 32
SLOW_WORK_EVERY_S = 0.5
DRAIN_LOOK_S = 0.05
STOP_LOOK_S = 0.02


class Worker:
    """One event loop's bridge. `on_record(record)` is told of every call that ended, `log(event, **fields)` of news.

    `ws_origins`: the web pages that may connect. `dns`: the server that is asked where hosts are; None: the machine's
    own. `contact_key` is secret, and the same after a restart: from it the Contacts of our registrations are made.
    `stir_networks`: the private networks in which certificates of callers' carriers may be.
    """

    def __init__(
        self,
        ports: RtpPortRange,
        region: str,
        on_record: Callable[[CallRecord], None],
        log: Callable[..., None],
        user_agent: str,
        unseal: Unseal = unseals_nothing,
        tls: TlsContexts | None = None,
        *,
        ws_origins: Sequence[str] = (),
        anywhere: bool = False,
        dns: Address | None = None,
        contact_key: bytes = b"",
        stir_networks: Sequence[str] = (),
    ) -> None:
        self.sip = SipSockets(self, tls, ws_origins)
        self.endpoint = Endpoint(
            EndpointConfig(user_agent, allow=ALLOWED, supported=SUPPORTED),
            os.urandom,
            self.sip,
            self._welcomes,
            self._turns_away,
        )
        self.legs = PhoneLegs(new_identity(datetime.now(UTC)))
        self.switchboard = Switchboard(
            self.endpoint,
            ports.reserve,
            os.urandom,
            region,
            unseal,
            anywhere=anywhere,
            registered_on=lambda user, source, now: self.keeper.trunk_of(user, source, now),
            certificate=self.legs.certificate,
        )
        tokens = contact_tokens(contact_key or os.urandom(CONTACT_KEY_BYTES))
        self.keeper = Keeper(self.endpoint, self.switchboard.circuits, unseal, os.urandom, tokens)
        self.port_pairs = len(ports)
        self.hops = HopFinder(Locator(DnsClient(dns), os.urandom), self.sip)
        self.certificates = Certificates(CertificateFetcher(MachineNames().addresses, stir_networks, user_agent))
        self._tending = Tending(self.keeper, self.hops, self._drain, log)
        self.control = CallControl(self.switchboard, self.hops, self._drain, log)
        self.clock = MediaClock(self._tick)
        self._collector = Collector()
        self.dropped: dict[str, int] = {}
        self._turned_away = 0
        self._registrars: frozenset[str] = frozenset()
        self._gate = SourceGate(self._names, self.switchboard.reception.vouches, os.urandom(16))
        self.rooms: Rooms | None = None
        self.prompts: Prompts | None = None
        self.noise: NoiseFilters | None = None
        self.recordings: Recordings | None = None
        self._booth = Booth(self._prompt_played)
        self._on_record = on_record
        self._carrier: Carrier | None = None
        self._log = log
        self._timer: asyncio.TimerHandle | None = None
        self._slow_at = 0.0
        self._noticed = False
        self._busy = False

    async def start(self, listens: Sequence[Listen]) -> None:
        """Listen, and start the clock."""
        assert self.rooms is not None, "rooms are attached before the first call"
        assert self.prompts is not None, "and so are prompts"
        assert self.noise is not None, "and filters"
        assert self.recordings is not None, "and recordings"
        self._carrier = Carrier(
            self.legs,
            self.rooms,
            self._booth,
            self.prompts,
            self.noise,
            self.recordings,
            self._gate,
            self.control,
            self.certificates,
            self._certificate_found,
            self._on_record,
        )
        await self.sip.open(listens)
        self._collector.start(time.monotonic())
        self.clock.start()

    def use_tables(self, tables: Tables, revision: int, wanted: Tended) -> None:
        """Answer the next calls from these tables, and tend to their trunks."""
        self.switchboard.use_tables(tables, revision)
        self.keeper.tend(wanted, time.monotonic())
        self.control.forget_numbers()
        self._gate.forget()
        if self.prompts is not None:
            self.prompts.survey(tables)
        if revision > 0:
            self._log("calls are answered from new tables", revision=revision)

    async def drain(self, within_s: float, hurry: asyncio.Event) -> None:
        """Refuse new calls, and let those that are up end by themselves, for so long or until `hurry`."""
        self.switchboard.drain()
        self.keeper.stop(time.monotonic())
        self._drain()
        deadline = time.monotonic() + within_s
        while self.switchboard.live_calls() and time.monotonic() < deadline and not hurry.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(hurry.wait(), DRAIN_LOOK_S)

    async def stop(self, grace_s: float) -> None:
        """BYE to every call, wait for the answers up to `grace_s`, close the sockets."""
        self.switchboard.stop(_now())
        self.keeper.stop(time.monotonic())
        self._drain()
        deadline = time.monotonic() + grace_s
        while (self.endpoint.leg_count or self.keeper.is_leaving) and time.monotonic() < deadline:
            await asyncio.sleep(STOP_LOOK_S)
            self._drain()
        self.clock.stop()
        self._tending.stop()
        self.certificates.stop()
        if self._timer is not None:
            self._timer.cancel()
        self.sip.close()
        self.legs.close()

    # -- RoomEvents ------------------------------------------------------------------------------------------------

    def waiting(self, call_id: str) -> None:
        """The phone rings."""
        self.switchboard.room_waits(call_id, _now())
        self._drain()

    def entered(self, call_id: str, participant_id: str) -> None:
        """The room has the participant, whoever else is there."""
        self.switchboard.room_entered(call_id, participant_id, _now())
        self._drain()

    def joined(self, call_id: str) -> None:
        """Somebody is there to talk to: the phone is answered."""
        if self.switchboard.room_joined(call_id, _now()):
            self._log("call answered", call=call_id)
        self._drain()

    def shows(self, call_id: str, attributes: Pairs) -> None:
        """The room changed the participant's attributes."""
        self.switchboard.room_shows(call_id, attributes)

    def moved(self, call_id: str, room: str) -> None:
        """The participant is in another room now."""
        self.switchboard.room_moved(call_id, room)

    def asked_to_end(self, call_id: str, headers: Pairs, words: str) -> None:
        """Somebody in the room ends the call."""
        self.switchboard.hang_up(call_id, _now(), EndReason.ENDED_BY_ROOM, words, EndedBy.ROOM, headers)
        self._drain()

    def asked_to_hold(self, call_id: str, *, on: bool) -> None:
        """Somebody in the room puts the phone on hold, or takes it back."""
        self.switchboard.hold(call_id, _now(), on=on)
        self._drain()

    def asked_to_answer(self, call_id: str) -> None:
        """Somebody in the room wants the phone answered."""
        self.switchboard.answer_asked(call_id, _now())
        self._drain()

    def left(self, call_id: str, reason: str, words: str) -> None:
        """The room has the call no more."""
        self.switchboard.room_left(call_id, reason, words, _now())
        self._drain()

    def refused(self, call_id: str, sip_status: int, reason: str, words: str) -> None:
        """The room cannot be had."""
        self.switchboard.room_refused(call_id, sip_status, reason, words, _now())
        self._drain()

    def _certificate_found(self, call_id: str, signer: Signer | Refusal) -> None:
        self.switchboard.certificate_found(call_id, signer, _now())
        self._drain()

    def recording_ended(self, call_id: str, words: str, kept: bool) -> None:
        """A recording ended before its call."""
        self._log(f"the call is not recorded any more: {words}", call=call_id)
        self.switchboard.recording_ended(call_id, kept=kept)
        self._drain()

    def _prompt_played(self, call_id: str) -> None:
        self.switchboard.prompt_played(call_id, _now())
        self._noticed = True

    # -- SipUser ---------------------------------------------------------------------------------------------------

    def received(self, data: bytes, path: Path, framing_fault: Fault | None = None) -> None:
        """A message: for the endpoint, if the gate lets it through."""
        refusal = self._gate.refuses(data, path.remote[0], time.monotonic())
        if refusal is not None:
            self._turned_away += 1
            self._count_dropped(refusal)
            return
        self.endpoint.receive_datagram(data, path, time.monotonic(), framing_fault)
        self._drain()

    def connection_failed(self, path: Path, why: str) -> None:
        """A connection could not be made, or has closed: requests that wait on it end, calls do not."""
        self.endpoint.connection_failed(path, why, time.monotonic())
        self.keeper.connection_failed(path, time.monotonic())
        self._drain()

    def knows(self, address: str) -> bool:
        """Whether a trunk names this address."""
        return self._gate.knows(address, time.monotonic())

    def rest_s(self, address: str) -> float:
        """How long the streams of this address are not read: as long as it has used up its rate."""
        return self._gate.rest_s(address, time.monotonic())

    def connections_needed(self) -> Collection[Path]:
        """The connections of live calls and transactions, and those by which registrars call us."""
        return self.endpoint.connections() | self.keeper.connections(time.monotonic())

    def _names(self, address: str) -> bool:
        return self.switchboard.reception.knows(address) or address in self._registrars

    def _welcomes(self, address: str) -> bool:
        return self.switchboard.reception.welcomes(address) or address in self._registrars

    def _turns_away(self, request: Request, path: Path, now: float) -> tuple[int, Pairs] | None:
        return self.switchboard.turns_away(request, path, now)

    # -- signalling ------------------------------------------------------------------------------------------------

    @property
    def datagrams(self) -> dict[str, int]:
        """How many datagrams came, by what became of them: `turned-away` at the gate, the rest by their `Fate`."""
        fates = {fate.value: count for fate, count in self.endpoint.counts.fates.items()}
        return {"turned-away": self._turned_away, **fates}

    def _count_dropped(self, why: str) -> None:
        self.dropped[why] = self.dropped.get(why, 0) + 1

    def _on_timer(self) -> None:
        self._timer = None
        self.endpoint.handle_timer(time.monotonic())
        self._drain()

    def _drain(self) -> None:
        """Everything that one input set off: events, commands, datagrams, the next deadline."""
        if self._busy:  # a room told its news while it was being given a command: the loop below is still at it
            return
        self._busy = True
        try:
            self._work_off()
            self._tending.work_off()
            for data, path in self.endpoint.datagrams_to_send():
                self.sip.send(data, path)
        finally:
            self._busy = False
            self._set_timer()

    def _work_off(self) -> None:
        while True:
            event = self.endpoint.next_event()
            if event is not None:
                if isinstance(event, MessageDropped):
                    self._count_dropped(event.why)
                elif isinstance(event, AskAnswered):
                    self.keeper.handle(event, time.monotonic())
                else:
                    self.switchboard.handle_sip(event, _now())
                continue
            command = self.switchboard.next_command()
            if command is None:
                return
            assert self._carrier is not None, "made at the start"
            self._carrier.carry_out(command)

    def _set_timer(self) -> None:
        deadline = self.endpoint.next_deadline()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            delay = max(0.0, deadline - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._on_timer)

    # -- the tick --------------------------------------------------------------------------------------------------

    def _tick(self, now: float) -> None:
        self.legs.read(now, time.time())
        self._noticed = False
        for leg in self.legs.all():
            session = leg.session
            if session is None:
                continue
            while (event := session.next_event()) is not None:
                self.switchboard.handle_media(leg.call_id, event, _now())
                self._noticed = True
        assert self.rooms is not None
        self.rooms.tick(now)
        self._booth.tick(now)
        self.legs.flush()
        if now >= self._slow_at:
            self._slow_at = now + SLOW_WORK_EVERY_S
            self._slow_work(now)
            self._noticed = True
        if self._noticed:
            self._drain()

    def _slow_work(self, now: float) -> None:
        wall = time.time()
        for leg in self.legs.all():
            if leg.session is not None:
                leg.session.check(now)
                leg.report(now, wall)
        self.switchboard.handle_timer(Now(now, wall))
        self.keeper.handle_timer(now)
        if self.keeper.sources != self._registrars:
            self._registrars = self.keeper.sources
            self._gate.forget()
        self._collector.look(self.endpoint.transaction_count, now)


def _now() -> Now:
    return Now(time.monotonic(), time.time())
