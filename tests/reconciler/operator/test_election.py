"""Several operators stand for election: never two lead at once, and one that is gone is followed.

The very `Candidate` runs, in a loop whose time is ours, against a server with resourceVersions and a bad network.
"""

import asyncio
import selectors
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.operator.election import (
    DURATION_S_MAX,
    Lease,
    Standing,
    Timing,
    Wait,
    Write,
    leads,
    next_step,
    observed,
    released,
    stepped_down,
    written,
)
from reconciler.operator.lease import Candidate

TIMING = Timing()


class Clock(selectors.DefaultSelector):
    """Waits for nothing: the time goes on instead. `watch` is called before it does, and when it has."""

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.watch = lambda: None

    def select(self, timeout=None):
        self.watch()
        if timeout:
            self.now += timeout
            self.watch()
        return super().select(0)


class Loop(asyncio.SelectorEventLoop):
    def __init__(self, clock):
        super().__init__(clock)
        self.clock = clock

    def time(self):
        return self.clock.now


@dataclass
class Server:
    """Holds one Lease; every request and every answer takes the next of `delays`, None is lost."""

    delays: list = field(default_factory=lambda: [0.01])
    body: dict | None = None
    version: int = 0
    asked: int = 0
    away: bool = False

    def ask_of(self, node):
        async def ask(method, path, body):
            await self.travel(node)
            answer = self.answer(method, path, body)
            await self.travel(node)
            return answer

        return ask

    async def travel(self, node):
        delay = self.delays[self.asked % len(self.delays)]
        self.asked += 1
        if delay is None or self.away or not node.alive:
            await asyncio.sleep(3600)
        await asyncio.sleep(delay or 0)

    def answer(self, method, path, body):
        assert path.startswith("/apis/coordination.k8s.io/v1/namespaces/dialplane/leases")
        if method == "GET":
            return (200, self.body) if self.body else (404, {})
        if method == "POST" and self.body:
            return 409, {}
        if method == "PUT" and self.body is None:
            return 404, {}
        if method == "PUT" and body["metadata"]["resourceVersion"] != str(self.version):
            return 409, {}
        self.version += 1
        metadata = {**body["metadata"], "resourceVersion": str(self.version)}
        self.body = {**body, "metadata": metadata}
        return (201 if method == "POST" else 200), self.body


class Node:
    def __init__(self, name, server, clock, offset=0.0, rate=1.0):
        self.name = name
        self.alive = True
        self.changes = []
        self.told = []
        self.stop = asyncio.Event()
        self.candidate = Candidate(
            server.ask_of(self),
            "dialplane",
            "operator",
            name,
            lambda leads: self.changes.append((clock.now, leads)),
            self.told.append,
            clock=lambda: offset + rate * clock.now,
            luck=lambda: 0.5,
        )

    def leads(self):
        return self.alive and self.candidate.leads()


def run(scene, server, nodes):
    """Play a scene, a coroutine function of (clock, nodes); at no moment may two nodes lead."""
    clock = Clock()
    loop = Loop(clock)

    async def play():
        made = [Node(f"node-{at}", server, clock, *how) for at, how in enumerate(nodes)]

        def watch():
            leading = [node.name for node in made if node.leads()]
            assert len(leading) <= 1, (clock.now, leading)

        clock.watch = watch
        tasks = [asyncio.ensure_future(node.candidate.run(node.stop)) for node in made]
        try:
            await scene(clock, made)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            clock.watch = lambda: None

    try:
        loop.run_until_complete(play())
    finally:
        loop.close()


def one_leader(nodes):
    return [node for node in nodes if node.leads()]


delays = st.lists(st.one_of(st.floats(0, 0.5), st.floats(0, 14), st.none()), min_size=1, max_size=40)
clocks = st.tuples(st.floats(-1e6, 1e6), st.floats(0.85, 1.15))


@settings(max_examples=150, deadline=None)
@given(delays, st.lists(clocks, min_size=2, max_size=4), st.lists(st.integers(0, 3), max_size=3))
def test_two_never_lead_whatever_the_network_and_the_clocks_do(delays, nodes, killed):
    async def scene(_clock, made):
        await asyncio.sleep(60)
        for at in killed:
            made[at % len(made)].alive = False
            await asyncio.sleep(45)

    run(scene, Server(delays), nodes)


def test_who_follows_says_whom_once():
    async def scene(_clock, made):
        await asyncio.sleep(60)
        [leader] = one_leader(made)
        [other] = [node for node in made if node is not leader]
        assert leader.told == []
        [said] = other.told
        assert said.startswith(f"{leader.name} leads by the Lease dialplane/operator: this operator follows")

    run(scene, Server(), [(0.0, 1.0), (0.0, 1.0)])


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 0.4), st.floats(0, 30), st.integers(2, 4))
def test_a_leader_that_is_killed_is_followed_within_its_lease(delay, after, count):
    async def scene(clock, made):
        await asyncio.sleep(10 + after)
        [leader] = one_leader(made)
        leader.alive = False
        killed_at = clock.now
        while not one_leader(made):  # noqa: ASYNC110 - this is what is measured
            await asyncio.sleep(0.05)
        # Its last renewal may be seen a pause after it was written, and five requests and answers are on the way.
        assert clock.now - killed_at <= TIMING.duration_s + 2 * TIMING.retry_s * 1.2 + 10 * delay + 0.1

    run(scene, Server([delay]), [(0.0, 1.0)] * count)


