"""What strangers send as media: RTP and RTCP datagrams, and the WAV files that a user names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from runtime.media import rtcp, rtp, wav
from runtime.media.codecs.codec import G722, OPUS, PCMA, PCMU
from runtime.media.config import StreamConfig
from runtime.media.jitter import PAYLOAD_BYTES_MAX, delay_ms_max
from runtime.media.session import MediaSession

PEER = ("192.0.2.7", 4000)
STRANGER = ("192.0.2.66", 4000)
CONFIG = StreamConfig(PCMU, 0, 0, 101, 101, PEER, (PEER[0], PEER[1] + 1))
SPOKEN = (PCMU, PCMA, OPUS, G722)
STEPS_MAX = 64
SSRC = 0x1234
SPEECH = Path(wav.__file__).parents[1] / "phone" / "speech.wav"

RTP_WORDS = (b"\x80\x00", b"\x80\x80", b"\x80\x65", b"\x90\x00\xbe\xde\x00\x01", b"\xa0\x00", b"\xff\xff", b"\x7f\xff")
RTCP_WORDS = (b"\x80\xc8\x00\x06", b"\x81\xc9\x00\x07", b"\x81\xca\x00\x03", b"\x81\xcb\x00\x01", b"\x00\x00\x12\x34")
WAV_WORDS = (
    *(b"RIFF", b"WAVE", b"fmt ", b"data", b"LIST"),
    *(b"\x01\x00", b"\x02\x00", b"\x06\x00", b"\x07\x00", b"\xfe\xff", b"\x10\x00", b"\x08\x00"),
    *(b"\x40\x1f\x00\x00", b"\x80\xbb\x00\x00", b"\x44\xac\x00\x00"),
)


class Bytes:
    """An input, taken from the front; when it is used up, zeros come."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, count: int) -> bytes:
        """So many bytes, or what is left."""
        taken = self._data[self._at : self._at + count]
        self._at += count
        return taken

    def number(self, count: int = 1) -> int:
        """An unsigned number of so many bytes."""
        return int.from_bytes(self.take(count))


class Line:
    """A media session in virtual time, and what an input does to it step by step."""

    def __init__(self) -> None:
        self.now = 100.0
        self.session = MediaSession(
            CONFIG, ssrc=SSRC, sequence=65_500, timestamp=2**32 - 4000, cname="us", entropy=bytes, now=self.now
        )
        self.sequence, self.timestamp = 65_530, 2**32 - 800

    def step(self, given: Bytes) -> None:
        """One thing that a network or a user may do; the low bits of a byte choose it."""
        code = given.number()
        source = STRANGER if code & 0x80 else PEER
        match code & 0x07:
            case 0 | 1:
                self.session.receive_rtp(self.speech(given), source, self.now)
            case 2:
                self.session.receive_rtp(given.take(given.number()), source, self.now)
            case 3:
                self.session.receive_rtcp(given.take(given.number()), source, self.now, self.now)
            case 4:
                self.ticks(1 + given.number() % 32)
            case 5:
                self.reconfigure(given.number())
            case 6:
                self.session.send_digits("0123456789*#ABCDw"[: 1 + given.number() % 17], self.now)
            case 7:
                self.now += given.number() / 8
        self.look()

    def speech(self, given: Bytes) -> bytes:
        """A packet as the peer would send it next, a step off in sequence, time, payload type or size."""
        shape = given.number()
        self.sequence = (self.sequence + 1 + (given.number() - 128 if shape & 1 else 0)) & 0xFFFF
        self.timestamp = (self.timestamp + 160 + (160 * (given.number() - 128) if shape & 2 else 0)) & 0xFFFFFFFF
        payload_type = 101 if shape & 4 else given.number() & 0x7F if shape & 8 else 0
        payload = given.take(4) if shape & 4 else bytes([shape]) * (given.number(2) % 2000 if shape & 16 else 160)
        ssrc = 7 if shape & 32 else 6
        return rtp.header(payload_type, bool(shape & 64), self.sequence, self.timestamp, ssrc) + payload

    def ticks(self, count: int) -> None:
        """The clock goes on: a frame comes out and one goes in per tick."""
        for _ in range(count):
            self.now += 0.02
            frame = self.session.pull(self.now)
            assert frame is None or len(frame.linear(8000)) == 320
            for datagram, address in self.session.push(frame, self.now):
                packet = rtp.parse(datagram)
                assert packet is not None
                assert len(packet.payload) <= PAYLOAD_BYTES_MAX
                assert address in (PEER, STRANGER)
            self.session.check(self.now)
            due = self.session.rtcp_due(self.now, self.now)
            assert due is None or rtcp.parse(due[0]) is not None

    def reconfigure(self, choice: int) -> None:
        """A re-INVITE."""
        config = replace(
            CONFIG,
            codec=SPOKEN[choice % 4],
            send=bool(choice & 2),
            receive=bool(choice & 4),
            ptime_ms=(20, 40, 60, 10)[choice >> 3 & 3],
            remote=STRANGER if choice & 32 else PEER,
            dtmf_send=None if choice & 64 else 101,
        )
        self.session.reconfigure(config, self.now)

    def look(self) -> None:
        """What holds at any moment."""
        while self.session.next_event() is not None:
            pass
        stats = self.session.stats
        assert 0 <= stats.playout_ms <= delay_ms_max + 200, "the lead is bounded: a packet may end a little beyond"
        assert stats.received >= stats.duplicates >= 0
        assert stats.jitter_ms >= 0


