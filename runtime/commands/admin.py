"""How commands ask a running bridge: its HTTP API, found by the state folder, with the key that lies there."""

from __future__ import annotations

import http.client
import ipaddress
import json
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from runtime.commands.options import state_words
from runtime.errors import BridgeError
from runtime.workers.running import api_key, find

TIMEOUT_S = 9.0
"""The API cuts a connection off after ten."""


def ask(state: Path, path: str, command: str, *, anywhere: bool, method: str = "GET") -> dict[str, Any]:
    """What the bridge on this state folder answers for `path`; `command` is who asks, for the words of an error."""
    bridge = find(state)
    if bridge is None:
        raise BridgeError(
            f"no bridge runs on the state folder {state}", "start one: bridge up   or name its --state DIR"
        )
    if not bridge.api:
        raise BridgeError("the bridge runs without its API", "start it without --api off")
    if not (anywhere or is_loopback(bridge.api)):
        raise BridgeError(
            f"the bridge's API is at {bridge.api}, not on this machine's loopback: the key is not sent there",
            f"if that is right: bridge {command}{state_words(state)} --anywhere",
        )
    request = urllib.request.Request(  # noqa: S310 - the URL is the one that the bridge wrote, always http
        f"{bridge.api}{path}", headers={"Authorization": f"Bearer {api_key(state)}"}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - as above
            body: dict[str, Any] = json.loads(answer.read())
    except urllib.error.HTTPError as refusal:
        raise _refused(refusal, bridge.api) from refusal
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as fault:
        raise BridgeError(
            f"the bridge's API at {bridge.api} does not answer: {fault}", "is the bridge running?"
        ) from fault
    return body


def _refused(refusal: urllib.error.HTTPError, api: str) -> BridgeError:
    try:
        told = json.loads(refusal.read())
        return BridgeError(str(told["error"]), str(told.get("hint", "")))
    except (ValueError, KeyError, TypeError, OSError):
        return BridgeError(f"the bridge's API at {api} answers {refusal.code}", "is the bridge of this version?")


def is_loopback(url: str) -> bool:
    """Whether a URL's host is a loopback address; a name is none."""
    try:
        return ipaddress.ip_address(urllib.parse.urlsplit(url).hostname or "").is_loopback
    except ValueError:
        return False
