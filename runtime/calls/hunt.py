"""One phone is called by the ways to its trunk, one after the other, until one has an answer. A core.

The same for calls of ours (`dialler`) and for the number that a phone asks to be sent on to (`referrals`). Where a
trunk has several addresses the next one is tried when one says nothing at all, is not reached, or says 503 before it
rang (RFC 3263 section 4.3), with the same Call-ID and From tag: who gets the INVITE by two ways sees that it is one
(482, RFC 3261 section 8.2.2.2). One that says anything later is cancelled at once. A phone that rang, is busy or
declines is not called by another way. A redirect is followed within the trunk. What was met where is noted down for the
calls that follow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from runtime.calls.redirects import Redirect, redirect_of
from runtime.routing.dial import NamedAddress, Way, route_of, uri_of
from runtime.routing.headers import merged
from runtime.routing.place import Placement
from runtime.sip.endpoint import Endpoint
from runtime.sip.fields import NameAddr, parse_seconds
from runtime.sip.locating import Hop, hop_of
from runtime.sip.message import Response
from runtime.sip.responses import made_here
from runtime.sip.uri import Uri
from runtime.trunks.circuits import Circuits
from schemas.tables.rows import Pairs

SILENCE_S: Final = 4.0
"""How long an address may say nothing, not even 100, before the next one is tried. RFC 3263 would wait for 32 s."""

NOT_ACCEPTABLE: Final = frozenset({415, 488, 606})
"""Refusals of the media that is offered."""

HUNT_S: Final = 32.0
"""How long addresses are tried in all; the last one that was begun may take its own time."""

NOWHERE: Final = Hop("", ("", 0))


@dataclass(slots=True, kw_only=True)
class Hunt:
    """How far it has come; `ways` are those that are still to be tried. Times are on the monotonic clock."""

    tag: str
    """From tag of every INVITE."""
    placement: Placement
    offer: bytes
    ways: list[Way]
    known_ways: Sequence[Way]
    """All of the trunk, tried or not: it is sent on nowhere else."""
    user: str
    """What is dialled; a phone may have sent the call on."""
    headers: Pairs = ()
    """What the room says by its participant's attributes."""
    leg: int | None = None
    """The endpoint's handle of the newest INVITE; None where none is under way."""
    sip_call_id: str = ""
    hop: Hop = NOWHERE
    """Where it was sent last."""
    last: Way | None = None
    hunts_until: float = field(default=float("inf"))
    """Until when further ways are tried."""
    tried_until: float = field(default=float("inf"))
    """When the next way is tried, if nothing at all was heard by this one."""
    rang: bool = False
    dialled: frozenset[Redirect] = frozenset()
    """What was dialled where."""
    redirects: int = 0
    """How often the call was sent on by 3xx."""
    insist: Callable[[], bytes | None]
    """Gives the offer of encrypted media alone, for who refuses one in which keys are optional; None without such."""


@dataclass(frozen=True, slots=True)
class Lost:
    """There is no other way. `unreached`: no phone has said so, no connection can be made."""

    unreached: bool
    redirect: str = ""
    """Why a redirect was not followed, in words."""


