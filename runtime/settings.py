"""What a bridge is told when it starts: parsed once, from options, `DIALPLANE_*` and `.env`, and true from then on."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from runtime.errors import BridgeError
from schemas.environment import address_and_port
from schemas.ids import is_name

LISTEN_DEFAULT = ("udp://127.0.0.1:5060", "tcp://127.0.0.1:5060")
TRANSPORTS = ("udp", "tcp", "tls", "ws", "wss")
"""What calls come in and go out by; UDP where nobody says which (RFC 3263 section 4.1)."""

ANY_ORIGIN = "*"
RTP_PORTS_DEFAULT = "10000-20000"
DNS_PORT = 53
API_DEFAULT = "127.0.0.1:8080"
LIVEKIT_API_EXAMPLE = "127.0.0.1:7800"
METRICS_EXAMPLE = "127.0.0.1:9464"
STUN_PREFIX = "stun:"
STUN_PORT_DEFAULT = 3478
SECRET_BYTES = 16
"""Of a secret that is suggested: in hexadecimal they are the 32 bytes that HS256 wants (RFC 7518 section 3.2)."""


@dataclass(frozen=True, slots=True)
class Listen:
    """One SIP listener, or where one is reached. `host` is an IP address, without brackets.

    `dual`: one on `::` hears IPv4, too.
    """

    transport: str
    host: str
    port: int
    dual: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.transport}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class TlsPair:
    """A certificate with its chain, and its key, as PEM files; both may be in one."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """TLS of SIP. `pairs`: what listeners show, by the name that is asked for, else the first; none: they take no TLS.

    Of who only connects it is the one that is shown there.
    """

    pairs: tuple[TlsPair, ...] = ()
    client_authorities: Path | None = None
    """Whoever connects must show a certificate of one of these."""
    authorities: Path | None = None
    """Whom those that we connect to must have their certificates from; None: the machine's own list."""
    version_min: str = "1.2"
    ciphers: str = ""
    alpn: tuple[str, ...] = ()
    """Application protocols that are offered and taken (RFC 7301); none: nothing is said of them."""

    @property
    def files(self) -> tuple[Path, ...]:
        """All that it is read from."""
        of_pairs = (file for pair in self.pairs for file in (pair.certificate, pair.key))
        return *of_pairs, *self.authority_files

    @property
    def authority_files(self) -> tuple[Path, ...]:
        """Those that say whom to trust."""
        return tuple(file for file in (self.client_authorities, self.authorities) if file is not None)


@dataclass(frozen=True, slots=True)
class StirSettings:
    """Verifying callers: whom their carriers' certificates must come from, and private networks to fetch them in."""

    authorities: Path | None = None
    networks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outside:
    """Our addresses as the world sees them, behind NAT. None given: we are seen as we are."""

    signalling: tuple[str, ...] = ()
    """IP addresses, one of each version at most."""
    media: tuple[str, ...] = ()
    """The same for media; none: those of signalling."""
    stun: tuple[str, int] | None = None
    """The server that is asked for the address of signalling."""
    local_networks: tuple[str, ...] = ()
    """CIDRs of peers that reach us as we are; none: the private networks."""


@dataclass(frozen=True, slots=True)
class LiveKitServer:
    """A LiveKit server and the key to it. `url` is `ws://` or `wss://`, without a slash at its end."""

    url: str
    api_key: str
    api_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class LiveKitApi:
    """Where the LiveKit-compatible API listens, whose tokens it takes, and the server behind it, if there is one."""

    host: str
    port: int
    api_key: str
    api_secret: str = field(repr=False)
    server: LiveKitServer | None = None


@dataclass(frozen=True, slots=True)
class BridgeSettings:
    """All of it. `api` None: no HTTP API. `livekit` None: embedded rooms, whose are `play` and `record`."""

    state: Path
    tables: str
    prompts: Path
    """The folder of users' prompt files; it need not be there."""
    listen: tuple[Listen, ...]
    rtp_first: int
    rtp_last: int
    tls: TlsSettings = TlsSettings()
    ws_origins: tuple[str, ...] = ()
    """The web pages that may connect by WebSocket; ("*",) any."""
    outside: Outside = Outside()
    stir: StirSettings = StirSettings()
    region: str = ""
    api: tuple[str, int] | None = None
    api_chosen: bool = False
    """Whether somebody asked for this address: then no other will do."""
    metrics: tuple[str, int] | None = None
    """Where probes and scrapers are answered; None: nowhere."""
    drain_s: float = 0.0
    """How long a stopping bridge lets live calls go on."""
    livekit: LiveKitServer | None = None
    livekit_api: LiveKitApi | None = None
    dial_anywhere: bool = False
    """Requests may call by trunks and hosts that are nowhere declared."""
    dns: tuple[str, int] | None = None
    """The DNS server that is asked; None: those of this machine."""
    records: Path | None = None
    recordings: Path | None = None
    """The folder of recordings of calls; None: one in the state folder."""
    play: Path | None = None
    record: Path | None = None


