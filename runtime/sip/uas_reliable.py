"""Provisional responses that the caller acknowledges: 100rel as the one who is called (RFC 3262 section 3).

One is under way at a time, repeated until its PRACK comes; later ones wait for it, and so does a 2xx where a session
description is under way (section 5). Without a PRACK within 64*T1 the INVITE gets 504.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from runtime.sip.config import QUEUED_MAX
from runtime.sip.core import Core
from runtime.sip.events import PrackMissing
from runtime.sip.fields import has_option
from runtime.sip.grammar import TOKEN
from runtime.sip.incoming import IncomingRequest
from runtime.sip.legs import Answer, Leg, OpenInvite, Unpracked
from runtime.sip.message import Headers
from runtime.sip.requests import Pairs

OPTION = "100rel"
"""The option tag (section 7.1)."""

RSEQ_FIRST_MAX = 2**31 - 1
"""Section 3: the first number is chosen up to there."""

_rack = re.compile(rf"([0-9]{{1,10}})[ \t]+([0-9]{{1,10}})[ \t]+({TOKEN})")

SendsProvisional = Callable[[Leg, OpenInvite, Answer, Pairs, float], bytes]
Responds = Callable[[Leg, Answer, float], bool]


class UasReliable:
    """One per endpoint. `send` puts a response on its way, with further headers, and gives its bytes."""

    def __init__(self, core: Core, send: SendsProvisional, respond: Responds) -> None:
        self._core = core
        self._send = send
        self._respond = respond
        self._is_on = OPTION in core.config.supported

    def opened(self, opened: OpenInvite) -> None:
        """Note what a new INVITE says."""
        if self._is_on:
            headers = opened.incoming.request.headers
            opened.takes_reliable = has_option(headers, "Supported", OPTION)
            opened.wants_reliable = has_option(headers, "Require", OPTION)

    def takes(self, opened: OpenInvite, *, has_body: bool) -> bool:
        """Whether a provisional response is sent reliably: where the caller insists, or could miss our media."""
        return not opened.is_reinvite and (opened.wants_reliable or (opened.takes_reliable and has_body))

    def send(self, leg: Leg, opened: OpenInvite, answer: Answer, now: float) -> bool:
        """Send one reliably, now or when the one before has its PRACK."""
        if opened.unpracked is None:
            self._start(leg, opened, answer, now)
        elif len(opened.queued) < QUEUED_MAX:
            opened.queued.append(answer)
        return True

    def holds(self, opened: OpenInvite, answer: Answer) -> bool:
        """Whether a 2xx waits for the PRACK that is due: then it goes out by itself."""
        waits = opened.unpracked is not None and opened.unpracked.has_body
        if waits:
            opened.held = answer
        return waits

    def receive_prack(self, leg: Leg, incoming: IncomingRequest) -> bool:
        """Whether a PRACK is for what waits for it; then it is not repeated any more."""
        opened = leg.open_invite
        found = _rack.fullmatch(incoming.request.headers.first("RAck") or "")
        if opened is None or opened.unpracked is None or found is None:
            return False
        if (int(found[1]), int(found[2]), found[3]) != (opened.unpracked.rseq, opened.incoming.cseq, "INVITE"):
            return False
        self._core.alarms.stop(opened.unpracked.repeat)
        self._core.alarms.stop(opened.unpracked.give_up)
        opened.has_agreed = opened.has_agreed or opened.unpracked.has_body
        opened.unpracked = None
        return True

    def go_on(self, leg: Leg, now: float) -> None:
        """A PRACK has been answered: what waited for it goes out."""
        opened = leg.open_invite
        if opened is None or opened.unpracked is not None:
            return
        if opened.held is not None:
            held, opened.held = opened.held, None
            opened.queued.clear()
            self._respond(leg, held, now)
        elif opened.queued:
            self._start(leg, opened, opened.queued.popleft(), now)

    def _start(self, leg: Leg, opened: OpenInvite, answer: Answer, now: float) -> None:
        first = int.from_bytes(self._core.entropy(4)) % RSEQ_FIRST_MAX + 1
        opened.rseq = opened.rseq + 1 if opened.rseq else first
        # With an Allow (RFC 3311 section 4): before the answer, too, a peer may want to change the session.
        more = (("Require", OPTION), ("RSeq", str(opened.rseq)), ("Allow", self._core.allow))
        data = self._send(leg, opened, answer, more, now)
        timers, alarms = self._core.config.timers, self._core.alarms
        opened.unpracked = Unpracked(
            opened.rseq,
            data,
            has_body=bool(answer.body),
            wait_s=timers.t1_s,
            repeat=alarms.start(now + timers.t1_s, partial(self._repeat, opened, answer.status)),
            give_up=alarms.start(now + timers.give_up_s, partial(self._give_up, leg)),
        )

    def _repeat(self, opened: OpenInvite, status: int, now: float) -> None:
        unpracked = opened.unpracked
        assert unpracked is not None, "the alarm is stopped with it"
        opened.transaction.respond(status, unpracked.data, now)
        unpracked.wait_s *= 2  # section 3: without the bound T2, by TCP too
        unpracked.repeat = self._core.alarms.start(now + unpracked.wait_s, partial(self._repeat, opened, status))

    def _give_up(self, leg: Leg, now: float) -> None:
        self._core.events.append(PrackMissing(leg.handle))
        self._respond(leg, Answer(504, "", (), b"", ""), now)


def read_rseq(headers: Headers) -> int | None:
    """The RSeq of a provisional response that wants a PRACK, None for any other, and for one that cannot be read."""
    text = headers.first("RSeq") or ""
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return None
    return int(text) if has_option(headers, "Require", OPTION) else None
