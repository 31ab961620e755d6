"""IPv6 on the wire: the messages of RFC 5118 over UDP, TCP and TLS, and a call of the test phone, all to `::1`."""

from __future__ import annotations

import re
import select
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.peers import ROOT, BridgeProcess, free_port, lesson

VECTORS = ROOT / "tests" / "vectors" / "rfc5118"
PORTS_OF_VIAS = (5060, 6050, 19823)
VERDICTS = {
    "ipv6-good": 405, "ipv6-bad": 400, "port-ambiguous": 405, "port-unambiguous": 405,
    "via-received-param-with-delim": 481, "via-received-param-no-delim": 200,
    # No codec in common; and audio by IPv4 where we are reached by IPv6.
    "ipv6-in-sdp": 488, "mult-ip-in-sdp": 488, "ipv4-mapped-ipv6": 488,
    "mult-ip-in-header": 481, "ipv6-bug-abnf-3-colons": 400, "ipv6-correct-abnf-2-colons": 200,
}  # fmt: skip


class Sixth(BridgeProcess):
    """A bridge that listens on `::1` by all transports, and lets calls from there in."""

    def __init__(self, manifests: Path, work: Path) -> None:
        for file in manifests.glob("*.yaml"):
            file.write_text(file.read_text().replace("127.0.0.1/32", '"::1/128"'))
        self.authority = Authority(work)
        pair = self.authority.pair("bridge", "::1")
        self.plain, self.secured = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_STREAM)
        listens = (f"udp://[::1]:{self.plain}", f"tcp://[::1]:{self.plain}", f"tls://[::1]:{self.secured}")
        options = [word for listen in listens for word in ("--listen", listen)]
        super().__init__(manifests, work, *options, *pair.options)


@pytest.fixture
def sixth(tmp_path: Path) -> Iterator[Sixth]:
    with lesson("01-one-number", tmp_path) as manifests, Sixth(manifests, tmp_path) as running:
        yield running


def verdict(sockets: list[socket.socket]) -> int:
    """The first final status that comes by any of them."""
    heard = b""
    while not (found := re.search(rb"SIP/2\.0 ([2-6][0-9][0-9]) ", heard)):
        readable = select.select(sockets, [], [], 10)[0]
        assert readable, f"no answer: {heard!r}"
        heard += readable[0].recv(65536)
    return int(found[1])


@pytest.mark.xdist_group("sipp")
def test_every_message_has_its_verdict_by_udp(sixth: Sixth) -> None:
    for name, expected in VERDICTS.items():
        with ExitStack() as stack:
            sockets = [stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)) for _ in PORTS_OF_VIAS]
            for sock, port in zip(sockets, PORTS_OF_VIAS, strict=True):
                sock.bind(("::1", port))
            sockets[0].sendto((VECTORS / f"{name}.dat").read_bytes(), ("::1", sixth.plain))
            assert (name, verdict(sockets)) == (name, expected)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_every_message_has_its_verdict_by_a_stream(sixth: Sixth, transport: str) -> None:
    context = ssl.create_default_context(cafile=str(sixth.authority.file))
    for name, expected in VERDICTS.items():
        port = sixth.plain if transport == "tcp" else sixth.secured
        with socket.create_connection(("::1", port), timeout=10) as plain:
            stream = plain if transport == "tcp" else context.wrap_socket(plain, server_hostname="::1")
            stream.sendall((VECTORS / f"{name}.dat").read_bytes())
            assert (name, verdict([stream])) == (name, expected)
            stream.close()


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_a_call_by_ipv6_is_heard(sixth: Sixth, tmp_path: Path, transport: str) -> None:
    port = sixth.secured if transport == "tls" else sixth.plain
    uri = f"sip:+15550100000@[::1]:{port};transport={transport}"
    options = ["--tls-ca", str(sixth.authority.file), "--record", str(tmp_path / "heard.wav")]
    words = [sys.executable, "-m", "runtime", "call", uri, *options]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "your speech came back" in done.stdout


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_one_listener_takes_calls_of_both_versions_of_ip(tmp_path: Path, host: str, transport: str) -> None:
    port = free_port(socket.SOCK_STREAM)
    with lesson("01-one-number", tmp_path) as manifests:
        for file in manifests.glob("*.yaml"):
            file.write_text(file.read_text().replace("127.0.0.1/32", '127.0.0.1/32, "::1/128"'))
        with BridgeProcess(manifests, tmp_path, "--listen", f"{transport}://[::]:{port}") as bridge:
            words = [sys.executable, "-m", "runtime", "call", f"sip:+15550100000@{host}:{port};transport={transport}"]
            done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
            assert "your speech came back" in done.stdout, done.stdout + done.stderr
            [record] = bridge.records()
            assert record["source"] == host.strip("[]")
