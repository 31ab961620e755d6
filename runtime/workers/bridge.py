"""The whole bridge from start to stop: a worker, the tables reader, the API, call records, and `up`'s reconciler."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.api.server import Api
from runtime.calls.record import CallRecord
from runtime.errors import BridgeError
from runtime.limits import CALLS_MAX, RECENT_RECORDS_MAX, SHUTDOWN_GRACE_S
from runtime.media import native
from runtime.net.rtp_ports import RtpPortRange, descriptors_for
from runtime.net.stir_authorities import StirAuthorities
from runtime.net.tls_contexts import TlsContexts
from runtime.rooms.adapter import Rooms
from runtime.rooms.embedded import EmbeddedRooms
from runtime.rooms.files import load_sound, recorder_in
from runtime.rooms.prompts import Prompts
from runtime.routing.place import client_pair
from runtime.settings import LIVEKIT_API_EXAMPLE, BridgeSettings, Listen
from runtime.trunks.tended import Tended, tended
from runtime.workers.kept_tables import KeptTables
from runtime.workers.noise import NoiseFilters, wants_filters
from runtime.workers.outside import OutsideAddresses
from runtime.workers.reconciler_child import ReconcilerChild
from runtime.workers.recordings import Recordings
from runtime.workers.records import RecordFile, newest_records, open_records
from runtime.workers.reporting import Reporting
from runtime.workers.running import RunningBridge, announce, api_key, contact_key, find, own_folder, withdraw
from runtime.workers.tables_reader import TablesReader
from runtime.workers.unsealing import KeyedUnsealer
from runtime.workers.worker import Worker
from schemas.secret_key import SecretKeyError, check_shared_key
from schemas.stores import StoreError, is_shared, open_tables, shown
from schemas.tables.rows import Kind
from schemas.tables.tables import Tables

if TYPE_CHECKING:
    from runtime.api.livekit.server import LiveKitApiServer
    from runtime.workers.monitoring import Monitoring

FIRST_TABLES_WITHIN_S = 10.0
"""How long the first word to the user waits for tables."""
TAKEN_WITHIN_S = 5.0
"""How long the tables' thread waits for the event loop to answer by what it has handed over."""


