"""Seeded mutations: the same seed makes the same hostile inputs, on every machine.

What a fuzzer finds by coverage this cannot; it is for the many inputs that a running bridge, or a test without a
fuzzer, is to be hit with. Most mutants are near their seed, because noise is refused by the first line of any parser.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random

BYTES_MAX = 60_000
"""Of one mutant: a UDP datagram holds no more than 65,507."""

NUMBERS = (b"-1", b"0", b"1", b"00", b"255", b"256", b"65535", b"65536", b"2147483648", b"4294967296", b"9" * 30)
BYTES = (
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\t",
    b'"',
    b"<",
    b">",
    b"%00",
    b"\xff\xfe",
    b"\xc3(",
    b"\xe2\x80\xa8",
)

Step = Callable[[Random, bytes, Sequence[bytes]], bytes]


def mutants(seeds: Sequence[bytes], count: int, seed: int, words: Sequence[bytes] = ()) -> Iterator[bytes]:
    """So many mutants of `seeds`, each one to four steps away from one of them. `words` are put in here and there."""
    random = Random(seed)
    known = (*words, *NUMBERS, *BYTES)
    for _ in range(count):
        data = random.choice(seeds)
        for _ in range(random.choice((1, 1, 1, 2, 2, 4))):
            step = random.choice(STEPS)
            data = step(random, data, seeds if step is _splice else known)
        yield data[:BYTES_MAX]


def _flip(random: Random, data: bytes, _known: Sequence[bytes]) -> bytes:
    out = bytearray(data)
    for _ in range(random.choice((1, 1, 3, 9))):
        if out:
            out[random.randrange(len(out))] = random.randrange(256)
    return bytes(out)


def _cut(random: Random, data: bytes, _known: Sequence[bytes]) -> bytes:
    start, end = _span(random, data)
    return data[:start] + data[end:]


def _truncate(random: Random, data: bytes, _known: Sequence[bytes]) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def _repeat(random: Random, data: bytes, _known: Sequence[bytes]) -> bytes:
    start, end = _span(random, data)
    times = random.choice((2, 2, 3, 50, 2000))
    return data[:start] + data[start:end] * min(times, BYTES_MAX // max(1, end - start)) + data[end:]


def _insert(random: Random, data: bytes, known: Sequence[bytes]) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + random.choice(known) + data[at:]


def _replace_number(random: Random, data: bytes, known: Sequence[bytes]) -> bytes:
    """Another number where one stands: lengths, ports, sequence numbers."""
    digits = [at for at, byte in enumerate(data) if 48 <= byte <= 57]
    if not digits:
        return _insert(random, data, known)
    start = end = random.choice(digits)
    while end < len(data) and 48 <= data[end] <= 57:
        end += 1
    return data[:start] + random.choice(NUMBERS) + data[end:]


def _shuffle_lines(random: Random, data: bytes, _known: Sequence[bytes]) -> bytes:
    """One line taken out, doubled, or put elsewhere."""
    lines = data.splitlines(keepends=True)
    if not lines:
        return data
    line = lines.pop(random.randrange(len(lines)))
    for _ in range(random.randrange(3)):
        lines.insert(random.randrange(len(lines) + 1), line)
    return b"".join(lines)


def _splice(random: Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    """The head of one and the tail of another."""
    other = random.choice(seeds)
    return data[: random.randrange(len(data) + 1)] + other[random.randrange(len(other) + 1) :]


def _span(random: Random, data: bytes) -> tuple[int, int]:
    start = random.randrange(len(data) + 1)
    return start, min(len(data), start + random.choice((1, 1, 4, 20, 100)))


STEPS: tuple[Step, ...] = (_flip, _cut, _truncate, _repeat, _insert, _insert, _replace_number, _shuffle_lines, _splice)
