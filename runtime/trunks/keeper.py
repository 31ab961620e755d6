"""What the bridge does for trunks between calls: probes their addresses, and keeps registrations. A core, a facade.

The worker gives it new tables' wishes, the time, the endpoint's `AskAnswered` and the ways that it asked for
(`next_wish`), and reads `next_word` for the log. It works on the circuits that calls of ours look at.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain

from runtime.chance import drawn
from runtime.routing.dial import Destination, Way
from runtime.sip.endpoint import Endpoint
from runtime.sip.events import AskAnswered
from runtime.sip.locating import Hop, hop_of
from runtime.sip.path import Path
from runtime.trunks import limits
from runtime.trunks.circuits import Circuits
from runtime.trunks.circuits import State as CircuitState
from runtime.trunks.probe import Probe
from runtime.trunks.registration import Registration, State
from runtime.trunks.tended import Account, Probed, Tended
from schemas.seal import Unseal


@dataclass(frozen=True, slots=True)
class WaysWanted:
    """Look these up, and tell `found(who, …)`."""

    who: Registration | Probe
    destinations: tuple[Destination, ...]
    identity: str = ""
    """The trunk whose client certificate TLS shows there."""


@dataclass(frozen=True, slots=True)
class Word:
    """A line for the log."""

    text: str
    trunk: str


class Keeper:
    """One per bridge. `token_of(trunk)` gives the user part of a registration's Contact, which nobody can guess."""

    def __init__(
        self,
        endpoint: Endpoint,
        circuits: Circuits,
        unseal: Unseal,
        entropy: Callable[[int], bytes],
        token_of: Callable[[str], str],
    ) -> None:
        self._endpoint = endpoint
        self._circuits = circuits
        self._unseal = unseal
        self._entropy = entropy
        self._token_of = token_of
        self._registrations: dict[str, Registration] = {}
        self._by_token: dict[str, Registration] = {}
        self._probes: dict[str, Probe] = {}
        self._leaving: list[Registration] = []
        self._asked: dict[int, Registration | Probe] = {}
        """Whose the questions are that wait for an answer."""
        self._wishes: deque[WaysWanted] = deque()
        self._words: deque[Word] = deque()
        self._told: dict[str, tuple[State, str]] = {}
        self._sources: frozenset[str] = frozenset()
        self._left_out = 0
        self._stopped = False

    # -- what the worker tells -------------------------------------------------------------------------------------

    def tend(self, wanted: Tended, now: float) -> None:
        """There are new tables: what has not changed goes on as it was."""
        if self._stopped:
            return
        if wanted.left_out != self._left_out:
            self._left_out = wanted.left_out
            few = f"{wanted.left_out} trunks are neither registered nor probed: there are too many of them"
            self._say("", few if wanted.left_out else "all trunks that want it are registered and probed again")
        accounts = {account.trunk: account for account in wanted.accounts}
        for trunk, registration in list(self._registrations.items()):
            if accounts.get(trunk) != registration.account:
                self._leave(registration, now)
        begun = [account for trunk, account in accounts.items() if trunk not in self._registrations]
        within_s = limits.first_s(len(begun))
        for account in begun:
            self._begin(account, now + within_s * drawn(self._entropy))
        probed = {probe.trunk: probe for probe in wanted.probed}
        for trunk, probe in list(self._probes.items()):
            if probed.get(trunk) != probe.probed:
                del self._probes[trunk]
        new = [wish for trunk, wish in probed.items() if trunk not in self._probes]
        within_s = limits.first_s(len(new))
        for wish in new:
            first = now + within_s * drawn(self._entropy)
            self._probes[wish.trunk] = Probe(wish, self._endpoint, self._circuits, self._asked, first)

    def handle_timer(self, now: float) -> None:
        """Ask whoever is due. Once or twice a second is enough."""
        for registration in self._registrations.values():
            if registration.is_due(now):
                self._wishes.append(_wish(registration, registration.account))
            self._tell(registration)
        for probe in self._probes.values():
            if probe.is_due(now, 1 - limits.JITTER * drawn(self._entropy)):
                self._wishes.append(_wish(probe, probe.probed))
        self._leaving = [one for one in self._leaving if one.state is not State.GONE]
        self._sources = frozenset(
            chain.from_iterable(one.sources for one in self._registrations.values() if one.is_live(now))
        )

    def found(self, who: Registration | Probe, ways: list[Way], unknown: list[str], now: float) -> None:
        """The ways that were wished for."""
        if isinstance(who, Probe):
            if self._probes.get(who.probed.trunk) is who:
                who.found(ways, now)
            return
        ordered = self._circuits.order(ways, lambda way: hop_of(way[1]), now)
        who.found(ordered, unknown, now)

    def handle(self, event: AskAnswered, now: float) -> None:
        """What became of a question."""
        who = self._asked.pop(event.ask, None)
        if isinstance(who, Registration):
            who.answered(event.ask, event.response, event.cseq, now)
            self._tell(who)
        elif who is not None:
            news = who.answered(event.ask, event.response, now)
            if news is not None and self._probes.get(who.probed.trunk) is who:
                self._changed(who, *news, now)

    def connection_failed(self, path: Path, now: float) -> None:
        """A connection has closed."""
        for registration in self._registrations.values():
            registration.connection_failed(path, now)

    def stop(self, now: float) -> None:
        """Take all registrations back, and begin nothing any more."""
        self._stopped = True
        self._probes.clear()
        for registration in list(self._registrations.values()):
            self._leave(registration, now)

    # -- what the worker asks --------------------------------------------------------------------------------------

    def next_wish(self) -> WaysWanted | None:
        """The oldest wish that was not read yet."""
        return self._wishes.popleft() if self._wishes else None

    def next_word(self) -> Word | None:
        """The same of the words."""
        return self._words.popleft() if self._words else None

    @property
    def is_leaving(self) -> bool:
        """Whether a registration is still being taken back."""
        return any(one.state is State.LEAVING for one in self._leaving)

    @property
    def sources(self) -> frozenset[str]:
        """The addresses of the registrars that have us."""
        return self._sources

    def connections(self, now: float) -> set[Path]:
        """The connections by which registrars call us, or are asked to."""
        return set(chain.from_iterable(one.connections(now) for one in self._registrations.values()))

    def trunk_of(self, user: str, source: str, now: float) -> str:
        """The trunk by whose registration an INVITE for `user` from there came; "" = by none.

        Both must be right: the user of our Contact, which the registrar alone was told, and an address of its servers.
        """
        registration = self._by_token.get(user)
        if registration is None or not registration.is_live(now) or source not in registration.sources:
            return ""
        return registration.account.trunk

    def registration(self, trunk: str) -> Registration | None:
        """A trunk's registration."""
        return self._registrations.get(trunk)

    def by_state(self) -> Counter[State]:
        """How many registrations there are of each state."""
        return Counter(registration.state for registration in self._registrations.values())

    # -- how it is done --------------------------------------------------------------------------------------------

    def _begin(self, account: Account, first: float) -> None:
        token = self._token_of(account.trunk)
        made = Registration(account, token, self._endpoint, self._unseal, self._entropy, self._asked, first)
        self._registrations[account.trunk] = self._by_token[token] = made

    def _leave(self, registration: Registration, now: float) -> None:
        del self._registrations[registration.account.trunk]
        self._by_token.pop(registration.token, None)
        registration.leave(now)
        self._leaving.append(registration)
        self._tell(registration)

    def _changed(self, probe: Probe, hop: Hop, before: CircuitState, now: float) -> None:
        """An address has come back, or gone, or was never asked before."""
        circuit = self._circuits.of(hop)
        trunk = probe.probed.trunk
        lives = circuit.state is CircuitState.UP
        self._say(trunk, f"{hop} {'answers' if lives else 'is passed over'}: {circuit.words}")
        registration = self._registrations.get(trunk)
        at = None if registration is None else registration.at
        if before is CircuitState.UNKNOWN and lives:
            return
        if registration is not None and at is not None and hop_of(at) == hop:
            # It may have forgotten us, or cannot call us any more.
            registration.hurry(now, limits.AGAIN_S)

    def _tell(self, registration: Registration) -> None:
        trunk, state = registration.account.trunk, registration.state
        if state in (State.DUE, State.ASKING, State.LEAVING) or self._told.get(trunk) == (state, registration.words):
            return
        if state is State.GONE:
            self._told.pop(trunk, None)
        else:
            self._told[trunk] = state, registration.words
        words = {
            State.REGISTERED: f"registered {registration.words}",
            State.FAILED: f"not registered: {registration.words}",
            State.GONE: f"registered no more: {registration.words}",
        }
        self._say(trunk, words[state])

    def _say(self, trunk: str, text: str) -> None:
        self._words.append(Word(text, trunk))


def _wish(who: Registration | Probe, wanted: Account | Probed) -> WaysWanted:
    return WaysWanted(who, wanted.destinations, wanted.identity)