class Hunter:
    """One per bridge. After each step `hunt.leg` is the INVITE that is under way; `now` is monotonic seconds."""

    def __init__(self, endpoint: Endpoint, circuits: Circuits) -> None:
        self._endpoint = endpoint
        self._circuits = circuits

    def order(self, ways: Sequence[Way], now: float) -> list[Way]:
        """The ways in the order in which they are tried: dead addresses come last."""
        return self._circuits.order(ways, lambda way: hop_of(way[1]), now)

    def begin(self, hunt: Hunt, now: float) -> None:
        """Call by the first way."""
        hunt.hunts_until = now + HUNT_S
        self._next(hunt, now)

    def heard(self, hunt: Hunt, response: Response, now: float) -> None:
        """It rings, or is answered."""
        hunt.rang = hunt.rang or response.status >= 180
        self._circuits.answered(hunt.hop, response.status, now)

    def rejected(self, hunt: Hunt, response: Response, now: float) -> Lost | None:
        """A final answer of 300 and more; None where the phone is called by another way now."""
        hunt.leg, unreached = None, made_here(response)
        self._note(hunt.hop, response, unreached=unreached, now=now)
        refused = self._redirected(hunt, response, now) if 300 <= response.status < 400 else ""
        if response.status in NOT_ACCEPTABLE:
            self._insist(hunt, now)
        if hunt.leg is None and response.status == 503 and not hunt.rang:
            self._try_next(hunt, now)
        return Lost(unreached, refused) if hunt.leg is None else None

    def timed_out(self, hunt: Hunt, now: float) -> bool:
        """Nothing came at all; whether there is another way, by which the phone is called now."""
        hunt.leg = None
        self._circuits.failed(hunt.hop, "no answer", now)
        return self._try_next(hunt, now)

    def moves_on(self, hunt: Hunt, now: float) -> bool:
        """Whether an address has said nothing for so long that the next one is tried now."""
        if hunt.leg is None or not hunt.ways or not hunt.tried_until <= now < hunt.hunts_until:
            return False
        if self._endpoint.is_heard(hunt.leg):
            return False
        self._circuits.failed(hunt.hop, "no answer", now)
        self._endpoint.cancel(hunt.leg, now)
        self._next(hunt, now)
        return True

    # -- parts -----------------------------------------------------------------------------------------------------

    def _try_next(self, hunt: Hunt, now: float) -> bool:
        if hunt.ways and now < hunt.hunts_until:
            self._next(hunt, now)
        return hunt.leg is not None

    def _insist(self, hunt: Hunt, now: float) -> None:
        """Who takes no keys within RTP/AVP (RFC 8643) may want RTP/SAVP. It is another offer, so another call."""
        offer = hunt.insist()
        if offer is not None:
            assert hunt.last is not None, "it was dialled"
            hunt.offer, hunt.sip_call_id = offer, ""
            self._call_by(hunt, hunt.last, now)

    def _next(self, hunt: Hunt, now: float) -> None:
        self._call_by(hunt, hunt.ways.pop(0), now)

    def _call_by(self, hunt: Hunt, way: Way, now: float) -> None:
        hop, path = hunt.last = way
        hunt.dialled |= {Redirect(hunt.user, way)}
        hunt.hop, hunt.rang = hop_of(path), False
        self._circuits.trying(hunt.hop, now)
        placement = hunt.placement
        hunt.leg = self._endpoint.invite(
            str(uri_of(replace(hop, user=hunt.user))),
            path,
            now,
            from_=_name_addr(placement.from_, self._endpoint.facing.host(path)),
            to=str(NameAddr("", str(Uri("sip", placement.to_user, None, hop.host)))),
            headers=merged(route_of(hop), _vouching(placement, path.local[0]), hunt.headers, placement.invite_headers),
            body=hunt.offer,
            local_tag=hunt.tag,
            # To whom sends a call on it is another one: the same again could be a merged request there (482).
            call_id="" if hunt.redirects else hunt.sip_call_id,
            login=placement.login,
        )
        hunt.tried_until = now + SILENCE_S
        info = self._endpoint.leg_info(hunt.leg)
        assert info is not None, "just begun"
        hunt.sip_call_id = info.call_id

    def _note(self, hop: Hop, response: Response, *, unreached: bool, now: float) -> None:
        """What a refusal says of the address that it came from."""
        rest_s = parse_seconds(response.headers.first("Retry-After"))
        if unreached:
            self._circuits.failed(hop, response.reason, now)
        elif response.status == 503 and rest_s:
            self._circuits.rests(hop, rest_s, now)
        else:
            self._circuits.answered(hop, response.status, now)

    def _redirected(self, hunt: Hunt, response: Response, now: float) -> str:
        """Dial where the phone sends the call on; or why not, in words."""
        outbound = hunt.placement.trunk.outbound
        assert outbound is not None, "only such trunks place calls"
        assert hunt.last is not None, "it was dialled"
        found = redirect_of(response, outbound, hunt.known_ways, hunt.last, hunt.dialled, hunt.redirects)
        if isinstance(found, str):
            return found
        hunt.redirects += 1
        hunt.user = found.user
        self._call_by(hunt, found.way, now)
        return ""


def _name_addr(named: NamedAddress, own_host: str) -> str:
    uri = uri_of(replace(named.address, host=named.address.host or own_host))
    return str(NameAddr(named.display_name, str(uri)))


def _vouching(placement: Placement, own_host: str) -> Pairs:
    """The header by which the trunk vouches for the caller's number (RFC 3325 section 9.1)."""
    if placement.identity_header == "none" or not placement.vouched:
        return ()
    uri = Uri("sip", placement.vouched, None, placement.from_.address.host or own_host)
    screened = ";party=calling;screen=yes;privacy=off" if placement.identity_header == "Remote-Party-ID" else ""
    return ((placement.identity_header, f"<{uri}>{screened}"),)
