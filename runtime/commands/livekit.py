"""What `bridge dial` and `bridge transfer` share: LiveKit's own client, whom it asks, and its errors in a sentence.

The client is loaded when one of the two is run, never when the command line starts.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import click

from runtime.commands.options import F, program, state_words
from runtime.errors import BridgeError
from runtime.settings import LIVEKIT_API_EXAMPLE, LiveKitServer, local_host, parse_livekit
from runtime.workers.running import find
from schemas.printable import printable

if TYPE_CHECKING:
    from google.protobuf.duration_pb2 import Duration
    from livekit.api import LiveKitAPI

T = TypeVar("T")

URL_OPTION = "--livekit-url"
HINTS: Mapping[str, str] = {
    "unauthenticated": "LIVEKIT_API_KEY and LIVEKIT_API_SECRET must be those that the bridge was started with",
    "permission_denied": "LIVEKIT_API_KEY and LIVEKIT_API_SECRET must be those that the bridge was started with",
    "deadline_exceeded": "let it ring longer: --ringing-timeout 60s",
    "unavailable": "nothing was dialled: try again",
}
"""The next step by the code of an error, where no phone has said why."""


class PhoneSaidNoError(Exception):
    """A SIP response ended it: `status` and `reason` are the phone's, or its carrier's."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"SIP {status} {reason}")
        self.status = status
        self.reason = reason


def livekit_options(command: F) -> F:
    """`--livekit-url URL` and `--ringing-timeout DURATION`."""
    for option in (
        click.option(
            URL_OPTION,
            metavar="URL",
            default="",
            help="Whom to ask.  [default: the bridge that runs on this state folder, else LIVEKIT_URL]",
        ),
        click.option(
            "--ringing-timeout",
            metavar="DURATION",
            default="30s",
            show_default=True,
            help="How long the phone may ring, 1s to 24h.",
        ),
    ):
        command = option(command)
    return command


def server_of(url: str, state: Path) -> LiveKitServer:
    """Whom to ask, and with which key. LIVEKIT_URL comes last: beside a bridge it is the server behind that bridge."""
    key, secret = os.environ.get("LIVEKIT_API_KEY", ""), os.environ.get("LIVEKIT_API_SECRET", "")
    url = url or _own_bridge(state) or os.environ.get("LIVEKIT_URL", "")
    if not url:
        raise _nobody(state)
    if not (key and secret):
        what = "LIVEKIT_API_KEY and LIVEKIT_API_SECRET are not set: they sign what is asked for"
        raise BridgeError(what, "set those that the bridge was started with, in the environment or in a .env file here")
    return parse_livekit(url, key, secret)


def seconds_of(duration: str) -> float:
    """The seconds of `30s`, `5m`, `1h30m`, as in manifests."""
    from pydantic_core import PydanticCustomError

    from schemas.resources.values import duration_ms

    try:
        return duration_ms(duration) / 1000
    except PydanticCustomError as fault:
        context = fault.context or {}
        raise BridgeError(f"--ringing-timeout: {fault.message()}", str(context.get("hint", ""))) from fault


def duration_of(seconds: float) -> Duration:
    """LiveKit's message for it."""
    from google.protobuf.duration_pb2 import Duration

    found = Duration()
    found.FromMilliseconds(round(seconds * 1000))
    return found


def ask(server: LiveKitServer, what: Callable[[LiveKitAPI], Coroutine[Any, Any, T]], hints: Mapping[str, str]) -> T:
    """The answer to a request. PhoneSaidNoError, or a BridgeError whose next step is by `hints`, else by `HINTS`."""
    import aiohttp
    from livekit.api import LiveKitAPI, ServerError, SipCallError

    async def asked() -> T:
        async with LiveKitAPI(server.url, server.api_key, server.api_secret) as client:
            return await what(client)

    try:
        return asyncio.run(asked())
    except SipCallError as fault:
        if fault.sip_status_code is None:
            raise _told(fault.code, fault.message, hints) from fault
        raise PhoneSaidNoError(fault.sip_status_code, printable(fault.sip_status or "")) from fault
    except ServerError as fault:
        raise _told(fault.code, fault.message, hints) from fault
    except aiohttp.ClientConnectorError as fault:
        hint = f"does a bridge run there with --livekit-api? or name another: {URL_OPTION} ws://{LIVEKIT_API_EXAMPLE}"
        raise BridgeError(f"nobody answers at {server.url}", hint) from fault
    except (aiohttp.ClientError, TimeoutError) as fault:
        why = str(fault) or "no answer came in time"
        raise BridgeError(
            f"{server.url} was asked, and then: {why}", "what was begun may go on: bridge calls"
        ) from fault


def _told(code: str, message: str, hints: Mapping[str, str]) -> BridgeError:
    return BridgeError(printable(message) or code, hints.get(code, HINTS.get(code, "")))


def _own_bridge(state: Path) -> str:
    """The LiveKit-compatible API of the bridge that runs on this state folder, as it is reached from here."""
    bridge = find(state)
    if bridge is None or not bridge.livekit_api:
        return ""
    parts = urlsplit(bridge.livekit_api)
    host = local_host(parts.hostname or "")
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{parts.port}"


def _nobody(state: Path) -> BridgeError:
    start = f"{program('bridge')} up DIR --livekit-api {LIVEKIT_API_EXAMPLE}{state_words(state)}"
    if find(state) is None:
        return BridgeError(f"no bridge runs on the state folder {state}", f"start one in another terminal: {start}")
    return BridgeError("the bridge runs without LiveKit's API, which places calls", f"start it so: {start}")
