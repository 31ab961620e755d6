"""CORE. Numbers as LiveKit's service lists them, parsed at the door, and what a document asks to be bought.

What a server says is taken only as far as it makes sense: an item that is no E.164 number is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.targets.livekit.phone_numbers.messages import Status, Type
from reconciler.targets.livekit.spelling import is_id
from schemas import ids
from schemas.resources.phone_number import Purchase

NUMBERS_SHOWN_MAX = 5
NO_ID = "?"
"""In the place of an id that cannot be one: it is nobody's, and may be shown."""
CALLING_CODE_DIGITS_MIN = 1
CALLING_CODE_DIGITS_MAX = 3
_NORTH_AMERICAN = {"US", "CA"}
_TOLL_FREE = {"800", "833", "844", "855", "866", "877", "888"}
_PREMIUM = {"900"}
_TYPES = {"local": Type.LOCAL, "tollFree": Type.TOLL_FREE}
_WORDS = {"local": "local", "tollFree": "toll-free"}


@dataclass(frozen=True, slots=True)
class HeldNumber:
    """A number of the project, or one on sale. `rules` are ids of the dispatch rules that its calls go to."""

    number: str
    id: str = ""
    country: str = ""
    area: str = ""
    type: int = Type.UNKNOWN
    status: int = Status.UNSPECIFIED
    rules: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()

    @property
    def is_held(self) -> bool:
        """Whether it is the project's: ready, being provided, or bound to no rule."""
        return self.status != Status.RELEASED


Numbers = Mapping[str, HeldNumber]
"""The numbers of a project by E.164."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a document asks to be bought."""

    country: str
    area: str
    type: str

    def __str__(self) -> str:
        where = f"{self.country}/{self.area}" if self.area else self.country
        return f"a {_WORDS.get(self.type, self.type)} number in {where}"

    def may_be(self, held: HeldNumber) -> bool:
        """Whether a number that is held may have been bought for this; what is not told of it may be anything."""
        return (
            held.country in ("", self.country)
            and (not self.area or held.area in ("", self.area))
            and held.type in (Type.UNKNOWN, _TYPES.get(self.type))
        )

    def takes(self, offer: HeldNumber) -> bool:
        """Whether a number on sale is to be bought: what was asked for, and one that can be called."""
        is_voice = not offer.capabilities or "voice" in offer.capabilities
        is_there = offer.country == self.country and (not self.area or offer.area == self.area)
        return is_voice and is_there and offer.type == _TYPES.get(self.type) and self._is_spelt_in(offer.number)

    def _is_spelt_in(self, number: str) -> bool:
        """Whether the digits say the same as the server does: +1 900 is billed by the minute, whatever it is called.

        https://www.nanpa.com/numbering/numbering-plan-area-codes
        """
        if self.country not in _NORTH_AMERICAN:
            at = range(CALLING_CODE_DIGITS_MIN + 1, CALLING_CODE_DIGITS_MAX + 2)
            return not number.startswith("+1") and (not self.area or any(number.startswith(self.area, i) for i in at))
        area = number[2:5]
        is_right = (area in _TOLL_FREE) == (self.type == "tollFree") and area not in _PREMIUM
        return number.startswith("+1") and len(number) == 12 and is_right and self.area in ("", area)


def wish_of(purchase: Purchase) -> Wish:
    """What `spec.purchase` asks for. A toll-free number's area code is its prefix (`800`)."""
    return Wish(purchase.country_code, purchase.area_code or "", purchase.type)


def held_number(item: Any) -> HeldNumber | None:
    """A PhoneNumber message as a value; None: it names no number."""
    if not ids.is_e164(item.e164_format):
        return None
    said = [*item.sip_dispatch_rule_ids] or [item.sip_dispatch_rule_id] * bool(item.sip_dispatch_rule_id)
    rules = [id_ if is_id(id_) else NO_ID for id_ in said]
    return HeldNumber(
        number=item.e164_format,
        id=item.id if is_id(item.id) else "",
        country=item.country_code,
        area=item.area_code,
        type=item.number_type,
        status=item.status,
        rules=tuple(rules),
        capabilities=tuple(part.strip().lower() for text in item.capabilities for part in text.split(",")),
    )


def named(numbers: list[str]) -> str:
    """Numbers in a message, the first few of them."""
    more = len(numbers) - NUMBERS_SHOWN_MAX
    return ", ".join(numbers[:NUMBERS_SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")
