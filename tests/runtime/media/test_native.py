"""The native core against the Python that it stands for: the same packets at the same times, and every answer equal.

What goes by an inlet in one is judged in the other, so whatever an inlet lets by that it should not is seen here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from types import ModuleType
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.media import native, rtp
from runtime.media.codecs import opus_packets
from runtime.media.codecs.codec import CODECS, OPUS, PCMU, Codec
from runtime.media.config import StreamConfig
from runtime.media.frame import Frame
from runtime.media.jitter import Cell, make_playout
from runtime.media.reception import make_reception
from runtime.media.session import MediaSession
from runtime.media.srtp import SUITES, Profile, opener, opener_from, sealer
from runtime.rooms.livekit.audio import Published, RoomAudio
from runtime.rooms.livekit.description import PAYLOAD_TYPES
from tests.runtime.conftest import CORE

pytestmark = pytest.mark.skipif(CORE is None, reason="the native core is not built: make native")

PEER, OTHER, MOVED = ("192.0.2.7", 4000), ("198.51.100.9", 4000), ("192.0.2.7", 4444)
TICK_S = 0.02
COUNTED = ("concealed", "starved", "late", "skipped", "inserted", "discarded", "lead_ms", "waiting", "unfinished")
T = TypeVar("T")


@contextmanager
def by(core: ModuleType | None) -> Iterator[None]:
    """What is made meanwhile is made by this core."""
    before, native.core = native.core, core
    try:
        yield
    finally:
        native.core = before


def both(make: Callable[[], T]) -> tuple[T, T]:
    """By Python, and by the native core."""
    with by(None):
        python = make()
    with by(CORE):
        return python, make()


# -- what arrived, and the playout buffer ------------------------------------------------------------------------------

SEQUENCES = st.lists(
    st.tuples(
        st.one_of(st.integers(-3, 40), st.integers(-200, 200), st.integers(-0x8000, 0x8000)),
        st.floats(0.0, 0.2),
        st.sampled_from(["arrived", "arrived", "arrived", "arrived", "report", "restart", "clock"]),
    ),
    max_size=60,
)


@given(SEQUENCES, st.integers(0, 0xFFFF))
def test_reception(steps: Sequence[tuple[int, float, str]], sequence: int) -> None:
    python, compiled = both(lambda: make_reception(8000))
    now, clock_hz = 5.0, 8000
    for step, later, what in steps:
        sequence, now = sequence + step & 0xFFFF, now + later
        if what == "report":
            assert python.report() == compiled.report()
        elif what == "restart":
            python.restart()
            compiled.restart()
        elif what == "clock":
            clock_hz = 56_000 - clock_hz
            python.use_clock(clock_hz)
            compiled.use_clock(clock_hz)
        else:
            assert python.arrived(sequence, now) == compiled.arrived(sequence, now)
            python.note_transit(sequence * 160 & 0xFFFFFFFF, now)
            compiled.note_transit(sequence * 160 & 0xFFFFFFFF, now)
        for name in ("received", "duplicates", "newest", "lost", "jitter_ms"):
            assert getattr(python, name) == getattr(compiled, name), name


def payload_of(codec: Codec, chosen: Random) -> bytes:
    """Of any length that the codec's packets have, and of some that they have not."""
    if codec is OPUS:
        toc = chosen.choice([0x08, 0x78, 0xF8, 0x98, 0x80, 0x10, 0x18, 0xE3, 0x03])
        head = bytes((toc, chosen.choice([1, 3, 0x81])))
        return (head + chosen.randbytes(chosen.randrange(40)))[: chosen.choice([1, 2, 30, 40])]
    quiet = chosen.random() < 0.5
    size = chosen.choice([160, 160, 160, 160, 80, 240, 320, 480, 33, 0, 1601])
    return codec.silence[:1] * size if quiet else chosen.randbytes(size)


