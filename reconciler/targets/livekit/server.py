"""EDGE. One LiveKit server through livekit-api: bounded in rate and time, patient where it may be, and final where not.

A call that failed on the way may have been carried out. Reading, replacing and deleting are the same done twice, so
they are tried again, with more time in between each try and as long as the server asks for (Retry-After); a create
is not: `Unsure` says that somebody has to look first. The client's own failover would repeat creates, so it is off.
"""

from __future__ import annotations

import asyncio
import random
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Self, TypeVar, cast
from urllib.parse import urlparse

import aiohttp
from google.protobuf.message import DecodeError, Message
from livekit import api
from livekit.api.twirp_client import TwirpClient
from livekit.protocol import sip

from reconciler.errors import ReconcileError
from reconciler.plan.visible import heard
from reconciler.plan.words import MASK
from reconciler.settings import LiveKitAccess
from reconciler.targets.livekit.door import ERROR_CHARS_MAX, Door, UnfitAnswer
from reconciler.targets.livekit.holdings import Info, Part, id_of, secret_of
from reconciler.targets.livekit.spelling import is_id

CALL_TIMEOUT_S = 10.0
TRIES_MAX = 5
SILENCES_MAX = 2
"""So many calls without an answer in time, and no more are made."""
BACKOFF_FIRST_S = 0.25
BACKOFF_MAX_S = 8.0
RETRY_AFTER_MAX_S = 60.0
"""A server that wants to be left alone for longer is told of instead."""
CLOUD_CALLS_PER_S = 15.0
"""Below the 1,000 requests a minute that a LiveKit Cloud project may make."""
OWN_SERVER_CALLS_PER_S = 500.0

# `livekit-server --dev` has "secret" for its secret; that is the server's choice, and no news at every token.
warnings.filterwarnings("ignore", message="The HMAC key is .* bytes long")

T = TypeVar("T")
M = TypeVar("M", bound=Message)
_retry_after_s: ContextVar[float | None] = ContextVar("retry_after_s", default=None)


