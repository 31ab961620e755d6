"""A Kubernetes API server in memory, for machines without a genuine one: kubectl and the operator cannot tell it apart.

It keeps what an operator leans on: resourceVersions and conflicts, generations, uids, finalizers, the status
subresource, watches that begin at a version (410 Gone where that is forgotten), pages, merge patches, RBAC by Roles and
ClusterRoles, tokens of ServiceAccounts, discovery, CRDs with their names. It validates nothing and prints no columns:
what a schema refuses, and what `kubectl get` shows, only the genuine server of `cluster` can tell. kmock emulates one
as well, but has neither versions nor conflicts, and it is these that an operator gets wrong.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import threading
import time
import uuid
from base64 import b64encode
from pathlib import Path
from urllib.parse import unquote

from aiohttp import web

from tests.kubernetes.cluster import AnyCluster
from tests.kubernetes.store import Kind, Object, RefusedError, Store, merged
from tests.peers import free_port

BOOKMARK_EVERY_S = 5.0


class EmulatedCluster(AnyCluster):
    """The server as tests use one. Without a token everybody is its admin."""

    VALIDATES = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._server = Emulator()
        self.kubeconfig("admin", "")

    @property
    def url(self) -> str:
        """Plain, on loopback."""
        return f"http://127.0.0.1:{self._server.port}"

    def __enter__(self) -> EmulatedCluster:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def start(self) -> None:
        """Answer."""
        self._server.start()

    def stop(self) -> None:
        """Close every connection, and answer nobody."""
        self._server.stop()

    def compact(self) -> None:
        """Forget the past."""
        self._server.forget()

    def token(self, namespace: str, account: str) -> str:
        """As the server knows it; kubectl would ask for it in protobuf, which is not spoken here."""
        return self._server.token(namespace, account)

    def kubectl(self, *words: str, **more: object) -> subprocess.CompletedProcess[str]:
        """Without the schemas that kubectl asks a server for before it applies anything."""
        unseen = ("--validate=false",) if words[0] == "apply" else ()
        return super().kubectl(*words, *unseen, **more)


class Emulator:
    """The server, in a thread of its own: `start` and `stop` may take turns, what is declared stays."""

    def __init__(self) -> None:
        self.port = free_port(socket.SOCK_STREAM)
        self.store = Store()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._runner: web.AppRunner | None = None

    def start(self) -> None:
        """Answer."""
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(20)

    def stop(self) -> None:
        """Answer no more, and close every connection."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(20)

    def close(self) -> None:
        """Be gone for good."""
        self.stop()
        asyncio.run_coroutine_threadsafe(_cancel_others(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()

    def token(self, namespace: str, account: str) -> str:
        """What a ServiceAccount says to be known by; kubectl would ask for it in protobuf, which is not spoken here."""
        token = uuid.uuid4().hex
        self.store.tokens[token] = (namespace, account)
        return token

    def forget(self) -> None:
        """As `Store.forget`."""
        self._loop.call_soon_threadsafe(self.store.forget)

    async def _start(self) -> None:
        app = web.Application(client_max_size=8 << 20)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def _stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner = None

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._answered(request)
        except RefusedError as refused:
            return web.json_response(refused.body(), status=refused.code)

    async def _answered(self, request: web.Request) -> web.StreamResponse:
        parts = [unquote(part) for part in request.path.split("/") if part]
        if (found := self._discovered(parts)) is not None:
            return web.json_response(found)
        kind, namespace, name, part = self._target(parts)
        verb = _verb(request, name)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and token not in self.store.tokens:
            raise RefusedError(401, "Unauthorized", "Unauthorized")
        if not self.store.may(token, verb, kind, part, namespace):
            words = f'{kind.plural} is forbidden: cannot {verb} resource "{kind.plural}" in namespace "{namespace}"'
            raise RefusedError(403, "Forbidden", words)
        if verb == "watch":
            return await self._watch(request, kind, namespace)
        if verb == "list":
            return web.json_response(self._list(request, kind, namespace))
        body = await _body(request) if verb in {"create", "update", "patch"} else {}
        return web.json_response(self._done(request, verb, kind, namespace, name, part, body), status=_created(verb))

    def _done(
        self, request: web.Request, verb: str, kind: Kind, namespace: str, name: str, part: str, body: Object
    ) -> Object:
        store = self.store
        if verb == "create":
            return store.create(kind, namespace, body)
        if verb == "delete":
            return store.delete(kind, namespace, name)
        if verb == "get":
            return store.get(kind, namespace, name)
        if verb == "patch":
            if "merge-patch" not in request.content_type:
                raise RefusedError(415, "UnsupportedMediaType", f"{request.content_type} is not emulated")
            # a patch without a version is one of whatever is there
            version = body.get("metadata", {}).get("resourceVersion", "")
            body = merged(store.get(kind, namespace, name), body)
            body["metadata"]["resourceVersion"] = version
        return store.change(kind, namespace, name, body, status=part == "status")

    def _target(self, parts: list[str]) -> tuple[Kind, str, str, str]:
        """Kind, namespace, name and subresource of a path. Raises RefusedError."""
        group, rest = ("", parts[2:]) if parts[:1] == ["api"] else ("".join(parts[1:2]), parts[3:])
        namespace = ""
        if len(rest) > 2 and rest[0] == "namespaces":
            namespace, rest = rest[1], rest[2:]
        kind = self.store.kinds.get(("".join(rest[:1]), group))
        if kind is None:
            raise RefusedError(404, "NotFound", "the server could not find the requested resource")
        return kind, namespace, "".join(rest[1:2]), "".join(rest[2:3])

    def _list(self, request: web.Request, kind: Kind, namespace: str) -> Object:
        found = [one for key, one in sorted(self.store.of(kind).items()) if _within(request, key, namespace)]
        begins = int(request.query.get("continue") or 0)
        ends = begins + int(request.query.get("limit") or len(found) or 1)
        metadata = {"resourceVersion": str(self.store.version)}
        if ends < len(found):
            metadata["continue"] = str(ends)
        return {"apiVersion": kind.api, "kind": f"{kind.kind}List", "metadata": metadata, "items": found[begins:ends]}

    async def _watch(self, request: web.Request, kind: Kind, namespace: str) -> web.StreamResponse:
        told = web.StreamResponse()
        told.content_type = "application/json"
        await told.prepare(request)
        since = int(request.query.get("resourceVersion") or 0)
        if since == 0:
            for key, one in list(self.store.of(kind).items()):
                if _within(request, key, namespace):
                    await _write(told, "ADDED", one)
            since = self.store.version
        quiet_since = time.monotonic()
        while request.transport is not None and not request.transport.is_closing():
            if since < self.store.forgotten:
                gone = RefusedError(410, "Expired", f"too old resource version: {since} ({self.store.forgotten})")
                await _write(told, "ERROR", gone.body())
                return told
            for version, about, type_, one in [entry for entry in self.store.log if entry[0] > since]:
                since = version
                key = (one["metadata"].get("namespace", ""), one["metadata"]["name"])
                if about == kind and _within(request, key, namespace):
                    await _write(told, type_, one)
            if time.monotonic() - quiet_since > BOOKMARK_EVERY_S and request.query.get("allowWatchBookmarks"):
                quiet_since = time.monotonic()
                metadata = {"resourceVersion": str(self.store.version)}
                await _write(told, "BOOKMARK", {"apiVersion": kind.api, "kind": kind.kind, "metadata": metadata})
            await asyncio.sleep(0.01)
        return told

    def _discovered(self, parts: list[str]) -> Object | None:
        kinds = list(self.store.kinds.values())
        match parts:
            case ["version"]:
                return {"major": "1", "minor": "35", "gitVersion": "v1.35.0", "platform": "linux/amd64"}
            case ["readyz" | "healthz" | "livez"]:
                return {}
            case ["api"]:
                return {"kind": "APIVersions", "versions": ["v1"]}
            case ["apis"]:
                groups = sorted({(kind.group, kind.version) for kind in kinds if kind.group})
                return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(*each) for each in groups]}
            case ["api", version]:
                return _resources(version, [kind for kind in kinds if not kind.group])
            case ["apis", group, version]:
                return _resources(f"{group}/{version}", [kind for kind in kinds if kind.group == group])
        return None


