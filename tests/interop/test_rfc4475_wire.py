"""The torture messages of RFC 4475 on the wire: each to a running bridge, by UDP, TCP and TLS, under a call that is up.

They come from an address that a trunk allows, byte for byte as the RFC has them. Over UDP an answer goes to the port
that the message's Via names, so these ports of a loopback address of the test's own are listened on.
"""

from __future__ import annotations

import random
import re
import select
import socket
import ssl
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.sip.limits import MESSAGE_WITHIN_S
from tests.interop.test_tls import Secured
from tests.peers import ROOT, STEADY, lesson, sipp, sipp_command, talk_share, wait_for
from tests.sound import SPEECH_PCMU

pytestmark = [pytest.mark.peer("sipp"), pytest.mark.xdist_group("sipp")]
VECTORS = ROOT / "tests" / "vectors" / "rfc4475"
SCENARIO = Path(__file__).parent / "scenarios" / "uac-g711.xml"
PORTS_OF_VIAS = (5060, 5050, 5070)
ANSWER_WITHIN_S, QUIET_S = 5.0, 0.2
TALK_S = 20

DROPPED = 0
"""No answer, and one more message counted as dropped."""

VERDICTS: dict[str, int] = {
    # 3.1.1: valid. wsinv says by its To tag that it belongs to a call, and there is none.
    "wsinv": 481, "intmeth": 501, "esc01": 200, "escnull": 405, "esc02": 501, "lwsdisp": 200, "longreq": 200,
    "dblreq": 405, "semiuri": 200, "transports": 200, "mpart01": 405, "unreason": DROPPED, "noreason": DROPPED,
    # 3.1.2: invalid.
    "badinv01": 400, "clerr": 400, "ncl": 400, "scalar02": 400, "scalarlg": DROPPED, "quotbal": 400, "ltgtruri": 400,
    "lwsruri": 400, "lwsstart": 400, "trws": 400, "escruri": 400, "baddate": 200, "regbadct": 400, "badaspec": 400,
    "baddn": 400, "badvers": 505, "mismatch01": 400, "mismatch02": 400, "bigcode": DROPPED,
    # 3.2: transaction layer.
    "badbranch": 200,
    # 3.3: application layer.
    "insuf": 400, "unkscm": 416, "novelsc": 416, "unksm2": 405, "bext01": 420, "invut": 415, "regaut01": 405,
    "multi01": 400, "mcl01": 400, "bcast": DROPPED, "zeromf": 200, "cparam01": 405, "cparam02": 405, "regescrt": 405,
    "sdp01": 406,
    # 3.4: an older peer.
    "inv2543": 200,
}  # fmt: skip

OVER_TCP = {"inv2543": 400}
"""Without a Content-Length nobody can tell where it ends (RFC 3261 section 18.3)."""

UNFINISHED = ("clerr", "baddn")
"""Shorter than they say, or without the empty line: over TCP the verdict comes when no more bytes can."""

_status = re.compile(rb"SIP/2\.0 ([0-9]{3}) ")
_call_id = re.compile(rb"^(?:call-id|i)[ \t]*:[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE)


def call_id(message: bytes) -> bytes | None:
    found = _call_id.search(message)
    return found[1] if found else None


class Torturer(ABC):
    """Sends messages from one allowed address, and hangs up the calls that it has made."""

    answer_within_s = ANSWER_WITHIN_S
    talk_s = TALK_S

    def __init__(self, bridge: Secured) -> None:
        self.bridge = bridge
        self.address = ".".join(["127", *(str(random.randrange(1, 250)) for _ in range(3))])

    @abstractmethod
    def send(self, data: bytes) -> None: ...

    @abstractmethod
    def read(self, within_s: float) -> list[bytes]:
        """Messages that came, after at most so long."""

    def verdict(self, name: str) -> int:
        """The final status that answers this message, or `DROPPED`."""
        data = (VECTORS / f"{name}.dat").read_bytes()
        before = sum(self.bridge.counters()["dropped"].values())
        self.send(data)
        if name in UNFINISHED:
            self.no_more()
        deadline = time.monotonic() + (self.answer_within_s if VERDICTS[name] != DROPPED else QUIET_S)
        while (left := deadline - time.monotonic()) > 0:
            for answer in self.read(left):
                status = int(_status.match(answer)[1])  # type: ignore[index]
                if status >= 200 and call_id(answer) == call_id(data):
                    if status == 200 and data.startswith(b"INVITE "):
                        self.hang_up(answer)
                    return status
        wait_for(lambda: sum(self.bridge.counters()["dropped"].values()) == before + 1, f"{name} to be counted")
        return DROPPED

    @abstractmethod
    def no_more(self) -> None:
        """Nothing more will be sent."""

    def hang_up(self, answer: bytes) -> None:
        """ACK and BYE, with what the answer repeats of the request."""
        fields = {}
        for line in answer.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]:
            name, _, value = line.partition(b": ")
            fields.setdefault(name, value)
        number = int(fields[b"CSeq"].split()[0])
        for method, cseq in ((b"ACK", number), (b"BYE", number + 1)):
            lines = [
                b"%s sip:bridge@127.0.0.1 SIP/2.0" % method,
                b"Via: SIP/2.0/UDP %s;branch=z9hG4bK%d" % (self.address.encode(), random.getrandbits(64)),
                *(b"%s: %s" % (name, fields[name]) for name in (b"From", b"To", b"Call-ID")),
                b"CSeq: %d %s" % (cseq, method),
                b"Content-Length: 0",
            ]
            self.send(b"\r\n".join([*lines, b"", b""]))


