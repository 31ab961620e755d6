"""What others in the room say to a call beside audio: digits to be played, and LiveKit's RPC for SIP participants.

Called with every data packet that arrives, and for every digit that the phone sends. It promises that whoever is in
the room can send anything: sizes and rates are bounded, and what is not understood is passed over.

* A SipDTMF packet is played to the phone. One from another phone is not, unless it names this participant: a digit that
  one caller presses for an agent is not the others' business.
* `lk.sip.GetRemoteHeaders` {include[], exclude[]} -> {headers}; `lk.sip.EndCall` {headers} -> {}; `lk.sip.Hold`,
  `lk.sip.Resume` and `lk.sip.Answer` {} -> {}: that it was asked. `sip.hold` and `sip.callStatus` tell when it is so.
"""

from __future__ import annotations

import base64
import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import DecodeError
from livekit.protocol import models

from runtime.gate.bucket import TokenBucket
from runtime.media.dtmf import is_digits
from runtime.rooms.livekit.limits import (
    DATA_BYTES_MAX,
    DIGITS_BURST,
    DIGITS_PER_S,
    IDENTITY_CHARS_MAX,
    RPC_BURST,
    RPC_CALLERS_MAX,
    RPC_HEADERS_MAX,
    RPC_PER_S,
)
from runtime.routing.headers import is_settable
from schemas.tables.rows import Pairs

UNSUPPORTED_METHOD: Final = 1400
UNSUPPORTED_VERSION: Final = 1404
APPLICATION_ERROR: Final = 1500
RPC_VERSION: Final = 1
MESSAGE_TOPIC: Final = "sip.message"

CODES: Final = {digit: code for code, digit in enumerate("0123456789*#abcd")}
"""SipDTMF's code is RFC 4733's event; LiveKit writes letters small."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A packet to send reliably."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PlayDigit:
    """A key to press on the phone's side."""

    digit: str


@dataclass(frozen=True, slots=True)
class EndAsked:
    """Somebody ends the call; `headers` go on the BYE."""

    headers: Pairs
    by: str


@dataclass(frozen=True, slots=True)
class HoldAsked:
    """Somebody puts the phone on hold, or takes it back."""

    on: bool


@dataclass(frozen=True, slots=True)
class AnswerAsked:
    """Somebody wants the phone answered that rings."""


Asked = EndAsked | HoldAsked | AnswerAsked
Reaction = Reply | PlayDigit | Asked


_ASKED: Final[dict[str, Asked]] = {
    "lk.sip.Hold": HoldAsked(on=True),
    "lk.sip.Resume": HoldAsked(on=False),
    "lk.sip.Answer": AnswerAsked(),
}
METHODS: Final = frozenset({"lk.sip.GetRemoteHeaders", "lk.sip.EndCall", *_ASKED})


