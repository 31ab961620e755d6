"""tshark on the loopback: what went over the wire, and what Wireshark's own analysis says of its RTP."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.peers import program


@dataclass(frozen=True)
class Packet:
    """One of RTP."""

    ssrc: str
    sequence: int
    timestamp: int
    payload: bytes


@dataclass(frozen=True)
class Stream:
    """What Wireshark's RTP analysis says of one SSRC."""

    packets: int
    lost: int
    is_faulty: bool
    """It saw packets out of order, or twice."""


@contextmanager
def capturing(path: Path, ports: str) -> Iterator[None]:
    """Write what goes by UDP from or to these ports ("first-last") meanwhile; skips where this user may not."""
    command = [_tshark(), "-i", "lo", "-f", f"udp portrange {ports}", "-F", "pcap", "-w", str(path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if "Capture started" in line or "File:" in line:
                break
        else:
            pytest.skip(f"this user may not capture packets: {' '.join(said)}")
        try:
            yield
        finally:
            process.terminate()


def stream_to(path: Path, ports: str) -> tuple[Stream, list[Packet]]:
    """The longest stream to these ports, wherever of them it went: what is said of it, and its packets as they came."""
    names = ("rtp.ssrc", "rtp.seq", "rtp.timestamp", "rtp.payload")
    fields = [word for name in names for word in ("-e", name)]
    shown = f"rtp && udp.dstport in {{{ports.replace('-', '..')}}}"
    rows = [line.split("\t") for line in _read(path, ports, "-Y", shown, "-T", "fields", *fields)]
    packets = [Packet(r[0], int(r[1]), int(r[2]), bytes.fromhex(r[3].replace(":", ""))) for r in rows if len(r) == 4]
    [(ssrc, _)] = Counter(packet.ssrc for packet in packets).most_common(1)
    lines = [line for line in _read(path, ports, "-q", "-z", "rtp,streams") if f" {ssrc.upper()} " in line.upper()]
    counts = [re.search(r"(\d+)\s+(-?\d+) \(\S+%\)", line) for line in lines]
    said = Stream(
        packets=sum(int(found[1]) for found in counts if found),
        lost=sum(int(found[2]) for found in counts if found),
        is_faulty=any(line.rstrip().endswith("X") for line in lines),
    )
    return said, [packet for packet in packets if packet.ssrc == ssrc]


def _read(path: Path, ports: str, *options: str) -> list[str]:
    command = [_tshark(), "-r", str(path), "-d", f"udp.port=={ports},rtp", *options]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()


def _tshark() -> str:
    found = program("tshark")
    assert found is not None, "whoever captures is marked with it"
    return found
