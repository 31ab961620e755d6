"""Digest as the one who asks: challenges, and whether what came in answer is right (RFC 7616 section 3, RFC 8760).

The call layer asks about one request at a time; no nonce is kept. What is decided here, and why:

- One challenge per algorithm, each in a header line of its own, the strongest first (RFC 8760 section 2.4), all with
  one nonce. Credentials are read from Authorization and from Proxy-Authorization.
- Credentials for another realm are for somebody else on the way: the request is challenged as if it had none.
- An answer to a nonce that is not ours, has expired or was used before is not looked at, and challenged anew with
  stale=true. So nobody learns from it whether a password is right, and nobody fails in another's name.
- A wrong answer is challenged anew, up to `TRIES_MAX`, and counted against its source (`lockout`).
- The digest's URI must name what the Request-URI names. Proxies rewrite host, port and parameters on the way, so the
  user part decides. A URI without one is good for a Request-URI without one alone: it is for any number there.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from runtime.sip.auth.digest import ALGORITHMS, Algorithm, Exchange, read_algorithm, response
from runtime.sip.auth.headers import Challenge, Credentials, parse_credentials
from runtime.sip.auth.limits import TRIES_MAX
from runtime.sip.auth.lockout import Lockout
from runtime.sip.auth.nonces import NONCE_CHARS, Nonce, Nonces
from runtime.sip.errors import SipSyntaxError
from runtime.sip.message import Request
from runtime.sip.uri import TelUri, parse_uri, uri_equal

REALM_DEFAULT = "LiveKit"
"""The realm of an account that names none: LiveKit's, so that credentials set up for it go on working."""

QOP = "auth"
_NONCE = re.compile(rb'\bnonce="([A-Za-z0-9_-]{%d})"' % NONCE_CHARS)
_RFC_2069_COUNT = 1
"""An answer without a nonce count is good once."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whom a request must prove to come from. `scope` is what failures are counted for (a trunk's id)."""

    scope: str
    username: str
    password: bytes = field(repr=False)
    realm: str = REALM_DEFAULT
    algorithms: tuple[Algorithm, ...] = ALGORITHMS


@dataclass(frozen=True, slots=True)
class Proven:
    """The request comes from who knows the password."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Answer 401 with these headers. Nothing has gone wrong: the credentials are missing, or the nonce is old."""

    headers: tuple[tuple[str, str], ...]


class Fault(StrEnum):
    """What has gone wrong, as call records name it."""

    WRONG_CREDENTIALS = "wrong-credentials"
    LOCKED_OUT = "locked-out"
    SYNTAX = "syntax"


@dataclass(frozen=True, slots=True)
class Failed:
    """Answer with this status: 401 with a new challenge in `headers`, 400 or 403 without. `words` are for records."""

    status: int
    fault: Fault
    words: str
    headers: tuple[tuple[str, str], ...] = ()


Verdict = Proven | Asked | Failed


