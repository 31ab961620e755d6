"""Each provider's example against a carrier that behaves as its profile says, both ways and sent on, by each transport.

The manifests are those of `examples/manifests`, with the carrier's address in place of the provider's.
"""

from __future__ import annotations

import asyncio
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from livekit import api
from livekit.protocol import sip

from schemas.providers.profiles import NAMES, profile
from tests.carrier import Carrier
from tests.certificates import Authority
from tests.interop.test_dialling import KEYS, Calling
from tests.peers import ROOT, BridgeProcess, free_port, wait_for

LESSONS = {path.name[3:]: path for path in (ROOT / "examples/manifests").iterdir() if path.name[3:] in NAMES}
PASSWORD = "tiger"
TARGET = "+15550105555"


class Provided(Calling):
    """A bridge on a provider's example, whose provider is the carrier at this port."""

    def __init__(self, work: Path, name: str, port: int, transport: str, options: tuple[str, ...] = ()) -> None:
        manifests = work / "manifests"
        manifests.mkdir()
        text = (LESSONS[name] / "trunk.yaml").read_text()
        text = re.sub(r"allowedAddresses:(?: \[.*\]|(\n +- .*)+)", "allowedAddresses: [127.0.0.1/32]", text)
        host = "localhost" if transport == "tls" else "127.0.0.1"
        text = re.sub(r"( +)addresses: \[.*\]", rf'\1addresses: ["{host}:{port}"]\n\1transport: {transport}', text)
        text = re.sub(r"(transport: \w+)(.*)\n +transport: \w+\n", r"\1\2\n", text)  # one that was written already
        (manifests / "trunk.yaml").write_text(text)
        self.livekit_port = free_port(socket.SOCK_STREAM)
        environment = {**KEYS, f"{name.upper()}_PASSWORD": PASSWORD}
        BridgeProcess.__init__(
            self, manifests, work, "--livekit-api", f"127.0.0.1:{self.livekit_port}", *options, environment=environment
        )


def ways(name: str) -> list[tuple[str, str]]:
    known = profile(name)
    assert known is not None
    # Where TLS means encrypted media: the carrier of these tests has none.
    encrypted = known.facts.encryption.value == "with-tls"
    return [(name, transport) for transport in known.facts.transports.value if transport != "tls" or not encrypted]


def callee(name: str) -> str:
    return "+915550109999" if name == "exotel" else "+15550109999"


def ours(name: str) -> str:
    return "+915550100000" if name == "exotel" else "+15550100000"


@pytest.mark.parametrize(("name", "transport"), [way for name in NAMES for way in ways(name)])
def test_a_provider_is_called_sends_on_and_calls_in(tmp_path: Path, name: str, transport: str) -> None:
    known = profile(name)
    assert known is not None
    options: tuple[str, ...] = ()
    pair, host = None, "127.0.0.1"
    if transport == "tls":
        host = "localhost"
        authority = Authority(tmp_path)
        files = authority.pair("carrier", "localhost")
        listen = ("--listen", f"tls://127.0.0.1:{free_port(socket.SOCK_STREAM)}", *authority.pair("bridge").options)
        pair, options = (files.certificate, files.key), ("--tls-ca", str(authority.file), *listen)
    with (
        Carrier(known, transport, PASSWORD, pair) as carrier,
        Provided(tmp_path, name, carrier.port, transport, options) as bridge,
    ):
        told = bridge.dial(sip_trunk_id=name, sip_call_to=callee(name), wait_until_answered=True)
        assert told.sip_call_id
        assert carrier.refused == []
        [_, invite] = carrier.requests("INVITE")
        assert invite.start.startswith(f"INVITE sip:{callee(name)}@")
        assert f"sip:{ours(name)}@" in invite.first("from")
        header = known.facts.username_header.value
        assert invite.first(header.lower()) == ("acme" if header else "") or not header

        moved = bridge.transfer(participant_identity=f"sip_{callee(name)}", transfer_to=asked(name, host))
        assert moved.status == sip.STS_TRANSFER_SUCCESSFUL
        assert carrier.refused == []
        wait_for(bridge.records, "the end of the call")
        if known.facts.refer_notify.value:
            wait_for(lambda: carrier.requests("BYE"), "the bridge to hang up after the news")
        else:
            assert carrier.requests("BYE") == [], "the carrier has hung up by itself"
        wait_for(lambda: {*carrier.told} == {200}, "the answer to the carrier")

        if transport != "tls":
            assert carrier.call_in(bridge.port, ours(name), "+15550107777") == 200
            wait_for(lambda: bridge.records()[1:], "the end of the call that came in")
    out, *back = bridge.records()
    assert (out["reason"], out["trunk"]) in (("transferred", f"default/{name}"), ("hangup", f"default/{name}")), out
    for record in back:
        assert (record["reason"], record["trunk"], record["from"]) == ("hangup", f"default/{name}", "+15550107777")


