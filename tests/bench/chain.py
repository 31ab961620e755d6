"""How speech comes through the whole chain: a real baresip, a bad network, our bridge, and a listener in its room.

baresip says sentences in each codec, and once encrypted, into a network that loses packets and brings them late
(`bad_network`); the bridge's process has it in a room with a listener of the same codec, which is told apart from a
phone by one thing: it plays what it gets at once. So what is measured is all that the bridge adds. Intelligibility is
STOI by `pystoi` (pip install pystoi), no part of our set-up; the delay is from the mouth to the listener's ear, 20 ms
of a packet among it. The reference is the same call through a network without faults.
"""

from __future__ import annotations

import audioop
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from runtime.media import rtp
from runtime.media.codecs.codec import G722, OPUS, PCMU, TICK_MS, Codec
from runtime.media.codecs.coding import make_decoder
from runtime.media.codecs.opus import OpusDecoder
from tests.bench.bad_network import Network, Relay
from tests.bench.figures import Figure, report
from tests.bench.intelligibility import Ears, load_ears
from tests.peers import Baresip, BridgeProcess, wait_for
from tests.signals import speech
from tests.sound import write_wav

SENTENCES = 7
WARM_UP = 2
"""Sentences before any is judged: a delay that changes is heard once, and would be held against all that follow."""
PAUSE_S = 0.5
ASIDE_S = 0.4
"""How far from a period after the one before a sentence may begin: a busy machine takes ticks from everybody."""
LOUD_RMS = 300
GAP_TICKS_MAX = 100
NETWORKS = (Network(0, 0), Network(0, 0.04), Network(0.05, 0.04), Network(0.1, 0.04))
RULES = """\
apiVersion: dialplane.dev/v1alpha1
kind: Trunk
metadata: {name: local}
spec:
  inbound: {allowedAddresses: [127.0.0.0/8]}
  media: {encryption: allow}
---
apiVersion: dialplane.dev/v1alpha1
kind: DispatchRule
metadata: {name: lines}
spec: {rule: {callee: {roomPrefix: line, randomize: false}}}
"""


@dataclass(frozen=True)
class Kind:
    """A codec as baresip has it; `login` and `more` are of its account and its configuration."""

    name: str
    codec: Codec
    account: str
    file_hz: int
    rtpmap: str
    channels: int = 1
    login: str = ""
    more: str = ""

    @property
    def rate_hz(self) -> int:
        """What is listened at."""
        return min(self.codec.rate_hz, 16_000)


_PCMU = Kind("pcmu", PCMU, "pcmu", 8_000, "0 PCMU/8000")
KINDS = (
    _PCMU,
    Kind("g722", G722, "g722/16000/1", 16_000, "9 G722/8000"),
    Kind("opus", OPUS, "opus/48000/2", 48_000, "111 opus/48000/2", channels=2),
    replace(_PCMU, name="pcmu-srtp", login=";mediaenc=srtp-mand", more="module srtp.so\n"),
)


def said_once(rate_hz: int) -> bytes:
    """The sentence, and a pause."""
    return speech(rate_hz) + bytes(2 * int(PAUSE_S * rate_hz))


