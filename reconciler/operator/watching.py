"""EDGE. kopf follows the cluster: every event of our kinds and of Secrets is handed on, and nothing else is left to it.

It runs in a thread with an event loop of its own: it cancels every task of the loop that it finds when it ends, and
takes the signals of the main thread. Its handlers only pass events on, so it patches nothing, keeps no finalizer and
writes no annotation. What kopf does not tell (an object that was deleted while a watch was broken) the next list does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any

import kopf

from reconciler.operator.api import connection
from reconciler.operator.objects import PLURALS
from schemas.resources.base import GROUP, VERSION

SECRET_TYPES_LEFT_OUT = ("kubernetes.io/service-account-token", "helm.sh/release.v1", "kubernetes.io/dockerconfigjson")
"""Secrets that never hold a SIP password, and may be many and large."""
SERVER_TIMEOUT_S = 600
"""How long one watch lasts before it is asked for anew."""
WORKERS_MAX = 200
"""Objects whose events are handed on at the same time."""

Heard = Callable[[str | None, dict[str, Any]], None]
"""Gets the type of an event (None: an object was listed) and the object. Called by the thread."""


class _Nothing(kopf.DiffBaseStorage):
    """Keeps nothing of any object: there is no handler that asks what has changed."""

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        return None


class Watching:
    """One kopf operator over these namespaces (none = all); `ended` gets why it ended, if it did so by itself."""

    def __init__(self, namespaces: Collection[str], heard: Heard, ended: Callable[[str], None]) -> None:
        self._namespaces = namespaces
        self._heard = heard
        self._ended = ended
        self._stopping = self._alive = False
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        """Whether the cluster is followed."""
        return self._alive

    def start(self) -> None:
        """Begin to follow; also again, after it ended."""
        self._alive = True
        self._thread = threading.Thread(target=self._run, name="kopf", daemon=True)
        self._thread.start()

    def stop(self, within_s: float = 5.0) -> None:
        """End it. The thread is waited for, and left alone when it takes longer."""
        self._stopping = True
        if (running := self._running) is not None:
            loop, stop = running
            with contextlib.suppress(RuntimeError):  # it has ended by itself meanwhile
                loop.call_soon_threadsafe(stop.set)
        if self._thread is not None:
            self._thread.join(within_s)

    def _run(self) -> None:
        why = "it ended"
        logging.getLogger("kopf").setLevel(logging.CRITICAL)  # `ended` says the same in one line
        try:
            asyncio.run(self._follow())
        except Exception as error:
            why = str(error) or type(error).__name__
        self._running = None
        self._alive = False
        if not self._stopping:
            self._ended(why)

    async def _follow(self) -> None:
        stop = asyncio.Event()
        self._running = (asyncio.get_running_loop(), stop)
        if self._stopping:
            return
        await kopf.operator(
            registry=self._registry(),
            settings=_settings(),
            standalone=True,
            clusterwide=not self._namespaces,
            namespaces=self._namespaces,
            stop_flag=stop,
        )

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        heard = self._heard

        @kopf.on.login(registry=registry)
        def login(**_: Any) -> kopf.ConnectionInfo:
            return connection()

        async def pass_on(event: Mapping[str, Any], **_: Any) -> None:
            heard(event["type"], dict(event["object"]))

        for plural in PLURALS.values():
            kopf.on.event(GROUP, VERSION, plural, registry=registry, id=plural)(pass_on)
        kopf.on.event("", "v1", "secrets", registry=registry, id="secrets")(pass_on)
        return registry


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.process.ultimate_exiting_timeout = None  # it would kill a thread, and us with it
    settings.posting.enabled = False
    settings.scanning.disabled = True  # neither CRDs nor namespaces are ours to watch
    settings.networking.enforce_retry_after = True
    settings.watching.field_selectors["secrets"] = ",".join(f"type!={name}" for name in SECRET_TYPES_LEFT_OUT)
    settings.watching.server_timeout = SERVER_TIMEOUT_S
    settings.queueing.worker_limit = WORKERS_MAX
    settings.queueing.idle_timeout = 0.1
    settings.persistence.diffbase_storage = _Nothing()
    return settings