def asked(name: str, host: str) -> str:
    """What is asked for: by LiveKit's way, a tel URI; Wavix's form is no verified fact, so it has to be said."""
    known = profile(name)
    assert known is not None
    if known.facts.refer_to.value == "sip" and known.facts.refer_to.known is None:
        return f"sip:{TARGET}@{host}"
    return f"tel:{TARGET.replace('+1', '+91') if name == 'exotel' else TARGET}"


def test_plivos_form_of_a_transfer_is_refused_where_it_is_not_written(tmp_path: Path) -> None:
    """Break it: without `referTo` of the profile the carrier says 403, so the test above proves something."""
    known = profile("plivo")
    assert known is not None
    with Carrier(known, "tcp", PASSWORD) as carrier, Provided(tmp_path, "plivo", carrier.port, "tcp") as bridge:
        manifest = bridge.manifests / "trunk.yaml"
        manifest.write_text(
            manifest.read_text().replace("  provider: plivo\n", "  provider: plivo\n  referTo: asGiven\n")
        )
        wait_for(lambda: bridge.counters()["revision"] >= 2, "the edit to be live")
        bridge.dial(sip_trunk_id="plivo", sip_call_to=callee("plivo"), wait_until_answered=True)
        with pytest.raises(api.SipCallError) as refused:
            bridge.transfer(participant_identity=f"sip_{callee('plivo')}", transfer_to=f"tel:{TARGET}")
        assert refused.value.sip_status_code == 403
        assert carrier.refused == [f"tel:{TARGET} is no sip: at 127.0.0.1"]


def test_more_calls_than_the_trunk_may_place_are_refused_before_the_carrier_hears_of_them(tmp_path: Path) -> None:
    known = profile("plivo")
    assert known is not None
    with Carrier(known, "tcp", PASSWORD) as carrier, Provided(tmp_path, "plivo", carrier.port, "tcp") as bridge:

        async def eight(client: api.LiveKitAPI) -> list[Any]:
            wanted = (
                sip.CreateSIPParticipantRequest(sip_trunk_id="plivo", sip_call_to=callee("plivo"), room_name=f"r{n}")
                for n in range(8)
            )
            asked = (client.sip.create_sip_participant(each) for each in wanted)
            return await asyncio.gather(*asked, return_exceptions=True)

        errors = [told for told in bridge.ask(eight) if isinstance(told, api.TwirpError)]
        assert len(errors) >= 4, "two at once, and two a second"
        assert {error.code for error in errors} == {"resource_exhausted"}
        assert all("outbound.limits.callsPerSecond" in error.message for error in errors)
        with pytest.raises(api.TwirpError) as refused:
            bridge.dial(sip_trunk_id="plivo", sip_call_to="+442071234567")
        assert "allowedDestinations" in refused.value.message
        assert len({invite.first("call-id") for invite in carrier.requests("INVITE")}) <= 8 - len(errors)