class OverUdp(Torturer):
    def __enter__(self) -> OverUdp:
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in PORTS_OF_VIAS]
        for sock, port in zip(self.sockets, PORTS_OF_VIAS, strict=True):
            sock.bind((self.address, port))
        return self

    def __exit__(self, *_: object) -> None:
        for sock in self.sockets:
            sock.close()

    def send(self, data: bytes) -> None:
        self.sockets[0].sendto(data, ("127.0.0.1", self.bridge.port))

    def no_more(self) -> None:
        pass  # a datagram has its end

    def read(self, within_s: float) -> list[bytes]:
        return [sock.recv(65536) for sock in select.select(self.sockets, [], [], within_s)[0]]


class OverTcp(Torturer):
    """A connection of its own for each message."""

    def __enter__(self) -> OverTcp:
        self.socket: socket.socket | None = None
        return self

    def __exit__(self, *_: object) -> None:
        if self.socket is not None:
            self.socket.close()

    def verdict(self, name: str) -> int:
        self.__exit__()
        self.socket = socket.create_connection(("127.0.0.1", self.bridge.port), source_address=(self.address, 0))
        return super().verdict(name)

    def send(self, data: bytes) -> None:
        assert self.socket is not None
        self.socket.sendall(data)

    def no_more(self) -> None:
        assert self.socket is not None
        self.socket.shutdown(socket.SHUT_WR)

    def read(self, within_s: float) -> list[bytes]:
        assert self.socket is not None
        if not select.select([self.socket], [], [], within_s)[0]:
            return []
        return [part for part in re.split(rb"(?=SIP/2\.0 [1-6])", self.socket.recv(65536)) if part]


class OverTls(OverTcp):
    """The same within TLS, where a stream cannot be ended one way: what has no end is found out by the clock."""

    answer_within_s = MESSAGE_WITHIN_S + 3
    talk_s = TALK_S + 3 * MESSAGE_WITHIN_S

    def verdict(self, name: str) -> int:
        self.__exit__()
        plain = socket.create_connection(("127.0.0.1", self.bridge.tls_port), source_address=(self.address, 0))
        self.socket = ssl.create_default_context(cafile=str(self.bridge.authority.file)).wrap_socket(
            plain, server_hostname="localhost"
        )
        return Torturer.verdict(self, name)

    def no_more(self) -> None:
        pass

    def read(self, within_s: float) -> list[bytes]:
        assert self.socket is not None
        self.socket.settimeout(within_s)  # what is readable may be TLS's own
        try:
            return [part for part in re.split(rb"(?=SIP/2\.0 [1-6])", self.socket.recv(65536)) if part]
        except TimeoutError:
            return []


@pytest.fixture
def open_bridge(tmp_path: Path) -> Iterator[Secured]:
    """A bridge whose trunk allows all of loopback."""
    with lesson("01-one-number", tmp_path) as manifests:
        for file in manifests.glob("*.yaml"):
            file.write_text(file.read_text().replace("127.0.0.1/32", "127.0.0.0/8"))
        with Secured(manifests, tmp_path) as running:
            yield running


@pytest.mark.parametrize(("torturer", "transport"), [(OverUdp, "u1"), (OverTcp, "t1"), (OverTls, "t1")])
def test_every_torture_message_gets_its_verdict_and_a_call_that_is_up_is_not_disturbed(
    open_bridge: Secured, tmp_path: Path, torturer: type[OverUdp | OverTcp], transport: str
) -> None:
    (tmp_path / "speech.ul").write_bytes(SPEECH_PCMU)
    (tmp_path / "to.csv").write_text("SEQUENTIAL\n+16660000001;\n")
    scenario = ["-sf", str(SCENARIO), "-inf", "to.csv", "-m", "1", "-t", transport]
    command = sipp_command(open_bridge.target, tmp_path, *scenario, "-d", str(int(torturer.talk_s * 1000)))
    call = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: len(open_bridge.counters()["live"]) == 1, "the call to be up")
        expected = VERDICTS | (OVER_TCP if issubclass(torturer, OverTcp) else {})
        with torturer(open_bridge) as peer:
            found = {name: peer.verdict(name) for name in sorted(expected)}
        assert found == expected
        assert len(found) == 49
        assert call.poll() is None, "the call was up all the time"
    finally:
        returned = call.wait(90)
    assert returned == 0
    (record,) = [r for r in wait_for(open_bridge.records, "records") if r["to"] == "+16660000001"]
    assert (record["reason"], record["media"]["packetsLost"]) == ("hangup", 0)
    assert talk_share(record) > STEADY
    wait_for(lambda: not open_bridge.counters()["live"], "all other calls to be over")
    assert sipp(open_bridge.target, tmp_path, *scenario, "-d", "300").returncode == 0, "a normal call works"
