"""The connections of one endpoint, in memory: which are open, and by which transports it can be reached."""

from __future__ import annotations

from runtime.sip.endpoint import Endpoint, EndpointConfig
from runtime.sip.path import Address, Path
from tests.runtime.sip.raw import ALLOW, US, Raw
from tests.runtime.sip.wire import seeded

CALLER = ("192.0.2.1", 43_210)
"""Where the peer's connection comes from; it listens on 5060, as its Via says."""

CONNECTION = Path("tcp", US, CALLER)
CALL_BACK = Path("tcp", US, ("192.0.2.1", 5060))
OVER_TCP = "Via: SIP/2.0/TCP 192.0.2.1;branch="


class Streams:
    """`Ways` with UDP and TCP; every connection is open that is not `gone`."""

    def __init__(self, *transports: str) -> None:
        self.transports = transports or ("udp", "tcp")
        self.gone: set[Path] = set()

    def local_for(self, transport: str, remote: Address) -> Address | None:
        return US if transport in self.transports else None

    def is_open(self, path: Path) -> bool:
        return path not in self.gone


class RawStream(Raw):
    """As `Raw`, with connections; messages come by `CONNECTION` unless another is named."""

    def __init__(self, *transports: str) -> None:
        super().__init__()
        self.ways = Streams(*transports)
        self.endpoint = Endpoint(EndpointConfig("test", allow=ALLOW), seeded("raw"), self.ways)

    def send(self, data: bytes, path: Path = CONNECTION):
        return super().send(data, path)

    def lose(self, path: Path = CONNECTION, why: str = "Connection Closed") -> None:
        """A connection closes, or was never made."""
        self.ways.gone.add(path)
        self.endpoint.connection_failed(path, why, self.now)
