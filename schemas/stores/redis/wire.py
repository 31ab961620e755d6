"""The connection to Redis: commands go out, answers come back, and nothing waits for ever.

A command that got no answer is asked once more, on a new connection: a server that was restarted has closed the old
one. So everything that is sent here has to be right twice: the scripts know their own doing, and all else only reads,
or sets what is set already. Where Sentinels know the primary they are asked anew for each connection; a cluster's
MOVED is followed, since all keys of one prefix are on one node.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha1
from typing import Any, TypeVar, cast

from redis import Redis, exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel

from schemas.stores.door import StoreError
from schemas.stores.redis.address import Host, RedisAddress
from schemas.stores.redis.errors import told_apart

CONNECT_WITHIN_S = 3.0
ANSWER_WITHIN_S = 5.0
"""A server that is silent for longer is as good as away."""
HOPS_MAX = 3
"""How often in a row another node of a cluster may be named."""

Command = Sequence[str | bytes | int]
T = TypeVar("T")

_AGAIN = (exceptions.ConnectionError, exceptions.TimeoutError, exceptions.ReadOnlyError)


@dataclass(frozen=True, slots=True)
class Script:
    """A program in Lua that runs within Redis, as one step."""

    text: str

    @property
    def digest(self) -> str:
        """What Redis knows it by."""
        return sha1(self.text.encode()).hexdigest()  # noqa: S324 - Redis's choice, and a name only


class Wire:
    """A client of the server at `address`; connects at once, and anew when need be. Raises StoreError everywhere."""

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        self.where = address.shown
        self._node: Host | None = None
        self._client: Any = None  # the client's own types say little of what commands answer
        self.do("PING")

    def close(self) -> None:
        """Let go of the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def do(self, *command: str | bytes | int) -> Any:
        """One command's answer."""
        return self._ask(lambda client: client.execute_command(*command))

    def in_a_row(self, commands: Sequence[Command]) -> list[Any]:
        """The answers to several, sent at once; others' commands may come in between."""
        return self._ask(lambda client: _all(client, commands, together=False))

    def together(self, commands: Sequence[Command]) -> list[Any]:
        """The answers to several that are carried out as one step (MULTI)."""
        return self._ask(lambda client: _all(client, commands, together=True))

    def run(self, script: Script, keys: Sequence[str], arguments: Sequence[str | bytes | int]) -> Any:
        """What a script returns; it has to be right when it is run twice."""
        rest = (len(keys), *keys, *arguments)

        def ask(client: Any) -> Any:
            try:
                return client.execute_command("EVALSHA", script.digest, *rest)
            except exceptions.NoScriptError:
                return client.execute_command("EVAL", script.text, *rest)

        return self._ask(ask)

    def _ask(self, ask: Callable[[Any], T]) -> T:
        with told_apart(self.where):
            for hop in range(HOPS_MAX):
                try:
                    return ask(self._connected())
                except exceptions.MovedError as moved:
                    self.close()
                    self._node = (moved.host, moved.port)
                except _AGAIN:
                    self.close()
                    self._node = None
                    if hop:
                        raise
            return ask(self._connected())

    def _connected(self) -> Any:
        if self._client is None:
            self._client = _client(self._address, *(self._node or self._primary()))
        return self._client

    def _primary(self) -> Host:
        address = self._address
        if not address.service:
            return address.hosts[0]
        more = {"password": address.sentinel_password} if address.sentinel_password else {}
        sentinel: Any = cast("Any", Sentinel)(address.hosts, sentinel_kwargs={**_usual(address), **more})
        try:
            host, port = sentinel.discover_master(address.service)
        except MasterNotFoundError:
            hint = "are they there, and is this the name that they know it by?"
            raise StoreError(self.where, f"no Sentinel knows a primary of {address.service}", hint) from None
        finally:
            for asked in sentinel.sentinels:
                asked.close()
        return str(host), int(port)


def _client(address: RedisAddress, host: str, port: int) -> Redis:
    login: dict[str, Any] = {"username": address.user or None, "password": address.password or None}
    return Redis(host=host, port=port, db=address.database, **login, **_usual(address))


def _usual(address: RedisAddress) -> dict[str, Any]:
    """What holds for servers and Sentinels alike."""
    usual: dict[str, Any] = {
        "socket_connect_timeout": CONNECT_WITHIN_S,
        "socket_timeout": ANSWER_WITHIN_S,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
    }
    if address.tls:
        usual |= {
            "ssl": True,
            "ssl_ca_certs": address.authorities or None,
            "ssl_certfile": address.certificate or None,
            "ssl_keyfile": address.key or None,
        }
    return usual


def _all(client: Any, commands: Sequence[Command], *, together: bool) -> list[Any]:
    with client.pipeline(transaction=together) as pipeline:
        for command in commands:
            pipeline.execute_command(*command)
        answers: list[Any] = pipeline.execute(raise_on_error=False)
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers
