"""What LiveKit Cloud does with phone numbers, as far as its messages, its documents and its CLI tell: for tests only.

Beside the trunks and rules of `livekit_stand_in` it has numbers on sale and numbers that were sold, pages through both
with opaque tokens, and never sells one twice. `sold` is the bill.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from google.protobuf.message import Message

from reconciler.targets.livekit.phone_numbers.messages import METHODS, Status, Type, message
from tests.livekit_stand_in import Refused, StandIn

LIMIT_USUAL = 50


def on_sale(number: str, area: str = "", type_: Type = Type.LOCAL, country: str = "US") -> Any:
    """A number that can be bought."""
    return message("PhoneNumber")(
        e164_format=number,
        country_code=country,
        area_code=area or number[2:5],
        number_type=type_,
        capabilities=["voice"],
    )


class Cloud(StandIn):
    """See the module. `provides` says which status a number has that was just bought."""

    def __init__(self, *offers: Any, page: int = 2) -> None:
        super().__init__()
        self._page = page
        self.has_numbers = True
        self.begin(*offers)

    def begin(self, *offers: Any) -> None:
        """Anew, with these numbers on sale."""
        self.held.clear()
        self.offers = {offer.e164_format: offer for offer in offers}
        self.numbers: dict[str, Any] = {}
        self.sold: list[str] = []
        self.released: list[str] = []
        self.provides = Status.OFFLINE
        self.lag = 0
        """How many lists a number that was just sold is missing in."""
        self._hidden: dict[str, int] = {}
        self._missing: set[str] = set()

    def by_hand(self, number: str, *rules: str, area: str = "") -> None:
        """A number that somebody has bought in the dashboard."""
        held = on_sale(number, area)
        held.id, held.status = f"PN_{number[1:]}", Status.ACTIVE if rules else Status.OFFLINE
        held.sip_dispatch_rule_ids.extend(rules)
        self.numbers[number] = held

    def show_all(self) -> None:
        """What was sold is in every list from now on."""
        self._hidden.clear()

    def rules_of(self, number: str) -> list[str]:
        return [*self.numbers[number].sip_dispatch_rule_ids]

    def call(self, method: str, body: bytes) -> Message:
        if method not in METHODS:
            return super().call(method, body)
        if not self.has_numbers:
            raise Refused(404, "unknown", "404 page not found")  # livekit-server says it in plain text, not in Twirp
        asked, answer = (message(name) for name in METHODS[method])
        does: dict[str, Callable[[Any], dict[str, Any]]] = {
            "SearchPhoneNumbers": self._search,
            "PurchasePhoneNumber": self._purchase,
            "ListPhoneNumbers": self._list,
            "UpdatePhoneNumber": self._update,
            "ReleasePhoneNumbers": self._release,
        }
        return answer(**does[method](asked.FromString(body)))

    def _search(self, asked: Any) -> dict[str, Any]:
        if not asked.country_code:
            raise Refused(400, "invalid_argument", "country_code is required")
        found = [
            offer
            for offer in self.offers.values()
            if offer.country_code == asked.country_code and asked.area_code in ("", offer.area_code)
        ]
        return self._paged(found, asked)

    def _list(self, asked: Any) -> dict[str, Any]:
        if not asked.HasField("page_token"):
            self._missing = {number for number, left in self._hidden.items() if left > 0}
            self._hidden = {number: left - 1 for number, left in self._hidden.items() if left > 0}
        shown = [held for number, held in self.numbers.items() if number not in self._missing]
        found = [held for held in shown if not asked.statuses or held.status in asked.statuses]
        offline = sum(held.status == Status.OFFLINE for held in found)
        return {**self._paged(found, asked), "total_count": len(found), "offline_count": offline}

    def _paged(self, found: Iterable[Any], asked: Any) -> dict[str, Any]:
        items, size = sorted(found, key=lambda one: one.e164_format), min(asked.limit or LIMIT_USUAL, self._page)
        start = int(asked.page_token.token.removeprefix("after-") or 0) if asked.HasField("page_token") else 0
        more = {"next_page_token": message("TokenPagination")(token=f"after-{start + size}")}
        return {"items": items[start : start + size], **(more if start + size < len(items) else {})}

    def _purchase(self, asked: Any) -> dict[str, Any]:
        for number in asked.phone_numbers:
            if number not in self.offers:
                raise Refused(404, "not_found", f"phone number {number} is not available")
        for number in asked.phone_numbers:
            held = self.offers.pop(number)
            held.id, held.status = f"PN_{number[1:]}", self.provides
            self.numbers[number] = held
            self.sold.append(number)
            self._hidden[number] = self.lag
            self._bind(number, asked.sip_dispatch_rule_id)
        return {"phone_numbers": [self.numbers[number] for number in asked.phone_numbers]}

    def _update(self, asked: Any) -> dict[str, Any]:
        if asked.phone_number not in self.numbers:
            raise Refused(404, "not_found", f"phone number {asked.phone_number} not found")
        if asked.HasField("sip_dispatch_rule_id"):
            self._bind(asked.phone_number, asked.sip_dispatch_rule_id)
        return {"phone_number": self.numbers[asked.phone_number]}

    def _bind(self, number: str, rule: str) -> None:
        if rule and rule not in self.held:
            raise Refused(404, "not_found", f"SIP dispatch rule {rule} not found")
        held = self.numbers[number]
        if held.status == Status.PENDING and rule:
            raise Refused(412, "failed_precondition", f"phone number {number} is pending")
        del held.sip_dispatch_rule_ids[:]
        held.sip_dispatch_rule_ids.extend([rule] if rule else [])
        if held.status != Status.PENDING:
            held.status = Status.ACTIVE if rule else Status.OFFLINE

    def _release(self, asked: Any) -> dict[str, Any]:
        for number in asked.phone_numbers:
            held = self.numbers.get(number)
            if held is None or held.status == Status.RELEASED:
                raise Refused(404, "not_found", f"phone number {number} not found")
            held.status = Status.RELEASED
            del held.sip_dispatch_rule_ids[:]
            self.released.append(number)
        return {}
