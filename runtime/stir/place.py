"""Where a certificate is (`info`, `x5u`), and whether a trunk lets us ask there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from runtime.stir.limits import URL_CHARS_MAX

HTTPS_PORT: Final = 443
ANY_HOST: Final = "*"

_url_chars = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+")
_host = re.compile(r"[a-z0-9_](?:[a-z0-9_\-.]*[a-z0-9_])?|\[[0-9a-f:.]+\]")


@dataclass(frozen=True, slots=True)
class Place:
    """An https URL; `host` in small letters, an IPv6 address without brackets."""

    url: str
    host: str
    port: int


def read_place(url: str) -> Place | str:
    """The place, or why nothing is asked for there, in words."""
    if len(url) > URL_CHARS_MAX:
        return f"the place of its certificate has more than {URL_CHARS_MAX} characters"
    broken = "the place of its certificate is no URL"
    if not _url_chars.fullmatch(url):
        return broken
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return broken
    if parts.scheme.lower() != "https":
        return "its certificate is not at an https URL"
    bracketed = f"[{host}]" if ":" in host else host
    if not _host.fullmatch(bracketed) or "@" in parts.netloc or port == 0:
        return broken
    return Place(url, host, HTTPS_PORT if port is None else port)


def is_allowed(place: Place, allowed: Iterable[str]) -> bool:
    """Whether a list of `host`, `host:port`, `*.domain` and `*` has it. Without a port 443 is meant."""
    return any(_fits(place, entry.lower()) for entry in allowed)


def _fits(place: Place, entry: str) -> bool:
    name, port = entry, HTTPS_PORT
    head, colon, tail = entry.rpartition(":")
    if colon and tail.isdecimal() and (":" not in head or head.endswith("]")):
        name, port = head, int(tail)
    if place.port != port:
        return False
    if name == ANY_HOST:
        return True
    if name.startswith("*."):
        return place.host.endswith(name[1:])
    return place.host == name.removeprefix("[").removesuffix("]")
