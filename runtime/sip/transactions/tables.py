"""The four transaction machines as data: (state, input) -> (actions, timers, next state).

RFC 3261 figures 5 to 8, with RFC 6026 figures 2 and 3 in place of the INVITE ones (states Accepted, timers L and M).
A pair that is not in a table changes nothing and does nothing: that is how a machine absorbs. Only `transaction` runs
these tables; every line of them has a test.

A transport error is a connection that could not be made, or that closed. A client that waits for a final response is
told so at once, while ringing too (figure 5 has that arrow for Calling only, because nothing is sent later; but nobody
closes a connection that he means to answer on, section 18). A server goes on where its answer is still to come, since
that may take a new connection (section 18.2.2), and ends where it has answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from runtime.sip.timers import Timer


class State(StrEnum):
    """The circles of the figures."""

    NEW = "new"
    CALLING = "calling"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    ACCEPTED = "accepted"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


class Input(StrEnum):
    """What arrives beside timers: from the wire or, for the same words at a server, from the user."""

    START = "start"
    REQUEST = "request"
    ACK = "ack"
    PROVISIONAL = "1xx"
    SUCCESS = "2xx"
    FAILURE = "3xx-6xx"
    TRANSPORT_ERROR = "transport error"


class Action(StrEnum):
    """What a step does besides timers; in the order in which a step lists them."""

    SEND = "send the message at hand and keep it"
    RESEND = "send the kept message again"
    SEND_ACK = "send the ACK of a non-2xx"
    DELIVER = "hand the message to the user"
    TIMED_OUT = "tell the user that nobody answered"


class Pace(StrEnum):
    """How long a timer that starts again waits, by how long it waited before."""

    DOUBLE = "double"
    DOUBLE_TO_T2 = "double, at most T2"
    T2 = "T2"


@dataclass(frozen=True, slots=True)
class Step:
    """One arrow. `start` sets timers at their first value, `again` one that rang; reaching TERMINATED stops all."""

    next: State
    do: tuple[Action, ...] = ()
    start: tuple[Timer, ...] = ()
    stop: tuple[Timer, ...] = ()
    again: tuple[Timer, Pace] | None = None


Table = dict[tuple[State, Input | Timer], Step]

_NEW, _CALLING, _TRYING, _PROCEEDING = State.NEW, State.CALLING, State.TRYING, State.PROCEEDING
_ACCEPTED, _COMPLETED, _CONFIRMED, _TERMINATED = State.ACCEPTED, State.COMPLETED, State.CONFIRMED, State.TERMINATED
_SEND, _RESEND, _SEND_ACK, _DELIVER = (Action.SEND,), (Action.RESEND,), (Action.SEND_ACK,), (Action.DELIVER,)
_TIMED_OUT = (Action.TIMED_OUT,)

INVITE_CLIENT: Table = {
    (_NEW, Input.START): Step(_CALLING, _SEND, start=(Timer.A, Timer.B)),
    (_CALLING, Timer.A): Step(_CALLING, _RESEND, again=(Timer.A, Pace.DOUBLE)),
    (_CALLING, Timer.B): Step(_TERMINATED, _TIMED_OUT),
    (_CALLING, Input.TRANSPORT_ERROR): Step(_TERMINATED, _DELIVER),
    (_CALLING, Input.PROVISIONAL): Step(_PROCEEDING, _DELIVER, stop=(Timer.A, Timer.B)),
    (_CALLING, Input.SUCCESS): Step(_ACCEPTED, _DELIVER, start=(Timer.M,), stop=(Timer.A, Timer.B)),
    (_CALLING, Input.FAILURE): Step(_COMPLETED, _SEND_ACK + _DELIVER, start=(Timer.D,), stop=(Timer.A, Timer.B)),
    (_PROCEEDING, Input.PROVISIONAL): Step(_PROCEEDING, _DELIVER),
    (_PROCEEDING, Input.SUCCESS): Step(_ACCEPTED, _DELIVER, start=(Timer.M,)),
    (_PROCEEDING, Input.FAILURE): Step(_COMPLETED, _SEND_ACK + _DELIVER, start=(Timer.D,)),
    (_PROCEEDING, Input.TRANSPORT_ERROR): Step(_TERMINATED, _DELIVER),
    (_ACCEPTED, Input.SUCCESS): Step(_ACCEPTED, _DELIVER),
    (_ACCEPTED, Timer.M): Step(_TERMINATED),
    (_COMPLETED, Input.FAILURE): Step(_COMPLETED, _SEND_ACK),
    (_COMPLETED, Input.TRANSPORT_ERROR): Step(_TERMINATED),
    (_COMPLETED, Timer.D): Step(_TERMINATED),
}

NON_INVITE_CLIENT: Table = {
    (_NEW, Input.START): Step(_TRYING, _SEND, start=(Timer.E, Timer.F)),
    (_TRYING, Timer.E): Step(_TRYING, _RESEND, again=(Timer.E, Pace.DOUBLE_TO_T2)),
    (_TRYING, Timer.F): Step(_TERMINATED, _TIMED_OUT),
    (_TRYING, Input.TRANSPORT_ERROR): Step(_TERMINATED, _DELIVER),
    (_TRYING, Input.PROVISIONAL): Step(_PROCEEDING, _DELIVER),
    (_TRYING, Input.SUCCESS): Step(_COMPLETED, _DELIVER, start=(Timer.K,), stop=(Timer.E, Timer.F)),
    (_TRYING, Input.FAILURE): Step(_COMPLETED, _DELIVER, start=(Timer.K,), stop=(Timer.E, Timer.F)),
    (_PROCEEDING, Timer.E): Step(_PROCEEDING, _RESEND, again=(Timer.E, Pace.T2)),
    (_PROCEEDING, Timer.F): Step(_TERMINATED, _TIMED_OUT),
    (_PROCEEDING, Input.TRANSPORT_ERROR): Step(_TERMINATED, _DELIVER),
    (_PROCEEDING, Input.PROVISIONAL): Step(_PROCEEDING, _DELIVER),
    (_PROCEEDING, Input.SUCCESS): Step(_COMPLETED, _DELIVER, start=(Timer.K,), stop=(Timer.E, Timer.F)),
    (_PROCEEDING, Input.FAILURE): Step(_COMPLETED, _DELIVER, start=(Timer.K,), stop=(Timer.E, Timer.F)),
    (_COMPLETED, Timer.K): Step(_TERMINATED),
}

INVITE_SERVER: Table = {
    (_PROCEEDING, Input.REQUEST): Step(_PROCEEDING, _RESEND),
    (_PROCEEDING, Input.PROVISIONAL): Step(_PROCEEDING, _SEND),
    (_PROCEEDING, Input.SUCCESS): Step(_ACCEPTED, _SEND, start=(Timer.L,)),
    (_PROCEEDING, Input.FAILURE): Step(_COMPLETED, _SEND, start=(Timer.G, Timer.H)),
    (_ACCEPTED, Input.ACK): Step(_ACCEPTED, _DELIVER),
    (_ACCEPTED, Input.SUCCESS): Step(_ACCEPTED, _SEND),
    (_ACCEPTED, Timer.L): Step(_TERMINATED),
    (_COMPLETED, Input.REQUEST): Step(_COMPLETED, _RESEND),
    (_COMPLETED, Timer.G): Step(_COMPLETED, _RESEND, again=(Timer.G, Pace.DOUBLE_TO_T2)),
    (_COMPLETED, Timer.H): Step(_TERMINATED),
    (_COMPLETED, Input.TRANSPORT_ERROR): Step(_TERMINATED),
    (_COMPLETED, Input.ACK): Step(_CONFIRMED, start=(Timer.I,), stop=(Timer.G, Timer.H)),
    (_CONFIRMED, Timer.I): Step(_TERMINATED),
}

NON_INVITE_SERVER: Table = {
    (_TRYING, Input.PROVISIONAL): Step(_PROCEEDING, _SEND),
    (_TRYING, Input.SUCCESS): Step(_COMPLETED, _SEND, start=(Timer.J,)),
    (_TRYING, Input.FAILURE): Step(_COMPLETED, _SEND, start=(Timer.J,)),
    (_PROCEEDING, Input.REQUEST): Step(_PROCEEDING, _RESEND),
    (_PROCEEDING, Input.PROVISIONAL): Step(_PROCEEDING, _SEND),
    (_PROCEEDING, Input.SUCCESS): Step(_COMPLETED, _SEND, start=(Timer.J,)),
    (_PROCEEDING, Input.FAILURE): Step(_COMPLETED, _SEND, start=(Timer.J,)),
    (_COMPLETED, Input.REQUEST): Step(_COMPLETED, _RESEND),
    (_COMPLETED, Timer.J): Step(_TERMINATED),
    (_COMPLETED, Input.TRANSPORT_ERROR): Step(_TERMINATED),
}


def input_of(status: int) -> Input:
    """The input that a response with this status is."""
    if status < 200:
        return Input.PROVISIONAL
    return Input.SUCCESS if status < 300 else Input.FAILURE
