"""The watch loop at a LiveKit server, with a clock of its own: outages, edits meanwhile, and what others change."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import sip

from reconciler.backoff import Backoff
from reconciler.loop import Loop
from reconciler.manifests.folder import Folder
from reconciler.manifests.quiet import Batch
from reconciler.manifests.reach import Reach
from reconciler.manifests.vault import Vault
from schemas.stores import SqliteStore
from tests.livekit_applies import Applies
from tests.livekit_faults import Fault, Front, always
from tests.livekit_telephony import SEALER
from tests.peers import wait_for
from tests.reconciler import declaring
from tests.reconciler.declaring import ref

ALL = Batch(everything=True)
SWEEP = Batch(everything=True, swept=True)


class Watched(Applies):
    """A folder that is watched; `now` is what its clock says."""

    def __init__(self, front: Front, place: Path) -> None:
        super().__init__(front, place / "m", store=SqliteStore(str(place / "memory.db")))
        self.now = 100.0
        self.lines: list[str] = []
        self.problems: list[str] = []
        self.accounts: list[int] = []
        """How many objects each pass wrote that is noted down."""
        self.hand = self.target(look_every_s=60.0, clock=lambda: self.now)
        vault = Vault("", {}, lambda: SEALER, needed=True, reach=Reach((str(self.folder),)))
        self.loop = Loop(
            Folder(str(self.folder)),
            self.hand,
            self._say,
            lambda _, found: self.problems.extend(problem.code for problem in found),
            vault=vault,
            account=lambda planned, _: self.accounts.append(planned.written),
            clock=lambda: self.now,
            luck=lambda: 1.0,
        )

    def _say(self, line: str) -> None:
        line = re.sub(r"127\.0\.0\.1:\d+", "HOST", re.sub(r"S(DR|T)_\w+", "ID", line))
        self.lines.append(re.sub(r"in \d+ ms", "in 0 ms", line.replace(str(self.folder), "m")))

    def passes(self, after_s: float = 5.0, batch: Batch = SWEEP) -> list[str]:
        """What is said when the clock has gone on and a batch comes."""
        said = len(self.lines)
        self.now += after_s
        self.loop.one_pass(batch)
        return self.lines[said:]


@pytest.fixture
def watched(front: Front, tmp_path: Path) -> Any:
    made = Watched(front, tmp_path)
    made.write(*documents())
    yield made
    assert made.store is not None
    made.store.close()


def documents(room: str = "lobby", net: int = 1) -> list[Any]:
    return [declaring.trunk(net=net), declaring.rule(room=room, trunkRefs=[ref("carrier")])]


def test_it_says_where_it_is_and_what_it_wrote(watched: Watched, front: Front) -> None:
    assert watched.passes() == [
        "watching m (2 documents), LiveKit at HOST",
        "Trunk default/carrier created, written at LiveKit in 0 ms",
        "DispatchRule default/support created, written at LiveKit in 0 ms",
    ]
    front.well()
    assert watched.passes() == []
    assert front.calls == [], "a regular look at the folder asks LiveKit nothing"
    watched.write(*documents("hall"))
    assert watched.passes() == [
        "DispatchRule default/support changed (room: lobby -> hall), written at LiveKit in 0 ms"
    ]


def test_what_others_change_is_told_and_put_back_at_the_next_look(watched: Watched, front: Front) -> None:
    watched.passes()
    rule = next(info for info in front.objects() if isinstance(info, sip.SIPDispatchRuleInfo))
    rule.rule.dispatch_rule_direct.room_name = "elsewhere"
    front.by_hand(
        "UpdateSIPDispatchRule",
        sip.UpdateSIPDispatchRuleRequest(sip_dispatch_rule_id=rule.sip_dispatch_rule_id, replace=rule),
    )
    front.by_hand("CreateSIPInboundTrunk", sip.CreateSIPInboundTrunkRequest(trunk={"numbers": ["+1"]}))
    assert watched.passes(50.0) == []
    assert watched.passes(10.0) == [
        "somebody changed DispatchRule default/support (ID): now as declared again",
        "DispatchRule default/support changed (room: elsewhere -> lobby), written at LiveKit in 0 ms",
    ]
    assert watched.passes(60.0) == []
    front.by_hand(
        "DeleteSIPDispatchRule", sip.DeleteSIPDispatchRuleRequest(sip_dispatch_rule_id=rule.sip_dispatch_rule_id)
    )
    assert watched.passes(60.0)[0] == "somebody deleted DispatchRule default/support (ID): now as declared again"
    assert watched.is_as_declared()


def test_while_it_is_down_it_is_asked_ever_more_rarely_and_manifests_are_followed(
    watched: Watched, front: Front
) -> None:
    watched.passes()
    front.well()
    front.faults = always("", Fault(503, "unavailable"))
    watched.write(*documents("hall"))
    assert watched.passes() == ["the front says 503, nothing was changed; LiveKit stays as it is"]
    asked = [0]
    for step in range(600):
        if step == 300:
            watched.write(*documents("foyer"), {"kind": "Trunk"})
            assert watched.passes(1.0) == ["changed, and not applied yet: m/a.yaml"]
            assert watched.problems
            continue
        assert watched.passes(1.0) == [], "an outage is told once"
        if len(front.calls) > asked[-1]:
            asked.append(len(front.calls))
    assert len(front.calls) <= 16, "2, 4, 8, 16, 32, 60, 60 … seconds"
    front.well()
    told = watched.passes(60.0)
    assert told[0] == "LiveKit answers again"
    assert "DispatchRule default/support changed (room: lobby -> foyer), written at LiveKit in 0 ms" in told


def test_a_pass_that_cannot_be_read_back_is_noted_down_told_and_finished_by_the_next(
    watched: Watched, front: Front
) -> None:
    front.faults = lambda call, _: Fault(503, "unavailable") if "CreateSIPDispatchRule" in front.calls[:-1] else None
    assert watched.passes() == ["the front says 503, apply again; 2 objects written before that"]
    assert watched.accounts == [2]
    front.well()
    assert watched.passes(60.0)[0] == "LiveKit answers again"
    assert watched.is_as_declared()


def test_a_server_that_asks_for_time_gets_it(watched: Watched, front: Front) -> None:
    front.faults = always("List", Fault(429, "resource_exhausted", {"Retry-After": "300"}))
    watched.passes()
    front.well()
    assert watched.passes(299.0) == []
    assert front.calls == []
    assert watched.passes(2.0)[0] == "LiveKit answers again"


def test_what_could_not_be_written_is_tried_again_and_nothing_is_told_twice(watched: Watched, front: Front) -> None:
    watched.passes()
    front.faults = always("UpdateSIPDispatchRule", Fault(500, "internal"))
    watched.write(*documents("hall", net=2))
    told = watched.passes()
    assert [line.split(" changed")[0] for line in told] == ["Trunk default/carrier"]
    assert watched.problems == ["livekit-failed"]
    assert watched.passes(1.0) == []
    assert watched.passes(60.0) == []
    assert watched.problems == ["livekit-failed"]
    front.well()
    assert watched.passes(60.0) == [
        "DispatchRule default/support changed (room: lobby -> hall), written at LiveKit in 0 ms",
        "all errors are mended",
    ]


def test_an_unsafe_change_leaves_livekit_as_it_is_and_names_the_apply(watched: Watched, front: Front) -> None:
    watched.passes()
    (watched.folder / "a.yaml").unlink()
    told = watched.passes()
    assert told[0].startswith(
        "refused as unsafe, LiveKit stays as it is (LiveKit at HOST): nothing is declared any more"
    )
    assert "--allow-deletes 2" in told[0]
    assert len(front.objects()) == 2
    assert watched.passes(600.0) == []


def test_a_pass_that_hangs_is_given_up_on_a_signal_and_finished_by_the_next(watched: Watched, front: Front) -> None:
    front.faults = always("CreateSIPDispatchRule", Fault(hangs_s=5.0))

    async def stopped() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(watched.loop.run(stop))
        await asyncio.to_thread(wait_for, lambda: "CreateSIPDispatchRule" in front.calls, "the call that hangs")
        stop.set()
        await asyncio.wait_for(running, 3.0)

    asyncio.run(stopped())
    assert (
        watched.lines[-1] == "stopped in the middle of an apply, the next one finishes it; 1 object written before that"
    )
    assert watched.accounts == [1], "the trunk is written, and noted down"
    front.well()
    watched.apply()
    assert watched.is_as_declared()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50), st.floats(0.1, 10), st.floats(10, 100))
def test_pauses_grow_up_to_a_bound_and_are_never_none(lucks: list[float], first_s: float, max_s: float) -> None:
    backoff = Backoff(first_s, max_s)
    for count, luck in enumerate(lucks):
        backoff.failed(0.0, luck)
        usual = min(max_s, first_s * 2**count)
        assert usual / 2 <= backoff.until <= usual
    assert not backoff.is_over(0.0)
    backoff.worked()
    assert backoff.is_over(0.0)
