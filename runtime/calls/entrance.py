"""The entrance: may this INVITE come in? Routing says whose it is, digest whether it is from whom it claims to be.

The switchboard asks once per INVITE. The source is looked at first (routing); a trunk that asks for a password has its
caller challenged, and once the caller has proven itself routing is asked again. A trunk with addresses and a password
so needs both. No nonce is kept of a caller who was only challenged; its 401 has a transaction like
any answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from runtime.calls.arrival import names_the_called
from runtime.calls.reasons import EndReason
from runtime.routing.route import Admission, Arrival, PasswordNeeded, PinAsked, Rejection, first_word, route
from runtime.sip.auth.digest import ALGORITHMS
from runtime.sip.auth.server import REALM_DEFAULT, Account, Asked, DigestServer, Failed
from runtime.sip.message import Request
from schemas.seal import INBOUND_PASSWORD, PIN, Place, Unseal, opens_pin
from schemas.tables.rows import Kind, Pairs, TrunkRow
from schemas.tables.tables import Tables

_KEY_HINT: Final = (
    "give the bridge the reconciler's key: copy its secret.key into the bridge's state folder, "
    "or set DIALPLANE_SECRET_KEY_FILE for both"
)


@dataclass(frozen=True, slots=True)
class Challenge:
    """Answer 401 with these headers. It is no refusal: the caller is expected to call again at once."""

    headers: Pairs


@dataclass(frozen=True, slots=True)
class Knock:
    """One INVITE at the entrance, the bridge's region, the ids that the call would have. `now` is monotonic seconds."""

    request: Request
    arrival: Arrival
    region: str
    call_id: str
    suffix: str
    now: float


class Entrance:
    """Keeps the digest challenges of one bridge. `unseal` opens the passwords in the tables."""

    def __init__(self, entropy: Callable[[int], bytes], unseal: Unseal) -> None:
        self._digest = DigestServer(entropy)
        self._unseal = unseal

    def ask(self, tables: Tables, knock: Knock) -> tuple[Admission | Rejection | Challenge | PinAsked, bool]:
        """What becomes of this INVITE by these tables, and whether its sender has proven a password."""
        verdict = self._route(tables, knock, None)
        if not isinstance(verdict, PasswordNeeded):
            return verdict, False
        refusal = self._prove(verdict.trunk, knock)
        if refusal is not None:
            return refusal, False
        verdict = self._route(tables, knock, verdict.username)
        assert not isinstance(verdict, PasswordNeeded), "a proven user is not asked again"
        return verdict, True

    def turns_away(
        self, tables: Tables, request: Request, arrival: Arrival, region: str, now: float
    ) -> Challenge | int | None:
        """What an INVITE gets with nothing kept of it: a challenge, or a stranger's status. None: `ask` decides."""
        first = first_word(tables, arrival, region)
        if not isinstance(first, PasswordNeeded):
            return first
        return self.asks(first.trunk, request, arrival.source, now)

    def asks(self, trunk: TrunkRow, request: Request, source: str, now: float) -> Challenge | None:
        """The challenge of an INVITE that shows nothing by which it could be judged; None: `proves` decides."""
        account = self._account(trunk)
        if not isinstance(account, Account):
            return None
        asked = self._digest.asks(request, account, source, now)
        return Challenge(asked.headers) if asked is not None else None

    def vouches(self, head: bytes, source: str, now: float) -> bool:
        """Whether a request that nobody has parsed yet answers a challenge that was sent to its source."""
        return self._digest.vouches(head, source, now)

    def _route(
        self, tables: Tables, knock: Knock, user: str | None
    ) -> Admission | Rejection | PasswordNeeded | PinAsked:
        opens = partial(opens_pin, self._unseal)
        verdict = route(tables, knock.arrival, knock.region, knock.call_id, knock.suffix, user, opens)
        return self._unreadable_pin(verdict) or verdict if isinstance(verdict, PinAsked) else verdict

    def _unreadable_pin(self, asked: PinAsked) -> Rejection | None:
        """Nobody is asked for a PIN that nobody here can know."""
        rule = asked.rule
        assert rule.pin is not None, "only a rule with a PIN asks for one"
        if self._unseal(Place(Kind.RULE, rule.id, PIN), rule.pin.sealed) is not None:
            return None
        refusal = _secret_unreadable(f"the PIN of DispatchRule {rule.id}", asked.admission.trunk)
        return replace(refusal, rule=rule.id, hides_caller=rule.hide_phone_number)

    def proves(self, trunk: TrunkRow, request: Request, source: str, now: float) -> Rejection | Challenge | None:
        """Why this INVITE does not show that its sender knows the trunk's password (yet); None: it does."""
        account = self._account(trunk)
        if isinstance(account, Rejection):
            return account
        verdict = self._digest.judge(request, account, source, now)
        if isinstance(verdict, Asked):
            return Challenge(verdict.headers)
        if isinstance(verdict, Failed):
            reason = EndReason(verdict.fault)
            return Rejection(
                verdict.status, reason, verdict.words, trunk=trunk.id, headers=verdict.headers, untold=True
            )
        return None

    def _prove(self, trunk: TrunkRow, knock: Knock) -> Rejection | Challenge | None:
        """Why the caller may not come in (yet); None: it is who it says."""
        refusal = self.proves(trunk, knock.request, knock.arrival.source, knock.now)
        if refusal is None and not names_the_called(knock.request, knock.arrival.called):
            words = "To names another number than the Request-URI, which is what the password was given for"
            return Rejection(403, EndReason.ANOTHER_NUMBER, words, trunk=trunk.id)
        return refusal

    def _account(self, trunk: TrunkRow) -> Account | Rejection:
        assert trunk.inbound is not None, "only inbound trunks match calls"
        assert trunk.inbound.auth is not None, "and only those with a password ask for one"
        auth = trunk.inbound.auth
        password = self._unseal(Place(Kind.TRUNK, trunk.id, INBOUND_PASSWORD), auth.password.sealed)
        if password is None:
            return replace(_secret_unreadable(f"the password of trunk {trunk.id}", trunk), untold=True)
        chosen = tuple(algorithm for algorithm in ALGORITHMS if algorithm in auth.algorithms)
        return Account(trunk.id, auth.username, password, auth.realm or REALM_DEFAULT, chosen or ALGORITHMS)


def _secret_unreadable(what: str, trunk: TrunkRow) -> Rejection:
    words = f"{what} cannot be unsealed: this bridge has another key than the reconciler, or none"
    return Rejection(500, EndReason.SECRET_UNREADABLE, words, hint=_KEY_HINT, trunk=trunk.id)