class DigestServer:
    """Judges requests. `entropy(n)` gives n unpredictable bytes; `now` is monotonic seconds."""

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        self._nonces = Nonces(entropy)
        self._lockout = Lockout()

    def asks(self, request: Request, account: Account, source: str, now: float) -> Asked | None:
        """The challenge of a request that shows nothing to be judged: no credentials, or none for a nonce of ours.

        None: let `judge` decide. Nothing is noted here, so that it may be asked before anything is kept of a request.
        """
        if self._lockout.is_locked(source, account.scope, now):
            return None
        try:
            given = _credentials_for(request, account)
        except SipSyntaxError:
            return None
        if given is None:
            return self._ask(account, source, now)
        return None if self._live_nonce(given, source, now) is not None else self._ask(account, source, now, stale=True)

    def judge(self, request: Request, account: Account, source: str, now: float) -> Verdict:
        """Whether this request from this address comes from the account."""
        if self._lockout.is_locked(source, account.scope, now):
            return Failed(403, Fault.LOCKED_OUT, f"{source} is locked out after too many wrong credentials")
        try:
            given = _credentials_for(request, account)
        except SipSyntaxError as fault:
            return Failed(fault.status, Fault.SYNTAX, fault.reason)
        if given is None:
            return self._ask(account, source, now)
        nonce = self._live_nonce(given, source, now)
        if nonce is None:
            return self._ask(account, source, now, stale=True)
        wrong = _what_is_wrong(given, account, request)
        if wrong:
            return self._fail(account, source, now, nonce, wrong)
        count = int(given.nc, 16) if given.qop is not None else _RFC_2069_COUNT
        if not self._nonces.take(nonce, count, now):
            return self._ask(account, source, now, stale=True)
        return Proven()

    def vouches(self, head: bytes, source: str, now: float) -> bool:
        """Whether the beginning of a request, yet unparsed, shows a nonce that was given to this source a while ago."""
        found = _NONCE.search(head)
        nonce = self._nonces.read(found[1].decode(), source) if found is not None else None
        return nonce is not None and not self._nonces.is_stale(nonce, now)

    def _live_nonce(self, given: Credentials, source: str, now: float) -> Nonce | None:
        nonce = self._nonces.read(given.nonce, source)
        return nonce if nonce is not None and not self._nonces.is_stale(nonce, now) else None

    def _ask(self, account: Account, source: str, now: float, *, stale: bool = False, wrong_answers: int = 0) -> Asked:
        nonce = self._nonces.give(source, now, wrong_answers)
        challenges = (
            Challenge(account.realm, nonce, str(algorithm), (QOP,), stale=stale)
            for algorithm in ALGORITHMS
            if algorithm in account.algorithms
        )
        return Asked(tuple(("WWW-Authenticate", str(challenge)) for challenge in challenges))

    def _fail(self, account: Account, source: str, now: float, nonce: Nonce, wrong: str) -> Failed:
        if self._lockout.note_failure(source, account.scope, now):
            words = f"{wrong}; {source} is locked out now"
            return Failed(403, Fault.LOCKED_OUT, words)
        wrong_answers = nonce.wrong_answers + 1
        if wrong_answers >= TRIES_MAX:
            return Failed(403, Fault.WRONG_CREDENTIALS, f"{wrong}, {wrong_answers} times")
        again = self._ask(account, source, now, wrong_answers=wrong_answers)
        return Failed(401, Fault.WRONG_CREDENTIALS, wrong, again.headers)


def _credentials_for(request: Request, account: Account) -> Credentials | None:
    """The first credentials for this realm by an algorithm that was asked for. SipSyntaxError 400."""
    headers = request.headers
    every = [
        *parse_credentials(headers.all("Authorization"), "Authorization"),
        *parse_credentials(headers.all("Proxy-Authorization"), "Proxy-Authorization"),
    ]
    for given in every:
        known = read_algorithm(given.algorithm)
        if given.realm == account.realm and known is not None and known[0] in account.algorithms and not known[1]:
            return given
    return None


def _what_is_wrong(given: Credentials, account: Account, request: Request) -> str:
    """Why credentials do not hold, "" when they do. What was tried is never repeated, the password never compared."""
    known = read_algorithm(given.algorithm)
    assert known is not None, "credentials by other algorithms are passed over"
    exchange = Exchange(request.method, given.uri, given.realm, given.nonce, given.qop, given.nc, given.cnonce)
    expected = response(known[0], exchange, account.username, account.password)
    right = hmac.compare_digest(expected.encode(), given.response.lower().encode())
    if given.username != account.username:
        return "the user name is another"
    if given.qop not in (None, QOP):
        return "the answer is by a qop that was not offered"
    if not right:
        return "the password is wrong"
    return "" if is_same_target(given.uri, request.uri) else "the credentials are for another request"


def is_same_target(given: str, requested: str) -> bool:
    """Whether the URI of a digest names what the Request-URI names, as far as proxies leave that as it was."""
    try:
        one, other = parse_uri(given), parse_uri(requested)
    except SipSyntaxError:
        return given == requested
    if uri_equal(one, other):
        return True
    if one.user and other.user:
        return one.user.partition(";")[0] == other.user.partition(";")[0]
    if isinstance(one, TelUri) or isinstance(other, TelUri) or one.user or other.user:
        return False
    return one.host.lower() == other.host.lower()
