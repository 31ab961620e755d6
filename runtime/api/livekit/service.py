"""CORE. `livekit.SIP`: each method's request, who may ask it, and its answer from the live tables.

Lists are answered. What would change a declared object is refused with where it is declared: the manifests are the only
way in, else the next apply would undo what a caller was told is done. To place or transfer a call is an order: it is
read and checked here, and whoever listens has it carried out (`orders`).
`answer` runs in a thread of its own: a list of ten thousand rules must not hold up a media tick.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from livekit.protocol import sip

from runtime.api.livekit import listing, objects
from runtime.api.livekit.control import Order
from runtime.api.livekit.dialling import dial_request
from runtime.api.livekit.grants import Grants
from runtime.api.livekit.transferring import transfer_request
from runtime.api.livekit.twirp import Code, TwirpError, decoded, encoded
from runtime.api.livekit.values import check_values, need
from schemas.tables.rows import Kind
from schemas.tables.tables import Tables

DeclaredAt = Callable[[Kind, str], str]
"""Where an object is declared, `file:line`; "" when that is not known."""

_WORD = {Kind.TRUNK: "Trunk", Kind.RULE: "DispatchRule"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What an answer is made from: the token's grants, the tables of this moment, and where things are declared."""

    grants: Grants
    tables: Tables
    declared_at: DeclaredAt


Handler = Callable[[Asked, Any], Message | Order]
"""What answers a method, or orders a call; its request is of the class that stands beside it in `METHODS`."""


def answer(method: str, body: bytes, form: str, asked: Asked) -> bytes | Order:
    """The body of the answer to a request, or what must be done for it first. Raises TwirpError."""
    known = METHODS.get(method)
    if known is None:
        raise TwirpError(Code.BAD_ROUTE, f"no handler for livekit.SIP/{method}")
    message, may, handle = known
    may(asked.grants)
    request = decoded(body, form, message)
    check_values(request)
    done = handle(asked, request)
    return encoded(done, form) if isinstance(done, Message) else done


# -- lists -------------------------------------------------------------------------------------------------------------


def _list_inbound(asked: Asked, request: sip.ListSIPInboundTrunkRequest) -> Message:
    wanted, numbers = listing.asked_ids(Kind.TRUNK, request.trunk_ids), listing.asked_numbers(request.numbers)
    known = listing.numbers_of(asked.tables)
    found = [
        item
        for item in listing.trunks(asked.tables, lambda row: row.inbound is not None)
        if (not wanted or item.id in wanted) and listing.serves_one(listing.called_numbers(item.row, known), numbers)
    ]
    page = listing.page_of(Kind.TRUNK, found, request.page if request.HasField("page") else None)
    infos = [objects.inbound_trunk(item.row, listing.called_numbers(item.row, known)) for item in page]
    return sip.ListSIPInboundTrunkResponse(items=infos)


def _list_outbound(asked: Asked, request: sip.ListSIPOutboundTrunkRequest) -> Message:
    wanted, numbers = listing.asked_ids(Kind.TRUNK, request.trunk_ids), listing.asked_numbers(request.numbers)
    calling = listing.numbers_of(asked.tables).calling
    found = [
        item
        for item in listing.trunks(asked.tables, lambda row: row.outbound is not None)
        if (not wanted or item.id in wanted) and listing.serves_one(calling.get(item.row.id, ()), numbers)
    ]
    page = listing.page_of(Kind.TRUNK, found, request.page if request.HasField("page") else None)
    infos = [objects.outbound_trunk(item.row, calling.get(item.row.id, ())) for item in page]
    return sip.ListSIPOutboundTrunkResponse(items=infos)


def _list_old(asked: Asked, request: sip.ListSIPTrunkRequest) -> Message:
    known = listing.numbers_of(asked.tables)
    found = listing.trunks(asked.tables, lambda row: True)
    page = listing.page_of(Kind.TRUNK, found, request.page if request.HasField("page") else None)
    infos = []
    for item in page:
        called = listing.called_numbers(item.row, known) if item.row.inbound is not None else ()
        infos.append(objects.old_trunk(item.row, called, known.calling.get(item.row.id, ())))
    return sip.ListSIPTrunkResponse(items=infos)


def _list_rules(asked: Asked, request: sip.ListSIPDispatchRuleRequest) -> Message:
    wanted = listing.asked_ids(Kind.RULE, request.dispatch_rule_ids)
    by_trunk = listing.asked_ids(Kind.TRUNK, request.trunk_ids)
    known = listing.numbers_of(asked.tables)
    found = [
        item
        for item in listing.rules(asked.tables)
        if (not wanted or item.id in wanted) and _is_for(item.row.trunks, by_trunk)
    ]
    page = listing.page_of(Kind.RULE, found, request.page if request.HasField("page") else None)
    infos = [objects.dispatch_rule(item.row, listing.rule_numbers(item.row, known)) for item in page]
    return sip.ListSIPDispatchRuleResponse(items=infos)


def _is_for(trunks: tuple[str, ...] | None, asked: frozenset[str]) -> bool:
    """LiveKit's trunk filter: a rule for every trunk always passes."""
    return not asked or trunks is None or any(objects.livekit_id(Kind.TRUNK, trunk) in asked for trunk in trunks)


