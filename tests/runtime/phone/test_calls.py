"""The test phone's calls in virtual time: the cores of both phones, wired to each other and to a bare endpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from runtime.media.config import StreamConfig
from runtime.phone.answering import Answering, Manner
from runtime.phone.calling import NO_SIGN_OF_LIFE_S, Calling
from runtime.phone.line import ALLOWED
from runtime.phone.one_call import OneCall
from runtime.phone.outcome import Outcome, Referral
from runtime.sip import events as sip
from runtime.sip.endpoint import EndpointConfig, Path
from runtime.sip.offer_answer import LocalMedia
from tests.runtime.sip.wire import ALICE, BOB, Side, Wire

TARGET = "sip:+15550109999@192.0.2.2"
THERE = Path("udp", ALICE, BOB)
ELSEWHERE = "tel:+15550105555"


@dataclass
class FakeMedia:
    """Ports without sockets; `started` is what was agreed on."""

    fault: str = ""
    started: list[StreamConfig] = field(default_factory=list)

    def open(self, address: str) -> LocalMedia | str:
        return self.fault or LocalMedia(address, 20002, ("pcmu", "pcma"), dtmf=True, session_id=1)

    def start(self, stream: StreamConfig, now: float) -> None:
        self.started.append(stream)


class Phones:
    """Alice calls, Bob waits to be called."""

    def __init__(self, manner: Manner | None = None, media: FakeMedia | None = None) -> None:
        bridge = EndpointConfig("test", allow=(*ALLOWED, "NOTIFY"))
        self.wire = Wire(config=bridge, bob_config=EndpointConfig("test", allow=ALLOWED))
        self.told: list[str] = []
        self.bob_outcome, self.alice_outcome = Outcome(), Outcome()
        self.bob_media, self.alice_media = media or FakeMedia(), FakeMedia()
        alice, bob = self.wire.alice, self.wire.bob
        self.bob = Answering(
            bob.endpoint, self.bob_media, self.bob_outcome, manner or Manner(), self.told.append, self.wire.now
        )
        self.alice = Calling(alice.endpoint, self.alice_media, self.alice_outcome)
        bob.app, alice.app = self._app(self.bob), self._app(self.alice)

    def call(self) -> None:
        local = self.alice_media.open(ALICE[0])
        assert isinstance(local, LocalMedia)
        self.alice.begin(TARGET, "+15550100000", THERE, local, None, self.wire.now)
        self.run(0)

    def run(self, seconds: float) -> None:
        """Let time pass for endpoints and phones."""
        until = self.wire.now + seconds
        while True:
            self.wire.run(0)
            due = [d for phone in (self.alice, self.bob) if (d := phone.next_deadline()) is not None and d <= until]
            if not due:
                break
            self.wire.run(max(0.0, min(due) - self.wire.now))
            for phone in (self.alice, self.bob):
                phone.handle_timer(self.wire.now)
        self.wire.run(until - self.wire.now)

    @property
    def leg(self) -> int:
        """Alice's."""
        return 1

    def refer(self, *targets: str) -> list[sip.Event]:
        """Alice sends Bob on; what she then hears."""
        self.wire.alice.log.clear()
        headers = [("Refer-To", target) for target in targets]
        self.wire.alice.endpoint.request(self.leg, "REFER", self.wire.now, headers)
        self.run(1)
        return self.wire.alice.events

    @staticmethod
    def _app(phone: OneCall) -> Callable[[Side, sip.Event, float], None]:
        def app(_side: Side, event: sip.Event, now: float) -> None:
            phone.reached()
            phone.handle(event, now)

        return app


@pytest.mark.parametrize("holder", ["alice", "bob"])
def test_either_phone_is_put_on_hold_and_taken_back(holder: str) -> None:
    phones = Phones(Manner(ring_s=0.1))
    phones.call()
    phones.run(1)
    side = getattr(phones.wire, holder)
    held = phones.bob_media if holder == "alice" else phones.alice_media
    phone: OneCall = getattr(phones, holder)
    local = LocalMedia(side.address[0], 20002, ("pcmu", "pcma"), dtmf=True, session_id=1)
    for direction, sends in (("sendonly", False), ("sendrecv", True)):
        offer = phone._offer_answer.offer(replace(local, direction=direction))
        assert side.endpoint.reinvite(1, phones.wire.now, offer)
        phones.run(1)
        phone._offer_answer.withdraw()
        assert held.started[-1].send is sends
    assert side.endpoint.reinvite(1, phones.wire.now, b"v=0\r\n")
    phones.run(1)
    assert not phones.alice.is_over, "what cannot be agreed on changes nothing"


def test_it_rings_picks_up_talks_and_hangs_up() -> None:
    phones = Phones(Manner(ring_s=2))
    phones.call()
    phones.run(1.9)
    assert phones.wire.bob.sent_as() == ["100", "180"]
    assert not phones.bob_media.started
    phones.run(0.2)
    assert phones.wire.bob.sent_as()[-1] == "200"
    assert (len(phones.bob_media.started), len(phones.alice_media.started)) == (1, 1)
    assert phones.told == ["rings: +15550100000 calls +15550109999", "picked up"]
    phones.bob.hang_up(phones.wire.now)
    phones.run(0)
    assert phones.bob.is_over
    assert phones.alice.is_over
    assert phones.alice_outcome.ended_by_peer
    assert not phones.bob_outcome.ended_by_peer
    outcome = phones.bob_outcome
    assert (outcome.answered, outcome.status, outcome.caller, outcome.called) == (
        True, 200, "+15550100000", "+15550109999",
    )  # fmt: skip