@settings(max_examples=80)
@given(st.integers(0, 2**32), st.sampled_from(sorted(CODECS)), st.integers(0, 5))
def test_the_playout_buffer(seed: int, name: str, wildness: int) -> None:
    chosen, codec = Random(seed), CODECS[name]
    python, compiled = both(lambda: make_playout(codec))
    now, timestamp = 3.0, chosen.choice([0, 5000, 0xFFFFF000])
    for _ in range(400):
        for _ in range(chosen.choice([1, 1, 1, 1, 0, 2, 3]) if chosen.random() < 0.9 else chosen.randrange(12)):
            odd = chosen.random() * 100 < wildness * 4
            steps = chosen.choice([-1, 0, 1, 2, 3, 20, -60]) if odd else 1
            timestamp += steps * codec.step + (chosen.choice([0, 7]) if odd else 0)
            if odd and chosen.random() < 0.02:
                timestamp = chosen.getrandbits(32)
            newest, follows = chosen.random() < 0.9, chosen.random() < 0.9
            calm = codec.silence if codec is OPUS else b"\x31" * codec.step
            payload = payload_of(codec, chosen) if wildness else calm
            at = now - chosen.random() * 0.02
            for buffer in (python, compiled):
                buffer.insert(timestamp & 0xFFFFFFFF, payload, at, newest=newest, follows=follows)
        now += TICK_S
        assert python.pull(now) == compiled.pull(now)
        if chosen.random() < 0.002:
            codec = CODECS[chosen.choice(sorted(CODECS))]
            python.flush(codec)
            compiled.flush(codec)
        assert [getattr(python, name) for name in COUNTED] == [getattr(compiled, name) for name in COUNTED]
    assert python.losses.pattern(400) == compiled.losses.pattern(400)


