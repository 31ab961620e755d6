"""EDGE. Requests to the API server: who we are, one session, lists page by page.

kopf says where the server is and who we are (a ServiceAccount's token in a Pod, else the kubeconfig); requests of our
own go by an aiohttp session, because kopf offers none. A token that was replaced is read again when it is refused.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from types import TracebackType
from typing import Any
from urllib.parse import quote

import aiohttp
import kopf

from reconciler.errors import ReconcileError
from reconciler.operator.depth import read_json

REQUEST_S_MAX = 30.0
PAGE = 500
"""Objects of one answer; a server says where to go on."""
CONNECTIONS_MAX = 32
MERGE = "application/merge-patch+json"
RETRY_AFTER_S_MAX = 30.0


class NoAnswer(OSError):  # noqa: N818 - what the server gives, not a fault of ours
    """The API server cannot be reached, or has not answered as one does."""


class Refused(Exception):  # noqa: N818 - an answer of the server, not a fault of ours
    """The API server refuses a request; `wait_s` is how long it asks to be left alone."""

    def __init__(self, status: int, what: str, wait_s: float = 0.0) -> None:
        super().__init__(f"HTTP {status}: {what}" if what else f"HTTP {status}")
        self.status = status
        self.wait_s = wait_s


def connection() -> kopf.ConnectionInfo:
    """Where the API server is, and who we are. Raises ReconcileError."""
    settings = kopf.OperatorSettings()
    try:
        info = kopf.login_with_service_account(settings=settings) or kopf.login_with_kubeconfig(settings=settings)
    except FileNotFoundError as error:
        raise ReconcileError(f"{error.filename}: there is no such file", "try it with kubectl first") from error
    except (OSError, KeyError, ValueError, AttributeError, kopf.LoginError) as error:
        where = os.environ.get("KUBECONFIG") or "~/.kube/config"
        raise ReconcileError(f"{where} cannot be used: {error}", "try it with kubectl first") from error
    if info is None or not info.server:
        hint = "run in a Pod, or set KUBECONFIG to a kubeconfig whose user has a token or a client certificate"
        raise ReconcileError("there is no Kubernetes API server to speak to", hint)
    return info


class Api:
    """One session with the API server, from `async with` on. Used by one event loop."""

    def __init__(self) -> None:
        self._info = connection()
        self._session: aiohttp.ClientSession | None = None

    @property
    def server(self) -> str:
        """Where it is."""
        return self._info.server

    @property
    def namespace(self) -> str:
        """The namespace that we are in; "default" where nothing says."""
        return self._info.default_namespace or "default"

    async def __aenter__(self) -> Api:
        self._session = self._opened()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, content: str = "application/json"
    ) -> tuple[int, dict[str, Any]]:
        """The status and the body of an answer, whatever they are. Raises NoAnswer."""
        status, found, _ = await self._answered(method, path, body, content)
        return status, found

    async def done(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, content: str = "application/json"
    ) -> dict[str, Any]:
        """The body of a good answer. Raises NoAnswer, Refused."""
        status, found, wait_s = await self._answered(method, path, body, content)
        if status >= 300:
            raise Refused(status, str(found.get("message", ""))[:300], wait_s)
        return found

    async def listed(self, path: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """All items of a list, page by page, and the last page's body without them. Raises NoAnswer, Refused."""
        items: list[dict[str, Any]] = []
        more = ""
        while True:
            page = await self.done("GET", f"{path}?limit={PAGE}{f'&continue={quote(more)}' if more else ''}")
            kind, version = str(page.get("kind", "")).removesuffix("List"), page.get("apiVersion", "")
            items += [{"apiVersion": version, "kind": kind, **item} for item in page.pop("items", None) or ()]
            more = str((page.get("metadata") or {}).get("continue") or "")
            if not more:
                return items, page

    def _opened(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX, ssl=self._info.as_ssl_context()),
            headers={**self._info.as_http_headers(), "User-Agent": "dialplane-operator"},
            timeout=aiohttp.ClientTimeout(total=REQUEST_S_MAX),
            proxy=self._info.proxy_url,
        )

    async def _log_in_again(self) -> None:
        try:
            info = connection()
        except ReconcileError as error:
            raise NoAnswer(str(error)) from error
        if info != self._info:
            before, self._info = self._session, info
            self._session = self._opened()
            if before is not None:
                await before.close()

    async def _answered(
        self, method: str, path: str, body: Mapping[str, Any] | None, content: str
    ) -> tuple[int, dict[str, Any], float]:
        """Status, body, and for how many seconds we are to leave it alone. Raises NoAnswer."""
        answer = await self._asked(method, path, body, content)
        if answer[0] != 401:
            return answer
        await self._log_in_again()  # a token has a life of an hour; by then there is a new one
        return await self._asked(method, path, body, content)

    async def _asked(
        self, method: str, path: str, body: Mapping[str, Any] | None, content: str
    ) -> tuple[int, dict[str, Any], float]:
        assert self._session is not None, "it is entered"
        headers = {"Content-Type": content} if body is not None else {}
        data = json.dumps(body).encode() if body is not None else None
        url = self._info.server.rstrip("/") + path
        try:
            async with self._session.request(method, url, data=data, headers=headers) as answer:
                text = await answer.read()
                wait_s = _wait_s(answer.headers.get("Retry-After", ""))
                return answer.status, _parsed(text, answer.status), wait_s
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NoAnswer(str(error) or type(error).__name__) from error


def _parsed(text: bytes, status: int) -> dict[str, Any]:
    try:
        found = read_json(text.decode()) if text else {}
    except ValueError as error:
        if status < 300:
            raise NoAnswer("the API server's answer is no JSON") from error
        return {"message": text[:200].decode(errors="replace").strip()}
    return found if isinstance(found, dict) else {}


def _wait_s(text: str) -> float:
    return min(float(text), RETRY_AFTER_S_MAX) if text.isascii() and text.isdigit() and len(text) < 6 else 0.0
