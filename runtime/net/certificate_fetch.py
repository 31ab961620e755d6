"""Getting what is at an https URL that a stranger has named, without being made to reach what only we can.

The name is looked up once, its addresses are judged, and the connection goes to one of those and to no other: a name
that is looked up again could lead elsewhere. No redirect is followed, no proxy asked, nothing unpacked; size and time
are bounded. The machine's own authorities say whom to believe, or those of the file that SSL_CERT_FILE names.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.tracing import Trace
from yarl import URL

from runtime.limits import CERTIFICATE_FETCH_S
from runtime.net.machine_names import NoAnswerError
from runtime.sip.grammar import is_address
from runtime.stir.limits import CERTIFICATE_BYTES_MAX
from runtime.stir.place import Place

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

ACCEPT = "application/pem-certificate-chain, application/pkix-cert"
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_max_age = re.compile(r"(?:^|[ ,])max-age=([0-9]{1,9})(?![0-9])")
_never = re.compile(r"(?:^|[ ,])no-(?:store|cache)(?:[ ,=]|$)")


class FetchError(Exception):
    """It cannot be had. `words` say why."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was there. `max_age_s` None: the server does not say how long it holds."""

    data: bytes
    max_age_s: float | None


class CertificateFetcher:
    """One per bridge. `addresses(host)` looks a name up; `networks` may be reached though they are nobody else's."""

    def __init__(
        self, addresses: Callable[[str], Awaitable[Sequence[str]]], networks: Sequence[str], user_agent: str
    ) -> None:
        self._addresses = addresses
        self._networks = tuple(map(ipaddress.ip_network, networks))
        self._user_agent = user_agent
        self._context: ssl.SSLContext | None = None

    async def fetch(self, place: Place) -> Fetched:
        """What is at this place. FetchError says why it cannot be had."""
        try:
            async with asyncio.timeout(CERTIFICATE_FETCH_S):
                addresses = await self._known(place)
                if self._context is None:  # reading the machine's authorities takes milliseconds
                    self._context = await asyncio.to_thread(ssl.create_default_context)
                return await self._get(place, addresses, self._context)
        except TimeoutError:
            raise FetchError(f"{_at(place)} did not answer within {CERTIFICATE_FETCH_S:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as fault:
            raise FetchError(f"{_at(place)} cannot be asked: {_why(fault)}") from fault

    async def _known(self, place: Place) -> list[str]:
        """The addresses of the host that may be asked."""
        try:
            found = (place.host,) if is_address(place.host) else tuple(await self._addresses(place.host))
        except NoAnswerError as fault:
            raise FetchError(f"{place.host} cannot be looked up: {fault}") from fault
        if not found:
            raise FetchError(f"no address is known for {place.host}")
        usable = [address for address in found if self._may_ask(ipaddress.ip_address(address))]
        if not usable:
            raise FetchError(f"{place.host} is at an address of a private network, which --stir-network does not name")
        return usable

    def _may_ask(self, address: IpAddress) -> bool:
        return is_public(address) or any(address in network for network in self._networks)

    async def _get(self, place: Place, addresses: list[str], context: ssl.SSLContext) -> Fetched:
        connector = _OneConnection(_Known(addresses), context)
        headers = {"User-Agent": self._user_agent, "Accept": ACCEPT, "Accept-Encoding": "identity"}
        session = aiohttp.ClientSession(
            connector=connector, headers=headers, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        )
        try:
            async with session, session.get(URL(place.url, encoded=True), allow_redirects=False) as answer:
                if 300 <= answer.status < 400:
                    raise FetchError(f"{_at(place)} answers {answer.status}, and no redirect is followed")
                if answer.status != 200:
                    raise FetchError(f"{_at(place)} answers {answer.status}")
                return Fetched(await _bounded(answer, place), _holds_s(answer))
        finally:
            connector.cut()


def is_public(address: IpAddress) -> bool:
    """Whether an address is of the Internet, and leads to no other that is not."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
        if address.ipv4_mapped or address.sixtofour or address.teredo or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


class _OneConnection(aiohttp.TCPConnector):
    """Connects for one request, and cuts the connection off afterwards: TLS would wait for the server's good-bye."""

    def __init__(self, resolver: AbstractResolver, context: ssl.SSLContext) -> None:
        super().__init__(resolver=resolver, use_dns_cache=False, ssl=context, limit=1)
        self._made: list[asyncio.Transport] = []

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109
    ) -> ResponseHandler:
        protocol = await super()._create_connection(req, traces, timeout)
        if isinstance(protocol.transport, asyncio.Transport):
            self._made.append(protocol.transport)
        return protocol

    def cut(self) -> None:
        """Nothing more is wanted of it."""
        for transport in self._made:
            transport.abort()


class _Known(AbstractResolver):
    """Answers with the addresses that were judged, whatever is asked."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Those addresses, of either version."""
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""


async def _bounded(answer: aiohttp.ClientResponse, place: Place) -> bytes:
    data = bytearray()
    async for piece in answer.content.iter_any():
        data += piece
        if len(data) > CERTIFICATE_BYTES_MAX:
            raise FetchError(f"{_at(place)} sends more than {CERTIFICATE_BYTES_MAX >> 10} KiB")
    return bytes(data)


def _holds_s(answer: aiohttp.ClientResponse) -> float | None:
    """How long the server says that its answer holds (RFC 9111 section 5.2.2)."""
    told = ",".join(answer.headers.getall("Cache-Control", [])).lower()
    if _never.search(told):
        return 0.0
    found = _max_age.search(told)
    return float(found[1]) if found is not None else None


def _at(place: Place) -> str:
    return f"[{place.host}]:{place.port}" if ":" in place.host else f"{place.host}:{place.port}"


def _why(fault: Exception) -> str:
    """In one short line; what a server sends is not repeated."""
    if isinstance(fault, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not taken ({getattr(fault.certificate_error, 'verify_message', 'TLS')})"
    if isinstance(fault, aiohttp.ClientConnectorError):
        return fault.os_error.strerror or type(fault.os_error).__name__
    return fault.strerror or type(fault).__name__ if isinstance(fault, OSError) else type(fault).__name__