def parse_listen(text: str, option: str = "--listen") -> Listen:
    """`udp://127.0.0.1:5060` or `tcp://…`. BridgeError says what was wrong with it."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = TRANSPORTS[0], text
    if scheme not in TRANSPORTS:
        raise BridgeError(
            f"{option} {text}: this version speaks SIP over {', '.join(TRANSPORTS)}, not over {scheme!r}",
            f"write it like {option} {LISTEN_DEFAULT[0]} or {option} {LISTEN_DEFAULT[1]}",
        )
    host, port = parse_host_port(rest, option)
    return Listen(scheme, host, port)


def parse_listens(texts: Sequence[str]) -> tuple[Listen, ...]:
    """All listeners of one bridge; the same one twice is an error."""
    listens = tuple(parse_listen(text) for text in texts)
    for listen in listens:
        if listen.port and listens.count(listen) > 1:
            raise BridgeError(f"--listen {listen} is given twice", "name each listener once")
    return tuple(replace(listen, dual=_is_dual(listen, listens)) for listen in listens)


def _is_dual(listen: Listen, others: Sequence[Listen]) -> bool:
    """`[::]` is every address of both versions, unless IPv4 has a listener of its own at that port."""
    own = (other for other in others if ":" not in other.host and other.port == listen.port)
    return listen.host == "::" and not any((it.transport == "udp") == (listen.transport == "udp") for it in own)


def parse_origins(texts: Sequence[str]) -> tuple[str, ...]:
    """`https://phone.example` as browsers name the page that connects (RFC 6454 section 6.2), or `*`."""
    for text in texts:
        parts = urlsplit(text)
        plain = f"{parts.scheme}://{parts.netloc}"
        if text != ANY_ORIGIN and (parts.scheme not in ("http", "https") or not parts.netloc or text != plain.lower()):
            raise BridgeError(
                f"--ws-origin {text}: not the origin of web pages",
                "write scheme, host and port as a browser's address bar has them, in small letters and without a slash"
                " at the end: --ws-origin https://phone.example.com, or '*' for any",
            )
    return tuple(texts)


def parse_host_port(text: str, option: str, example: str = "127.0.0.1:5060") -> tuple[str, int]:
    """An IP address and a port: `127.0.0.1:5060`, `[::1]:5060`. `example` is shown to who wrote another thing."""
    found = address_and_port(text)
    if found is None:
        raise BridgeError(f"{option} {text}: not an IP address and a port", f"write it like {option} {example}")
    return found


def callable_first(listens: Sequence[Listen]) -> Listen:
    """The listener that the test phone calls: the first one, but rather no WebSocket."""
    return next((listen for listen in listens if listen.transport not in ("ws", "wss")), listens[0])


def local_host(host: str) -> str:
    """The address by which this machine reaches a listener at `host`, and from which such a call comes."""
    address = ipaddress.ip_address(host)
    if not address.is_unspecified:
        return str(address)
    return "127.0.0.1" if address.version == 4 else "::1"


def parse_livekit(url: str, api_key: str, api_secret: str) -> LiveKitServer:
    """Where the LiveKit server is, `ws://` or `wss://` (`http` and `https` mean the same), and its key."""
    scheme, separator, rest = url.strip().rstrip("/").partition("://")
    scheme = {"http": "ws", "https": "wss"}.get(scheme.lower(), scheme.lower())
    parts = urlsplit(f"{scheme}://{rest}")
    if not separator or scheme not in ("ws", "wss") or not parts.hostname or parts.query or parts.username:
        raise BridgeError(
            f"--livekit-url {url or '(nothing)'}: not the address of a LiveKit server",
            "write it like --livekit-url wss://my-project.livekit.cloud, or set LIVEKIT_URL",
        )
    if not api_key or not api_secret:
        missing = " and ".join(
            n for n, v in (("LIVEKIT_API_KEY", api_key), ("LIVEKIT_API_SECRET", api_secret)) if not v
        )
        raise BridgeError(f"--rooms livekit needs {missing}", "set it in the environment or in a .env file here")
    return LiveKitServer(f"{scheme}://{rest}", api_key, api_secret)


def parse_livekit_api(listen: str, url: str, api_key: str, api_secret: str) -> LiveKitApi:
    """The LiveKit-compatible API at `listen`; without `url` nothing is behind it: only `livekit.SIP` is answered."""
    host, port = parse_host_port(listen, "--livekit-api", LIVEKIT_API_EXAMPLE)
    if not api_key or not api_secret:
        raise BridgeError(
            "--livekit-api needs LIVEKIT_API_KEY and LIVEKIT_API_SECRET: its callers sign their tokens with them",
            "set them in the environment or in a .env file here; with no LiveKit server behind it any pair will do:\n"
            f"  LIVEKIT_API_KEY=devkey LIVEKIT_API_SECRET={secrets.token_hex(SECRET_BYTES)}",
        )
    server = parse_livekit(url, api_key, api_secret) if url else None
    if server is not None and urlsplit(server.url).netloc == listen and port:
        raise BridgeError(
            f"LIVEKIT_URL {server.url} is the address of this bridge's own --livekit-api",
            "name the LiveKit server there, or leave it out",
        )
    return LiveKitApi(host, port, api_key, api_secret, server)


def parse_dns(text: str) -> tuple[str, int] | None:
    """`127.0.0.53` or `127.0.0.53:53`; "" = the machine's own."""
    if not text:
        return None
    try:
        return str(ipaddress.ip_address(text.strip("[]"))), DNS_PORT
    except ValueError:
        return parse_host_port(text, "--dns", "127.0.0.53:53")


