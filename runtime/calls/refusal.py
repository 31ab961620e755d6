"""A refused INVITE: what its sender is told, and what is written down. The two are not the same."""

from __future__ import annotations

from dataclasses import replace

from runtime.calls.arrival import read_arrival
from runtime.calls.reasons import EndReason
from runtime.calls.record import CallRecord, EndedBy
from runtime.limits import RETRY_AFTER_S
from runtime.routing.route import Rejection, route
from runtime.sip.errors import SipSyntaxError
from runtime.sip.events import InviteTurnedAway
from runtime.sip.fields import write_warning
from runtime.sip.streams import WARNING_OTHER
from schemas.tables.naming import masked
from schemas.tables.tables import Tables


def warning(words: str) -> tuple[str, str]:
    """The header that tells a known trunk why (RFC 3261 section 20.43)."""
    return "Warning", write_warning(WARNING_OTHER, words)


def headers_of(rejection: Rejection) -> list[tuple[str, str]]:
    """What the answer carries."""
    headers = list(rejection.headers)
    if rejection.sip_status == 503:
        headers.append(("Retry-After", str(RETRY_AFTER_S)))
    if rejection.trunk and not rejection.untold:  # a stranger is told nothing about what is declared here
        headers.append(warning(rejection.words))
    return headers


def record_of(record: CallRecord, rejection: Rejection, now_wall: float) -> CallRecord:
    """`record` with the refusal as its end. A rule that hides numbers hides this one, too."""
    record = replace(
        record,
        trunk=record.trunk or rejection.trunk,
        rule=record.rule or rejection.rule,
        from_user=masked(record.from_user) if rejection.hides_caller else record.from_user,
        trail=rejection.trail,
        hint=rejection.hint,
    )
    return record.ended(now_wall, rejection.sip_status, rejection.code, rejection.words, EndedBy.BRIDGE)


def turned_away(tables: Tables, event: InviteTurnedAway, record: CallRecord, now_wall: float) -> CallRecord:
    """The record of a stranger's INVITE, which the endpoint has answered already."""
    try:
        arrival = read_arrival(event.request, event.path)
    except SipSyntaxError as fault:
        return record_of(record, Rejection(event.status, EndReason.SYNTAX, fault.reason), now_wall)
    verdict = route(tables, arrival, record.region, record.call_id, "")
    assert isinstance(verdict, Rejection), "no trunk takes calls from there"
    return record_of(replace(record, from_user=arrival.shown_caller, to_user=arrival.called), verdict, now_wall)