class CallFailed(Exception):  # noqa: N818 - the sentence of `raise CallFailed`
    """LiveKit did not do it. `refused`: it will not, whenever it is asked; else it could not, or was not reached.

    `wait_s` is how long it asked to be left alone.
    """

    def __init__(self, what: str, *, refused: bool = False, missing: bool = False, code: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.refused = refused
        self.missing = missing
        self.wait_s = 0.0
        self.code = code
        """Twirp's word for it; `unknown` where the server's answer was none of Twirp's."""


class Unsure(CallFailed):
    """Nobody knows whether it was done."""


@dataclass(slots=True)
class Pace:
    """Calls are at least so far apart. One pace may last longer than a loop, whose clock is the machine's."""

    per_s: float
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    next_at: float = 0.0

    async def turn(self) -> None:
        """Wait until it is this call's turn."""
        now = asyncio.get_running_loop().time()
        at = max(now, self.next_at)
        self.next_at = at + 1 / self.per_s
        if at > now:
            await self.sleep(at - now)


def pace_of(access: LiveKitAccess, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> Pace:
    """How often this server may be called."""
    cloud = (urlparse(access.url).hostname or "").endswith(".livekit.cloud")
    return Pace(CLOUD_CALLS_PER_S if cloud else OWN_SERVER_CALLS_PER_S, sleep)


class Server:
    """The SIP objects of one server. Used as a context, within one event loop; the pace is for all that it calls."""

    def __init__(self, access: LiveKitAccess, pace: Pace) -> None:
        self._access = access
        self._sleep = pace.sleep
        self._pace = pace

    async def __aenter__(self) -> Self:
        traces = aiohttp.TraceConfig()
        traces.on_request_end.append(_note_retry_after)
        timeout = aiohttp.ClientTimeout(total=CALL_TIMEOUT_S)
        self._door = Door(timeout, traces)
        session = cast(aiohttp.ClientSession, self._door)
        access = self._access
        livekit = api.LiveKitAPI(access.url, access.key, access.secret, session=session, failover=False)
        self._sip = livekit.sip
        self._twirp = TwirpClient(session, access.url, "livekit", failover=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._door.close()

    @property
    def host(self) -> str:
        """The server's name, as messages have it."""
        return self._access.host

    async def ask(
        self, service: str, method: str, asked: Message, answer: type[M], *, again: bool = True, tries: int = TRIES_MAX
    ) -> M:
        """A call of a service that livekit-api has no class for, with the rights of a SIP admin."""

        async def call() -> M:
            grants = api.SIPGrants(admin=True)
            token = api.AccessToken(self._access.key, self._access.secret).with_sip_grants(grants).to_jwt()
            return await self._twirp.request(service, method, asked, {"authorization": f"Bearer {token}"}, answer)

        return await self._call(call, again=again, tries=tries)

    async def everything(self, tries: int = TRIES_MAX) -> list[Info]:
        """All trunks and dispatch rules. Raises CallFailed, ReconcileError."""
        inbound, outbound = sip.ListSIPInboundTrunkRequest(), sip.ListSIPOutboundTrunkRequest()
        taking = await self._call(lambda: self._sip.list_inbound_trunk(inbound), tries=tries)
        placing = await self._call(lambda: self._sip.list_outbound_trunk(outbound), tries=tries)
        rules = await self._call(lambda: self._sip.list_dispatch_rule(sip.ListSIPDispatchRuleRequest()), tries=tries)
        found: list[Info] = [*taking.items, *placing.items, *rules.items]
        return [self._known(info) for info in found]

    async def read(self, part: Part, id_: str) -> Info | None:
        """One object as it is now; None = it is gone."""
        items: list[Info]
        if part is Part.INBOUND:
            asked = sip.ListSIPInboundTrunkRequest(trunk_ids=[id_])
            items = [*(await self._call(lambda: self._sip.list_inbound_trunk(asked))).items]
        elif part is Part.OUTBOUND:
            wanted = sip.ListSIPOutboundTrunkRequest(trunk_ids=[id_])
            items = [*(await self._call(lambda: self._sip.list_outbound_trunk(wanted))).items]
        else:
            rule = sip.ListSIPDispatchRuleRequest(dispatch_rule_ids=[id_])
            items = [*(await self._call(lambda: self._sip.list_dispatch_rule(rule))).items]
        return self._known(items[0]) if items else None

    async def create(self, info: Info) -> Info:
        """Create an object. Raises Unsure where it may have been done."""
        with _no_secret_of(info):
            return self._known(await self._created(info), Unsure)

    async def _created(self, info: Info) -> Info:
        if isinstance(info, sip.SIPInboundTrunkInfo):
            taking = sip.CreateSIPInboundTrunkRequest(trunk=info)
            return await self._call(lambda: self._sip.create_inbound_trunk(taking), again=False)
        if isinstance(info, sip.SIPOutboundTrunkInfo):
            placing = sip.CreateSIPOutboundTrunkRequest(trunk=info)
            return await self._call(lambda: self._sip.create_outbound_trunk(placing), again=False)
        rule = sip.CreateSIPDispatchRuleRequest(dispatch_rule=info)
        return await self._call(lambda: self._sip.create_dispatch_rule(rule), again=False)

    async def replace(self, id_: str, info: Info) -> Info:
        """Write the whole object."""
        with _no_secret_of(info):
            if isinstance(info, sip.SIPInboundTrunkInfo):
                return await self._call(lambda: self._sip.update_inbound_trunk(id_, info))
            if isinstance(info, sip.SIPOutboundTrunkInfo):
                return await self._call(lambda: self._sip.update_outbound_trunk(id_, info))
            return await self._call(lambda: self._sip.update_dispatch_rule(id_, info))

    async def delete(self, part: Part, id_: str) -> None:
        """Delete an object; one that is gone already is no fault."""
        try:
            if part is Part.RULE:
                rule = sip.DeleteSIPDispatchRuleRequest(sip_dispatch_rule_id=id_)
                await self._call(lambda: self._sip.delete_dispatch_rule(rule))
            else:
                await self._call(lambda: self._sip.delete_trunk(sip.DeleteSIPTrunkRequest(sip_trunk_id=id_)))
        except CallFailed as failed:
            if not failed.missing:
                raise

    async def rest(self, seconds: float) -> None:
        """Call nobody for a while."""
        await self._sleep(seconds)

    async def pause(self, tried: int) -> None:
        """Wait before another try: longer each time, and never at the same moment as somebody else."""
        asked_for = _retry_after_s.get()
        usual = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2**tried)
        await self._sleep(usual * random.uniform(0.5, 1.0) if asked_for is None else asked_for)  # noqa: S311 - no secret

    async def _call(self, call: Callable[[], Awaitable[T]], *, again: bool = True, tries: int = TRIES_MAX) -> T:
        for tried in range(tries):
            await self._pace.turn()
            _retry_after_s.set(None)
            fault: Exception | None = None
            try:
                return await call()
            except api.TwirpError as error:
                failed = self._failed(error)
                never_done = error.status == 429
            except (UnfitAnswer, DecodeError) as error:
                said = str(error) if isinstance(error, UnfitAnswer) else "its answer is none of LiveKit's"
                what = f"{self._access.host} is not believed: {said}"
                raise CallFailed(what) if again else Unsure(what) from error
            except aiohttp.ClientConnectorError as error:
                failed, never_done = CallFailed(f"{self._access.host} cannot be reached: {_reason(error)}"), True
            except (aiohttp.ClientError, TimeoutError) as error:
                failed, never_done, fault = (
                    CallFailed(f"{self._access.host} did not answer: {_reason(error)}"),
                    False,
                    error,
                )
            if failed.refused:
                raise failed
            if not (again or never_done):
                raise Unsure(failed.what)
            failed.wait_s = _retry_after_s.get() or 0.0
            # Who is silent for so long is silent: a person, or a job, waits for the answer.
            if isinstance(fault, TimeoutError) and tried + 1 >= SILENCES_MAX:
                raise failed
            if tried + 1 == tries or failed.wait_s > RETRY_AFTER_MAX_S:
                raise failed
            await self.pause(tried)
        raise AssertionError("the last try returns or raises")

    def _known(self, info: Info, failed: type[CallFailed] = CallFailed) -> Info:
        """An object under an id that LiveKit could have given it: messages, files and the next requests repeat it."""
        if not is_id(id_of(info)):
            raise failed(f"{self._access.host} is not believed: an object of its has an id that is none")
        return info

    def _failed(self, error: api.TwirpError) -> CallFailed:
        if error.status in (401, 403):
            what = f"{self._access.host} does not take this API key" + (f": {error.message}" if error.message else "")
            raise ReconcileError(what, "LIVEKIT_API_KEY and LIVEKIT_API_SECRET must be a key of this server, for SIP")
        what = error.message or f"LiveKit answers {error.status} {error.code}"
        if error.status in (408, 429) or (error.status >= 500 and error.status != 501):
            return CallFailed(what, code=error.code)
        return CallFailed(what, refused=True, missing=error.status == 404, code=error.code)


@contextmanager
def _no_secret_of(info: Info) -> Iterator[None]:
    """Take what was written of secrets out of what the server says of it."""
    try:
        yield
    except CallFailed as failed:
        failed.what = failed.what if not (secret := secret_of(info)) else failed.what.replace(secret, MASK)
        failed.args = (failed.what,)
        raise


async def _note_retry_after(
    _session: aiohttp.ClientSession, _context: SimpleNamespace, told: aiohttp.TraceRequestEndParams
) -> None:
    """Take up Retry-After, which the client does not hand on."""
    said = told.response.headers.get("Retry-After", "")
    _retry_after_s.set(float(said) if said.isdecimal() and said.isascii() else None)


def _short(error: aiohttp.ClientConnectorError) -> str:
    """What the machine says, without the address that stands before it anyway."""
    fault = error.os_error
    return heard(fault.strerror or str(fault) or type(fault).__name__, ERROR_CHARS_MAX)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {CALL_TIMEOUT_S:.0f} s"
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return f"{_short(error)} (a server without TLS is ws:// in LIVEKIT_URL)"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"{_short(error)} (is it running, and is LIVEKIT_URL right?)"
    return heard(str(error), ERROR_CHARS_MAX) or type(error).__name__