def parse_region(text: str) -> str:
    """A region's name, as `spec.regions` writes it; "" = none."""
    if text and not is_name(text):
        raise BridgeError(f"--region {text}: not a region's name", "use small letters, digits and dashes: us-east")
    return text


def parse_ports(text: str) -> tuple[int, int]:
    """`10000-20000`, at least one even port and the one after it."""
    first, separator, last = text.partition("-")
    if not (separator and first.isdecimal() and last.isdecimal()):
        raise BridgeError(f"--rtp-ports {text}: not a range", f"write it like --rtp-ports {RTP_PORTS_DEFAULT}")
    low, high = int(first), int(last)
    if not 1024 <= low < high <= 65535 or low + low % 2 + 1 > high:
        raise BridgeError(
            f"--rtp-ports {text}: needs at least an even port and the next one, within 1024-65535",
            f"write it like --rtp-ports {RTP_PORTS_DEFAULT}",
        )
    return low, high


def parse_outside(addresses: Sequence[str], media: Sequence[str], networks: Sequence[str]) -> Outside:
    """`--external-address` (IPs, or one `stun:HOST[:PORT]`), `--external-media-address` and `--local-network`."""
    stuns = [text for text in addresses if text.startswith(STUN_PREFIX)]
    fixed = [text for text in addresses if text not in stuns]
    if len(stuns) > 1 or (stuns and fixed):
        raise BridgeError("--external-address is either known or asked for", "name IP addresses, or one stun:HOST")
    return Outside(
        signalling=_externals(fixed, "--external-address"),
        media=_externals(media, "--external-media-address"),
        stun=_stun(stuns[0]) if stuns else None,
        local_networks=parse_networks(networks, "--local-network"),
    )


def parse_networks(texts: Sequence[str], option: str) -> tuple[str, ...]:
    """CIDRs. BridgeError names the one that is none."""
    for text in texts:
        try:
            ipaddress.ip_network(text)
        except ValueError as fault:
            raise BridgeError(f"{option} {text}: {fault}", f"write it like {option} 10.1.0.0/16") from fault
    return tuple(texts)


def _externals(texts: Sequence[str], option: str) -> tuple[str, ...]:
    found: dict[int, str] = {}
    for text in texts:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            address = None
        if address is None or address.is_unspecified or address.is_multicast:
            raise BridgeError(f"{option} {text}: not an IP address of ours", f"write it like {option} 203.0.113.5")
        if address.version in found:
            raise BridgeError(f"{option} names two IPv{address.version} addresses", "name one of each version")
        found[address.version] = str(address)
    return tuple(found.values())


def _stun(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text.removeprefix(STUN_PREFIX)}")
    try:
        host, port = parts.hostname, parts.port or STUN_PORT_DEFAULT
    except ValueError:
        host, port = None, 0
    if not host or parts.path or parts.username:
        hint = "write it like --external-address stun:stun.example.com or stun:192.0.2.1:3478"
        raise BridgeError(f"--external-address {text}: not a STUN server", hint)
    return host, port