class Listener(threading.Thread):
    """One who is called by nobody: it calls a number, and keeps what comes and when."""

    def __init__(self, bridge: BridgeProcess, number: str, kind: Kind) -> None:
        super().__init__(daemon=True)
        self._at, self._number, self._kind = ("127.0.0.1", bridge.port), number, kind
        self._sip, self._media = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for each in (self._sip, self._media):
            each.bind(("127.0.0.1", 0))
        self._sip.settimeout(20)
        self._media.settimeout(0.05)
        self.came: list[tuple[float, int, int, bytes]] = []
        """(when, sequence, timestamp, payload)."""
        self._to = f"<sip:{number}@127.0.0.1>"
        self._over = False

    def __enter__(self) -> Listener:
        number, name = self._kind.rtpmap.split()
        sdp = (
            f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {self._media.getsockname()[1]} RTP/AVP {number}\r\na=rtpmap:{number} {name}\r\n"
        )
        self._send("INVITE", 1, sdp)
        answer = ""
        while not answer.startswith("SIP/2.0 200"):
            answer = self._sip.recv(65_536).decode()
        self._to = next(line[4:] for line in answer.splitlines() if line.startswith("To: "))
        self._send("ACK", 1)
        self._remote = ("127.0.0.1", int(answer.split("m=audio ")[1].split()[0]))
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self.join()
        self._send("BYE", 2)
        self._sip.close()
        self._media.close()

    def run(self) -> None:
        """Listen; a packet of silence a second says that somebody is there."""
        number, codec = int(self._kind.rtpmap.split()[0]), self._kind.codec
        said, due = 0, time.monotonic()
        while not self._over:
            now = time.monotonic()
            if now >= due:
                self._media.sendto(
                    rtp.header(number, True, said, said * codec.clock_hz, 9) + codec.silence, self._remote
                )
                said, due = said + 1, due + 1
            try:
                packet = rtp.parse(self._media.recv(2_048))
            except TimeoutError:
                continue
            if packet is not None and packet[0] == number:
                self.came.append((time.monotonic(), packet[2], packet[3], packet[5]))

    def _send(self, method: str, number: int, body: str = "") -> None:
        host, port = self._sip.getsockname()
        type_ = "Content-Type: application/sdp\r\n" if body else ""
        self._sip.sendto(
            f"{method} sip:{self._number}@{self._at[0]}:{self._at[1]} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {host}:{port};rport;branch=z9hG4bK-{self._number}-{method}-{number}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:+15550102222@{host}>;tag=q\r\nTo: {self._to}\r\n"
            f"Call-ID: chain-{self._number}\r\nCSeq: {number} {method}\r\nContact: <sip:q@{host}:{port}>\r\n{type_}"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode(),
            self._at,
        )


@dataclass(frozen=True)
class Heard:
    """What a listener played: samples, and when each tick of them came."""

    pcm: bytes
    at: list[float]


