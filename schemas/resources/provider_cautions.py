"""A Trunk beside what is known of its provider: what the provider does not publish, speak, take or grant.

Asked by the reconciler for every Trunk that it accepts. Each is a warning and holds nothing back: profiles age, and
accounts differ. A sentence says where its fact is from; one that nobody verified says so.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Generator, Iterator, Sequence
from typing import Any

from schemas.providers.profiles import Fact, Profile, profile
from schemas.resources.addresses import host_of, port_of
from schemas.resources.documents import Document
from schemas.resources.hints import any_of
from schemas.resources.shape import Path
from schemas.resources.trunk import Inbound, Limits, Outbound, OutboundLimits, Trunk

Caution = tuple[Path, str, str]
"""(path, what, hint)."""

_INBOUND, _OUTBOUND = ("spec", "inbound"), ("spec", "outbound")


def provider_cautions(document: Document) -> Iterator[Caution]:
    """Every warning about a Trunk that names its provider."""
    known = profile(document.spec.provider) if isinstance(document, Trunk) else None
    if known is None:
        return
    assert isinstance(document, Trunk)
    spec = document.spec
    if spec.inbound is not None:
        yield from _of_inbound(spec.inbound, known)
    if spec.outbound is not None:
        yield from _of_outbound(spec.outbound, known)
    yield from _of_media(document, known)
    yield from _of_rate(spec.limits, ("spec", "limits"), known)


def _of_inbound(half: Inbound, known: Profile) -> Iterator[Caution]:
    at, published = (*_INBOUND, "allowedAddresses"), known.facts.signalling
    missing = yield from _of_networks(half.allowed_addresses, at, published, known, "addresses")
    if missing and known.facts.every_address.value:
        what = f"calls of {known.title} may come from {', '.join(missing)} too"
        yield at, what, f"list all that it publishes{_source(published)}"
    answers = known.facts.answers_challenges
    if half.auth is not None and not answers.value:
        what = f"{known.title} answers no challenge: its calls would be refused"
        yield (*_INBOUND, "auth"), what, f"give its addresses in `allowedAddresses` instead{_source(answers)}"


def _of_networks(
    declared: Sequence[str], at: Path, published: Fact[tuple[str, ...]], known: Profile, what: str
) -> Generator[Caution, None, list[str]]:
    """Those that the provider does not publish; of what it publishes, those that are missing beside others."""
    networks = [ipaddress.ip_network(network) for network in published.value]
    given = [ipaddress.ip_network(str(network)) for network in declared]
    for index, network in enumerate(given):
        if networks and network.prefixlen and not any(_within(network, one) for one in networks):
            sentence = f"{network} is none of the {what} that {known.title} publishes"
            yield (*at, index), sentence, f"it publishes {_listed(published)}{_source(published)}"
    missing = [str(one) for one in networks if not any(_within(one, network) for network in given)]
    return missing if given and len(missing) < len(networks) else []


def _of_outbound(half: Outbound, known: Profile) -> Iterator[Caution]:
    facts = known.facts
    transports = facts.transports
    ports = [port for name, port in transports.value.items() if half.transport in ("auto", name)]
    if half.transport != "auto" and half.transport not in transports.value:
        what = f"{known.title} does not speak {half.transport.upper()}"
        hint = f"write {any_of(list(transports.value))}{_source(transports)}"
        yield (*_OUTBOUND, "transport"), what, hint
    for index, address in enumerate(half.addresses):
        at = (*_OUTBOUND, "addresses", index)
        if not _is_theirs(host_of(address), known):
            what = f"{host_of(address)} is no host or address of {known.title}"
            yield at, what, f"its hosts end with {any_of(facts.domains.value)}{_source(facts.domains)}"
        port = port_of(address)
        if port is not None and ports and port not in ports:
            what = f"{known.title} listens at {_ports(transports)}, not at {port}"
            yield at, what, f"leave the port out{_source(transports)}"
    if half.register_ is not None and not facts.registration.value:
        what = f"{known.title} takes no REGISTER"
        yield (*_OUTBOUND, "register"), what, f"leave it out{_source(facts.registration)}"
    yield from _of_rate(half.limits, (*_OUTBOUND, "limits"), known)


def _of_media(document: Trunk, known: Profile) -> Iterator[Caution]:
    media, outbound, facts = document.spec.media, document.spec.outbound, known.facts
    at, published = ("spec", "mediaAddresses"), facts.media_networks
    missing = yield from _of_networks(document.spec.media_addresses, at, published, known, "addresses of media")
    if missing:
        what = f"audio of {known.title} may come from {', '.join(missing)} too"
        yield at, what, f"list all that it publishes{_source(published)}"
    for index, codec in enumerate(media.codecs or () if media is not None else ()):
        if codec not in facts.codecs.value:
            hint = f"it takes {any_of(facts.codecs.value)}{_source(facts.codecs)}"
            yield ("spec", "media", "codecs", index), f"{known.title} does not take {codec}", hint
    for index, way in enumerate(media.dtmf or () if media is not None else ()):
        if way not in facts.dtmf.value:
            what = f"{known.title} does not take digits by {way}"
            yield ("spec", "media", "dtmf", index), what, f"write {any_of(facts.dtmf.value)}{_source(facts.dtmf)}"
    if outbound is None or facts.encryption.value != "with-tls":
        return
    encrypted = media is not None and media.encryption in ("allow", "require")
    if outbound.transport == "tls" and not encrypted:
        what = f"{known.title} encrypts media where it is called by TLS, and this trunk does not"
        hint = f"write `encryption: require` in `spec.media`{_source(facts.encryption)}"
        yield (*_OUTBOUND, "transport"), what, hint
    if outbound.transport in ("udp", "tcp") and media is not None and media.encryption == "require":
        what = f"{known.title} encrypts media only where it is called by TLS"
        yield (
            ("spec", "media", "encryption"),
            what,
            f"write `transport: tls` in `spec.outbound`{_source(facts.encryption)}",
        )


def _of_rate(limits: Limits | OutboundLimits | None, path: Path, known: Profile) -> Iterator[Caution]:
    granted = known.facts.calls_per_second
    asked = limits.calls_per_second if limits is not None else None
    if asked is not None and granted.value is not None and asked > granted.value:
        what = f"{known.title} takes {granted.value} calls per second of an account without an agreement, not {asked}"
        yield (*path, "callsPerSecond"), what, f"keep it if your account has more{_source(granted)}"


def _is_theirs(host: str, known: Profile) -> bool:
    """Whether a host is one of the provider's names, or an address in what it publishes."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.lower().rstrip(".")
        return any(name == domain or name.endswith(f".{domain}") for domain in known.facts.domains.value)
    return any(address in ipaddress.ip_network(one) for one in known.facts.signalling.value)


def _within(inner: Any, outer: Any) -> bool:
    return bool(inner.version == outer.version and inner.subnet_of(outer))


def _ports(transports: Fact[Any]) -> str:
    return any_of([f"{port} by {name.upper()}" for name, port in transports.value.items()])


def _listed(fact: Fact[tuple[str, ...]]) -> str:
    return ", ".join(fact.value)


def _source(fact: Fact[Any]) -> str:
    """Where a fact is from, as the end of a sentence."""
    return f" ({fact.source}, {fact.date})" if fact.status == "verified" else " (unverified)"
