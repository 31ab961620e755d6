"""EDGE. livekit.PhoneNumberService through livekit-api's own Twirp client, whose Python has no class for it yet.

Searching, listing, assigning and releasing are the same done twice, and are tried again like other calls. A purchase is
sent once: where nobody knows its end, `Unsure` says that somebody has to look first.
"""

from __future__ import annotations

from typing import Any

from reconciler.targets.livekit.phone_numbers.holdings import HeldNumber, Numbers, Wish, held_number
from reconciler.targets.livekit.phone_numbers.messages import METHODS, SERVICE, message
from reconciler.targets.livekit.server import TRIES_MAX, CallFailed, Server

PAGE = 100
PAGES_MAX = 500
"""More pages than this are taken for a server that never ends."""
OFFER_PAGES_MAX = 10
"""So many pages of what is on sale are looked through for a number of the right type."""
_ABSENT = ("bad_route", "unknown")
"""What a server without this service says: livekit-server's 404 is not even Twirp's."""


class NoPhoneNumbers(CallFailed):
    """This server has no phone numbers of its own: it is no LiveKit Cloud."""


class PhoneNumbers:
    """The numbers of one project."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def listed(self, tries: int = TRIES_MAX) -> Numbers:
        """Every number that the project has. Raises NoPhoneNumbers, CallFailed."""
        items = await self._pages("ListPhoneNumbers", PAGES_MAX, tries)
        return {held.number: held for held in items if held.is_held}

    async def offers(self, wish: Wish) -> list[HeldNumber]:
        """Numbers on sale that are what is wished for, in the server's order; none where it has none."""
        area = {"area_code": wish.area} if wish.area else {}
        items = await self._pages("SearchPhoneNumbers", OFFER_PAGES_MAX, TRIES_MAX, country_code=wish.country, **area)
        return [offer for offer in items if wish.takes(offer)]

    async def purchase(self, number: str) -> HeldNumber | None:
        """Buy exactly this number; None: the answer does not speak of it. Raises Unsure, CallFailed."""
        bought = await self._ask("PurchasePhoneNumber", again=False, phone_numbers=[number])
        answered = [held_number(item) for item in bought.phone_numbers]
        return next((held for held in answered if held is not None and held.number == number), None)

    async def assign(self, number: str, rule_id: str) -> None:
        """Have its calls go to this rule, and to it alone; "" = to none."""
        await self._ask("UpdatePhoneNumber", phone_number=number, sip_dispatch_rule_id=rule_id)

    async def release(self, number: str) -> None:
        """Give it back. One that is gone already is no fault."""
        try:
            await self._ask("ReleasePhoneNumbers", phone_numbers=[number])
        except CallFailed as failed:
            if not failed.missing:
                raise

    async def _pages(self, method: str, pages_max: int, tries: int, **asked: Any) -> list[HeldNumber]:
        found: list[HeldNumber] = []
        token, seen = "", set[str]()
        for _ in range(pages_max):
            page = {"page_token": message("TokenPagination")(token=token)} if token else {}
            answer = await self._ask(method, tries=tries, limit=PAGE, **asked, **page)
            found += [held for item in answer.items if (held := held_number(item)) is not None]
            token = answer.next_page_token.token
            if not token:
                return found
            if token in seen:
                raise CallFailed(f"{self._server.host} pages through its numbers without end")
            seen.add(token)
        if method == "ListPhoneNumbers":
            raise CallFailed(f"{self._server.host} lists more than {pages_max * PAGE:,} numbers")
        return found

    async def _ask(self, method: str, *, again: bool = True, tries: int = TRIES_MAX, **fields: Any) -> Any:
        request, answer = METHODS[method]
        try:
            asked, expected = message(request)(**fields), message(answer)
            return await self._server.ask(SERVICE, method, asked, expected, again=again, tries=tries)
        except CallFailed as failed:
            if failed.refused and (failed.code == "unimplemented" or (failed.missing and failed.code in _ABSENT)):
                what = f"{self._server.host} has no phone numbers of its own: only LiveKit Cloud sells them"
                raise NoPhoneNumbers(what, refused=True, code=failed.code) from failed
            raise
