"""The edge of the trunks' keeper: what it wishes is looked up, what it says is logged, and who stops waits no more."""

from __future__ import annotations

import asyncio
import time

from runtime.trunks.tended import Tended
from runtime.workers.tending import Tending, contact_tokens
from tests.runtime.sip.raw import read
from tests.runtime.trunks.world import TRUNK, World, account
from tests.runtime.workers.names import Names, finder

A = "192.0.2.1"


class Tends:
    """A keeper whose one account is due, its edge, and what came of it."""

    def __init__(self, names: Names, left_out: int = 0) -> None:
        self.keeper_world = World()
        self.drained = asyncio.Event()
        self.lines: list[tuple[str, dict[str, object]]] = []
        keeper = self.keeper_world.keeper
        self.edge = Tending(keeper, finder(names), self.drained.set, self._log)
        keeper.tend(Tended((account(),), (), left_out), 0.0)
        keeper.handle_timer(time.monotonic() + 3_600)

    def _log(self, text: str, **fields: object) -> None:
        self.lines.append((text, fields))

    def sent(self) -> list[str]:
        asked = [(read(data), path) for data, path in self.keeper_world.endpoint.datagrams_to_send()]
        return [f"{message.method} {path.remote[0]}" for message, path in asked]


def test_what_the_keeper_wishes_is_looked_up_and_sent() -> None:
    async def main() -> None:
        tends = Tends(Names(carrier_example=(A,)))
        tends.edge.work_off()
        await asyncio.wait_for(tends.drained.wait(), 10)
        assert tends.sent() == [f"REGISTER {A}"]
        assert tends.lines == []

    asyncio.run(main())


def test_words_of_a_trunk_are_logged_with_its_name_and_others_without() -> None:
    async def main() -> None:
        tends = Tends(Names(), left_out=3)
        tends.edge.work_off()
        await asyncio.wait_for(tends.drained.wait(), 10)
        tends.keeper_world.keeper.handle_timer(time.monotonic())
        tends.edge.work_off()
        few, unknown = tends.lines
        assert few == ("3 trunks are neither registered nor probed: there are too many of them", {})
        assert "carrier.example" in unknown[0]
        assert unknown[1] == {"trunk": TRUNK}
        tends.edge.stop()

    asyncio.run(main())


def test_who_stops_waits_for_no_name_any_more() -> None:
    async def main() -> None:
        names = Names()
        names.silent.add("carrier.example")
        tends = Tends(names)
        tends.edge.work_off()
        await asyncio.sleep(0)
        (looking,) = [task for task in asyncio.all_tasks() if "_find" in repr(task.get_coro())]
        tends.edge.stop()
        await asyncio.wait([looking], timeout=10)
        assert looking.cancelled()
        assert not tends.drained.is_set()

    asyncio.run(main())


def test_a_contact_is_the_same_after_a_restart_and_another_for_each_trunk_and_key() -> None:
    tokens = contact_tokens(b"k" * 40)
    assert tokens(TRUNK) == contact_tokens(b"k" * 40)(TRUNK)
    assert len({tokens(TRUNK), tokens("default/other"), contact_tokens(b"l" * 40)(TRUNK)}) == 3
    assert len(tokens(TRUNK)) == 24
