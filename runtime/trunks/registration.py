"""One trunk's registration with its provider (RFC 3261 section 10.2). A core: it asks by the endpoint.

    due --ways looked up--> asking --2xx--> registered --time to refresh--> due
                            asking --no answer, 503--> asking the next way, or failed --later--> due
                            asking --423--> asking for longer; any other refusal --> failed

What has been registered holds until its time is over, whatever became of the attempts to refresh it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from runtime.chance import drawn
from runtime.routing.dial import Destination, Way, route_of, uri_of
from runtime.sip.auth.client import Authorizer, Login
from runtime.sip.auth.digest import ALGORITHMS
from runtime.sip.auth.limits import CLIENT_TRIES_MAX
from runtime.sip.endpoint import Endpoint
from runtime.sip.errors import SipSyntaxError
from runtime.sip.fields import NameAddr, parse_name_addr, parse_seconds
from runtime.sip.grammar import elements, find_param
from runtime.sip.locating import hop_of
from runtime.sip.message import Response
from runtime.sip.path import Path
from runtime.sip.responses import made_here
from runtime.sip.uri import Uri, parse_uri
from runtime.trunks import limits
from runtime.trunks.tended import Account
from schemas.printable import printable
from schemas.seal import OUTBOUND_PASSWORD, Place, Unseal
from schemas.tables.rows import Kind

RETRIED = frozenset({408, 430, 480, 500, 502, 503, 504})
"""Refusals that say more of the server than of us: the next one may know better."""


class State(StrEnum):
    """How far it is."""

    DUE = "due"
    ASKING = "asking"
    REGISTERED = "registered"
    FAILED = "failed"
    LEAVING = "leaving"
    GONE = "gone"


class Registration:
    """One per trunk with `register`. `token` is the user part of its Contact: who calls it knows of this registration.

    `asked` is where its questions are noted, `first` when it begins. Times are monotonic seconds.
    """

    def __init__(
        self,
        account: Account,
        token: str,
        endpoint: Endpoint,
        unseal: Unseal,
        entropy: Callable[[int], bytes],
        asked: dict[int, Any],
        first: float,
    ) -> None:
        self.account = account
        self.token = token
        self.state = State.DUE
        self.since = first
        self.words = "it has not been asked for yet"
        self.failure = ""
        """Why it could not be had when it was asked for last; it stays until the registrar has taken it."""
        self.at: Path | None = None
        """Where the registrar was asked last."""
        self._held: Path | None = None
        """Where it was registered last, until that connection closes."""
        self.until = 0.0
        """Until when the registrar has us."""
        self.due = first
        self.sources: frozenset[str] = frozenset()
        """The addresses of the registrar's servers."""
        self._endpoint = endpoint
        self._unseal = unseal
        self._entropy = entropy
        self._asked = asked
        self._call_id = entropy(16).hex()
        self._cseq = 0
        self._expires_s = account.expires_s
        self._authorizer: tuple[bytes, Authorizer] | None = None
        self._ways: list[Way] = []
        self._way: Way | None = None
        self._ask = 0
        self._lengthened = False
        self._failures = 0

    # -- what the keeper tells -------------------------------------------------------------------------------------

    def is_due(self, now: float) -> bool:
        """Whether it is time to look the registrar up; that is said once."""
        if self.state not in (State.DUE, State.REGISTERED, State.FAILED) or now < self.due:
            return False
        self.due = float("inf")
        return True

    def hurry(self, now: float, within_s: float) -> None:
        """Something has happened to the registrar, or to the way to it: ask again soon."""
        if self.state in (State.DUE, State.REGISTERED, State.FAILED) and self.due != float("inf"):
            self.due = min(self.due, now + within_s * drawn(self._entropy))

    def found(self, ways: list[Way], unknown: list[str], now: float) -> None:
        """Where the registrar is, in the order in which it is tried."""
        if self.state in (State.LEAVING, State.GONE):
            return
        if ways:
            self.sources = frozenset(path.remote[0] for _, path in ways)
            self._ways, self._lengthened = ways, False
            self._ask_next(now)
            return
        hosts = ", ".join(unknown or (place.first_hop.host for place in self.account.destinations))
        what = f"no address is known for {hosts}" if unknown else f"no --listen of this bridge reaches {hosts}"
        self._failed(what, now, limits.UNREACHED_S_MIN, limits.UNREACHED_S_MAX)

    def answered(self, ask: int, response: Response | None, cseq: int, now: float) -> None:
        """What became of a question; that of an earlier one is no news."""
        if ask != self._ask:
            return
        self._ask, self._cseq = 0, cseq
        if self.state is State.LEAVING:
            self._become(State.GONE, "it was taken back", now)
        elif response is None:
            self._try_next("no answer", now)
        elif response.status < 300:
            self._registered(response, now)
        elif response.status == 423 and self._longer(response):
            self._send(now)
        elif response.status in RETRIED:
            words = response.reason if made_here(response) else f"SIP {response.status} {response.reason}"
            self._try_next(words, now, parse_seconds(response.headers.first("Retry-After")) or 0)
        else:
            self._refused(response, now)

    def leave(self, now: float) -> None:
        """Take the registration back, where there is one; GONE follows in any case."""
        if self.state in (State.LEAVING, State.GONE):
            return
        if self._way is None or (self.until <= now and self.state is not State.ASKING):
            self._become(State.GONE, "there was nothing to take back", now)
            return
        if self._ask:
            self._cseq += CLIENT_TRIES_MAX + 1  # behind the one that is under way, however often it is challenged
        self._become(State.LEAVING, "it is being taken back", now)
        self._send(now)
        self.until = now

    def connection_failed(self, path: Path, now: float) -> None:
        """A connection has closed. By ours the registrar would have called."""
        if path == self._held:
            self._held = None
            if self.is_live(now):
                self.hurry(now, limits.AGAIN_S)

    def is_live(self, now: float) -> bool:
        """Whether the registrar sends calls here."""
        return now < self.until

    def connections(self, now: float) -> set[Path]:
        """The connection by which it sends them, and the one on which it is asked."""
        held = self._held if self.is_live(now) else None
        asked = self.at if self.state is State.ASKING else None
        return {path for path in (held, asked) if path is not None and path.reliable}

    # -- how it is done --------------------------------------------------------------------------------------------

    def _ask_next(self, now: float) -> None:
        self._way = self._ways.pop(0)
        again = f" again: {self.failure}" if self.failure else ""
        self._become(State.ASKING, f"it is being asked for{again}", now)
        self._send(now)

    def _send(self, now: float) -> None:
        assert self._way is not None, "a way was chosen"
        destination, path = self._way
        authorizer = self._authorized()
        if authorizer is None:
            words = "its password cannot be unsealed: give the bridge the reconciler's key"
            self._failed(words, now, limits.REFUSED_S_MIN, limits.REFUSED_S_MIN)
            return
        self.at = path
        leaves = self.state is State.LEAVING
        address = str(NameAddr("", self._address_of_record(destination)))
        self._ask = self._endpoint.ask(
            "REGISTER",
            str(uri_of(destination)),
            path,
            now,
            from_=address,
            to=address,
            call_id=self._call_id,
            cseq=self._cseq + 1,
            headers=[
                *route_of(destination),
                ("Contact", self._endpoint.contact(path, self.token)),
                ("Expires", "0" if leaves else str(self._expires_s)),
            ],
            authorizer=authorizer,
            within_s=limits.LEAVE_S if leaves else limits.REGISTER_S,
        )
        self._asked[self._ask] = self

    def _address_of_record(self, destination: Destination) -> str:
        user, _, domain = self.account.auth.username.partition("@")
        return str(Uri("sip", user, None, domain or self.account.domain or destination.host))

    def _authorized(self) -> Authorizer | None:
        """Who answers the registrar's challenges; the same one, and so one realm, for as long as the password is."""
        auth = self.account.auth
        password = self._unseal(Place(Kind.TRUNK, self.account.trunk, OUTBOUND_PASSWORD), auth.password.sealed)
        if password is None:
            return None
        if self._authorizer is None or self._authorizer[0] != password:
            chosen = tuple(algorithm for algorithm in ALGORITHMS if algorithm in auth.algorithms)
            login = Login(auth.username, password, auth.realm, chosen or ALGORITHMS)
            self._authorizer = password, Authorizer(login, self._entropy)
        return self._authorizer[1]

    def _registered(self, response: Response, now: float) -> None:
        granted_s = min(max(self._granted(response), limits.EXPIRES_S_MIN), limits.EXPIRES_S_MAX)
        self.until, self._held = now + granted_s, self.at
        ahead_s = min(max(granted_s * limits.AHEAD, limits.AHEAD_S_MIN), limits.AHEAD_S_MAX, granted_s / 2)
        self.due = now + (granted_s - ahead_s) * (1 - limits.JITTER * drawn(self._entropy))
        self._failures, self.failure = 0, ""
        self._become(State.REGISTERED, f"for {granted_s} s", now)

    def _granted(self, response: Response) -> int:
        """For how long we are registered: our Contact's own time, else that of all, else what was asked for."""
        for contact in _contacts(response):
            uri = _sip_uri(contact.uri)
            if uri is not None and uri.user == self.token:
                seconds = parse_seconds(find_param(contact.params, "expires"))
                if seconds is not None:
                    return seconds
        seconds = parse_seconds(response.headers.first("Expires"))
        return self._expires_s if seconds is None else seconds

    def _longer(self, response: Response) -> bool:
        """Whether to ask once more, for as long as the registrar wants it at least (423, section 10.2.8)."""
        least_s = parse_seconds(response.headers.first("Min-Expires"))
        if self._lengthened or least_s is None or not self._expires_s < least_s <= limits.EXPIRES_S_MAX:
            return False
        self._lengthened, self._expires_s = True, least_s
        return True

    def _try_next(self, words: str, now: float, wait_s: float = 0.0) -> None:
        assert self.at is not None, "somebody was asked"
        words = f"{hop_of(self.at)}: {words}"
        if self._ways:
            self._ask_next(now)
        else:
            self._failed(words, now, limits.UNREACHED_S_MIN, limits.UNREACHED_S_MAX, wait_s)

    def _refused(self, response: Response, now: float) -> None:
        hint = "; outbound.auth is missing or wrong" if response.status in (401, 403, 407) else ""
        words = f"the registrar refuses: SIP {response.status} {response.reason}{hint}"
        self._failed(words, now, limits.REFUSED_S_MIN, limits.REFUSED_S_MAX)

    def _failed(self, words: str, now: float, first_s: float, most_s: float, wait_s: float = 0.0) -> None:
        if self.state is State.LEAVING:
            self._become(State.GONE, words, now)
            return
        self._failures += 1
        wait_s = max(min(first_s * 2.0 ** min(self._failures - 1, 12), most_s), min(wait_s, limits.REFUSED_S_MAX))
        self.due = now + wait_s * (1 - drawn(self._entropy) / 2)
        self._become(State.FAILED, words, now)
        self.failure = self.words

    def _become(self, state: State, words: str, now: float) -> None:
        if state is not self.state:
            self.since = now
        self.state, self.words = state, printable(words)


def _contacts(response: Response) -> list[NameAddr]:
    """The Contacts that can be read: whoever else is registered there may have written the others."""
    found: list[NameAddr] = []
    try:
        texts = elements(response.headers.all("Contact"))
    except SipSyntaxError:
        return found
    for text in texts:
        try:
            found.append(parse_name_addr(text, "Contact"))
        except SipSyntaxError:
            continue
    return found


def _sip_uri(text: str) -> Uri | None:
    try:
        uri = parse_uri(text)
    except SipSyntaxError:
        return None
    return uri if isinstance(uri, Uri) else None
