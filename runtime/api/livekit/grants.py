"""CORE. Who asks, by the token they bring: a JWT signed with the LiveKit API key, and what it grants.

HS256 alone, our own key alone, `exp` required. LiveKit answers every lack of permission with Twirp's `unauthenticated`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from runtime.api.livekit.limits import CLOCK_LEEWAY_S
from runtime.api.livekit.twirp import Code, TwirpError

_BEARER = "Bearer "
_TIME_MAX = 1 << 48
_UNSEEN = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False, "verify_sub": False}


@dataclass(frozen=True, slots=True)
class Grants:
    """What a token allows, as far as it matters to SIP. `room` is the room that `room_admin` is about."""

    sip_admin: bool = False
    sip_call: bool = False
    room_admin: bool = False
    room: str = ""

    def need_sip_admin(self) -> None:
        """Raise TwirpError unless trunks and rules may be seen and managed."""
        if not self.sip_admin:
            raise _refused("the token does not grant sip.admin")

    def need_sip_call(self) -> None:
        """Raise TwirpError unless calls may be placed and transferred."""
        if not self.sip_call:
            raise _refused("the token does not grant sip.call")

    def need_room_admin(self, room: str) -> None:
        """Raise TwirpError unless this room may be managed."""
        if not self.room_admin or self.room != room:
            raise _refused("the token does not grant video.roomAdmin for this room")


def grants_of(authorization: str, api_key: str, api_secret: str, now: float) -> Grants:
    """What the header `Authorization: Bearer JWT` grants at `now`, Unix time. Raises TwirpError."""
    if not authorization.startswith(_BEARER):
        raise _refused("invalid authorization header. Must start with Bearer")
    claims = _claims(authorization.removeprefix(_BEARER).strip(), api_key, api_secret)
    expires, begins = _time(claims.get("exp")), _time(claims.get("nbf", 0))
    if expires is None or begins is None:
        raise _refused("invalid token: it needs the claim exp, as Unix time, and nbf likewise if it has one")
    if now > expires + CLOCK_LEEWAY_S:
        raise _refused("invalid token: it has expired; sign a new one")
    if now < begins - CLOCK_LEEWAY_S:
        raise _refused("invalid token: it is not valid yet; compare the clocks of the two machines")
    sip, video = _part(claims, "sip"), _part(claims, "video")
    room = video.get("room")
    return Grants(
        sip_admin=sip.get("admin") is True,
        sip_call=sip.get("call") is True,
        room_admin=video.get("roomAdmin") is True,
        room=room if isinstance(room, str) else "",
    )


def _claims(token: str, api_key: str, api_secret: str) -> Mapping[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(token, api_secret, algorithms=["HS256"], options=_UNSEEN)  # type: ignore[arg-type]
    except jwt.InvalidSignatureError as fault:
        raise _refused(
            "invalid token: it was signed with another secret than this bridge's LIVEKIT_API_SECRET"
        ) from fault
    except jwt.InvalidAlgorithmError as fault:
        raise _refused("invalid token: it must be signed with HS256") from fault
    except (jwt.PyJWTError, ValueError, RecursionError) as fault:
        raise _refused("invalid authorization token") from fault
    if claims.get("iss") != api_key:
        raise _refused("invalid API key: the token is of another one than this bridge's LIVEKIT_API_KEY")
    return claims


def _part(claims: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = claims.get(name)
    return part if isinstance(part, dict) else {}


def _time(value: object) -> float | None:
    """Unix time in a claim; None when it is something else, or no time that a clock could ever show."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if -_TIME_MAX < value < _TIME_MAX else None


def _refused(why: str) -> TwirpError:
    return TwirpError(Code.UNAUTHENTICATED, why)
