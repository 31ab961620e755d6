"""Digest as the one who is asked: the answer to a challenge of a request of ours (RFC 7616 section 3.4, RFC 8760).

One `Authorizer` per leg that we began with a login. It answers for one realm only: the login's, or else the first that
asked, and keeps to that; and of several challenges the one with the strongest algorithm, whatever their order
(RFC 8760 section 2.5 leaves that to local policy). Whether a challenge may be answered at all, because it came from
where the call was sent, is the endpoint's to know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from runtime.sip.auth.digest import ALGORITHMS, Algorithm, Exchange, read_algorithm, response
from runtime.sip.auth.headers import Challenge, Credentials, parse_challenges, parse_credentials
from runtime.sip.errors import SipSyntaxError
from runtime.sip.message import Headers, Request, Response

T = TypeVar("T", Challenge, Credentials)

QOP = "auth"
CNONCE_BYTES = 16

_FIELDS = {401: ("WWW-Authenticate", "Authorization"), 407: ("Proxy-Authenticate", "Proxy-Authorization")}
"""RFC 3261 sections 22.2 and 22.3: which field asks, and which one answers."""


@dataclass(frozen=True, slots=True)
class Login:
    """What we prove to be. `realm` "": whichever asks first, and that one alone."""

    username: str
    password: bytes = field(repr=False)
    realm: str = ""
    algorithms: tuple[Algorithm, ...] = ALGORITHMS


class Authorizer:
    """Answers challenges with one login. `entropy(n)` gives n unpredictable bytes."""

    def __init__(self, login: Login, entropy: Callable[[int], bytes]) -> None:
        self._login = login
        self._entropy = entropy
        self._realm = login.realm
        self._nonce = ""
        self._count = 0

    def answer(self, request: Request, refused: Response) -> tuple[str, str] | None:
        """The header line that this request needs to be tried again with; None: it cannot be helped."""
        fields = _FIELDS.get(refused.status)
        if fields is None:
            return None
        asking, answering = fields
        chosen = self._chosen(_readable(parse_challenges, refused.headers, asking))
        if chosen is None:
            return None
        challenge, algorithm, by_session = chosen
        if not challenge.stale and _has_answered(request, answering, challenge.realm):
            return None  # they have seen the password, and do not want it
        self._realm = challenge.realm
        return answering, str(self._credentials(request, challenge, algorithm, by_session=by_session))

    def _chosen(self, challenges: list[Challenge]) -> tuple[Challenge, Algorithm, bool] | None:
        """The strongest challenge that can be answered; of equals the first."""
        found: list[tuple[int, int, Challenge, Algorithm, bool]] = []
        for place, challenge in enumerate(challenges):
            known = read_algorithm(challenge.algorithm)
            if known is None or known[0] not in self._login.algorithms:
                continue
            if self._realm in ("", challenge.realm) and (not challenge.qop or QOP in challenge.qop):
                found.append((ALGORITHMS.index(known[0]), place, challenge, *known))
        return min(found, key=lambda entry: entry[:2])[2:] if found else None

    def _credentials(
        self, request: Request, challenge: Challenge, algorithm: Algorithm, *, by_session: bool
    ) -> Credentials:
        self._count = self._count + 1 if challenge.nonce == self._nonce else 1
        self._nonce = challenge.nonce
        qop = QOP if challenge.qop else None
        nc = f"{self._count:08x}" if qop else ""
        cnonce = self._entropy(CNONCE_BYTES).hex() if qop or by_session else ""
        exchange = Exchange(request.method, request.uri, challenge.realm, challenge.nonce, qop, nc, cnonce)
        login = self._login
        return Credentials(
            login.username,
            challenge.realm,
            challenge.nonce,
            request.uri,
            response(algorithm, exchange, login.username, login.password, by_session=by_session),
            challenge.algorithm,
            qop,
            nc,
            cnonce,
            challenge.opaque,
        )


def authorization_of(request: Request) -> list[tuple[str, str]]:
    """The credentials of a request: its ACK has to carry the same (RFC 3261 section 22.1)."""
    names = [answering for _, answering in _FIELDS.values()]
    return [(name, value) for name, value in request.headers.items() if name in names]


def _readable(parse: Callable[[list[str], str], list[T]], headers: Headers, name: str) -> list[T]:
    """The values of all header lines that can be read: a broken one must not hide the others."""
    out: list[T] = []
    for line in headers.all(name):
        try:
            out += parse([line], name)
        except SipSyntaxError:
            continue
    return out


def _has_answered(request: Request, name: str, realm: str) -> bool:
    return any(given.realm == realm for given in _readable(parse_credentials, request.headers, name))
