"""A trunk with what its provider is known to want, wherever nobody wrote something else.

Only facts that were verified become defaults (`schemas/providers`), and nothing that refuses a call does: a provider's
rate is what it grants anybody, and accounts may have more. What is filled in stands in the row as if it had been
written, so plans show it, and a target that knows no providers holds it like any other field.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas.providers.profiles import Facts, profile
from schemas.resources.addresses import port_of, with_port
from schemas.resources.media import CODECS, Media
from schemas.resources.trunk import Outbound, TrunkSpec

_USUAL_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}
"""What a host without a port means anyway (RFC 3263)."""


def with_provider(spec: TrunkSpec) -> TrunkSpec:
    """The trunk, completed."""
    known = profile(spec.provider)
    if known is None:
        return spec
    facts, found = known.facts, dict[str, Any]()
    if spec.outbound is not None:
        found["outbound"] = _outbound(spec.outbound, facts)
    codecs = _codecs(facts)
    if codecs and (spec.media is None or spec.media.codecs is None):
        found["media"] = (spec.media or Media()).model_copy(update={"codecs": codecs})
    form = facts.refer_to.known
    if form in ("tel", "sip") and "refer_to" not in spec.model_fields_set:
        found["refer_to"] = form
    if facts.refer_notify.known is False and "refer_notify" not in spec.model_fields_set:
        found["refer_notify"] = False
    return spec.model_copy(update=found)


def _outbound(declared: Outbound, facts: Facts) -> Outbound:
    found: dict[str, Any] = {}
    transport = declared.transport
    if "transport" not in declared.model_fields_set:
        transport = found["transport"] = facts.default_transport.known or transport
    port = next((port for name, port in (facts.transports.known or {}).items() if name == transport), None)
    if port is not None and port != _USUAL_PORTS[transport]:
        found["addresses"] = tuple(a if port_of(a) is not None else with_port(a, port) for a in declared.addresses)
    header = facts.username_header.known
    if header and declared.auth is not None and not _has(declared.headers or {}, header):
        found["headers"] = {**(declared.headers or {}), header: declared.auth.username}
    if facts.number_form.known == "+E.164" and "caller_form" not in declared.model_fields_set:
        found["caller_form"] = "+E.164"
    return declared.model_copy(update=found)


def _codecs(facts: Facts) -> tuple[str, ...]:
    """Those of ours that the provider takes, in its order; none where it takes all, or nobody knows."""
    taken: Sequence[str] = facts.codecs.known or ()
    ours = tuple(codec for codec in taken if codec in CODECS)
    return ours if len(ours) < len(CODECS) else ()


def _has(headers: Any, name: str) -> bool:
    return any(written.lower() == name.lower() for written in headers)
