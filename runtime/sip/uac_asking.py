"""Requests of ours outside of calls: OPTIONS and REGISTER (RFC 3261 sections 10.2 and 11.1).

Each has a handle, and ends in one `AskAnswered`. A challenge is answered where the asker has brought an `Authorizer`,
which keeps to one realm for as long as the asker keeps it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from runtime.sip.auth.client import Authorizer
from runtime.sip.core import Core
from runtime.sip.events import AskAnswered
from runtime.sip.incoming import IncomingResponse
from runtime.sip.path import Path
from runtime.sip.requests import Outgoing, Pairs, build_request, via_of
from runtime.sip.timers import Alarm
from runtime.sip.transactions.transaction import ClientTransaction
from runtime.sip.uac_auth import with_credentials
from runtime.sip.writer import write_message


@dataclass(slots=True)
class _Ask:
    handle: int
    cseq: int
    authorizer: Authorizer | None
    give_up: Alarm | None = None
    transaction: ClientTransaction | None = None


class UacAsking:
    """The asking side of what has no dialog."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._open: dict[int, _Ask] = {}
        self._last = 0

    def ask(
        self,
        method: str,
        target: str,
        path: Path,
        now: float,
        *,
        from_: str,
        to: str,
        call_id: str,
        cseq: int,
        headers: Pairs,
        authorizer: Authorizer | None,
        within_s: float,
    ) -> int:
        """Send a request; its handle. `from_` and `to` are name-addrs without tag."""
        core, branch = self._core, self._core.new_branch()
        request = build_request(
            method,
            target,
            via=via_of(path, core.facing.host(path), branch),
            routes=[value for name, value in headers if name.lower() == "route"],
            from_=f"{from_};tag={core.new_tag()}",
            to=to,
            call_id=call_id or core.new_call_id(),
            cseq=cseq,
            extra=[
                *(pair for pair in headers if pair[0].lower() != "route"),
                ("User-Agent", core.config.user_agent),
            ],
        )
        self._last += 1
        asked = self._open[self._last] = _Ask(self._last, cseq, authorizer)
        asked.give_up = core.alarms.start(now + within_s, partial(self._given_up, asked))
        self._send(asked, Outgoing(request, write_message(request), branch, path), now)
        return asked.handle

    def _send(self, asked: _Ask, outgoing: Outgoing, now: float) -> None:
        asked.transaction = self._core.ask(
            outgoing,
            now,
            on_response=partial(self._answered, asked, outgoing),
            on_timeout=partial(self._timed_out, asked),
        )

    def _answered(self, asked: _Ask, outgoing: Outgoing, incoming: IncomingResponse, now: float) -> None:
        if incoming.status < 200 or asked.handle not in self._open:
            return
        if asked.authorizer is not None:
            again = with_credentials(self._core, asked.authorizer, outgoing, incoming, asked.cseq + 1)
            if again is not None:
                asked.cseq += 1
                self._send(asked, again, now)
                return
        self._close(asked)
        self._core.events.append(AskAnswered(asked.handle, incoming.response, asked.cseq))

    def _given_up(self, asked: _Ask, now: float) -> None:
        asked.give_up = None
        if asked.transaction is not None:
            asked.transaction.abandon()
        self._timed_out(asked, now)

    def _timed_out(self, asked: _Ask, now: float) -> None:
        if asked.handle in self._open:
            self._close(asked)
            self._core.events.append(AskAnswered(asked.handle, None, asked.cseq))

    def _close(self, asked: _Ask) -> None:
        del self._open[asked.handle]
        if asked.give_up is not None:
            self._core.alarms.stop(asked.give_up)
