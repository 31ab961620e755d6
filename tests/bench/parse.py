"""What reading and writing one SIP message costs, beside the least that any parser does: split the lines and names.

    python -m tests.bench.parse

The INVITE is an ordinary one of a carrier, with an offer; the torture messages are those of RFC 4475 that are valid.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from runtime.sip.errors import SipSyntaxError
from runtime.sip.message import Request
from runtime.sip.parser import parse_message
from runtime.sip.sdp import parse_sdp
from runtime.sip.validate import validate_invite, validate_request
from runtime.sip.writer import write_message
from tests.bench.figures import Figure, report
from tests.runtime.sip.offers import OFFER
from tests.runtime.sip.raw import request

ROUNDS = 7
MESSAGES = 5_000
VECTORS = sorted((Path(__file__).parents[1] / "vectors" / "rfc4475").glob("*.dat"))

INVITE = request(
    body=OFFER.decode(),
    extra=(
        "Record-Route: <sip:192.0.2.9;lr;ftag=gK0c1b>",
        "Allow: INVITE, ACK, CANCEL, BYE, REFER, OPTIONS, NOTIFY, UPDATE, INFO",
        "Supported: timer, 100rel, replaces",
        "Session-Expires: 1800",
        "Min-SE: 90",
        "P-Asserted-Identity: <sip:+14155550100@192.0.2.9>",
        "User-Agent: A Carrier's SBC 7.2",
        "Accept: application/sdp",
        "Content-Type: application/sdp",
    ),
)


def read(data: bytes) -> object:
    """Ours: parsed, and validated as an INVITE is before anything else looks at it."""
    message = parse_message(data)
    if isinstance(message, Request):
        validate_request(message)
        validate_invite(message)
    return message


def split(data: bytes) -> tuple[bytes, list[tuple[bytes, bytes]], bytes]:
    """The reference: start line, names and values, body."""
    head, _, body = data.partition(b"\r\n\r\n")
    start, *lines = head.split(b"\r\n")
    return start, [(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)], body


def us(work: Callable[[bytes], object], messages: list[bytes]) -> float:
    """The best CPU time of some rounds, per message, in microseconds."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for data in messages:
            work(data)
        best = min(best, time.process_time() - began)
    return best / len(messages) * 1e6


def readable() -> list[bytes]:
    """The vectors that are messages at all."""
    out = []
    for path in VECTORS:
        data = path.read_bytes()
        try:
            parse_message(data)
        except SipSyntaxError:
            continue
        out.append(data)
    return out


def main() -> None:
    """Measure and report."""
    invites = [INVITE] * MESSAGES
    torture = (vectors := readable()) * (MESSAGES // len(vectors))
    message = parse_message(INVITE)
    beside, how = "lines and names split, nothing checked", f"CPU, best of {ROUNDS}"
    bare = us(split, invites)
    report(
        [
            Figure(
                id="parse-invite", what=f"an INVITE of {len(INVITE):,} bytes read and validated", how=how,
                value=us(read, invites), unit="µs", reference=bare, beside=beside,
            ),
            Figure(
                id="write-invite", what="the same INVITE written", how=how,
                value=us(lambda _: write_message(message), invites), unit="µs", reference=bare, beside=beside,
            ),
            Figure(
                id="parse-offer", what=f"its offer of {len(OFFER):,} bytes read", how=how,
                value=us(parse_sdp, [OFFER] * MESSAGES), unit="µs", reference=us(split, [OFFER] * MESSAGES),
                beside=beside,
            ),
            Figure(
                id="parse-torture", what=f"one of {len(vectors)} messages of RFC 4475 read and validated", how=how,
                value=us(read, torture), unit="µs", reference=us(split, torture), beside=beside,
            ),
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