async def _cancel_others() -> None:
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in others:
            task.cancel()
        await asyncio.wait(others, timeout=1)


def _verb(request: web.Request, name: str) -> str:
    if request.method == "GET" and not name:
        return "watch" if request.query.get("watch") in {"1", "true"} else "list"
    return {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}[request.method]


async def _body(request: web.Request) -> Object:
    if "json" not in request.content_type:
        raise RefusedError(415, "UnsupportedMediaType", f"{request.content_type} is not spoken here")
    body: Object = await request.json()
    if (words := body.pop("stringData", None)) is not None:
        body["data"] = {
            **body.get("data", {}),
            **{key: b64encode(text.encode()).decode() for key, text in words.items()},
        }
    return body


def _created(verb: str) -> int:
    return 201 if verb == "create" else 200


def _within(request: web.Request, key: tuple[str, str], namespace: str) -> bool:
    wanted = request.query.get("fieldSelector", "")
    named = wanted.removeprefix("metadata.name=") if wanted.startswith("metadata.name=") else ""
    return (not namespace or key[0] == namespace) and (not named or key[1] == named)


async def _write(told: web.StreamResponse, type_: str, one: Object) -> None:
    await told.write(json.dumps({"type": type_, "object": one}).encode() + b"\n")


def _group(group: str, version: str) -> Object:
    served = {"groupVersion": f"{group}/{version}", "version": version}
    return {"name": group, "versions": [served], "preferredVersion": served}


def _resources(api: str, kinds: list[Kind]) -> Object:
    verbs = ["create", "delete", "get", "list", "patch", "update", "watch"]
    told = []
    for kind in kinds:
        part = {"singularName": "", "kind": kind.kind, "namespaced": kind.namespaced}
        names = {"shortNames": list(kind.short), "categories": list(kind.categories)}
        told.append({"name": kind.plural, **part, "singularName": kind.kind.lower(), "verbs": verbs, **names})
        if kind.status:
            told.append({**part, "name": f"{kind.plural}/status", "verbs": ["get", "patch", "update"]})
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api, "resources": told}
