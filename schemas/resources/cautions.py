"""Declarations that are sound and in effect, and still rarely what a person wants: each is worth a warning.

Asked by the reconciler for every document that it accepts. Nothing here holds anything back.
"""

from __future__ import annotations

from collections.abc import Iterator

from schemas.resources.dispatch_rule import DispatchRule
from schemas.resources.documents import Document
from schemas.resources.header_policy import names_a_credential
from schemas.resources.shape import Path
from schemas.resources.trunk import Trunk
from schemas.resources.values import shown
from schemas.ringing import RINGING


def cautions(document: Document) -> Iterator[tuple[Path, str, str]]:
    """(path, what, hint) of each."""
    if isinstance(document, DispatchRule):
        yield from _of_ringing(document)
    if not isinstance(document, Trunk):
        return
    for half, policy in (("inbound", document.spec.inbound), ("outbound", document.spec.outbound)):
        for header in (policy.headers if policy is not None else None) or ():
            if names_a_credential(header):
                what = f"the value of {shown(header)} stands here in clear: whoever reads the manifest has it"
                yield (
                    ("spec", half, "headers", header),
                    what,
                    "use `auth` with passwordFrom, if your carrier takes that",
                )
    for index, network in enumerate(document.spec.media_addresses):
        if str(network).endswith("/0"):
            what = f"`{network}` is every address: audio may come from anywhere, as without it"
            yield ("spec", "mediaAddresses", index), what, "list the networks of your carrier's media"
    yield from _of_keys(document)
    if document.spec.inbound is None:
        return
    for index, network in enumerate(document.spec.inbound.allowed_addresses or ()):
        if str(network).endswith("/0"):
            what = f"`{network}` is every address: whoever finds this bridge may call by this trunk"
            yield ("spec", "inbound", "allowedAddresses", index), what, "list the networks of your carrier"


def _of_ringing(rule: DispatchRule) -> Iterator[tuple[Path, str, str]]:
    if rule.spec.answer == "immediately" and rule.spec.ringback != "none":
        what = f"no caller hears `ringback: {rule.spec.ringback}`: these calls are answered at once"
        what += " (a phone that is sent on does)" if rule.spec.ringback in RINGING else ""
        yield ("spec", "ringback"), what, "leave it out, or write `answer: whenRoomReady`"


def _of_keys(trunk: Trunk) -> Iterator[tuple[Path, str, str]]:
    """SDES (RFC 4568 section 11): the keys of media stand in signalling."""
    media, outbound = trunk.spec.media, trunk.spec.outbound
    if media is None or media.encryption != "require" or outbound is None or outbound.transport not in ("udp", "tcp"):
        return
    if media.keying is not None and "sdes" not in media.keying:
        return
    what = f"the keys of encrypted media travel in clear over {outbound.transport.upper()}, for all to read"
    yield ("spec", "media", "encryption"), what, "write `transport: tls` in `spec.outbound`, if your carrier takes that"
