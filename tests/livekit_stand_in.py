"""What livekit-server's SIP service does with trunks and rules, as far as a reconciler can tell, without the server.

It keeps protobufs in memory, makes ids, refuses what clashes in LiveKit's words, and answers Twirp. Where a genuine
server is there, the tests that use this run against both.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Iterable
from typing import Any

from google.protobuf.message import Message
from livekit.protocol import sip

from schemas.ids import normalise_number
from schemas.livekit_words import read_room_choice


class Refused(Exception):  # noqa: N818 - an answer
    """A Twirp error."""

    def __init__(self, status: int, code: str, what: str) -> None:
        super().__init__(what)
        self.status, self.code, self.what = status, code, what


class StandIn:
    """See the module; `answer` takes the method and the body of a request."""

    def __init__(self) -> None:
        self.held: dict[str, Any] = {}

    def answer(self, method: str, body: bytes) -> bytes:
        return self.call(method, body).SerializeToString()

    def call(self, method: str, body: bytes) -> Message:
        makers: dict[str, tuple[Any, Callable[[Any], Message]]] = {
            "ListSIPInboundTrunk": (sip.ListSIPInboundTrunkRequest, self._list_inbound),
            "ListSIPOutboundTrunk": (sip.ListSIPOutboundTrunkRequest, self._list_outbound),
            "ListSIPDispatchRule": (sip.ListSIPDispatchRuleRequest, self._list_rules),
            "CreateSIPInboundTrunk": (sip.CreateSIPInboundTrunkRequest, lambda asked: self._create(asked.trunk)),
            "CreateSIPOutboundTrunk": (sip.CreateSIPOutboundTrunkRequest, lambda asked: self._create(asked.trunk)),
            "CreateSIPDispatchRule": (
                sip.CreateSIPDispatchRuleRequest,
                lambda asked: self._create(asked.dispatch_rule),
            ),
            "UpdateSIPInboundTrunk": (sip.UpdateSIPInboundTrunkRequest, self._replace_trunk),
            "UpdateSIPOutboundTrunk": (sip.UpdateSIPOutboundTrunkRequest, self._replace_trunk),
            "UpdateSIPDispatchRule": (
                sip.UpdateSIPDispatchRuleRequest,
                lambda asked: self._replace(asked.sip_dispatch_rule_id, asked.replace),
            ),
            "DeleteSIPTrunk": (sip.DeleteSIPTrunkRequest, self._delete_trunk),
            "DeleteSIPDispatchRule": (sip.DeleteSIPDispatchRuleRequest, self._delete_rule),
        }
        request, do = makers[method]
        return do(request.FromString(body))

    def _list_inbound(self, asked: sip.ListSIPInboundTrunkRequest) -> Message:
        return sip.ListSIPInboundTrunkResponse(items=self._of(sip.SIPInboundTrunkInfo, asked.trunk_ids))

    def _list_outbound(self, asked: sip.ListSIPOutboundTrunkRequest) -> Message:
        return sip.ListSIPOutboundTrunkResponse(items=self._of(sip.SIPOutboundTrunkInfo, asked.trunk_ids))

    def _list_rules(self, asked: sip.ListSIPDispatchRuleRequest) -> Message:
        return sip.ListSIPDispatchRuleResponse(items=self._of(sip.SIPDispatchRuleInfo, asked.dispatch_rule_ids))

    def _of(self, kind: Any, ids: Iterable[str]) -> list[Any]:
        ids = [*ids]
        return [info for id_, info in sorted(self.held.items()) if isinstance(info, kind) and (not ids or id_ in ids)]

    def _create(self, info: Any) -> Message:
        is_rule = isinstance(info, sip.SIPDispatchRuleInfo)
        if info.sip_dispatch_rule_id if is_rule else info.sip_trunk_id:
            raise Refused(400, "invalid_argument", "id must not be set")
        return self._put(f"{'SDR' if is_rule else 'ST'}_{secrets.token_hex(6)}", info)  # in no order

    def _replace_trunk(self, asked: Any) -> Message:
        return self._replace(asked.sip_trunk_id, asked.replace)

    def _replace(self, id_: str, info: Any) -> Message:
        if id_ not in self.held:
            raise Refused(404, "not_found", f"requested {id_} does not exist")
        return self._put(id_, info)

    def _put(self, id_: str, info: Any) -> Message:
        stored = type(info).FromString(info.SerializeToString())
        if isinstance(stored, sip.SIPDispatchRuleInfo):
            stored.sip_dispatch_rule_id = id_
        else:
            stored.sip_trunk_id = id_
        self._check(id_, stored)
        self.held[id_] = stored
        return stored

    def _check(self, id_: str, info: Any) -> None:
        if isinstance(info, sip.SIPInboundTrunkInfo):
            if not (info.numbers or info.allowed_addresses or info.auth_username or info.auth_password):
                raise Refused(400, "invalid_argument", "for security, one of the fields must be set")
            words = "Conflicting inbound SIP Trunks"
        elif isinstance(info, sip.SIPDispatchRuleInfo):
            words = "Dispatch rule for the same trunk, number and PIN combination already exists in dispatch rule"
        else:
            if not info.numbers:
                raise Refused(400, "invalid_argument", "no trunk numbers specified")
            return
        for other_id, other in self.held.items():
            if other_id != id_ and type(other) is type(info) and _claims(other) & _claims(info):
                raise Refused(400, "invalid_argument", f"{words} {other_id}")

    def _delete_trunk(self, asked: sip.DeleteSIPTrunkRequest) -> Message:
        self.held.pop(asked.sip_trunk_id, None)
        return sip.SIPTrunkInfo(sip_trunk_id=asked.sip_trunk_id)

    def _delete_rule(self, asked: sip.DeleteSIPDispatchRuleRequest) -> Message:
        gone = self.held.pop(asked.sip_dispatch_rule_id, None)
        if gone is None:
            raise Refused(404, "not_found", "requested sip dispatch rule does not exist")
        return gone


def _claims(info: Any) -> set[tuple[str, ...]]:
    called = [normalise_number(number) for number in info.numbers] or [""]
    if isinstance(info, sip.SIPInboundTrunkInfo):
        callers = [normalise_number(number) for number in info.allowed_numbers] or [""]
        return set(itertools.product(callers, called))
    callers = [normalise_number(number) for number in info.inbound_numbers] or [""]
    return set(itertools.product([read_room_choice(info)[3]], [*info.trunk_ids] or [""], callers, called))
