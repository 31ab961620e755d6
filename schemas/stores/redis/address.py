"""The URL of tables in Redis, parsed once: where, as whom, how safely, and under which prefix.

    redis://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE][?prefix=NAME]
    rediss://… by TLS, [&ca=FILE] [&cert=FILE&key=FILE]
    redis+sentinel://[USER[:PASSWORD]@]HOST[:PORT],…/SERVICE[/DATABASE], and rediss+sentinel://

A URL may carry a password, so no message repeats one; `RedisAddress.shown` is what may be told.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from schemas.stores.door import StoreError

PORT_DEFAULT = 6379
SENTINEL_PORT_DEFAULT = 26379
PREFIX_DEFAULT = "dialplane"
PREFIX_CHARS_MAX = 63
DATABASE_MAX = 65_535
HOSTS_MAX = 16

FORMS = "write redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE][?prefix=NAME], or rediss:// for TLS with ?ca=FILE"

_SENTINEL = "+sentinel"
_OPTIONS = frozenset({"prefix", "ca", "cert", "key", "sentinel-password"})
_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9._]*[a-z0-9])?")
_HOST = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::([0-9]{1,5}))?|([-A-Za-z0-9._]+)(?::([0-9]{1,5}))?")

Host = tuple[str, int]


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where tables are. `hosts` are Sentinels where there is a `service`, else the one server."""

    hosts: tuple[Host, ...]
    database: int = 0
    prefix: str = PREFIX_DEFAULT
    user: str = ""
    password: str = field(default="", repr=False)
    service: str = ""
    sentinel_password: str = field(default="", repr=False)
    tls: bool = False
    authorities: str = ""
    """File of certificates that the server's must come from; "" = the machine's own list."""
    certificate: str = ""
    key: str = ""

    @property
    def shown(self) -> str:
        """The URL without user and password."""
        scheme = ("rediss" if self.tls else "redis") + (_SENTINEL if self.service else "")
        hosts = ",".join(host_and_port(*host) for host in self.hosts)
        service = f"{self.service}/" if self.service else ""
        prefix = f"?prefix={self.prefix}" if self.prefix != PREFIX_DEFAULT else ""
        return f"{scheme}://{hosts}/{service}{self.database}{prefix}"


def host_and_port(host: str, port: int) -> str:
    """As URLs have it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_redis(url: str) -> bool:
    """Whether a URL is of this kind."""
    return url.partition(":")[0].removesuffix(_SENTINEL) in {"redis", "rediss"}


def parse_address(url: str) -> RedisAddress:
    """The address that `url` names. Raises StoreError, which repeats nothing of it but the scheme."""
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise _refused(url, "this is no URL") from None
    if parts.fragment:
        raise _refused(url, "a # has to be written %23")
    if unknown := options.keys() - _OPTIONS:
        what = f"only {', '.join(sorted(_OPTIONS))} may stand behind the ?, and {len(unknown)} other word does"
        raise _refused(url, what)
    is_sentinel = parts.scheme.endswith(_SENTINEL)
    tls = parts.scheme.startswith("rediss")
    if not tls and options.keys() & {"ca", "cert", "key"}:
        raise _refused(url, "ca, cert and key are of TLS", "write rediss:// for it")
    service, database = _path(url, parts, is_sentinel=is_sentinel)
    user, password = _login(parts)
    return RedisAddress(
        _hosts(url, parts, is_sentinel=is_sentinel),
        database,
        _prefix(url, options.get("prefix", PREFIX_DEFAULT)),
        user,
        password,
        service,
        options.get("sentinel-password", ""),
        tls,
        options.get("ca", ""),
        options.get("cert", ""),
        options.get("key", ""),
    )


def _hosts(url: str, parts: SplitResult, *, is_sentinel: bool) -> tuple[Host, ...]:
    texts = parts.netloc.rpartition("@")[2].split(",")
    if len(texts) > (HOSTS_MAX if is_sentinel else 1):
        raise _refused(url, "this names several servers", "name one; redis+sentinel:// takes several Sentinels")
    default = SENTINEL_PORT_DEFAULT if is_sentinel else PORT_DEFAULT
    found = [_HOST.fullmatch(text) for text in texts]
    hosts = [(match[1] or match[3], int(match[2] or match[4] or default)) for match in found if match is not None]
    if len(hosts) != len(texts) or not all(0 < port < 65_536 for _, port in hosts):
        raise _refused(url, "this names no server")
    return tuple(hosts)


def _path(url: str, parts: SplitResult, *, is_sentinel: bool) -> tuple[str, int]:
    """The service's name at the Sentinels, and the number of the database."""
    words = unquote(parts.path).removeprefix("/").split("/")
    service = words.pop(0) if is_sentinel else ""
    database = words.pop(0) if words else ""
    if words or (is_sentinel and not service):
        hint = "write redis+sentinel://HOST,HOST/SERVICE" if is_sentinel else FORMS
        raise _refused(url, "the path is not that of tables", hint)
    if database and not (database.isascii() and database.isdigit() and int(database[:9]) <= DATABASE_MAX):
        raise _refused(url, "behind the / stands the number of a database")
    return service, int(database or 0)


def _login(parts: SplitResult) -> tuple[str, str]:
    login, at, _ = parts.netloc.rpartition("@")
    user, _, password = login.partition(":") if at else ("", "", "")
    return unquote(user), unquote(password)


def _prefix(url: str, prefix: str) -> str:
    if len(prefix) > PREFIX_CHARS_MAX or not _PREFIX.fullmatch(prefix):
        hint = f"use at most {PREFIX_CHARS_MAX} lower-case letters, digits, dots, dashes"
        raise _refused(url, "the prefix is no name", hint)
    return prefix


def _refused(url: str, what: str, hint: str = FORMS) -> StoreError:
    return StoreError(f"{url.partition(':')[0]}://…", what, hint)