def test_a_leader_that_ends_in_order_is_followed_at_once():
    server = Server()

    async def scene(clock, made):
        await asyncio.sleep(5)
        [leader] = one_leader(made)
        leader.stop.set()
        await asyncio.sleep(3)
        [follower] = one_leader(made)
        assert follower is not leader
        assert [leads for _, leads in leader.changes] == [True, False]
        assert server.body["spec"]["leaseTransitions"] == 1
        assert server.body["spec"]["holderIdentity"] == follower.name

    run(scene, server, [(0.0, 1.0), (0.0, 1.0)])


def test_a_leader_that_is_cut_off_gives_up_in_time_is_told_once_and_comes_back():
    server = Server()

    async def scene(clock, made):
        await asyncio.sleep(5)
        [leader] = one_leader(made)
        server.away = True
        cut_at = clock.now
        await asyncio.sleep(40)
        assert not one_leader(made)
        (_, began), (gave_up_at, led) = leader.changes
        assert (began, led) == (True, False)
        assert gave_up_at - cut_at <= TIMING.renew_s + 0.1
        assert leader.told == ["Lease dialplane/operator: the API server does not answer: no answer in time"]
        server.away = False
        await asyncio.sleep(20)
        assert len(one_leader(made)) == 1

    run(scene, server, [(0.0, 1.0), (0.0, 1.0)])


def test_a_lease_that_is_deleted_is_made_anew_and_labels_of_others_stay():
    server = Server()

    async def scene(_clock, made):
        await asyncio.sleep(5)
        server.body["metadata"]["labels"] = {"team": "voice"}
        server.version += 1
        server.body["metadata"]["resourceVersion"] = str(server.version)
        await asyncio.sleep(5)
        assert server.body["metadata"]["labels"] == {"team": "voice"}
        assert len(one_leader(made)) == 1
        server.body = None
        await asyncio.sleep(10)
        assert server.body["spec"]["holderIdentity"] == one_leader(made)[0].name

    run(scene, server, [(0.0, 1.0), (0.0, 1.0)])


def test_who_may_not_touch_leases_is_told_which_right_is_missing():
    class Forbidding(Server):
        def answer(self, method, path, body):
            return 403, {"message": "leases is forbidden"}

    async def scene(_clock, made):
        await asyncio.sleep(30)
        assert not one_leader(made)
        assert made[0].told == [
            "Lease dialplane/operator: HTTP 403, it cannot be read: this ServiceAccount needs get, create and update "
            "of leases.coordination.k8s.io in this namespace"
        ]

    run(scene, Forbidding(), [(0.0, 1.0)])


def test_steps_by_the_lease_alone():
    held = Lease("other", 15, "then", "then", 3, "7")
    standing = observed(Standing(), held, 100.0)
    assert next_step(standing, "me", TIMING, 114.9, "now", 0.0) == Wait(116.9)
    assert observed(standing, held, 110.0) is standing, "seen again as it was, it is as old as before"
    assert next_step(standing, "me", TIMING, 115.0, "now", 0.0) == Write(Lease("me", 15, "now", "now", 4, "7"))
    forever = observed(Standing(), Lease("other", 2**31, "then", "then", 3, "7"), 100.0)
    assert isinstance(next_step(forever, "me", TIMING, 100.0 + DURATION_S_MAX - 1, "now", 0.0), Wait)
    assert isinstance(next_step(forever, "me", TIMING, 100.0 + DURATION_S_MAX, "now", 0.0), Write)
    renewed = observed(standing, Lease("other", 15, "then", "now", 3, "8"), 110.0)
    assert isinstance(next_step(renewed, "me", TIMING, 115.0, "now", 0.0), Wait)
    mine = written(Lease("me", 15, "now", "now", 4, "9"), 120.0, 125.0)
    assert leads(mine, TIMING, 129.9)
    assert not leads(mine, TIMING, 130.0), "counted from when it was sent"
    assert not leads(stepped_down(mine), TIMING, 121.0)
    assert next_step(mine, "me", TIMING, 122.0, "later", 0.0) == Write(Lease("me", 15, "now", "later", 4, "9"))
    assert released(mine, "end") == Lease("", 1, "now", "end", 4, "9")


@pytest.mark.parametrize(("duration_s", "renew_s", "retry_s"), [(10, 10, 2), (15, 2, 2), (0, -1, 2), (4000, 10, 2)])
def test_timings_that_could_make_two_leaders_are_refused(duration_s, renew_s, retry_s):
    with pytest.raises(ValueError, match="lease"):
        Timing(duration_s, renew_s, retry_s)
