"""A bridge behind NAT names the address that the world sees: in Contact, in Via, in SDP; given, or told by coturn."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.interop.test_tcp import Caller, until_answer
from tests.peers import BridgeProcess, free_port, lesson, program, wait_for

OUTSIDE, MEDIA = "203.0.113.5", "203.0.113.6"
SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"
FAR = ("--local-network", "10.0.0.0/8")
"""Loopback is no local network here: its peers are told what the world is."""


@contextmanager
def answered(work: Path, *options: str) -> Iterator[tuple[BridgeProcess, str]]:
    """A bridge with these options, and the 200 to an INVITE of ours."""
    with lesson("01-one-number", work) as manifests, BridgeProcess(manifests, work, *options) as bridge:
        caller = Caller(bridge, "outside")
        with caller.connection() as connection:
            connection.sendall(caller.message("INVITE", SDP))
            answer = until_answer(connection, 200)
            while "m=audio" not in answer:
                answer += connection.recv(65536).decode()
            yield bridge, answer


def named(answer: str) -> tuple[str, str, str]:
    """The hosts of Contact, c= and o=."""
    patterns = (r"^Contact: <sip:([^:;>]+)", r"^c=IN IP4 (\S+)\r$", r"^o=.* IN IP4 (\S+)\r$")
    return tuple(re.findall(pattern, answer, re.MULTILINE)[-1] for pattern in patterns)  # type: ignore[return-value]


def test_who_is_far_is_told_the_external_addresses(tmp_path: Path) -> None:
    options = ("--external-address", OUTSIDE, "--external-media-address", MEDIA, *FAR)
    with answered(tmp_path, *options) as (_, answer):
        assert named(answer) == (OUTSIDE, MEDIA, MEDIA)


def test_who_is_near_is_told_our_own(tmp_path: Path) -> None:
    with answered(tmp_path, "--external-address", OUTSIDE) as (_, answer):
        assert named(answer) == ("127.0.0.1",) * 3


@pytest.mark.peer("turnserver")
def test_a_stun_server_tells_the_address_and_its_absence_stops_nobody(tmp_path: Path) -> None:
    port = free_port()
    words = [program("turnserver") or "turnserver", "--stun-only", "-p", str(port), "-L", "127.0.0.1", "-n"]
    log = tmp_path / "turnserver.log"
    with log.open("w") as out:
        server = subprocess.Popen([*words, "--no-cli", "--log-file", "stdout"], stdout=out, stderr=out, cwd=tmp_path)
    try:
        wait_for(lambda: _is_taken(port), f"coturn: {log.read_text()}")
        # It sees loopback as loopback: what is shown is that its word is taken.
        with answered(tmp_path, "--external-address", f"stun:127.0.0.1:{port}", *FAR) as (bridge, answer):
            assert named(answer) == ("127.0.0.1",) * 3
            assert "the world sees us at another address than before" in bridge.log()
            assert "address=127.0.0.1" in bridge.log()
    finally:
        server.terminate()
        server.wait(10)


def test_a_stun_server_that_does_not_answer_is_told_and_calls_go_on(tmp_path: Path) -> None:
    with answered(tmp_path, "--external-address", f"stun:127.0.0.1:{free_port()}", *FAR) as (bridge, answer):
        assert named(answer) == ("127.0.0.1",) * 3
        assert "the STUN server does not answer" in bridge.log()


def _is_taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False