def test_the_caller_hangs_up() -> None:
    phones = Phones()
    phones.call()
    phones.run(2)
    phones.alice.hang_up(phones.wire.now)
    phones.run(0)
    assert phones.bob.is_over
    assert phones.bob_outcome.ended_by_peer


def test_the_caller_gives_up_while_it_rings() -> None:
    phones = Phones(Manner(ring_s=10))
    phones.call()
    phones.run(1)
    phones.alice.hang_up(phones.wire.now)
    phones.run(20)
    assert phones.bob.is_over
    assert (phones.bob_outcome.answered, phones.bob_outcome.status) == (False, 487)
    assert not phones.bob_media.started


def test_a_call_is_declined_as_it_was_told_to() -> None:
    phones = Phones(Manner(decline=486))
    phones.call()
    assert phones.bob.is_over
    assert (phones.alice_outcome.status, phones.alice_outcome.reason) == (486, "Busy Here")
    assert (phones.bob_outcome.status, phones.bob_outcome.reason) == (486, "Busy Here")
    assert phones.bob_outcome.caller


def test_a_second_caller_hears_that_it_is_busy() -> None:
    phones = Phones()
    phones.call()
    phones.run(2)
    first = phones.alice_outcome
    again = phones.wire.alice.endpoint.invite(TARGET, THERE, phones.wire.now, from_="<sip:x@y>", to=f"<{TARGET}>")
    phones.run(1)
    assert [event.response.status for event in phones.wire.alice.of(sip.Rejected) if event.leg == again] == [486]
    assert first.answered
    assert not phones.bob.is_over


def test_nobody_calls() -> None:
    phones = Phones(Manner(wait_s=60))
    phones.run(59)
    assert not phones.bob.is_over
    phones.run(2)
    assert phones.bob.is_over
    assert phones.bob_outcome.reason == "nobody called within 60 s"
    assert not phones.bob_outcome.caller


@pytest.mark.parametrize(("body", "status"), [(b"nonsense", 400), (None, 503)])
def test_what_cannot_be_agreed_on_is_refused_before_it_rings(body: bytes | None, status: int) -> None:
    phones = Phones(media=FakeMedia("no ports" if body is None else ""))
    if body is None:
        phones.call()
    else:
        phones.wire.alice.endpoint.invite(
            TARGET, THERE, 0.0, from_="<sip:x@y>", to=f"<{TARGET}>", body=body, content_type="application/sdp"
        )
        phones.run(0)
    assert phones.wire.bob.sent_as() == ["100", str(status)]
    assert phones.bob.is_over
    assert phones.bob_outcome.reason


def test_an_offer_may_come_with_the_answer_and_its_answer_with_the_ack() -> None:
    """RFC 3261 section 13.2.1; here the ACK of a phone that knows no late offers brings nothing usable."""
    phones = Phones()
    phones.wire.alice.app = None
    phones.wire.alice.endpoint.invite(TARGET, THERE, 0.0, from_="<sip:x@y>", to=f"<{TARGET}>")
    phones.run(3)
    assert b"m=audio 20002" in phones.wire.alice.of(sip.Answered)[0].response.body
    assert not phones.bob_media.started
    assert phones.bob.is_over, "it hangs up"
    assert "SDP of the ACK" in phones.bob_outcome.reason


def test_it_lets_itself_be_sent_on_and_hangs_up() -> None:
    phones = Phones()
    phones.call()
    phones.run(2)
    phones.wire.alice.app = None
    phones.refer(ELSEWHERE)
    [notify] = phones.wire.alice.of(sip.RequestReceived)
    assert (notify.request.headers.first("Event"), notify.request.body) == ("refer", b"SIP/2.0 200 OK\r\n")
    assert notify.request.headers.first("Subscription-State") == "terminated;reason=noresource"
    phones.wire.alice.endpoint.respond_request(notify.request_id, 200, phones.wire.now)
    phones.run(1)
    assert phones.bob.is_over
    assert phones.bob_outcome.referral == Referral(ELSEWHERE, accepted=True)
    assert not phones.bob_outcome.ended_by_peer


def test_it_declines_to_be_sent_on_and_talks_on() -> None:
    phones = Phones(Manner(takes_transfers=False))
    phones.call()
    phones.run(2)
    [told] = phones.refer(f"<{TARGET}>")
    assert isinstance(told, sip.RequestAnswered)
    assert told.response is not None
    assert told.response.status == 603
    assert not phones.bob.is_over
    assert phones.bob_outcome.referral == Referral(TARGET, accepted=False)


@pytest.mark.parametrize("targets", [(), (ELSEWHERE, ELSEWHERE), ("<nonsense>",), ("http://example.com",)])
def test_a_refer_that_names_no_one_number_is_refused(targets: tuple[str, ...]) -> None:
    phones = Phones()
    phones.call()
    phones.run(2)
    [told] = phones.refer(*targets)
    assert isinstance(told, sip.RequestAnswered)
    assert told.response is not None
    assert told.response.status in (400, 416)
    assert phones.bob_outcome.referral is None


def test_nobody_who_says_anything_is_given_up_after_five_seconds() -> None:
    phones = Phones()
    phones.wire.fate = lambda _number, _data: []
    phones.call()
    phones.run(NO_SIGN_OF_LIFE_S - 0.1)
    assert not phones.alice.is_over
    phones.run(0.2)
    assert phones.alice.is_over
    assert phones.alice_outcome.reason == "nobody answers at that address"
