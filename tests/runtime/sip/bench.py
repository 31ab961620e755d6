"""A transaction layer alone, with its clock, and what came out of it."""

from __future__ import annotations

from runtime.sip.incoming import read_request, read_response
from runtime.sip.parser import parse_message
from runtime.sip.path import Path
from runtime.sip.requests import Outgoing
from runtime.sip.timers import Alarms, TimerValues
from runtime.sip.transactions.layer import TransactionLayer
from runtime.sip.writer import write_message
from tests.runtime.sip.raw import PATH, request, response

RELIABLE = Path("tcp", PATH.local, PATH.remote)

# When a message goes out again, in seconds after the first time, until 64*T1.
DOUBLING = [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
DOUBLING_TO_T2 = [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]


class Bench:
    """A transaction layer with its clock, and what came out of it."""

    def __init__(self, path=PATH):
        self.alarms = Alarms()
        self.sent = []
        self.heard = []
        self.path = path
        self.layer = TransactionLayer(self.alarms, TimerValues(), lambda data, _path: self.sent.append(data))

    def client(self, method, second=None):
        message = parse_message(request(method, branch="z9hG4bKown"))
        first = Outgoing(message, write_message(message), "z9hG4bKown", self.path)
        return self.layer.open_client(
            first,
            0.0,
            on_response=lambda incoming, now: self.heard.append((now, incoming.status)),
            on_timeout=lambda now: self.heard.append((now, "timeout")),
            second=None if second is None else first.moved(second, second.local[0]),
        )

    def answer(self, transaction, status, now=0.0):
        incoming = read_response(parse_message(response(transaction.request, status, to_tag="them")), self.path)
        assert self.layer.find_client(incoming) is transaction
        transaction.receive(incoming, now)

    def server(self, method):
        return self.layer.open_server(read_request(parse_message(request(method)), self.path))

    def until(self, end):
        """Times at which something was sent, up to `end`."""
        out = []
        while (when := self.alarms.next_deadline()) is not None and when <= end:
            before = len(self.sent)
            self.alarms.ring(when)
            out += [when] * (len(self.sent) - before)
        return out
