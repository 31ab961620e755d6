"""All transactions of one endpoint, found in one lookup each, and bounded.

`endpoint` asks it first for every message: a repetition is absorbed here and never reaches a dialog.
"""

from __future__ import annotations

from collections.abc import Callable

from runtime.sip.incoming import IncomingRequest, IncomingResponse
from runtime.sip.path import Path
from runtime.sip.requests import Outgoing
from runtime.sip.timers import Alarms, TimerValues
from runtime.sip.transactions.matching import Key, client_key, has_cookie, merge_key, response_key, server_key
from runtime.sip.transactions.shares import Shares
from runtime.sip.transactions.tables import (
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Input,
    State,
)
from runtime.sip.transactions.transaction import ClientTransaction, ServerTransaction, Transaction


class TransactionLayer:
    """The tables of live transactions. `send` takes (bytes, path)."""

    def __init__(self, alarms: Alarms, values: TimerValues, send: Callable[[bytes, Path], None]) -> None:
        self.alarms = alarms
        self.values = values
        self._send = send
        self._servers: dict[Key, ServerTransaction] = {}
        self._clients: dict[Key, ClientTransaction] = {}
        self._merge_keys: dict[Key, ServerTransaction] = {}
        self._by_connection: dict[Path, set[Transaction]] = {}
        self.bytes_kept = 0
        self.shares = Shares()

    def __len__(self) -> int:
        return len(self._servers) + len(self._clients)

    def send(self, data: bytes, path: Path) -> None:
        """Put a datagram on its way."""
        self._send(data, path)

    def weigh(self, transaction: Transaction, bytes_kept: int) -> None:
        """From now on a transaction keeps so many bytes."""
        self.bytes_kept += bytes_kept - transaction.bytes_kept
        if isinstance(transaction, ServerTransaction):
            self.shares.add(transaction.source, 0, bytes_kept - transaction.bytes_kept)
        transaction.bytes_kept = bytes_kept

    def move(self, transaction: Transaction, path: Path) -> None:
        """From now on a transaction goes along another path."""
        self._leave(transaction)
        transaction.path = path
        self._join(transaction)

    def forget(self, transaction: Transaction) -> None:
        """Take a terminated transaction out of the tables."""
        self._leave(transaction)
        self.bytes_kept -= transaction.bytes_kept
        if isinstance(transaction, ServerTransaction):
            del self._servers[transaction.key]
            self.shares.add(transaction.source, -1, -transaction.bytes_kept)
            if transaction.merge_key is not None:
                del self._merge_keys[transaction.merge_key]
        else:
            del self._clients[transaction.key]

    def find_server(self, incoming: IncomingRequest, method: str) -> ServerTransaction | None:
        """The transaction of `method` that this request is a part of, if any (see `server_key`)."""
        found = self._servers.get(server_key(incoming, method))
        if found is None or incoming.request.method != "ACK" or has_cookie(incoming.via.branch):
            return found
        # RFC 2543 peers: an ACK is this transaction's only with the To tag that our response had.
        return found if incoming.to_tag == found.to_tag else None

    def allow_again(self, transaction: ServerTransaction) -> None:
        """Its request was challenged and may come again as it was, with credentials.

        It should come with a higher CSeq (RFC 3261 section 8.1.3.5), but proxies that answer for their users
        (kamailio's uac_auth) leave the number as it is.
        """
        if transaction.merge_key is not None:
            del self._merge_keys[transaction.merge_key]
            transaction.merge_key = None

    def is_merged(self, incoming: IncomingRequest) -> bool:
        """Whether this new request came before by another way (RFC 3261 section 8.2.2.2: answer 482)."""
        return merge_key(incoming) in self._merge_keys

    def open_server(self, incoming: IncomingRequest) -> ServerTransaction:
        """A transaction for a request that `find_server` did not find."""
        method = incoming.request.method
        table, state = (INVITE_SERVER, State.PROCEEDING) if method == "INVITE" else (NON_INVITE_SERVER, State.TRYING)
        merge = merge_key(incoming)
        opened = ServerTransaction(
            self,
            server_key(incoming, method),
            table,
            state,
            incoming.response_path,
            to_tag=incoming.to_tag,
            merge_key=merge,
        )
        assert opened.key not in self._servers, "a retransmission was taken for a new request"
        self._servers[opened.key] = opened
        self.shares.add(opened.source, 1, 0)
        self.weigh(opened, opened.weight())
        self._join(opened)
        if merge is not None:
            assert merge not in self._merge_keys, "a merged request is refused before"
            self._merge_keys[merge] = opened
        return opened

    def open_client(
        self,
        outgoing: Outgoing,
        now: float,
        *,
        on_response: Callable[[IncomingResponse, float], None],
        on_timeout: Callable[[float], None],
        second: Outgoing | None = None,
    ) -> ClientTransaction:
        """Send a request of ours, repeated until answered; by the `second` way where the first fails."""
        method = outgoing.request.method
        table = INVITE_CLIENT if method == "INVITE" else NON_INVITE_CLIENT
        key = client_key(outgoing.branch, method)
        opened = ClientTransaction(self, key, table, outgoing, second, on_response, on_timeout)
        assert key not in self._clients, "a branch is used once"
        self._clients[key] = opened
        self.weigh(opened, opened.weight())
        self._join(opened)
        opened.feed(Input.START, now, outgoing.data)
        return opened

    def find_client(self, incoming: IncomingResponse) -> ClientTransaction | None:
        """The request of ours that this response answers, if any."""
        return self._clients.get(response_key(incoming))

    def connections(self) -> set[Path]:
        """The connections that live transactions use."""
        return set(self._by_connection)

    def fail(self, path: Path, why: str, now: float) -> None:
        """A connection could not be made, or has closed: all transactions that use it are told."""
        for transaction in tuple(self._by_connection.get(path, ())):
            transaction.fail(why, now)

    def _join(self, transaction: Transaction) -> None:
        if transaction.path.reliable:
            self._by_connection.setdefault(transaction.path, set()).add(transaction)

    def _leave(self, transaction: Transaction) -> None:
        others = self._by_connection.get(transaction.path)
        if others is not None:
            others.discard(transaction)
            if not others:
                del self._by_connection[transaction.path]
