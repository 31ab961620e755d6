"""What a call is called in its room: the room's name, the caller's identity and name, and the `sip.*` attributes.

All as LiveKit makes them, so that agents written for it find the same names: the joining underscore is always there
(prefix `call-` gives `call-_+1415…`), and user parts are used as received, neither normalised nor escaped. The bridge
calls these for an admitted call, `explain` shows the pattern. Ours alone: an empty user part cannot fail.
"""

from __future__ import annotations

import hashlib

from schemas.tables.rows import Pairs, RoomKind, RuleRow

ANY_SUFFIX = "*"
"""Stands for the random part of a room's name in a pattern."""

MASKED_DIGITS = 4
MASKED_HASH_BYTES = 8


def room_name(rule: RuleRow, caller: str, called: str, suffix: str) -> str:
    """The room for this call. `suffix` (12 random characters) is used where the rule randomises."""
    if rule.kind is RoomKind.DIRECT:
        return rule.room_name
    shown_caller = masked(caller) if rule.hide_phone_number else caller
    number = shown_caller if rule.kind is RoomKind.INDIVIDUAL else called
    room = f"{rule.room_name}_{number}" if rule.room_name else number
    return f"{room}_{suffix}" if rule.randomize else room


def room_pattern(rule: RuleRow, caller: str, called: str) -> str:
    """The room's name with `*` for the random part, as a person reads it before the call."""
    return room_name(rule, caller, called, ANY_SUFFIX)


def identity(caller: str, *, hide: bool) -> str:
    """The participant's identity: `sip_<user>`, or hidden a hash that is the same for every call of one caller."""
    if not hide:
        return f"sip_{caller}"
    return f"sip_{_hash_of(caller)}"


def _hash_of(caller: str) -> str:
    return hashlib.sha256(caller.encode("utf-8", "surrogateescape")).digest()[:MASKED_HASH_BYTES].hex()


def display_name(caller: str, *, hide: bool) -> str:
    """The participant's name: `Phone <user>`, or hidden its last characters."""
    return f"Phone {masked(caller) if hide else caller}"


def masked(caller: str) -> str:
    """The last four characters of a number; of a number of four or fewer the last one."""
    return caller[-MASKED_DIGITS:] if len(caller) > MASKED_DIGITS else caller[-1:]


def anonymous(caller: str) -> str:
    """What stands for the number of a caller that wants it hidden: the same for each of its calls, and no number."""
    return f"anonymous-{_hash_of(caller)}"


def participant_attributes(
    rule: RuleRow,
    *,
    call_id: str,
    sip_call_id: str,
    remote_tag: str,
    trunk_id: str,
    rule_id: str,
    caller: str,
    caller_host: str,
    called: str,
    call_status: str,
    private: bool = False,
) -> Pairs:
    """The attributes of an inbound caller, sorted: the rule's own, then `sip.*`, which overwrite them.

    `call_id` is the `SCL_…` id, `sip_call_id` the Call-ID header, `remote_tag` the From tag; `trunk_id` and `rule_id`
    are the `ST_…` and `SDR_…` ids. A rule that hides numbers leaves out those of both sides and the caller's host; for
    a `private` caller its own are left out.
    """
    attributes = dict(rule.attributes)
    attributes |= {
        "sip.callID": call_id,
        "sip.callIDFull": sip_call_id,
        "sip.callTag": remote_tag,
        "sip.trunkID": trunk_id,
        "sip.ruleID": rule_id,
        "sip.callStatus": call_status,
    }
    if not rule.hide_phone_number:
        attributes["sip.trunkPhoneNumber"] = called
        if not private:
            attributes |= {"sip.phoneNumber": caller, "sip.hostname": caller_host}
    return tuple(sorted(attributes.items()))