def fuzz_rtp(data: bytes) -> None:
    """Packets as they stand, and a session that a hostile network plays with."""
    packet = rtp.parse(data)
    if packet is not None:
        assert rtp.parse(rtp.write(packet)) == packet
    line, given = Line(), Bytes(data)
    for _ in range(STEPS_MAX):
        if not given:
            break
        line.step(given)
    line.ticks(3)
    line.session.close(line.now, line.now)


def rtp_seeds() -> list[bytes]:
    """Steps of a call: speech and ticks, digits, holes, strangers, hold."""
    packet = rtp.header(0, True, 1, 160, 6) + bytes(160)
    return [
        b"\x00\x00\x04\x01" * 12,
        b"\x00\x00" + b"\x01\x01\x90" + b"\x04\x08" + b"\x00\x02\x84" + b"\x04\x1f",
        b"\x00\x04\x05\x0a\x00\xa0" * 3 + b"\x00\x44\x05\x8a\x03\xc0" + b"\x04\x05",
        b"\x02\xac" + packet + b"\x82\xac" + packet + b"\x80\x20" * 5 + b"\x04\x20",
        b"\x05\x00\x04\x03\x05\x4f\x00\x00\x04\x03\x06\x10\x04\x1f\x07\xff\x04\x01",
        b"\x03\x1c\x80\xc8\x00\x06" + bytes(24) + b"\x00\x00\x04\x1f" * 4,
        rtp.write(rtp.RtpPacket(0, False, 1, 2, 3, b"abcd", (1, 2), (0xBEDE, b"\x10\xaa\x00\x00"))),
    ]


def fuzz_rtcp(data: bytes) -> None:
    """A compound as it stands, and one that a session is told."""
    packets = rtcp.parse(data)
    if packets is not None and all(_fits(packet) for packet in packets):
        assert rtcp.parse(rtcp.write(packets)) == packets
    line = Line()
    line.session.receive_rtp(rtp.header(0, True, 1, 160, 6) + bytes(160), PEER, line.now)
    line.ticks(2)
    line.session.receive_rtcp(data, (PEER[0], PEER[1] + 1), line.now, line.now)
    line.session.receive_rtcp(data, STRANGER, line.now, line.now)
    line.look()
    line.now += 10
    line.ticks(1)


def _fits(packet: rtcp.Packet) -> bool:
    """Whether the texts of a packet are still within a byte's length once broken UTF-8 in them is replaced."""
    match packet:
        case rtcp.SourceDescription():
            return all(len(name.encode()) <= rtcp.TEXT_BYTES_MAX for _, name in packet.cnames)
        case rtcp.Bye():
            return len(packet.reason.encode()) <= rtcp.TEXT_BYTES_MAX
        case _:
            return True


def rtcp_seeds() -> list[bytes]:
    """Compounds as peers send them."""
    block = rtcp.ReportBlock(SSRC, 12, -3, 70_000, 40, 0x12345678, 65_536)
    name = rtcp.SourceDescription(((6, "peer@192.0.2.7"),))
    return [
        rtcp.write((rtcp.SenderReport(6, 1 << 63, 160, 1, 160, (block,)), name)),
        rtcp.write((rtcp.ReceiverReport(6, (block, block)), name, rtcp.Bye((6,), "goodbye"))),
        rtcp.write((rtcp.ReceiverReport(6), rtcp.Bye((6, 7)))),
        rtcp.write((rtcp.ReceiverReport(6),)) + b"\x80\xcc\x00\x02appl\x00\x00\x00\x01",
    ]


def fuzz_wav(data: bytes) -> None:
    """A file that a user says is WAV."""
    try:
        sound = wav.read_sound(data)
    except wav.WavError:
        return
    assert all(len(frame.linear(8000)) == 320 for frame in sound)
    assert len(sound) * 160 <= len(data) + 320, "no rate is below ours: nothing grows"


def wav_seeds() -> list[bytes]:
    """One of each kind that is read."""
    samples = bytes(range(256)) * 3
    law = (
        wav.pcm16_header(0)[:20]
        + b"\x07\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00data\x10\x00\x00\x00"
    )
    return [
        SPEECH.read_bytes()[:1500],
        wav.pcm16_header(len(samples)) + samples,
        wav.pcm16_header(len(samples), channels=2, rate_hz=48_000) + samples,
        wav.pcm16_header(0, rate_hz=11_025) + samples,
        wav.pcm16_header(len(samples), rate_hz=44_100)[:36] + b"LIST\x02\x00\x00\x00xxdata\x00\x00\x00\x00" + samples,
        law + bytes(16),
    ]
