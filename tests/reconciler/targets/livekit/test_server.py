"""Faults on the way to LiveKit, through the unchanged livekit-api: what is tried again, what never is, what is told."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from livekit.protocol import sip

from reconciler.errors import ReconcileError
from reconciler.settings import LiveKitAccess
from reconciler.targets.livekit import door
from reconciler.targets.livekit.door import ERROR_CHARS_MAX
from reconciler.targets.livekit.holdings import Info, Part
from reconciler.targets.livekit.server import TRIES_MAX, CallFailed, Server, Unsure, pace_of

Answer = Callable[[], web.Response]


def says(status: int, code: str = "", msg: str = "", **headers: str) -> Answer:
    body = json.dumps({"code": code, "msg": msg})
    return lambda: web.Response(status=status, text=body, content_type="application/json", headers=headers)


def gives(message: Any) -> Answer:
    return lambda: web.Response(body=message.SerializeToString(), content_type="application/protobuf")


def breaks() -> web.Response:
    raise ConnectionResetError


class StandIn:
    """Answers one call after another with what it was given; the last answer stays."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.slept: list[float] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path.rpartition("/")[2])
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is breaks:
            assert request.transport is not None
            request.transport.abort()
        return answer()

    async def sleep(self, seconds: float) -> None:
        if seconds > 0.1:  # less is the pace
            self.slept.append(seconds)

    def serve(self, work: Callable[[Server], Awaitable[Any]]) -> Any:
        async def serving() -> Any:
            app = web.Application()
            app.router.add_post("/twirp/livekit.SIP/{method}", self.answer)
            runner = web.AppRunner(app)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = runner.addresses[0][1]
            access = LiveKitAccess(f"http://127.0.0.1:{port}", "key", "secret" * 6)
            try:
                async with Server(access, pace_of(access, self.sleep)) as server:
                    return await work(server)
            finally:
                await runner.cleanup()

        return asyncio.run(serving())


TRUNK = sip.SIPInboundTrunkInfo(sip_trunk_id="ST_a", name="a")
LISTED = gives(sip.ListSIPInboundTrunkResponse(items=[TRUNK]))


def reads(server: Server) -> Awaitable[Info | None]:
    return server.read(Part.INBOUND, "ST_a")


@pytest.mark.parametrize("fault", [says(500, "internal"), says(503, "unavailable"), says(429), breaks])
def test_what_may_be_repeated_is_tried_again_with_more_time_in_between(fault: Answer) -> None:
    stand_in = StandIn(fault, fault, LISTED)
    assert stand_in.serve(reads) == TRUNK
    first, second = stand_in.slept
    assert 0.12 <= first <= 0.25
    assert 0.25 <= second <= 0.5


def test_a_server_that_asks_for_time_gets_it() -> None:
    stand_in = StandIn(says(429, "resource_exhausted", "slow down", **{"Retry-After": "7"}), LISTED)
    assert stand_in.serve(reads) == TRUNK
    assert stand_in.slept == [7.0]


def test_a_server_that_asks_for_very_much_time_is_told_of() -> None:
    stand_in = StandIn(says(429, "resource_exhausted", "come back tomorrow", **{"Retry-After": "86400"}), LISTED)
    with pytest.raises(CallFailed, match="come back tomorrow"):
        stand_in.serve(reads)


def test_tries_end() -> None:
    stand_in = StandIn(says(500, "internal", "the database is down"))
    with pytest.raises(CallFailed, match="the database is down"):
        stand_in.serve(reads)
    assert len(stand_in.asked) == TRIES_MAX


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_not_taken_ends_everything_at_once(status: int) -> None:
    stand_in = StandIn(says(status, "unauthenticated", "invalid token"))
    with pytest.raises(ReconcileError, match="does not take this API key") as caught:
        stand_in.serve(reads)
    assert "secretsecret" not in str(caught.value)
    assert len(stand_in.asked) == 1


def test_what_is_refused_is_not_asked_for_again() -> None:
    stand_in = StandIn(says(400, "invalid_argument", "Conflicting inbound SIP Trunks"))
    with pytest.raises(CallFailed, match="Conflicting") as caught:
        stand_in.serve(lambda server: server.replace("ST_a", TRUNK))
    assert caught.value.refused
    assert len(stand_in.asked) == 1


@pytest.mark.parametrize("fault", [says(500), breaks])
def test_a_create_is_never_repeated_by_itself(fault: Answer) -> None:
    stand_in = StandIn(fault, gives(TRUNK))
    with pytest.raises(Unsure):
        stand_in.serve(lambda server: server.create(sip.SIPInboundTrunkInfo(name="a")))
    assert stand_in.asked == ["CreateSIPInboundTrunk"]


def test_a_create_that_was_not_even_begun_is_repeated() -> None:
    stand_in = StandIn(says(429), gives(TRUNK))
    assert stand_in.serve(lambda server: server.create(sip.SIPInboundTrunkInfo(name="a"))) == TRUNK


