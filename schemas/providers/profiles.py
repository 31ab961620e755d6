"""The form of a provider's profile, and the profiles that are shipped.

A fact is `verified` when it was read at a public source, which it names with the date that the source gives itself or
else the day it was read; everything else is `unverified`, and no default is ever taken from it. Networks are CIDRs,
ports numbers, codecs the names that manifests use (and others that a manifest cannot ask for).
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Generic, Literal, Self, TypeVar, get_args

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, TypeAdapter, model_validator
from pydantic.alias_generators import to_camel

ProviderName = Literal["twilio", "telnyx", "plivo", "exotel", "wavix"]
NAMES: tuple[ProviderName, ...] = get_args(ProviderName)

Transport = Literal["udp", "tcp", "tls"]
Port = Annotated[int, Field(ge=1, le=65_535)]
T = TypeVar("T")

_URL: TypeAdapter[HttpUrl] = TypeAdapter(HttpUrl)


def _network(text: str) -> str:
    return str(ipaddress.ip_network(text))


def _url(text: str) -> str:
    _URL.validate_python(text)
    return text


Network = Annotated[str, AfterValidator(_network)]


class _Data(BaseModel):
    """A frozen piece of a profile, closed to unknown fields, camelCase in its file."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)


class Fact(_Data, Generic[T]):
    """One fact and how it is known."""

    value: T
    status: Literal["verified", "unverified"]
    source: Annotated[str, AfterValidator(_url)] | None = None
    date: dt.date | None = None
    note: str = ""

    @model_validator(mode="after")
    def _has_its_source(self) -> Self:
        if (self.status == "verified") != (self.source is not None and self.date is not None):
            raise ValueError("a verified fact has a source and a date, an unverified one has neither")
        return self

    @property
    def known(self) -> T | None:
        """The value where it was verified, None where nobody has."""
        return self.value if self.status == "verified" else None


class Facts(_Data):
    """What is known; each `description` is the row's name in the table of `reconcile providers`."""

    domains: Fact[tuple[str, ...]] = Field(description="hosts that calls are sent to")
    default_transport: Fact[Literal["auto", "udp", "tcp", "tls"]] = Field(description="transport to choose")
    transports: Fact[dict[Transport, Port]] = Field(description="transports and ports")
    signalling: Fact[tuple[Network, ...]] = Field(description="addresses that calls come from")
    every_address: Fact[bool] = Field(description="a call may come from any of them")
    media_networks: Fact[tuple[Network, ...]] = Field(description="addresses of media")
    media_ports: Fact[tuple[Port, Port] | None] = Field(description="ports of media")
    number_form: Fact[Literal["+E.164", "E.164", "unknown"]] = Field(description="form of numbers")
    codecs: Fact[tuple[str, ...]] = Field(description="codecs")
    encryption: Fact[Literal["optional", "with-tls", "unknown"]] = Field(description="encrypted media (SRTP)")
    dtmf: Fact[tuple[Literal["rfc4733", "info", "inband"], ...]] = Field(description="digits")
    refer_to: Fact[Literal["tel", "sip", "unknown"]] = Field(description="form of Refer-To for a number")
    refer_notify: Fact[bool] = Field(description="NOTIFY tells of a transfer")
    methods_left_out: Fact[tuple[str, ...]] = Field(description="methods that it does not take")
    authentication: Fact[tuple[Literal["address", "digest"], ...]] = Field(description="how it knows us")
    answers_challenges: Fact[bool] = Field(description="answers a challenge of ours")
    registration: Fact[bool] = Field(description="takes REGISTER")
    calls_per_second: Fact[int | None] = Field(description="calls per second, without an agreement")
    username_header: Fact[str] = Field(description="header that carries the user name")


class Profile(_Data):
    """A provider."""

    title: str
    facts: Facts
    traps: tuple[str, ...] = ()
    """What surprises people, in sentences."""


@cache
def profile(name: str) -> Profile | None:
    """The profile of a provider by its name in manifests; None for one that has none (`generic`).

    Cores ask for it although it reads a file: that is a part of the code, and the same for as long as the process runs.
    """
    if name not in NAMES:
        return None
    text = files("schemas.providers").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    data: Any = yaml.safe_load(text)
    return Profile.model_validate(data)
