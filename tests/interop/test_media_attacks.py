"""Attacks on the media of a live call: nothing of them reaches the room, and nobody gets the caller's audio.

One baresip speaks to another in a room of the bridge; its SDP names an address that its packets do not come from, as
behind a NAT, so the bridge has had to learn it. The attacker knows everything: the ports, the SSRC, the sequence
numbers. It sends from other addresses, and from other ports of the very host of the call. What it says is louder than
the speech can ever be, so one frame of it would show in what is heard.
"""

from __future__ import annotations

import audioop
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from runtime.media import rtcp, rtp
from runtime.media.codecs import g711
from runtime.phone.heard import compare
from tests.peers import Baresip, BridgeProcess, lesson, wait_for
from tests.sound import SPEECH_PCMU, samples, speech

pytestmark = [pytest.mark.peer("baresip"), pytest.mark.xdist_group("baresip")]
FILE_S = 120.0
LOBBY = "+15550100000"
CALLER, STRANGER = "127.0.0.1", "127.0.66.99"
LOUD = bytes([0x80, 0x80, 0x00, 0x00]) * 40
"""The largest codes of µ-law both ways, 2 kHz: 32,124 of 32,767."""
PEAK_MAX = 28_000
"""The shipped sentence stays below."""
ATTACK_S = 1.5


@dataclass
class Call:
    """A call under attack: the bridge's ports of the one who speaks, and what the other one has heard."""

    bridge: BridgeProcess
    caller: Baresip
    listener: Baresip

    def __post_init__(self) -> None:
        self._random = Random(3)

    @property
    def known(self) -> tuple[int, int]:
        """SSRC, and the sequence number that the caller sends next."""
        told = re.search(r"Encode: seq=(\d+) ssrc=0x([0-9a-f]+)", self.caller.ask("audio_debug"))
        assert told is not None
        return int(told[2], 16), int(told[1])

    @property
    def ends(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """The bridge's RTP and RTCP ports of the caller."""
        told = re.search(r"remote: ([0-9.]+):(\d+)", self.caller.ask("audio_debug"))
        assert told is not None
        return (told[1], int(told[2])), (told[1], int(told[2]) + 1)

    def heard(self) -> bytes:
        """Everything that the listener has heard so far; the header of its file is unfinished."""
        data = self.listener.heard().read_bytes()
        pcm = data[data.find(b"data") + 8 :]
        return pcm[: len(pcm) & ~1]


@contextmanager
def talking(work: Path, *options: str) -> Iterator[Call]:
    """Two phones in one room of a bridge with these options."""
    said = speech(work / "said.wav", FILE_S)
    with (
        lesson("01-one-number", work) as manifests,
        BridgeProcess(manifests, work, *options) as bridge,
        Baresip(work / "a", "+15550101111", said) as caller,
        Baresip(work / "b", "+15550102222", speech(work / "b.wav", FILE_S, reverse=True)) as listener,
    ):
        for phone in (listener, caller):
            phone.do("dial", f"sip:{LOBBY}@{bridge.target}")
            wait_for(lambda phone=phone: "Call established" in phone.log(), f"an answer: {phone.log()}")
        yield Call(bridge, caller, listener)


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Call]:
    """One call that all attacks are made on, one after the other; it has to outlive them all."""
    work = tmp_path_factory.mktemp("attacked")
    with talking(work) as running:
        wait_for(lambda: len(running.heard()) > 16_000, "speech to be heard")
        time.sleep(1.0)  # the address is learned within half a second of real packets
        yield running
        running.caller.do("hangup")
        wait_for(lambda: len(running.bridge.records()) == 1, "the record of the call")
        record = running.bridge.records()[0]
        assert (record["reason"], record["endedBy"]) == ("hangup", "caller")
        assert record["media"]["packetsRejected"] > 300
        assert record["media"]["packetsLost"] < 25, "the kernel keeps a flood out, once it is seen"
        assert compare(samples(work / "said.wav"), running.heard()).fit > 0.9


@contextmanager
def attacker(host: str) -> Iterator[socket.socket]:
    """A socket of the attacker; whatever it is sent is the caller's audio, or a report on it, and a failure."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.bind((host, 0))
        sock.setblocking(False)
        yield sock
        with pytest.raises(BlockingIOError):
            sock.recv(2048)


def attack(call: Call, send: Callable[[int], None], packets: int = 75) -> None:
    """Send so many packets at speech's pace, and look at what the listener hears meanwhile and after it."""
    before = len(call.heard())
    begun = time.monotonic()
    for number in range(packets):
        send(number)
        time.sleep(max(0.0, begun + (number + 1) * ATTACK_S / packets - time.monotonic()))
    wait_for(lambda: len(call.heard()) - before > (ATTACK_S + 0.6) * 16_000, "what is heard after the attack")
    heard = call.heard()[before:]
    assert audioop.max(heard, 2) < PEAK_MAX, "nothing of the attacker is heard"
    assert speaks(heard), "the caller is"
    assert len(call.bridge.counters()["live"]) == 2