def test_deleting_what_is_gone_is_no_fault() -> None:
    stand_in = StandIn(says(404, "not_found", "requested sip dispatch rule does not exist"))
    stand_in.serve(lambda server: server.delete(Part.RULE, "SDR_a"))


def test_a_server_that_is_not_there_is_told_by_its_name() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def ask() -> None:
        access = LiveKitAccess("ws://127.0.0.1:9", "key", "secret" * 6)
        async with Server(access, pace_of(access, sleep)) as server:
            await server.everything()

    with pytest.raises(CallFailed, match=r"127\.0\.0\.1:9 cannot be reached"):
        asyncio.run(ask())


def ask_in_vain(stand_in: StandIn, match: str = "is not believed", work: Any = reads) -> CallFailed:
    with pytest.raises(CallFailed, match=match) as caught:
        stand_in.serve(work)
    said = str(caught.value)
    assert said.isprintable()
    assert len(said) <= ERROR_CHARS_MAX + 100
    return caught.value


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nobody_is_sent_elsewhere_with_our_passwords(status: int) -> None:
    stand_in = StandIn(says(status, Location="/twirp/livekit.SIP/Elsewhere"), LISTED)
    ask_in_vain(stand_in)
    assert stand_in.asked == ["ListSIPInboundTrunk"]


def packed(megabytes: int, packing: str = "gzip") -> Answer:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()
    return lambda: web.Response(body=body, headers={"Content-Encoding": packing})


def test_an_answer_is_bounded_as_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "ANSWER_BYTES_MAX", 4 << 20)
    stand_in = StandIn(packed(64))
    tracemalloc.start()
    try:
        assert "more than 4 MiB" in ask_in_vain(stand_in).what
        assert tracemalloc.get_traced_memory()[1] < 24 << 20
    finally:
        tracemalloc.stop()
    assert len(stand_in.asked) == 1


def test_a_long_answer_that_is_not_packed_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "ANSWER_BYTES_MAX", 1 << 20)
    ask_in_vain(StandIn(lambda: web.Response(body=bytes((1 << 20) + 1))))


def test_an_answer_may_be_packed() -> None:
    body = gzip.compress(sip.ListSIPInboundTrunkResponse(items=[TRUNK]).SerializeToString())
    assert StandIn(lambda: web.Response(body=body, headers={"Content-Encoding": "gzip"})).serve(reads) == TRUNK


@pytest.mark.parametrize("answer", [packed(1, "br"), lambda: web.Response(body=b"\xff" * 9)])
def test_an_answer_that_is_none_of_livekits_is_told_of(answer: Answer) -> None:
    ask_in_vain(StandIn(answer))
    created = sip.SIPInboundTrunkInfo(name="a")
    failed = ask_in_vain(StandIn(answer), work=lambda server: server.create(created))
    assert isinstance(failed, Unsure)


NASTY = "bad\r\n::error::x\x1b]0;pwn\x07 \u202e##[error]y \u3164"


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize("msg", [NASTY, NASTY * 200, "A" * 5_000_000])
def test_what_a_server_says_of_itself_becomes_one_short_line(status: int, msg: str) -> None:
    said = ask_in_vain(StandIn(says(status, "internal", msg)), match=".").what
    assert not {"\x1b", "\n", "\u202e", "\u3164"} & {*said}
    assert "##[" not in said


@pytest.mark.parametrize("body", ["[1]", '{"msg": {"a": 1}, "code": ["x"]}', '{"code": "\\u001b"}', "[" * 90_000, "\\"])
def test_an_error_of_another_form_is_an_error(body: str) -> None:
    ask_in_vain(
        StandIn(lambda: web.Response(status=400, text=body, content_type="application/json")), match="400 unknown"
    )


@pytest.mark.parametrize("id_", ["", "ST_\x1b[2J", "ST_a\n::error::x", "S" * 65])
def test_an_object_under_an_id_that_is_none_is_not_believed(id_: str) -> None:
    odd = sip.SIPInboundTrunkInfo(sip_trunk_id=id_, name="a")
    ask_in_vain(StandIn(gives(sip.ListSIPInboundTrunkResponse(items=[odd]))))
    failed = ask_in_vain(StandIn(gives(odd)), work=lambda server: server.create(TRUNK))
    assert isinstance(failed, Unsure)


@pytest.mark.parametrize("work", ["create", "replace"])
def test_a_secret_that_a_server_says_again_is_not_repeated(work: str) -> None:
    secret = sip.SIPInboundTrunkInfo(name="a", auth_password="hunter2-hunter2")
    stand_in = StandIn(says(400, "invalid_argument", "bad auth_password hunter2-hunter2"))
    call = (lambda s: s.create(secret)) if work == "create" else (lambda s: s.replace("ST_a", secret))
    failed = ask_in_vain(stand_in, match=r"bad auth_password \*\*\*\*", work=call)
    assert "hunter2" not in failed.what + str(failed)
