"""A bridge whose rooms are on a LiveKit server, and phones that call it, for tests with genuine participants."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.livekit_front import Front
from tests.livekit_peers import LiveKit
from tests.peers import ROOT, BridgeProcess, lesson

NUMBER = "+15550100000"
CALLER = "sip_+15550101111"


@contextmanager
def bridge_on(
    server: LiveKit | Front, work: Path, rule: str = "", trunk: str = "", *options: str
) -> Iterator[BridgeProcess]:
    """A bridge on the first example, whose rule (and trunk) have these further lines in their spec."""
    with lesson("01-one-number", work) as manifests:
        for file, kind, lines in (("routes.yaml", "  rule:", rule), ("trunk.yaml", "  inbound:\n", trunk)):
            text = (manifests / file).read_text()
            assert kind in text
            added = lines + kind if file == "routes.yaml" else kind + lines
            (manifests / file).write_text(text.replace(kind, added, 1))
        with BridgeProcess(manifests, work, "--rooms", "livekit", *options, environment=server.environment) as running:
            yield running


def phone(
    bridge: BridgeProcess, said: Path, heard: Path, seconds: float, caller: str = "+15550101111", *options: str
) -> Any:
    """`bridge call` in the background."""
    return subprocess.Popen(
        [
            sys.executable, "-m", "runtime", "call", f"sip:{NUMBER}@{bridge.target}", "--play", str(said),
            "--record", str(heard), "--seconds", str(seconds), "--from", caller, "-o", "json", *options,
        ],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def outcome(started: Any) -> dict[str, Any]:
    said, complained = started.communicate(timeout=60)
    assert said, complained
    return dict(json.loads(said))


def is_active(event: dict[str, Any]) -> bool:
    """Whether an event of the room shows a call that is answered: it may have been so when its participant was seen."""
    return bool(event.get("attributes", {}).get("sip.callStatus") == "active")