class Desk:
    """One call's; `is_phone(identity)` tells other phones, `headers` are those that may be told."""

    def __init__(self, identity: str, headers: Pairs, is_phone: Callable[[str], bool], now: float) -> None:
        self._identity = identity
        self.headers = headers
        self._is_phone = is_phone
        self._digits = TokenBucket(DIGITS_PER_S, DIGITS_BURST, now)
        self._calls: OrderedDict[str, TokenBucket] = OrderedDict()
        """By who asks: nobody may use up what others need to end the call."""
        self.dropped = 0

    def receive(self, data: bytes, now: float) -> list[Reaction]:
        """One data packet."""
        if len(data) > DATA_BYTES_MAX:
            self.dropped += 1
            return []
        try:
            packet = models.DataPacket.FromString(data)
        except DecodeError:
            self.dropped += 1
            return []
        kind = packet.WhichOneof("value")
        if kind == "sip_dtmf":
            return self._digit(packet, now)
        if kind == "rpc_request" and 0 < len(packet.participant_identity) <= IDENTITY_CHARS_MAX:
            return self._call(packet.rpc_request, packet.participant_identity, now)
        return []

    @staticmethod
    def digit(digit: str) -> bytes:
        """The packet that tells the room of a key that the phone pressed."""
        small = digit.lower()
        tone = models.SipDTMF(code=CODES.get(small, 0), digit=small)
        return models.DataPacket(kind=models.DataPacket.RELIABLE, sip_dtmf=tone).SerializeToString()

    @staticmethod
    def message(method: str, content_type: str, body: bytes) -> bytes:
        """The packet that tells the room what the phone wrote: JSON under the topic `sip.message`."""
        told = {"method": method, "contentType": content_type}
        try:
            told["body"] = body.decode()
        except UnicodeDecodeError:
            told["bodyBase64"] = base64.b64encode(body).decode()
        user = models.UserPacket(payload=json.dumps(told).encode(), topic=MESSAGE_TOPIC)
        return models.DataPacket(kind=models.DataPacket.RELIABLE, user=user).SerializeToString()

    def _digit(self, packet: models.DataPacket, now: float) -> list[Reaction]:
        digit = packet.sip_dtmf.digit
        named = self._identity in packet.destination_identities
        if len(digit) != 1 or not is_digits(digit) or (self._is_phone(packet.participant_identity) and not named):
            return []
        if not self._digits.take(now):
            self.dropped += 1
            return []
        return [PlayDigit(digit)]

    def _call(self, request: models.RpcRequest, caller: str, now: float) -> list[Reaction]:
        if not self._rate_of(caller, now).take(now):
            self.dropped += 1
            return []
        ack = models.DataPacket(rpc_ack=models.RpcAck(request_id=request.id), destination_identities=[caller])
        answer, asked = self._perform(request, caller)
        answer.request_id = request.id
        packet = models.DataPacket(rpc_response=answer, destination_identities=[caller])
        reactions: list[Reaction] = [Reply(ack.SerializeToString()), Reply(packet.SerializeToString())]
        return reactions if asked is None else [*reactions, asked]

    def _rate_of(self, caller: str, now: float) -> TokenBucket:
        found = self._calls.get(caller)
        if found is None:
            if len(self._calls) >= RPC_CALLERS_MAX:
                self._calls.popitem(last=False)
            found = self._calls[caller] = TokenBucket(RPC_PER_S, RPC_BURST, now)
        self._calls.move_to_end(caller)
        return found

    def _perform(self, request: models.RpcRequest, caller: str) -> tuple[models.RpcResponse, Asked | None]:
        """The answer, and what was asked of the call."""
        if request.version != RPC_VERSION:
            return _error(UNSUPPORTED_VERSION, "Unsupported RPC version"), None
        if request.method not in METHODS:
            return _error(UNSUPPORTED_METHOD, "Method not supported at destination"), None
        try:
            payload = json.loads(request.payload or "{}")
        except (ValueError, RecursionError):
            payload = None
        if not isinstance(payload, dict):
            return _error(APPLICATION_ERROR, "the payload is not a JSON object"), None
        if request.method == "lk.sip.EndCall":
            return _end_call(payload, caller)
        if request.method != "lk.sip.GetRemoteHeaders":
            return models.RpcResponse(payload="{}"), _ASKED[request.method]
        return self._remote_headers(payload), None

    def _remote_headers(self, payload: dict[str, Any]) -> models.RpcResponse:
        include, exclude = _names(payload.get("include")), _names(payload.get("exclude"))
        found = {
            name: value
            for name, value in self.headers
            if (not include or name.lower() in include) and name.lower() not in exclude
        }
        return models.RpcResponse(payload=json.dumps({"headers": found}))


def _names(listed: object) -> set[str]:
    return {name.lower() for name in listed if isinstance(name, str)} if isinstance(listed, list) else set()


def _end_call(payload: dict[str, Any], caller: str) -> tuple[models.RpcResponse, Asked | None]:
    headers = payload.get("headers") or {}
    if not isinstance(headers, dict) or len(headers) > RPC_HEADERS_MAX:
        return _error(APPLICATION_ERROR, "headers is not a map of that few names"), None
    for name, value in headers.items():
        if not isinstance(value, str) or not is_settable(name, value):
            return _error(APPLICATION_ERROR, f"the header {name[:40]!r} cannot be set"), None
    return models.RpcResponse(payload="{}"), EndAsked(tuple(headers.items()), caller)


def _error(code: int, words: str) -> models.RpcResponse:
    return models.RpcResponse(error=models.RpcError(code=code, message=words))
