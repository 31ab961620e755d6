"""`Trunk`: a carrier or PBX, who may call through it, and how calls are sent to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidatorFunctionWrapHandler
from pydantic.config import JsonDict
from pydantic_core import CoreSchema, core_schema

from schemas.resources import bounds
from schemas.resources.addresses import (
    CertificateHost,
    Host,
    HostPort,
    Network,
    Proxy,
    WebSocketPath,
    transport_of_proxy,
)
from schemas.resources.base import CrossedPart, Crossing, DeletionPolicy, Maybe, Part, Resource
from schemas.resources.credentials import Auth, SecretRef
from schemas.resources.header_policy import HeaderPolicy
from schemas.resources.media import Media
from schemas.resources.sound import HoldMusic, Recording
from schemas.resources.telephone import Country, Pattern
from schemas.resources.values import DurationMs, Flag, Metadata, Namespace, Region, Whole, between, refuse, shown

Provider = Literal["twilio", "telnyx", "plivo", "exotel", "wavix", "generic"]


_NAMES_CALLERS: JsonDict = {"anyOf": [{"required": ["allowedAddresses"]}, {"required": ["auth"]}]}
_IS_REGISTERED: JsonDict = {"required": ["outbound"], "properties": {"outbound": {"required": ["register"]}}}


class IdentityCheck(CrossedPart):
    """Verifies the signature with which a caller's carrier vouches for its number (STIR/SHAKEN, RFC 8224)."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [{"properties": {"verify": {"const": "off"}}}, {"required": ["certificateHosts"]}],
        }
    )

    verify: Literal["off", "report", "require"] = Field(
        description="`report` shows the result as the participant's `sip.verstat`; `require` also refuses calls "
        "whose caller is not verified (428, 436, 437, 438, 403)."
    )
    certificate_hosts: Annotated[
        tuple[CertificateHost, ...], Field(min_length=1, max_length=bounds.CERTIFICATE_HOSTS_MAX)
    ] = Field(
        (),
        description="Where certificates of signers may be fetched, by https: `host`, `host:port`, `*.domain`, or `*` "
        "for anywhere; required unless `verify` is off.",
    )

    @classmethod
    def crossings(cls, given: Mapping[str, object]) -> Iterator[Crossing]:
        """Nothing is fetched from hosts that nobody has named."""
        if given.get("verify") in ("report", "require") and "certificateHosts" not in given:
            hint = 'list the hosts of the certificates, or "*" for any'
            yield Crossing("certificateHosts", refuse("missing", "`certificateHosts` is missing", hint))


class Inbound(HeaderPolicy):
    """Calls that come from this trunk."""

    allowed_addresses: Annotated[tuple[Network, ...], Field(max_length=bounds.ADDRESSES_MAX)] = Field(
        (),
        description="IP addresses or networks that a call's packets may come from; required unless "
        "auth or the trunk's outbound.register is set.",
    )
    allowed_numbers: Annotated[tuple[Pattern, ...], Field(max_length=bounds.NUMBERS_MAX)] = Field(
        (), description="Callers, exact or by prefix (`+1415*`); empty means any."
    )
    called_numbers: Literal["any", "declared"] = Field(
        "any", description="`declared` serves only the PhoneNumbers that name this trunk."
    )
    auth: Maybe[Auth] = Field(None, description="Digest credentials that a caller must know.")
    ringing_timeout: Annotated[DurationMs, between(bounds.SECOND_MS, bounds.RINGING_TIMEOUT_MAX_MS)] = Field(
        bounds.RINGING_TIMEOUT_MS,
        description="How long to ring while the room gets ready; 1s to 10m.",
        json_schema_extra={"default": "3m"},
    )
    max_call_duration: Annotated[DurationMs, between(bounds.SECOND_MS, bounds.CALL_DURATION_MAX_MS)] = Field(
        bounds.CALL_DURATION_MS,
        description="A longer call is ended; 1s to 24h.",
        json_schema_extra={"default": "24h"},
    )
    noise_cancellation: Flag = Field(False, description="Cleans the caller's audio.")
    trust_identity: Flag = Field(
        False,
        description="Takes the caller from P-Asserted-Identity or Remote-Party-ID; for a carrier that checks them.",
    )
    identity: Maybe[IdentityCheck] = Field(
        None, description="Verifies the caller's number by the Identity header (STIR/SHAKEN); left out, nobody looks."
    )


class Register(Part):
    """Keeps a registration with the provider, for a bridge behind NAT."""

    expires: Annotated[
        DurationMs, between(bounds.REGISTER_EXPIRES_MIN_MS, bounds.REGISTER_EXPIRES_MAX_MS, whole_seconds=True)
    ] = Field(
        bounds.REGISTER_EXPIRES_MS,
        description="How long one registration holds; 30s to 24h.",
        json_schema_extra={"default": "5m"},
    )


class Probe(Part):
    """Asks the provider's addresses whether they live (OPTIONS); a dead one is passed over."""

    every: Annotated[DurationMs, between(bounds.PROBE_EVERY_MIN_MS, bounds.PROBE_EVERY_MAX_MS)] = Field(
        bounds.PROBE_EVERY_MS,
        description="How often to ask; 5s to 1h.",
        json_schema_extra={"default": "30s"},
    )