def test_a_payload_is_given_out_as_the_object_that_was_put_in() -> None:
    long = bytes((0x18, *range(40)))  # 60 ms of Opus
    _, compiled = both(lambda: make_playout(OPUS))
    compiled.insert(0, long, 0.0)
    cells: list[Cell | None] = [compiled.pull(1.0) for _ in range(opus_packets.duration(long) // OPUS.step)]
    assert all(cell is not None and not isinstance(cell, bytes) and cell.payload is long for cell in cells)


# -- whole sessions, with packets going by the inlet where it takes them ----------------------------------------------


def session() -> MediaSession:
    """A call of the usual kind."""
    config = StreamConfig(PCMU, 0, 0, 101, 101, PEER, (PEER[0], PEER[1] + 1))
    return MediaSession(config, ssrc=1, sequence=1, timestamp=1, cname="x", entropy=lambda n: bytes(n), now=0.0)


def heard(frame: Frame | None) -> object:
    """What can be told of a frame."""
    if frame is None:
        return None
    return frame.codec, frame.payload, frame.part, frame.made_up, frame.following


def datagram(chosen: Random, sequence: int, timestamp: int) -> bytes:
    """Mostly a packet of the stream; else of another one, another kind, or none at all."""
    kind = chosen.random()
    ssrc = 99 if chosen.random() < 0.97 else chosen.choice([98, 97])
    if kind < 0.9:
        payload = bytes((sequence & 0xFF,)) * chosen.choice([160, 160, 160, 160, 160, 80, 320, 0])
        number = 0 if chosen.random() < 0.97 else chosen.choice([8, 13, 101, 77])
        packet = rtp.RtpPacket(number, False, sequence, timestamp, ssrc, payload)
        if chosen.random() < 0.1:
            packet = packet._replace(csrcs=(5, 6), extension=(0xBEDE, bytes(8)))
        data = rtp.write(packet)
        if chosen.random() < 0.05:
            data = bytes((data[0] | 0x20,)) + data[1:] + bytes((0, 0, chosen.choice([3, 3, 0, 255])))
        return data
    if kind < 0.93:
        return rtp.header(13, False, sequence, timestamp, ssrc) + b"\x40"
    if kind < 0.96:
        return rtp.header(101, True, sequence, timestamp, ssrc) + bytes((5, 0x8A, 3, 32))
    return chosen.randbytes(chosen.randrange(60))


@settings(max_examples=50)
@given(st.integers(0, 2**32))
def test_sessions(seed: int) -> None:
    chosen = Random(seed)
    python, compiled = both(session)
    now, sequence, timestamp, went_by = 0.0, chosen.getrandbits(16), chosen.getrandbits(32), 0
    source = PEER if chosen.random() < 0.6 else MOVED
    for tick in range(250):
        for _ in range(chosen.choice([1, 1, 1, 1, 1, 0, 2, 3]) if chosen.random() < 0.95 else chosen.randrange(8)):
            sequence += 1 if chosen.random() < 0.95 else chosen.choice([0, 2, -1, -3, 5, 3500, -200])
            timestamp += 160 if chosen.random() < 0.95 else chosen.choice([0, 320, -160, 40_000, 1 << 30])
            if chosen.random() < 0.005:
                source = chosen.choice([PEER, MOVED])
            address = source if chosen.random() < 0.95 else chosen.choice([PEER, OTHER, MOVED])
            data, at = datagram(chosen, sequence & 0xFFFF, timestamp & 0xFFFFFFFF), now - chosen.random() * TICK_S
            python.receive_rtp(data, address, at)
            if compiled.inlet.take(data, *address, at):
                went_by += 1
            else:
                compiled.receive_rtp(data, address, at)
        now += TICK_S if chosen.random() < 0.99 else 1.5
        assert heard(python.pull(now)) == heard(compiled.pull(now)), tick
        for each in (python, compiled):
            each.check(now)
        assert (python.remote, python.senders, python.refused) == (compiled.remote, compiled.senders, compiled.refused)
        assert python.rtcp_due(now, now) == compiled.rtcp_due(now, now)
        assert python.stats == compiled.stats
        assert [python.next_event() for _ in range(9)] == [compiled.next_event() for _ in range(9)]
        if chosen.random() < 0.004:
            config = replace(python.config, receive=chosen.random() < 0.5, remote=chosen.choice([PEER, OTHER]))
            for each in (python, compiled):
                each.reconfigure(config, now)


def test_speech_goes_by_the_inlet_alone() -> None:
    _, call = both(session)
    for n in range(500):
        data, now = rtp.header(0, n == 0, n, n * 160, 99) + bytes(160), n * TICK_S
        if not call.inlet.take(data, *PEER, now):
            assert n == 0, "only the first one is judged"
            call.receive_rtp(data, PEER, now)
        call.pull(now)
    assert (call.stats.received, call.stats.lost) == (500, 0)
    call.check(500 * TICK_S)
    assert call.next_event() is not None
    assert call.next_event() is None, "what went by counts as heard: nothing has timed out"


@settings(max_examples=30)
@given(st.integers(0, 2**32))
def test_audio_of_a_room(seed: int) -> None:
    chosen = Random(seed)
    python, compiled = both(lambda: RoomAudio(Published(1, 2, 3), "cname", 0.0))
    numbers = sorted(PAYLOAD_TYPES.values())
    ssrcs = range(5, 5 + chosen.choice([1, 2, 3]))
    streams = {ssrc: [chosen.choice(numbers), chosen.getrandbits(16), 0] for ssrc in ssrcs}
    now = 0.0
    for _ in range(150):
        for ssrc, stream in streams.items():
            stream[1] += 1 if chosen.random() < 0.95 else chosen.choice([0, 2, -1, 400, 20_000])
            stream[2] += 160
            if chosen.random() < 0.01:
                stream[0] = chosen.choice([*numbers, 77])
            payload = chosen.choice([b"", b"\xf8\xff\xfe", bytes(160), bytes((stream[1] & 0xFF,)) * 160])
            data = rtp.header(stream[0], False, stream[1] & 0xFFFF, stream[2], ssrc) + payload
            if chosen.random() < 0.02:
                data = chosen.randbytes(chosen.randrange(40))
            python.receive(data, now)
            if not compiled.inlet.take(data, "", 0, now):
                compiled.receive(data, now)
        if chosen.random() < 0.02:
            streams[chosen.getrandbits(32)] = [numbers[0], 0, 0]
        now += TICK_S
        one, other = python.heard(PCMU, now), compiled.heard(PCMU, now)
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert one.linear(8000) == other.linear(8000)
        assert (python.sources, python.malformed) == (compiled.sources, compiled.malformed)
        assert python.report(now, now, apart=False) == compiled.report(now, now, apart=False)


# -- protected packets -------------------------------------------------------------------------------------------------

EVERY_SUITE = pytest.mark.parametrize("profile", SUITES.values(), ids=list(SUITES))


def key_of(profile: Profile, chosen: Random) -> bytes:
    return chosen.randbytes(profile.key_bytes + profile.salt_bytes)


@EVERY_SUITE
@settings(max_examples=12)
@given(seed=st.integers(0, 2**32))
def test_srtp(profile: Profile, seed: int) -> None:
    chosen = Random(seed)
    key = key_of(profile, chosen)
    python_seal, native_seal = both(lambda: sealer(profile, key)[0])
    python_open, native_open = both(lambda: opener(profile, key)[0])
    sequence = chosen.choice([0, 5, 0x7FF0, 0xFFF0])
    for _ in range(60):
        sequence = max(0, sequence + (1 if chosen.random() < 0.8 else chosen.choice([0, 3, -2, -150, 200, 0x3000])))
        extension = (0xBEDE, chosen.randbytes(8)) if chosen.random() < 0.3 else None
        csrcs = tuple(range(chosen.choice([0, 0, 0, 3])))
        payload = chosen.randbytes(chosen.choice([0, 1, 15, 16, 17, 160, 1000]))
        wire = rtp.write(
            rtp.RtpPacket(0, False, sequence & 0xFFFF, 7, chosen.choice([1, 2]), payload, csrcs, extension)
        )
        sealed = native_seal(wire)
        assert sealed == python_seal(wire)
        if sealed is None:
            continue
        if chosen.random() < 0.2:
            spoiled = bytearray(sealed)
            spoiled[chosen.randrange(len(spoiled))] ^= 1 << chosen.randrange(8)
            assert native_open(bytes(spoiled)) == python_open(bytes(spoiled))
        if chosen.random() < 0.9:
            assert native_open(sealed) == python_open(sealed)
        if chosen.random() < 0.2:
            assert native_open(sealed) == python_open(sealed)


@EVERY_SUITE
def test_srtcp_goes_from_each_to_the_other(profile: Profile) -> None:
    chosen = Random(5)
    key = key_of(profile, chosen)
    seals, takes = both(lambda: sealer(profile, key)[1]), both(lambda: opener(profile, key)[1])
    for n in range(50):
        compound = bytes((0x81, 201, 0, 7)) + bytes(3) + bytes((n % 2,)) + chosen.randbytes(4 * chosen.randrange(30))
        for seal, take in zip(seals, reversed(takes), strict=True):
            wire = seal(compound)
            assert wire is not None
            assert take(wire[:-1] + bytes((wire[-1] ^ 1,))) is None
            assert take(wire) == compound
            assert take(wire) is None


@EVERY_SUITE
@given(st.binary(max_size=100))
def test_no_datagram_raises(profile: Profile, data: bytes) -> None:
    key = key_of(profile, Random(1))
    with by(CORE):
        steps = [*opener(profile, key), *sealer(profile, key), opener_from(profile, key, b"abcd", 70_000)]
    for step in steps:
        step(data)
        step(b"\x80\x00" + data)


@EVERY_SUITE
def test_a_stream_is_entered_where_it_is(profile: Profile) -> None:
    key, index = key_of(profile, Random(2)), (3 << 16) + 5
    with by(CORE):
        seal, take = sealer(profile, key)[0], opener_from(profile, key, (7).to_bytes(4), index)
    made = None
    for at in (*range(0, index, 0x7000), index):
        made = seal(rtp.header(0, False, at & 0xFFFF, 0, 7) + b"speech")
    assert made is not None
    assert take(made) == rtp.header(0, False, index & 0xFFFF, 0, 7) + b"speech"


def test_a_key_of_no_profile_is_refused() -> None:
    assert CORE is not None
    for shape in ((False, 16, 10), (False, 16, 99), (True, 24, 0)):
        with pytest.raises(ValueError, match="lengths"):
            CORE.Sealer(*shape, bytes(31 if shape[2] == 10 else 30))