class Bridge:
    """One bridge process, made on its event loop. `log(event, **fields)` is where news go."""

    def __init__(self, settings: BridgeSettings, log: Callable[..., None], version: str) -> None:
        self._settings = settings
        self._log = log
        self._version = version
        hand_over = asyncio.get_running_loop().call_soon_threadsafe
        self._log_from_thread = lambda words: hand_over(log, words)
        self._unsealer = KeyedUnsealer(str(settings.state), os.environ, hand_over, log)
        self._tls = TlsContexts(settings.tls, self._client_pair, log)
        self._worker = Worker(
            RtpPortRange(settings.rtp_first, settings.rtp_last),
            settings.region,
            self._on_record,
            log,
            f"dialplane/{version}",
            self._unsealer,
            self._tls,
            ws_origins=settings.ws_origins,
            anywhere=settings.dial_anywhere,
            dns=settings.dns,
            contact_key=contact_key(settings.state),
            stir_networks=settings.stir.networks,
        )
        self._stir = StirAuthorities(settings.stir.authorities, self._worker.certificates.trust, log)
        self._outside = OutsideAddresses(settings.outside, self._worker.endpoint.face, log)
        self._worker.rooms = self._rooms = self._make_rooms(settings)
        self._reporting = Reporting(settings, self._worker, self._rooms, version)
        self._records: RecordFile | None = None
        self._reader: TablesReader | None = None
        self._kept: KeptTables | None = None
        self._api: Api | None = None
        self._livekit_api: LiveKitApiServer | None = None
        self._monitoring: Monitoring | None = None
        self._prompts: Prompts | None = None
        self._worker.noise = self._noise = NoiseFilters(hand_over, log)
        folder = settings.recordings or settings.state / "recordings"
        self._recordings = Recordings(folder, hand_over, self._worker.recording_ended, log)
        self._worker.recordings = self._recordings
        self._looked = asyncio.Event()
        self._tables = asyncio.Event()
        self.api_url = ""
        self.livekit_api_url = ""

    async def start(self) -> None:
        """Listen and follow the tables. BridgeError says what cannot be had; nothing runs on then."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        settings = self._settings
        own_folder(settings.state, "--state", private=True)
        other = find(settings.state)
        if other is not None and other.pid != os.getpid():
            raise BridgeError(
                f"a bridge runs on {settings.state} already (process {other.pid}, {' '.join(other.listen)})",
                "stop it, or give this one a state folder of its own: --state DIR",
            )
        self._tls.load()
        self._stir.load()
        self._look_for_tables()
        records = settings.records or settings.state / "records.jsonl"
        self._records = open_records(records)
        self._reporting.remember(newest_records(records, RECENT_RECORDS_MAX))
        self._prompts = Prompts(settings.prompts, asyncio.get_running_loop().call_soon_threadsafe, self._log)
        self._prompts.start()
        self._worker.prompts = self._prompts
        self._recordings.start()
        warning = await self._rooms.start()
        if warning:
            self._log(warning)
        await self._outside.start()
        await self._worker.start(settings.listen)
        await self._start_api()
        await self._start_livekit_api()
        await self._start_monitoring()
        self._start_reader()
        self._tls.watch(asyncio.get_running_loop().call_soon_threadsafe)
        self._stir.watch(asyncio.get_running_loop().call_soon_threadsafe)
        listening = tuple(str(listen) for listen in self.listening)
        announce(settings.state, RunningBridge(os.getpid(), listening, self.api_url, self.livekit_api_url))

    @property
    def listening(self) -> tuple[Listen, ...]:
        """Where SIP is heard."""
        return self._worker.sip.listening

    @property
    def live_calls(self) -> int:
        """How many calls are up."""
        return len(self._worker.switchboard.live_calls())

    @property
    def tables(self) -> Tables:
        """What new calls are answered from."""
        return self._worker.switchboard.tables

    async def first_tables(self, timeout_s: float) -> bool:
        """Wait until there are tables with anything in them; False when none came in time."""
        try:
            await asyncio.wait_for(self._tables.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    async def first_look(self, timeout_s: float) -> bool:
        """Wait until it has been seen what is in the tables; False when that is nothing, or was not seen in time."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._looked.wait(), timeout_s)
        return self._tables.is_set()

    async def drain(self, hurry: asyncio.Event) -> None:
        """Take no new call, and wait for those that are up as long as `--drain` says, or until a second signal."""
        calls, within_s = self.live_calls, self._settings.drain_s
        if calls and within_s:
            self._log("no new calls; waiting for those that are up, a second signal ends them", calls=calls)
            await self._worker.drain(within_s, hurry)

    async def stop(self) -> None:
        """Hang up, say why, close everything."""
        self._tls.stop()
        self._stir.stop()
        self._outside.stop()
        if self._reader is not None:
            await asyncio.to_thread(self._reader.stop)
        await self._worker.stop(SHUTDOWN_GRACE_S)
        if self._prompts is not None:
            self._prompts.stop()
        self._noise.stop()
        await asyncio.to_thread(self._recordings.stop)
        await self._rooms.close()
        if self._livekit_api is not None:
            await self._livekit_api.stop()
        if self._api is not None:
            await self._api.stop()
        if self._monitoring is not None:
            await self._monitoring.stop()
        if self._records is not None:
            self._records.close()
        withdraw(self._settings.state)

    @property
    def capacity(self) -> str:
        """How many calls fit, and what bounds them."""
        files, pairs = descriptors_for(CALLS_MAX), self._worker.port_pairs
        limit = "the most of one bridge"
        if files < min(pairs, CALLS_MAX):
            limit = "open files are limited: raise it with ulimit -n"
        elif pairs < CALLS_MAX:
            limit = "--rtp-ports has no more pairs"
        return f"it takes up to {min(files, pairs, CALLS_MAX)} calls at once ({limit}); media by {native.state}"

    def _look_for_tables(self) -> None:
        """Say now what is wrong with their address, not at the first call; with last good ones it may be away."""
        url = self._settings.tables
        if is_shared(url):
            try:
                check_shared_key(shown(url), os.environ)
            except SecretKeyError as error:
                raise BridgeError(f"{error.where}: {error.what}", error.hint) from error
            self._kept = KeptTables(self._settings.state, shown(url), self._log_from_thread)
            if self._kept.is_there:
                return
        open_tables(url).close()

    # -- parts -----------------------------------------------------------------------------------------------------

    def _make_rooms(self, settings: BridgeSettings) -> Rooms:
        if settings.livekit is None:
            return self._embedded_rooms()
        from runtime.rooms.livekit.rooms import LiveKitRooms  # WebRTC is heavy: only who uses it loads it

        return LiveKitRooms(settings.livekit, self._worker)

    def _embedded_rooms(self) -> EmbeddedRooms:
        play, record = self._settings.play, self._settings.record
        options: dict[str, Any] = {}
        if play is not None:
            options["greeting"] = load_sound(play)
        if record is not None:
            own_folder(record, "--record")
            options["record"] = recorder_in(record, lambda words: self._log(words))
        return EmbeddedRooms(self._worker, **options)

    async def _start_api(self) -> None:
        if self._settings.api is None:
            return
        host, port = self._settings.api
        self._api = Api(
            api_key(self._settings.state),
            self._reporting.calls,
            self._reporting.health,
            self._reporting.status,
            self._log,
            self._worker.control.steer,
        )
        try:
            bound = await self._api.start(host, port)
        except OSError as fault:
            if self._settings.api_chosen or fault.errno != errno.EADDRINUSE:
                hint = "choose another: --api 127.0.0.1:8090, or --api off"
                raise BridgeError(f"the API cannot listen on {host}:{port}: {fault.strerror}", hint) from fault
            bound = await self._api.start(host, 0)
            self._log("the API's default port is taken, it listens on another", address=f"{host}:{bound[1]}")
        shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        self.api_url = f"http://{shown}:{bound[1]}"

    async def _start_livekit_api(self) -> None:
        settings = self._settings.livekit_api
        if settings is None:
            return
        from runtime.api.livekit.server import LiveKitApiServer  # LiveKit's messages: only who uses them loads them

        control = self._worker.control
        self._livekit_api = LiveKitApiServer(settings, lambda: self.tables, self._declared_at, control, self._log)
        try:
            host, port = await self._livekit_api.start()
        except OSError as fault:
            where = f"{settings.host}:{settings.port}"
            hint = f"choose another: --livekit-api {LIVEKIT_API_EXAMPLE}"
            raise BridgeError(f"the LiveKit-compatible API cannot listen on {where}: {fault.strerror}", hint) from fault
        behind = settings.server.url if settings.server is not None else "no LiveKit server"
        shown = f"[{host}]" if ":" in host else host
        self.livekit_api_url = f"ws://{shown}:{port}"
        if settings.server is not None and self._settings.livekit is None:
            words = "rooms are inside this bridge: who joins the LiveKit server's will not meet its calls"
            self._log(f"{words}; add --rooms livekit", server=settings.server.url)
        self._log("the LiveKit-compatible API listens", url=self.livekit_api_url, behind=behind)

    async def _start_monitoring(self) -> None:
        if self._settings.metrics is None:
            return
        from runtime.workers.monitoring import Monitoring  # prometheus_client: only who uses it loads it

        self._monitoring = Monitoring(self._worker, self._reporting, lambda: self._reader, self._version)
        self._log("metrics and probes are answered", url=await self._monitoring.start(*self._settings.metrics))

    def _declared_at(self, kind: Kind, row_id: str) -> str:
        """`file:line` of a live object, "" when the store does not know. Called in a thread."""
        try:
            with open_tables(self._settings.tables) as store:
                declared = store.declared(kind, row_id)
        except StoreError:
            return ""
        if declared is None or not declared.file:
            return ""
        return f"{declared.file}:{declared.line}" if declared.line else declared.file

    def _client_pair(self, trunk: str) -> tuple[bytes, bytes] | None:
        return client_pair(self.tables, trunk, self._unsealer)

    def _start_reader(self) -> None:
        loop = asyncio.get_running_loop()

        def hand_over(tables: Tables, revision: int) -> None:
            self._unsealer.read()  # what is new in them may be sealed with a new key
            wanted, taken = tended(tables, self._settings.region), threading.Event()

            def take() -> None:
                self._take_tables(tables, revision, wanted)
                taken.set()

            loop.call_soon_threadsafe(take)
            taken.wait(TAKEN_WITHIN_S)
            if wants_filters(tables):
                loop.call_soon_threadsafe(self._noise.prepare)

        self._reader = TablesReader(
            lambda: open_tables(self._settings.tables),
            hand_over,
            self._log_from_thread,
            f"{socket.gethostname()}-{os.getpid()}",
            self._settings.region,
            self._unsealer.look,
            self._kept,
        )
        self._reader.start()

    def _take_tables(self, tables: Tables, revision: int, wanted: Tended) -> None:
        self._worker.use_tables(tables, revision, wanted)
        if self._monitoring is not None:
            self._monitoring.taken(revision)
        if revision > 0:
            self._tables.set()
        self._looked.set()

    def _on_record(self, record: CallRecord) -> None:
        self._log(record.line(), call=record.call_id)
        for line in (*record.trail, record.hint):
            if line:
                self._log(f"  {line}", call=record.call_id)
        written = self._reporting.ended(record)
        if self._monitoring is not None:
            self._monitoring.ended(record)
        if self._records is not None:
            try:
                self._records.write(json.dumps(written, ensure_ascii=False))
            except OSError as fault:
                self._log("call records are not written any more", fault=fault.strerror)
                self._records = None


async def serve(
    settings: BridgeSettings,
    folder: Path | None,
    log: Callable[..., None],
    version: str,
    ready: Callable[[Bridge, bool], None],
) -> None:
    """Run a bridge until SIGINT or SIGTERM, with a reconciler on `folder`; `ready` is told whether there are tables."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    bridge = Bridge(settings, log, version)
    await bridge.start()
    child = ReconcilerChild(folder, settings.state, settings.tables, log) if folder is not None else None
    try:
        if child is not None:
            child.start()
        # A reconciler of ours is about to publish some; without one there is nothing to wait for.
        first = bridge.first_tables if child is not None else bridge.first_look
        waiting = asyncio.create_task(first(FIRST_TABLES_WITHIN_S))
        stopped = asyncio.create_task(stopping.wait())
        await asyncio.wait([waiting, stopped], return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            ready(bridge, waiting.result())
        waiting.cancel()
        await stopped
        stopping.clear()
        await bridge.drain(stopping)
        log("stopping", live_calls_hung_up=bridge.live_calls)
    finally:
        if child is not None:
            await child.stop()
        await bridge.stop()
