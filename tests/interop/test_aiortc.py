"""A browser's media without a browser: aiortc offers what web pages do (ICE, DTLS-SRTP, one socket), by a SIP core.

The bridge is a real one; SIP goes by UDP, media by whatever aiortc and the bridge agree on.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from pathlib import Path

from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack
from av import AudioFrame

from runtime.sip import events as sip
from runtime.sip.endpoint import Endpoint, EndpointConfig
from runtime.sip.path import Path as SipPath
from tests.interop.test_srtp import RULES
from tests.peers import BridgeProcess, bridge_with, wait_for

TALK_S = 2.5


class Tone(AudioStreamTrack):
    """A square wave of 250 Hz."""

    async def recv(self) -> AudioFrame:
        frame = await super().recv()
        wave = (b"\x00\x20" * 16 + b"\x00\xe0" * 16) * (frame.samples // 32 + 1)
        frame.planes[0].update(wave[: frame.samples * 2])
        return frame


async def dial(bridge: BridgeProcess, sdp: str) -> tuple[Endpoint, socket.socket, int, str]:
    """An INVITE with this offer; the answer's SDP."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    endpoint = Endpoint(EndpointConfig("aiortc"), os.urandom)
    path = SipPath("udp", sock.getsockname(), ("127.0.0.1", bridge.port))
    uri = f"sip:+15550100000@{bridge.target}"
    leg = endpoint.invite(
        uri, path, time.monotonic(), from_="<sip:+15550101111@127.0.0.1>", to=f"<{uri}>", body=sdp.encode()
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for data, way in endpoint.datagrams_to_send():
            sock.sendto(data, way.remote)
        try:
            endpoint.receive_datagram(sock.recv(65_536), path, time.monotonic())
        except BlockingIOError:
            await asyncio.sleep(0.01)
        endpoint.handle_timer(time.monotonic())
        while (event := endpoint.next_event()) is not None:
            if isinstance(event, sip.Answered):
                for data, way in endpoint.datagrams_to_send():
                    sock.sendto(data, way.remote)
                return endpoint, sock, leg, event.response.body.decode()
            assert not isinstance(event, sip.Rejected), event
    raise AssertionError("no answer")


async def talk(bridge: BridgeProcess) -> tuple[str, int]:
    """A call; how its connection stood, and the loudest sample that was heard."""
    peer = RTCPeerConnection()
    peer.addTrack(Tone())
    loudest = 0
    heard: asyncio.Task[None] | None = None

    @peer.on("track")
    def on_track(track: AudioStreamTrack) -> None:
        async def listen() -> None:
            nonlocal loudest
            while True:
                frame = await track.recv()
                loudest = max(loudest, max(frame.to_ndarray().flatten().tolist()))

        nonlocal heard
        heard = asyncio.ensure_future(listen())

    await peer.setLocalDescription(await peer.createOffer())
    endpoint, sock, leg, answer = await dial(bridge, peer.localDescription.sdp)
    await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await asyncio.sleep(TALK_S)
    state = peer.connectionState
    endpoint.bye(leg, time.monotonic())
    for data, way in endpoint.datagrams_to_send():
        sock.sendto(data, way.remote)
    sock.close()
    if heard is not None:
        heard.cancel()
    await peer.close()
    return state, loudest


def test_a_web_pages_media_is_answered_and_heard(tmp_path: Path) -> None:
    with bridge_with(RULES.format(policy="require"), tmp_path) as bridge:
        state, loudest = asyncio.run(talk(bridge))
        [record] = wait_for(bridge.records, "the record")
    assert state == "connected"
    assert loudest > 5_000, "it hears itself"
    assert record["mediaEncryption"].startswith("DTLS ")
    assert record["media"]["packetsReceived"] > TALK_S * 25
    assert record["reason"] == "hangup"
