"""A keeper and its registrars in memory, in virtual time: each server answers as a test says, or not at all."""

from __future__ import annotations

from collections.abc import Callable

from runtime.routing.dial import Destination
from runtime.sip.endpoint import Endpoint, EndpointConfig
from runtime.sip.events import AskAnswered
from runtime.sip.locating import Hop
from runtime.sip.message import Request
from runtime.sip.path import Path
from runtime.trunks.circuits import Circuits
from runtime.trunks.keeper import Keeper
from runtime.trunks.probe import Probe
from runtime.trunks.registration import Registration
from runtime.trunks.tended import Account, Probed, Tended
from schemas.seal import Place
from schemas.tables.rows import Auth, Secret
from tests.runtime.sip.raw import read, response
from tests.runtime.sip.wire import seeded

US = ("192.0.2.99", 5060)
A, B, C = "192.0.2.1", "192.0.2.2", "192.0.2.3"
AUTH = Auth("acme", Secret("env:PASSWORD", b"tiger"))
TRUNK = "default/out"
Server = Callable[[Request], bytes | None]


def account(trunk: str = TRUNK, *hosts: str, auth: Auth = AUTH, expires_s: int = 300) -> Account:
    return Account(trunk, tuple(Destination("", host) for host in hosts or ("carrier.example",)), auth, "", expires_s)


def says(status: int, *extra: str, contact: str = "") -> Server:
    """A server that always answers so."""
    return lambda request: response(request, status, to_tag="them", extra=extra, contact=contact)


class World:
    """`addresses` are what carrier.example is; `servers` who is there."""

    def __init__(self, *addresses: str, transport: str = "udp") -> None:
        self.addresses = list(addresses or (A,))
        self.servers: dict[str, Server] = {}
        self.transport = transport
        self.now = 0.0
        self.asked: list[tuple[float, str, Request]] = []
        self.words: list[str] = []
        self.unseals = True
        self.endpoint = Endpoint(EndpointConfig("test"), seeded("keeper"))
        self.circuits = Circuits()
        self.keeper = Keeper(
            self.endpoint, self.circuits, self._unseal, seeded("more"), lambda trunk: f"token-{trunk[8:]}"
        )

    def tend(self, *accounts: Account, probed: tuple[Probed, ...] = (), left_out: int = 0) -> None:
        self.keeper.tend(Tended(accounts, probed, left_out), self.now)
        self.settle()

    def run(self, seconds: float) -> None:
        """Let time pass, in steps as the worker takes them."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + 0.5, end)
            self.endpoint.handle_timer(self.now)
            self.keeper.handle_timer(self.now)
            self.settle()

    def settle(self) -> None:
        moved = True
        while moved:
            moved = False
            while (wish := self.keeper.next_wish()) is not None:
                moved = True
                self._found(wish.who, wish.destinations)
            while (event := self.endpoint.next_event()) is not None:
                moved = True
                if isinstance(event, AskAnswered):
                    self.keeper.handle(event, self.now)
            for data, path in self.endpoint.datagrams_to_send():
                moved = True
                self._carry(data, path)
            while (word := self.keeper.next_word()) is not None:
                self.words.append(word.text)

    def registers(self, address: str = "") -> list[Request]:
        """The REGISTERs that were sent, repetitions left out."""
        found = {}
        for _, to, request in self.asked:
            if request.method == "REGISTER" and address in ("", to):
                found[request.headers.first("Via")] = request
        return list(found.values())

    @property
    def registration(self) -> Registration:
        found = self.keeper.registration(TRUNK)
        assert found is not None
        return found

    def hop(self, address: str) -> Hop:
        return Hop(self.transport, (address, 5060))

    def _found(self, who: Registration | Probe, destinations: tuple[Destination, ...]) -> None:
        ways = [
            (place, Path(self.transport, US, (address, 5060))) for place in destinations for address in self.addresses
        ]
        self.keeper.found(who, ways, [] if ways else [place.host for place in destinations], self.now)

    def _carry(self, data: bytes, path: Path) -> None:
        request = read(data)
        assert isinstance(request, Request)
        self.asked.append((self.now, path.remote[0], request))
        server = self.servers.get(path.remote[0])
        answer = server(request) if server is not None else None
        if answer is not None:
            self.endpoint.receive_datagram(answer, path, self.now)

    def _unseal(self, place: Place, sealed: bytes) -> bytes | None:
        assert place.id == TRUNK or place.id.startswith("default/")
        return sealed if self.unseals else None
