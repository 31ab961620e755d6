"""What each member of a room hears: all the others, never itself (mix-minus).

Called once per tick and room, with one encoded frame (160 bytes, or None for silence) of each member. It promises:

* Nothing is decoded where one other member is audible: its very frame goes through, or one table look-up changes the
  law.
* A sum is exact. It is built once for all, in 32 bits with room for 128 voices at full scale, a member's own voice is
  taken out of the unclipped sum, and only the result is clipped. Sums in 16 bits would be clipped half-way, and
  taking a voice out of a clipped sum leaves its distortion behind: as many multiplications less, but audibly wrong.

A frame of digital silence counts as None.
"""

from __future__ import annotations

import audioop
from collections.abc import Iterable, Sequence
from typing import Final

from runtime.media.codecs.g711 import SILENCE, Law, decode_wide, encode_wide, transcode

_HEADROOM: Final = 256
"""A sample of 16 bits in the top half of a word of 32, divided by this, leaves 8 bits for carries."""


def mix(frames: Sequence[bytes | None], laws: Sequence[Law]) -> list[bytes | None]:
    """For each member, in its own law, the frame of all others together; None where they are silent."""
    audible = _audible(frames, laws)
    if not audible:
        return [None] * len(frames)
    if len(audible) > 2:
        return _mix_many(frames, laws, audible)
    to_all: dict[Law, bytes] = {}
    if len(audible) == 2 and len(frames) > 2:
        to_all = _for_all(_total(_voices(audible).values()), laws)
    return [_heard_of_two(member, law, audible, to_all) for member, law in enumerate(laws)]


def heard_outside(frames: Sequence[bytes | None], laws: Sequence[Law], law: Law) -> bytes | None:
    """All members in one, in `law`, for a listener who is none of them; None when all are silent."""
    audible = _audible(frames, laws)
    if len(audible) <= 1:
        return next((transcode(own, law, frame) for own, frame in audible.values()), None)
    return _for_all(_total(_voices(audible).values()), (law,))[law]


def together(frames: Sequence[bytes | None], laws: Sequence[Law]) -> bytes | None:
    """All members in one: linear samples of 16 bits, clipped once; None when all are silent. For a recording."""
    audible = _audible(frames, laws)
    if not audible:
        return None
    return audioop.lin2lin(audioop.mul(_total(_voices(audible).values()), 4, _HEADROOM), 4, 2)


def _audible(frames: Sequence[bytes | None], laws: Sequence[Law]) -> dict[int, tuple[Law, bytes]]:
    return {
        member: (law, frame)
        for member, (frame, law) in enumerate(zip(frames, laws, strict=True))
        if frame is not None and frame != SILENCE[law]
    }


def _heard_of_two(
    member: int, law: Law, audible: dict[int, tuple[Law, bytes]], to_all: dict[Law, bytes]
) -> bytes | None:
    """What a member hears when one or two are audible."""
    others = [voice for speaker, voice in audible.items() if speaker != member]
    if not others:
        return None
    if len(others) == 1:
        return transcode(others[0][0], law, others[0][1])
    return to_all[law]


def _mix_many(
    frames: Sequence[bytes | None], laws: Sequence[Law], audible: dict[int, tuple[Law, bytes]]
) -> list[bytes | None]:
    voices = _voices(audible)
    total = _total(voices.values())
    to_all = _for_all(total, laws) if len(audible) < len(frames) else {}
    minus_total = audioop.mul(total, 4, -1)
    heard: list[bytes | None] = []
    for member, law in enumerate(laws):
        own = voices.get(member)
        if own is None:
            heard.append(to_all[law])
        else:
            heard.append(encode_wide(law, audioop.mul(audioop.add(minus_total, own, 4), 4, -_HEADROOM)))
    return heard


def _voices(audible: dict[int, tuple[Law, bytes]]) -> dict[int, bytes]:
    return {member: audioop.mul(decode_wide(law, frame), 4, 1 / _HEADROOM) for member, (law, frame) in audible.items()}


def _total(voices: Iterable[bytes]) -> bytes:
    total = b""
    for voice in voices:
        total = audioop.add(total, voice, 4) if total else voice
    return total


def _for_all(total: bytes, laws: Sequence[Law]) -> dict[Law, bytes]:
    """The sum for those who do not speak: encoded once per law."""
    full = audioop.mul(total, 4, _HEADROOM)
    return {law: encode_wide(law, full) for law in set(laws)}
