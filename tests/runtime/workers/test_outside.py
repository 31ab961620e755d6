"""What is told of the addresses that a STUN server sees us at: changes, and nothing else."""

from __future__ import annotations

import asyncio

import pytest

from runtime.settings import Outside
from runtime.workers import outside
from runtime.workers.outside import OutsideAddresses


def test_a_silent_stun_server_is_told_of_once_until_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [None, None, None, "203.0.113.5", "203.0.113.5", None, None, "203.0.113.5", None, "203.0.113.6"]
    told: list[str] = []
    named: list[tuple[str, ...]] = []

    async def main() -> None:
        all_asked = asyncio.Event()

        async def seen_at(_host: str, _port: int) -> str | None:
            if answers:
                return answers.pop(0)
            all_asked.set()
            return await asyncio.Future()

        monkeypatch.setattr(outside, "seen_at", seen_at)
        monkeypatch.setattr(outside, "ASK_AGAIN_S", 0)
        monkeypatch.setattr(outside, "ASK_SOON_S", 0)
        ours = OutsideAddresses(
            Outside(stun=("192.0.2.1", 3478)),
            lambda facing: named.append(facing.signalling),
            lambda words, **_: told.append(words),
        )
        await ours.start()
        await all_asked.wait()
        ours.stop()

    asyncio.run(main())
    silent, changed = "the STUN server does not answer", "the world sees us at another address than before"
    assert told == [silent, changed, silent, "the STUN server answers again", silent, changed]
    assert named == [("203.0.113.5",), ("203.0.113.6",)]
