"""The test phone: one call that it places, or that it waits for. The same SIP and media cores as the bridge's.

It is no softphone: one call, one stream of audio. What becomes of it is an `Outcome`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from runtime.errors import BridgeError
from runtime.net.tls_contexts import TlsContexts
from runtime.net.tls_files import read
from runtime.phone.answering import Answering, Manner
from runtime.phone.calling import Calling
from runtime.phone.line import Line
from runtime.phone.outcome import Outcome
from runtime.phone.voice import Script, Voice
from runtime.settings import Listen, TlsSettings
from runtime.sip.auth.client import Login
from runtime.sip.path import NAMED_TRANSPORTS

ANSWER_WITHIN_S = 40.0
OWN = "own"
"""The phone's own client certificate, among those that it could have."""


@dataclass(frozen=True, slots=True)
class Way:
    """Where a call is sent. Over TLS the peer must show a certificate for `name` ("" = any that is trusted)."""

    via: Listen
    name: str = ""
    tls: TlsSettings = field(default_factory=TlsSettings)
    """Its certificate is the one that we show."""


async def place_call(target: str, caller: str, way: Way, script: Script, login: Login | None = None) -> Outcome:
    """Call `target` (a SIP URI); returns when it is over. BridgeError when no port is free.

    `login` answers the challenges of whoever is called.
    """
    via = way.via
    any_host = "::" if ":" in via.host else "0.0.0.0"  # noqa: S104 - an ephemeral port on the way to the peer
    own = [read(files) for files in way.tls.pairs]
    pair = (own[0].certificate, own[0].key) if own else None
    outcome, line = Outcome(), Line(TlsContexts(replace(way.tls, pairs=()), lambda _: pair))
    voice = Voice(script, outcome, line.hang_up)
    try:
        await line.open([Listen(via.transport, any_host, 0)])
        path = line.path_to(via.transport, (via.host, via.port))
        if path.transport in NAMED_TRANSPORTS:
            path = replace(path, name=way.name, identity=OWN if pair is not None else "")
        local = voice.open(path.local[0])
        if isinstance(local, str):
            raise BridgeError(local, "close other calls and try again")
        call = Calling(line.endpoint, voice, outcome)
        call.begin(target, caller, path, local, login, time.monotonic())
        await line.follow(call, ANSWER_WITHIN_S + script.length_s)
    finally:
        line.close()
        voice.close()
    return outcome


async def await_call(
    listens: Sequence[Listen], tls: TlsSettings, manner: Manner, script: Script, tell: Callable[[str], None]
) -> Outcome:
    """Wait to be called, once; returns when that is over. `tell(words)` hears what happens, as it happens.

    BridgeError where it cannot listen.
    """
    outcome, line = Outcome(), Line(TlsContexts(tls))
    voice = Voice(script, outcome, line.hang_up)
    try:
        listening = await line.open(listens)
        tell(f"waits for a call on {' and '.join(map(str, listening))}")
        call = Answering(line.endpoint, voice, outcome, manner, tell, time.monotonic())
        await line.follow(call)
    finally:
        line.close()
        voice.close()
    return outcome
