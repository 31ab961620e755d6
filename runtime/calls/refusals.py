"""What is written down of a call that is refused: its record with the reason, the trail and the hint."""

from __future__ import annotations

from dataclasses import replace

from runtime.calls.arrival import read_arrival
from runtime.calls.reasons import EndReason
from runtime.calls.record import CallRecord, EndedBy
from runtime.routing.route import Rejection, route
from runtime.sip.errors import SipSyntaxError
from runtime.sip.events import InviteTurnedAway
from schemas.tables.naming import masked
from schemas.tables.tables import Tables


def refused(record: CallRecord, rejection: Rejection, now_wall: float) -> CallRecord:
    """The record of a call that was refused so. A rule that hides numbers hides this one, too."""
    record = replace(
        record,
        trunk=record.trunk or rejection.trunk,
        rule=record.rule or rejection.rule,
        trail=rejection.trail,
        hint=rejection.hint,
    )
    if rejection.hides_caller:
        record = replace(record, from_user=masked(record.from_user))
    return record.ended(now_wall, rejection.sip_status, rejection.code, rejection.words, EndedBy.BRIDGE)


def turned_away(tables: Tables, event: InviteTurnedAway, record: CallRecord, now_wall: float) -> CallRecord:
    """The record of a stranger's INVITE, which the endpoint has answered already."""
    try:
        arrival = read_arrival(event.request, event.path)
    except SipSyntaxError as fault:
        return refused(record, Rejection(event.status, EndReason.SYNTAX, fault.reason), now_wall)
    verdict = route(tables, arrival, record.region, record.call_id, "")
    assert isinstance(verdict, Rejection), "no trunk takes calls from there"
    return refused(replace(record, from_user=arrival.caller, to_user=arrival.called), verdict, now_wall)