def played(listener: Listener, kind: Kind) -> Heard:
    """Packets in their order, decoded; what is missing is concealed where its decoder does that, else silence."""
    codec, rate_hz = kind.codec, kind.rate_hz
    decoder, size = make_decoder(codec, rate_hz), 2 * rate_hz * TICK_MS // 1000
    pcm, at, due = bytearray(), list[float](), listener.came[0][2]
    for when, _, timestamp, payload in listener.came:
        missing = (timestamp - due & 0xFFFFFFFF) // codec.step
        missing = missing if missing < GAP_TICKS_MAX else 0
        for number in range(missing):
            is_last = number == missing - 1
            pcm += decoder.conceal(payload if is_last else None) if isinstance(decoder, OpusDecoder) else bytes(size)
            at.append(when)
        linear = decoder.decode(payload)
        pcm += linear
        at += [when] * (len(linear) // size)
        due = timestamp + codec.step * (len(linear) // size)
    return Heard(bytes(pcm), at)


def judged(kind: Kind, heard: Heard, sent: list[tuple[float, int]], ears: Ears) -> tuple[float, float]:
    """(STOI, ms of delay) of the sentences behind the warm-up, each where it fits best: the mean, the median."""
    rate_hz = kind.rate_hz
    once, period, tick = speech(rate_hz), len(said_once(rate_hz)) // 2, rate_hz * TICK_MS // 1000
    first = sent[0][1]
    left = {(timestamp - first & 0xFFFFFFFF) // kind.codec.step: when for when, timestamp in sent}
    scores, delays = [], []
    # Of the first sentence the bridge may miss half a second, in which it finds out whom it hears.
    began = _first_loud(heard.pcm, tick) - _first_loud(once, tick)
    found = ears.place(once, heard.pcm[: 4 * period])
    at = found - round((found - began) / period) * period
    for sentence in range(SENTENCES):
        since = max(0, at - int(ASIDE_S * rate_hz))
        around = heard.pcm[2 * since : 2 * (at + int(ASIDE_S * rate_hz)) + len(once)]
        if len(around) < len(once):
            break
        at = since + ears.place(once, around)
        if sentence >= WARM_UP:
            scores.append(ears.stoi(once, heard.pcm[2 * at : 2 * at + len(once)].ljust(len(once), b"\0"), rate_hz))
            middle = len(once) // 4
            heard_at, said_at = at + middle, sentence * period + middle
            if said_at // tick in left and heard_at // tick < len(heard.at):
                inside_s = (heard_at % tick - said_at % tick) / rate_hz
                delays.append(1000 * (heard.at[heard_at // tick] - left[said_at // tick] + inside_s) + TICK_MS)
        at += period
    return statistics.mean(scores), statistics.median(delays)


def _first_loud(pcm: bytes, tick: int) -> int:
    """The sample at which somebody begins to speak."""
    return next(at // 2 for at in range(0, len(pcm), 2 * tick) if audioop.rms(pcm[at : at + 2 * tick], 2) > LOUD_RMS)


def through_the_chain(
    bridge: BridgeProcess, work: Path, kind: Kind, network: Network, number: str
) -> tuple[Heard, Relay]:
    """One call of baresip's."""
    work.mkdir()
    linear = said_once(kind.file_hz) * (SENTENCES + 2)
    if kind.channels == 2:
        linear = audioop.tostereo(linear, 2, 1, 1)
    said = write_wav(work / "said.wav", linear, kind.file_hz, kind.channels)
    with (
        Relay(bridge.port, network) as relay,
        Listener(bridge, number, kind) as listener,
        Baresip(work / "phone", "+15550101111", said, kind.account, kind.login, kind.more) as phone,
    ):
        phone.do("dial", f"sip:{number}@127.0.0.1:{relay.port}")
        wait_for(lambda: "Call established" in phone.log(), f"an answer: {phone.log()}")
        time.sleep(SENTENCES * len(said_once(8_000)) / 16_000 + 1)
        phone.do("hangup")
        time.sleep(0.3)
    return played(listener, kind), relay


def of_kind(bridge: BridgeProcess, work: Path, kind: Kind, digit: int, ears: Ears) -> Iterator[Figure]:
    """All networks at once, each in a room of its own."""

    def one(place: int) -> tuple[Heard, Relay]:
        number = f"+1666000{digit}00{place}"
        return through_the_chain(bridge, work / f"{kind.name}-{place}", kind, NETWORKS[place], number)

    with ThreadPoolExecutor(len(NETWORKS)) as pool:
        found = list(pool.map(one, range(len(NETWORKS))))
    results = [judged(kind, heard, relay.sent, ears) for heard, relay in found]
    for network, (score, delay_ms) in zip(NETWORKS, results, strict=True):
        about = f"{kind.name}, {network.words}"
        yield Figure(
            id=f"chain-stoi-{kind.name}-{network.key}", what=f"intelligibility through the whole chain, {about}",
            how=f"baresip, mean of {SENTENCES - WARM_UP} sentences", value=score, unit="STOI", floor=True,
            reference=results[0][0], beside="the same without loss and jitter",
        )  # fmt: skip
        yield Figure(
            id=f"chain-delay-{kind.name}-{network.key}", what=f"mouth to ear, {about}",
            how="wall clock, median of the sentences", value=delay_ms, unit="ms",
            reference=results[0][1], beside="the same without loss and jitter",
        )  # fmt: skip


def main() -> None:
    """Measure and report."""
    ears = load_ears()
    if ears is None:
        return
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (manifests := work / "manifests").mkdir()
        (manifests / "rules.yaml").write_text(RULES)
        with BridgeProcess(manifests, work) as bridge:
            for digit, kind in enumerate(KINDS):
                figures += of_kind(bridge, work, kind, digit, ears)
                print(f"  {kind.name}: done", file=sys.stderr)
    report(figures)


if __name__ == "__main__":
    main()