def _get_inbound(asked: Asked, request: sip.GetSIPInboundTrunkRequest) -> Message:
    row_id = listing.existing(asked.tables, Kind.TRUNK, "sip_trunk_id", request.sip_trunk_id)
    row = asked.tables.trunk(row_id)
    if row is None or row.inbound is None:
        raise TwirpError(Code.NOT_FOUND, f"Trunk {row_id} takes no calls: it has no `inbound`")
    numbers = listing.called_numbers(row, listing.numbers_of(asked.tables))
    return sip.GetSIPInboundTrunkResponse(trunk=objects.inbound_trunk(row, numbers))


def _get_outbound(asked: Asked, request: sip.GetSIPOutboundTrunkRequest) -> Message:
    row_id = listing.existing(asked.tables, Kind.TRUNK, "sip_trunk_id", request.sip_trunk_id)
    row = asked.tables.trunk(row_id)
    if row is None or row.outbound is None:
        raise TwirpError(Code.NOT_FOUND, f"Trunk {row_id} places no calls: it has no `outbound`")
    numbers = listing.numbers_of(asked.tables).calling.get(row_id, ())
    return sip.GetSIPOutboundTrunkResponse(trunk=objects.outbound_trunk(row, numbers))


# -- changes -----------------------------------------------------------------------------------------------------------


def _creating(kind: Kind) -> Handler:
    example = {Kind.TRUNK: "with `inbound` or `outbound`", Kind.RULE: "with `trunkRefs` and `rule`"}[kind]

    def refuse(asked: Asked, request: Message) -> Message:
        del asked, request
        raise TwirpError(
            Code.FAILED_PRECONDITION,
            f"a {objects.LIVEKIT_WORD[kind]} is declared here, not created: write a manifest of kind {_WORD[kind]} "
            f"({example}) and run `reconcile apply DIR`; `reconcile schema` shows its fields",
        )

    return refuse


def _changing(kind: Kind, field: str, what: str) -> Handler:
    def refuse(asked: Asked, request: Message) -> Message:
        row_id = listing.existing(asked.tables, kind, field, getattr(request, field))
        place = asked.declared_at(kind, row_id)
        where = f"in {place}" if place else "elsewhere, as `reconcile status` tells"
        raise TwirpError(
            Code.FAILED_PRECONDITION,
            f"{_WORD[kind]} {row_id} is declared {where}: {what} there, and run `reconcile apply`",
            declared=place,
        )

    return refuse


# -- calls -------------------------------------------------------------------------------------------------------------


def _create_participant(asked: Asked, request: sip.CreateSIPParticipantRequest) -> Order:
    return dial_request(request, asked.tables)


def _transfer(asked: Asked, request: sip.TransferSIPParticipantRequest) -> Order:
    need(request, "room_name")
    asked.grants.need_room_admin(request.room_name)
    return transfer_request(request)


METHODS: Mapping[str, tuple[type[Message], Callable[[Grants], None], Handler]] = {
    "ListSIPTrunk": (sip.ListSIPTrunkRequest, Grants.need_sip_admin, _list_old),
    "ListSIPInboundTrunk": (sip.ListSIPInboundTrunkRequest, Grants.need_sip_admin, _list_inbound),
    "ListSIPOutboundTrunk": (sip.ListSIPOutboundTrunkRequest, Grants.need_sip_admin, _list_outbound),
    "ListSIPDispatchRule": (sip.ListSIPDispatchRuleRequest, Grants.need_sip_admin, _list_rules),
    "GetSIPInboundTrunk": (sip.GetSIPInboundTrunkRequest, Grants.need_sip_admin, _get_inbound),
    "GetSIPOutboundTrunk": (sip.GetSIPOutboundTrunkRequest, Grants.need_sip_admin, _get_outbound),
    "CreateSIPInboundTrunk": (sip.CreateSIPInboundTrunkRequest, Grants.need_sip_admin, _creating(Kind.TRUNK)),
    "CreateSIPOutboundTrunk": (sip.CreateSIPOutboundTrunkRequest, Grants.need_sip_admin, _creating(Kind.TRUNK)),
    "CreateSIPDispatchRule": (sip.CreateSIPDispatchRuleRequest, Grants.need_sip_admin, _creating(Kind.RULE)),
    "UpdateSIPInboundTrunk": (
        sip.UpdateSIPInboundTrunkRequest, Grants.need_sip_admin, _changing(Kind.TRUNK, "sip_trunk_id", "change it"),
    ),
    "UpdateSIPOutboundTrunk": (
        sip.UpdateSIPOutboundTrunkRequest, Grants.need_sip_admin, _changing(Kind.TRUNK, "sip_trunk_id", "change it"),
    ),
    "UpdateSIPDispatchRule": (
        sip.UpdateSIPDispatchRuleRequest,
        Grants.need_sip_admin,
        _changing(Kind.RULE, "sip_dispatch_rule_id", "change it"),
    ),
    "DeleteSIPTrunk": (
        sip.DeleteSIPTrunkRequest, Grants.need_sip_admin, _changing(Kind.TRUNK, "sip_trunk_id", "delete it"),
    ),
    "DeleteSIPDispatchRule": (
        sip.DeleteSIPDispatchRuleRequest,
        Grants.need_sip_admin,
        _changing(Kind.RULE, "sip_dispatch_rule_id", "delete it"),
    ),
    "CreateSIPParticipant": (sip.CreateSIPParticipantRequest, Grants.need_sip_call, _create_participant),
    "TransferSIPParticipant": (sip.TransferSIPParticipantRequest, Grants.need_sip_call, _transfer),
}  # fmt: skip
"""Every method of the service: its request, what the token must grant, and who answers."""