def speaks(heard: bytes) -> bool:
    """Whether speech goes on all the time: about as much of it is loud as of the sentence itself."""
    return loud_share(heard) > 0.6 * loud_share(g711.decode("pcmu", SPEECH_PCMU))


def loud_share(pcm: bytes) -> float:
    """How much of it is no silence, 20 ms by 20 ms."""
    frames = [pcm[at : at + 320] for at in range(0, len(pcm) - 320, 320)]
    return sum(audioop.rms(frame, 2) > 100 for frame in frames) / len(frames)


@pytest.mark.parametrize("host", [STRANGER, CALLER])
def test_bleed_a_stream_of_somebody_else_is_neither_heard_nor_answered(call: Call, host: str) -> None:
    end, _ = call.ends
    with attacker(host) as sock:
        attack(call, lambda n: sock.sendto(rtp.header(0, n == 0, 100 + n, 160 * n, 0xBAD) + LOUD, end))


@pytest.mark.parametrize("host", [STRANGER, CALLER])
def test_inject_the_right_ssrc_and_sequence_from_another_address_is_not_heard(call: Call, host: str) -> None:
    end, _ = call.ends
    ssrc, sequence = call.known
    with attacker(host) as sock:
        attack(
            call,
            lambda n: sock.sendto(rtp.header(0, False, sequence + 3 + n & 0xFFFF, 160 * (n + 3), ssrc) + LOUD, end),
        )


@pytest.mark.parametrize("host", [STRANGER, CALLER])
def test_replay_packets_that_were_heard_before_are_not_heard_again(call: Call, host: str) -> None:
    end, _ = call.ends
    ssrc, sequence = call.known
    with attacker(host) as sock:
        attack(
            call,
            lambda n: sock.sendto(rtp.header(0, False, sequence - 200 + n & 0xFFFF, 160 * n, ssrc) + LOUD, end),
        )


@pytest.mark.parametrize("host", [STRANGER, CALLER])
def test_odd_packets_oversized_mistyped_cut_short_and_rtcp_at_the_rtp_port(call: Call, host: str) -> None:
    end, _ = call.ends
    ssrc, sequence = call.known
    goodbye = rtcp.write((rtcp.ReceiverReport(ssrc), rtcp.Bye((ssrc,))))

    def odd(n: int) -> None:
        head = rtp.header((0, 8, 13, 101, 127)[n % 5], True, sequence + n & 0xFFFF, 160 * n, ssrc)
        for data in (head + LOUD * 50, head[: n % 12], head + LOUD, goodbye, b"\xff" * 1400, head):
            sock.sendto(data or b"\0", end)

    with attacker(host) as sock:
        attack(call, odd)


@pytest.mark.parametrize("host", [STRANGER, CALLER])
def test_a_forged_goodbye_by_rtcp_ends_nothing_and_turns_no_report(call: Call, host: str) -> None:
    _, end = call.ends
    ssrc, _ = call.known
    report = rtcp.ReportBlock(ssrc, 255, 9999, 1, 9999, 0, 0)
    forged = [
        rtcp.write((rtcp.ReceiverReport(ssrc), rtcp.Bye((ssrc,), "over"))),
        rtcp.write((rtcp.SenderReport(ssrc, 1, 2, 3, 4, (report,)), rtcp.Bye((ssrc,)))),
    ]
    with attacker(host) as sock:
        attack(call, lambda n: sock.sendto(forged[n % 2], end))


def test_a_flood_of_noise_at_the_port_is_not_heard_and_drowns_nobody(call: Call) -> None:
    ends, dice = call.ends, Random(1)
    noise = [dice.randbytes(dice.randrange(1, 400)) for _ in range(200)]
    noise += [rtp.header(0, False, n, n, dice.getrandbits(32)) + LOUD for n in range(200)]

    with attacker(STRANGER) as sock:

        def flood(number: int) -> None:
            for data in dice.sample(noise, 150):
                try:
                    sock.sendto(data, ends[number % 8 == 0])
                except BlockingIOError:
                    return

        attack(call, flood, packets=150)


def test_whoever_sprays_all_ports_before_a_call_is_there_gets_nothing_of_it(tmp_path: Path) -> None:
    first, last = 21_700, 21_719
    over = threading.Event()
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.bind((STRANGER, 0))
        sock.setblocking(False)

        def spray() -> None:
            number = 0
            while not over.is_set():
                for port in range(first, last + 1, 2):
                    sock.sendto(rtp.header(0, False, number & 0xFFFF, 160 * number, 0xBAD) + LOUD, (CALLER, port))
                number += 1
                over.wait(0.01)

        spraying = threading.Thread(target=spray)
        spraying.start()
        try:
            with talking(tmp_path, "--rtp-ports", f"{first}-{last}") as call:
                wait_for(lambda: len(call.heard()) > 3 * 16_000, "speech to be heard")
                heard = call.heard()
        finally:
            over.set()
            spraying.join()
        assert audioop.max(heard, 2) < PEAK_MAX, "nothing of the attacker is heard"
        with pytest.raises(BlockingIOError):
            sock.recv(2048)
