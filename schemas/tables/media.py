"""What the media wishes of a trunk and a rule come to for one call, and whether this version can honour them.

Part of the decision, so that `explain` refuses what the bridge would refuse: a call whose winning rows ask for what is
not in effect is turned away, never let through without it.
"""

from __future__ import annotations

from schemas.tables.decisions import Reason, Refused, refused
from schemas.tables.naming import room_pattern
from schemas.tables.rows import NO_WISHES, Media, RuleRow, TrunkRow

CODECS = ("opus", "g722", "pcmu", "pcma")
"""What the bridge speaks on the phone leg, in its own order of preference: the best sound that the peer has."""

ROOM_NAME_CHARS_MAX = 256
"""LiveKit's bound for a room name, which may come from the number that a caller dialled."""


def merged_media(trunk: Media, rule: Media) -> Media:
    """Trunk, then rule, as LiveKit merges: the later one wins, but cannot switch off the trunk's encryption."""
    encryption = rule.encryption if rule.encryption not in (None, "disable") else trunk.encryption or rule.encryption
    return Media(
        codecs=rule.codecs or trunk.codecs,
        encryption=encryption,
        room_codec=rule.room_codec or trunk.room_codec,
        dtmf=rule.dtmf or trunk.dtmf,
        keying=rule.keying or trunk.keying,
        timeout_ms=trunk.timeout_ms if rule.timeout_ms is None else rule.timeout_ms,
    )


def codecs_of(media: Media) -> tuple[str, ...]:
    """The codecs that a call may use, best first: the declared ones that it speaks, else all."""
    return tuple(name for name in media.codecs or CODECS if name in CODECS)


def not_honoured(trunk: TrunkRow, rule: RuleRow, caller: str, called: str) -> Refused | None:
    """Why a call that these rows admit is refused all the same, or None."""
    if trunk.media is not NO_WISHES or rule.media is not NO_WISHES:
        refusal = _media_refusal(trunk, rule)
        if refusal is not None:
            return refusal
    room = room_pattern(rule, caller, called)
    if not 0 < len(room) <= ROOM_NAME_CHARS_MAX:
        sentence = f"the room's name would have {len(room)} characters, 1 to {ROOM_NAME_CHARS_MAX} are allowed"
        hint = f"give DispatchRule {rule.id} a roomPrefix, or a direct room"
        return refused(Reason.ROOM_NAME, sentence, hint, trunk=trunk, rule=rule)
    return None


def _media_refusal(trunk: TrunkRow, rule: RuleRow) -> Refused | None:
    media = merged_media(trunk.media, rule.media)
    if not codecs_of(media):
        sentence = f"none of the declared codecs ({', '.join(media.codecs)}) is spoken here"
        hint = f"add one of {', '.join(CODECS)} to spec.media.codecs"
        return refused(Reason.NO_CODEC, sentence, hint, trunk=trunk, rule=rule)
    return None