class ClientTls(Part):
    """A client certificate for TLS towards the provider."""

    certificate_from: SecretRef = Field(description="Where the certificate (PEM) comes from.")
    key_from: SecretRef = Field(description="Where its private key (PEM) comes from.")


class OutboundLimits(Part):
    """How many calls may be placed through this trunk, and for how long; a guard against toll fraud."""

    max_concurrent_calls: Maybe[Annotated[Whole, Field(ge=1, le=bounds.CONCURRENT_CALLS_MAX)]] = Field(
        None, description="Calls placed that are up or being placed at one time; of those that come in, see `limits`."
    )
    calls_per_second: Maybe[Annotated[Whole, Field(ge=1, le=bounds.CALLS_PER_SECOND_MAX)]] = Field(
        None, description="Calls placed in a second; more are refused, not queued."
    )
    max_call_duration: Annotated[DurationMs, between(bounds.SECOND_MS, bounds.CALL_DURATION_MAX_MS)] = Field(
        bounds.CALL_DURATION_MS,
        description="A longer call is ended, whatever was asked for; 1s to 24h.",
        json_schema_extra={"default": "24h"},
    )


class Outbound(HeaderPolicy, CrossedPart):
    """Calls that are sent to this trunk."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                {"anyOf": [{"not": {"required": ["register"]}}, {"required": ["auth"]}]},
                {
                    "anyOf": [
                        {"not": {"required": ["webSocketPath"]}},
                        {"properties": {"transport": {"enum": ["auto", "ws", "wss"]}}},
                        {"required": ["proxy"]},
                    ]
                },
            ]
        }
    )

    addresses: Annotated[tuple[HostPort, ...], Field(min_length=1, max_length=bounds.OUTBOUND_ADDRESSES_MAX)] = Field(
        description="Hosts to call through, `host` or `host:port`, tried in order."
    )
    transport: Literal["auto", "udp", "tcp", "tls", "ws", "wss"] = Field(
        "auto", description="auto follows the DNS; ws and wss are WebSockets that the bridge opens (RFC 7118)."
    )
    web_socket_path: Maybe[WebSocketPath] = Field(
        None, description="What a WebSocket is opened on, at the addresses or at the proxy: `/ws`; left out, `/`."
    )
    proxy: Maybe[Proxy] = Field(
        None,
        description="A proxy that every request goes to first (Route, loose routing): "
        "`sip:host[:port][;transport=udp|tcp|tls|ws|wss]`. `addresses` stay what is called behind it.",
    )
    from_host: Maybe[Host] = Field(None, description="The host of the From header.")
    auth: Maybe[Auth] = Field(None, description="Digest credentials that answer the provider's challenge.")
    register_: Maybe[Register] = Field(None, alias="register", description="Keeps a registration with the provider.")
    probe: Maybe[Probe] = Field(None, description="Asks the addresses whether they live.")
    tls: Maybe[ClientTls] = Field(None, description="A client certificate (mutual TLS).")
    destination_country: Maybe[Country] = Field(
        None, description="The country of the called numbers, two letters: rooms hear its ringing tone."
    )
    allowed_destinations: Annotated[tuple[Pattern, ...], Field(max_length=bounds.NUMBERS_MAX)] = Field(
        (), description="Numbers that may be called, exact or by prefix; a guard against toll fraud. Empty means any."
    )
    limits: Maybe[OutboundLimits] = Field(None, description="How many calls may be placed, and for how long.")
    recording: Maybe[Recording] = Field(
        None, description="Records every call that is placed through it, as a rule's recording does those that come."
    )
    identity_header: Literal["none", "P-Asserted-Identity", "Remote-Party-ID"] = Field(
        "none", description="A header that vouches for the caller's number on calls of this trunk."
    )
    caller_form: Literal["asGiven", "+E.164"] = Field(
        "asGiven",
        description="How the caller's number is written on calls of this trunk: as it was asked for, or with the `+` "
        "that it lacks.",
    )

    @classmethod
    def crossings(cls, given: Mapping[str, object]) -> Iterator[Crossing]:
        """A registration is somebody's; a path is a WebSocket's."""
        if given.get("register") is not None and "auth" not in given:
            yield Crossing(
                "auth",
                refuse("missing", "`auth` is missing", "`register` registers the user of `auth` with the provider"),
            )
        proxy = given.get("proxy")
        transport = given.get("transport", "auto") if proxy is None else transport_of_proxy(proxy)
        if given.get("webSocketPath") is not None and transport in ("udp", "tcp", "tls"):
            yield Crossing(
                "webSocketPath",
                refuse(
                    "bad-choice", f"nothing is opened on a path by {transport}", "`transport: wss` goes with it, or ws"
                ),
            )


class Limits(Part):
    """How many calls this trunk may carry."""

    max_concurrent_calls: Maybe[Annotated[Whole, Field(ge=1, le=bounds.CONCURRENT_CALLS_MAX)]] = Field(
        None, description="Calls at one time."
    )
    calls_per_second: Maybe[Annotated[Whole, Field(ge=1, le=bounds.CALLS_PER_SECOND_MAX)]] = Field(
        None, description="New calls in a second."
    )


@dataclass(frozen=True, slots=True)
class _SameAllOrListed:
    """Reads `Same`, `All` or a list of namespaces, with a complaint at the entry that is wrong."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A list goes to the tuple's own schema; a word is looked at here."""
        return core_schema.no_info_wrap_validator_function(self.read, handler.generate_schema(tuple[Namespace, ...]))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Either form, for editors."""
        listed = {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 63}}
        return {"oneOf": [{"enum": ["Same", "All"]}, {**listed, "minItems": 1, "maxItems": bounds.NAMESPACES_MAX}]}

    @staticmethod
    def read(value: object, handler: ValidatorFunctionWrapHandler) -> object:
        """`Same`, `All`, or the tuple of namespaces."""
        if value in ("Same", "All"):
            return value
        if not isinstance(value, list | tuple) or not value:
            what = f"{shown(value)} is neither" if isinstance(value, str) else "this is neither"
            raise refuse("bad-choice", f"{what} `Same` nor `All`", "write Same, All, or a list of namespaces")
        if len(value) > bounds.NAMESPACES_MAX:
            raise refuse("too-long", f"{len(value)} namespaces are listed", f"at most {bounds.NAMESPACES_MAX} may be")
        return handler(value)


AllowedNamespaces = Annotated[Literal["Same", "All"] | tuple[str, ...], _SameAllOrListed()]


class TrunkSpec(CrossedPart):
    """What the trunk is."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [{"required": ["inbound"]}, {"required": ["outbound"]}],
            "allOf": [
                {
                    "anyOf": [
                        {"not": {"required": ["inbound"]}},
                        {"properties": {"inbound": _NAMES_CALLERS}},
                        _IS_REGISTERED,
                    ]
                }
            ],
        }
    )

    provider: Provider = Field(
        "generic",
        description="Whose defaults apply where nothing is written, and whose checks; see `reconcile providers`.",
    )
    inbound: Maybe[Inbound] = Field(None, description="Calls that come from this trunk.")
    outbound: Maybe[Outbound] = Field(None, description="Calls that are sent to this trunk.")
    media: Maybe[Media] = Field(None, description="Media of this trunk's calls; a rule's media is merged over it.")
    media_addresses: Annotated[tuple[Network, ...], Field(max_length=bounds.ADDRESSES_MAX)] = Field(
        (),
        description="IP addresses or networks that audio (RTP) may come from and go to, whatever a call's SDP says; "
        "empty means that each call finds out where its peer is.",
    )
    regions: Annotated[tuple[Region, ...], Field(max_length=bounds.REGIONS_MAX)] = Field(
        (), description="Only bridges of these regions take or place its calls; empty means every bridge."
    )
    limits: Maybe[Limits] = Field(None, description="How many calls it may carry, both ways together.")
    refer_to: Literal["asGiven", "tel", "sip"] = Field(
        "asGiven",
        description="How a transfer names a number to this trunk: as it was asked for, as `tel:`, or as `sip:` at the "
        "trunk's own host.",
    )
    refer_notify: Flag = Field(
        True, description="Whether this trunk tells by NOTIFY how a transfer goes; if not, its 202 is believed."
    )
    accept_refer: Flag = Field(
        False,
        description="Lets phones of this trunk send their calls on (REFER) to outbound.allowedDestinations.",
    )
    hold_music: Maybe[HoldMusic] = Field(
        None,
        description="What its phones hear while the room has them on hold: builtIn, or a WAV file among the bridge's "
        "prompts; left out, silence.",
    )
    allowed_namespaces: AllowedNamespaces = Field("Same", description="Which namespaces may refer to this trunk.")
    metadata: Metadata = Field("", description="Free text that stays on the trunk.")
    deletion_policy: DeletionPolicy = Field("Delete", description="What happens when this document is deleted.")

    @classmethod
    def crossings(cls, given: Mapping[str, object]) -> Iterator[Crossing]:
        """A trunk takes calls, places calls, or both; and nobody is let in by leaving things out."""
        if "inbound" not in given and "outbound" not in given:
            yield Crossing(
                "",
                refuse("missing", "neither `inbound` nor `outbound` is set", "a trunk takes or places calls, or both"),
            )
        inbound, outbound = given.get("inbound"), given.get("outbound")
        registered = isinstance(outbound, Mapping) and outbound.get("register") is not None
        if not isinstance(inbound, Mapping) or registered:
            return
        if not inbound.get("allowedAddresses") and "auth" not in inbound:
            yield Crossing(
                "inbound.allowedAddresses",
                refuse(
                    "open-trunk",
                    "`allowedAddresses` is required unless `auth` is set",
                    "list the addresses that this trunk's calls come from, like 203.0.113.0/24",
                ),
            )


class Trunk(Resource):
    """A carrier or PBX: who may call through it, and how calls are sent to it."""

    kind: Literal["Trunk"] = Field(description="The kind of this document.")
    spec: TrunkSpec = Field(description="What the trunk is.")
