"""One transaction: a table of `tables`, the state it is in, and the timers it has running.

Made and kept by `layer`. A server transaction keeps the last response it sent, a client transaction its request, each
as bytes, so that a repetition costs one lookup. A step's timers are set before its actions run, and a terminated
transaction is forgotten before them: an action may call the user, who may start further transactions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from runtime.sip.config import TRANSACTION_BYTES
from runtime.sip.incoming import IncomingResponse, read_response
from runtime.sip.path import Path
from runtime.sip.requests import Outgoing
from runtime.sip.responses import build_response
from runtime.sip.timers import REPEATING, RULES, Alarm, Alarms, OnReliable, Timer, TimerValues
from runtime.sip.transactions.derived import ack_of_failure
from runtime.sip.transactions.matching import Key
from runtime.sip.transactions.tables import Action, Input, Pace, State, Table, input_of
from runtime.sip.writer import write_message


class Host(Protocol):
    """What a transaction needs from the layer that keeps it."""

    alarms: Alarms
    values: TimerValues

    def send(self, data: bytes, path: Path) -> None:
        """Put a datagram on its way."""

    def forget(self, transaction: Transaction) -> None:
        """Take a terminated transaction out of all tables."""

    def weigh(self, transaction: Transaction, bytes_kept: int) -> None:
        """From now on it keeps so many bytes."""

    def move(self, transaction: Transaction, path: Path) -> None:
        """From now on it goes along another path."""


class Transaction:
    """Runs one table. `kept` is what SEND sent and RESEND sends."""

    __slots__ = ("_alarms", "_host", "_repeat_s", "bytes_kept", "kept", "key", "path", "state", "table")

    def __init__(self, host: Host, key: Key, table: Table, state: State, path: Path) -> None:
        self.key = key
        self.table = table
        self.state = state
        self.path = path
        self.kept = b""
        self.bytes_kept = 0
        self._host = host
        self._alarms: dict[Timer, Alarm] = {}
        self._repeat_s = 0.0

    def feed(self, received: Input | Timer, now: float, message: bytes | IncomingResponse = b"") -> bool:
        """Take the arrow for this input; False when there is none and the input is absorbed."""
        step = self.table.get((self.state, received))
        if step is None:
            return False
        self.state = step.next
        for timer in step.stop:
            self._stop(timer)
        for timer in step.start:
            self._start(timer, RULES[timer].first_s(self._host.values), now)
        if step.again is not None:
            self._start_again(*step.again, now)
        if step.next is State.TERMINATED:
            self._close()
        for action in step.do:
            self._act(action, message, now)
        return True

    def weight(self) -> int:
        """About how many bytes are kept for it: the budget of all transactions together is in bytes."""
        return TRANSACTION_BYTES + len(self.kept) + _text(self.key)

    def fail(self, why: str, now: float) -> None:
        """The connection that it uses could not be made, or has closed; `why` is a reason phrase."""
        self.feed(Input.TRANSPORT_ERROR, now)

    def abandon(self) -> None:
        """Forget it at once, with all its timers; the user is not told."""
        if self.state is not State.TERMINATED:
            self.state = State.TERMINATED
            self._close()

    def _close(self) -> None:
        self._stop_all()
        self._host.forget(self)

    def _stop_all(self) -> None:
        for alarm in self._alarms.values():
            self._host.alarms.stop(alarm)
        self._alarms.clear()

    def _act(self, action: Action, message: bytes | IncomingResponse, now: float) -> None:
        if action is Action.SEND:
            assert isinstance(message, bytes), "only our own messages are sent"
            self.kept = message
            if self.state is not State.TERMINATED:
                self._host.weigh(self, self.weight())
            self._host.send(message, self.path)
        elif action is Action.RESEND and self.kept:
            self._host.send(self.kept, self.path)

    def _rang(self, timer: Timer, now: float) -> None:
        del self._alarms[timer]
        self.feed(timer, now)

    def _start(self, timer: Timer, wait_s: float, now: float) -> None:
        if self.path.reliable:
            on_reliable = RULES[timer].on_reliable
            if on_reliable is OnReliable.NEVER:
                return
            if on_reliable is OnReliable.ZERO:
                wait_s = 0.0
        if timer in REPEATING:
            self._repeat_s = wait_s
        self._alarms[timer] = self._host.alarms.start(now + wait_s, Transaction._rang, self, timer)

    def _start_again(self, timer: Timer, pace: Pace, now: float) -> None:
        t2_s = self._host.values.t2_s
        doubled_s = 2 * self._repeat_s
        wait_s = {Pace.DOUBLE: doubled_s, Pace.DOUBLE_TO_T2: min(doubled_s, t2_s), Pace.T2: t2_s}[pace]
        self._start(timer, wait_s, now)

    def _stop(self, timer: Timer) -> None:
        alarm = self._alarms.pop(timer, None)
        if alarm is not None:
            self._host.alarms.stop(alarm)


class ServerTransaction(Transaction):
    """A request of the peer. `leg` is whose INVITE it is, `to_tag` the tag of the responses sent so far.

    `source` is the address that it came from.
    """

    __slots__ = ("leg", "merge_key", "source", "to_tag")

    def __init__(
        self,
        host: Host,
        key: Key,
        table: Table,
        state: State,
        path: Path,
        *,
        to_tag: str | None,
        merge_key: Key | None,
    ) -> None:
        super().__init__(host, key, table, state, path)
        self.merge_key = merge_key
        self.to_tag = to_tag
        self.source = path.remote[0]
        self.leg: int | None = None

    def weight(self) -> int:
        """With the key by which it is known as a merged request."""
        return super().weight() + _text(self.merge_key or ())

    @property
    def is_open(self) -> bool:
        """Whether a final response is still to be given."""
        return self.state in (State.TRYING, State.PROCEEDING)

    def respond(self, status: int, data: bytes, now: float) -> bool:
        """Send a response of the user. False (and nothing sent) where the state allows none any more."""
        return self.feed(input_of(status), now, data)


class ClientTransaction(Transaction):
    """A request of ours. `on_response` gets every response that a step passes, `on_timeout` is called once at most.

    A transport error is passed on as a 503 of our own making (RFC 3261 section 8.1.3.1), unless there is a `second`
    way to try before anybody has answered.
    """

    __slots__ = ("_on_response", "_on_timeout", "_second", "request")

    def __init__(
        self,
        host: Host,
        key: Key,
        table: Table,
        first: Outgoing,
        second: Outgoing | None,
        on_response: Callable[[IncomingResponse, float], None],
        on_timeout: Callable[[float], None],
    ) -> None:
        super().__init__(host, key, table, State.NEW, first.path)
        self.request = first.request
        self._second = second
        self._on_response = on_response
        self._on_timeout = on_timeout

    def is_answered_by(self, incoming: IncomingResponse) -> bool:
        """Whether a response with our branch is about this request, and no leftover with a branch of ours on it."""
        headers = self.request.headers
        return headers.first("Call-ID") == incoming.call_id and headers.first("CSeq") == str(incoming.cseq)

    def receive(self, incoming: IncomingResponse, now: float) -> None:
        """A response to this request."""
        self.feed(input_of(incoming.status), now, incoming)

    def fail(self, why: str, now: float) -> None:
        """Try the second way if there is one (section 18.1.1), else tell the user."""
        second, self._second = self._second, None
        if second is not None and self.state in (State.CALLING, State.TRYING):
            self._stop_all()
            self._host.move(self, second.path)
            self.request, self.state = second.request, State.NEW
            self.feed(Input.START, now, second.data)
            return
        failure = build_response(self.request, 503, to_tag=None, reason=why)
        self.feed(Input.TRANSPORT_ERROR, now, read_response(failure, self.path))

    def _act(self, action: Action, message: bytes | IncomingResponse, now: float) -> None:
        if action is Action.TIMED_OUT:
            self._on_timeout(now)
        elif isinstance(message, bytes):
            super()._act(action, message, now)
        elif action is Action.SEND_ACK:
            self._host.send(write_message(ack_of_failure(self.request, message.response)), self.path)
        elif action is Action.DELIVER:
            self._on_response(message, now)


def _text(key: Key) -> int:
    return sum(len(part) for part in key if isinstance(part, str))
