"""A call's life on a LiveKit server that has two connections for it, in virtual time."""

from __future__ import annotations

import pytest
from livekit.protocol import models, rtc

from runtime.calls.reasons import EndReason
from runtime.rooms.livekit import news
from runtime.rooms.livekit.limits import FAREWELL_S, OFFERS_BURST, SECTIONS_MAX
from runtime.rooms.livekit.modes import REMEMBERED_S, KnownMode, Mode
from runtime.rooms.livekit.news import Target
from runtime.rooms.livekit.signalling import State
from tests.runtime.rooms.livekit.scripted import OFFER, Script, agent


def two() -> Script:
    return Script(mode=Mode.TWO)


def query(script: Script) -> dict[str, str]:
    """Of the last request."""
    request = script.of(news.Dial)[-1].request
    assert request.path == "/rtc"
    return dict(request.query)


def test_the_server_offers_one_path_and_we_the_other_when_we_may_publish() -> None:
    script = two()
    assert query(script) == {"protocol": "17", "sdk": "python", "version": "1", "auto_subscribe": "0"}
    me = models.ParticipantInfo(sid="PA_me", identity="sip_1")
    script.say(join=rtc.JoinResponse(participant=me, subscriber_primary=True))
    assert [track.cid for track in script.asked("add_track")] == ["track"]
    script.offer(number=3)
    [answer] = script.asked("answer")
    assert (answer.type, answer.id) == ("answer", 3)
    [start] = script.of(news.StartPeer)
    assert (start.target, start.theirs.we_are_client, start.theirs.we_control) == (Target.SUBSCRIBER, True, False)
    assert not script.asked("offer"), "not before the track is known"
    script.say(track_published=rtc.TrackPublishedResponse(cid="track", track=models.TrackInfo(sid="TR_me")))
    [offer] = script.asked("offer")
    assert "a=sendonly" in offer.sdp
    assert "a=recvonly" not in offer.sdp
    script.answer()
    published = script.of(news.StartPeer)[1]
    assert (published.target, published.theirs.codec, published.theirs.we_control) == (Target.PUBLISHER, "pcmu", True)
    assert published.ours.ufrag != start.ours.ufrag


def test_a_call_is_in_its_room_when_both_paths_stand() -> None:
    script = two()
    script.join(agent())
    script.media(Target.SUBSCRIBER)
    assert not script.events
    script.media(Target.PUBLISHER)
    assert script.events == [news.Standing("PA_me", False), news.Ready()]


def test_candidates_go_to_the_path_that_they_are_for_and_ours_name_theirs() -> None:
    script = two()
    script.join()
    for target in (rtc.PUBLISHER, rtc.SUBSCRIBER):
        init = '{"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host"}'
        script.say(trickle=rtc.TrickleRequest(candidateInit=init, target=target))
    assert [added.target for added in script.of(news.AddCandidate)] == [Target.PUBLISHER, Target.SUBSCRIBER]
    script.signalling.found_ourselves(Target.SUBSCRIBER, "1 1 udp 1 192.0.2.7 9 typ host")
    script.drain()
    [trickle] = script.asked("trickle")
    assert trickle.target == rtc.SUBSCRIBER
    assert "candidate:1 1 udp" in trickle.candidateInit


def test_a_track_that_comes_later_is_answered_and_no_path_is_made_anew() -> None:
    script = two().up()
    script.offer(number=2)
    assert [answer.id for answer in script.asked("answer")] == [1, 2]
    assert len(script.of(news.StartPeer)) == 2
    assert not script.of(news.RestartPeer)


def test_a_resume_syncs_and_the_server_finds_its_way_anew() -> None:
    script = two().up()
    script.broken()
    script.step(0.2)
    asked = query(script)
    assert (asked["reconnect"], asked["sid"], asked["reconnect_reason"]) == ("1", "PA_me", "1")
    script.say(reconnect=rtc.ReconnectResponse())
    [sync] = script.asked("sync_state")
    assert (sync.offer.type, sync.answer.type, sync.answer.id) == ("offer", "answer", 1), "the subscriber's"
    assert sync.subscription.track_sids == ["TR_PA_agent"]
    assert [track.track.sid for track in sync.publish_tracks] == ["TR_me"]
    assert script.events[-1] == news.Standing("PA_me", True)
    script.offer("fresh", number=2)
    [restart] = script.of(news.RestartPeer)
    answer = script.asked("answer")[-1]
    assert (restart.target, restart.theirs.ufrag) == (Target.SUBSCRIBER, "fresh")
    assert restart.ours.ufrag != script.of(news.StartPeer)[0].ours.ufrag, "as fresh as the server's"
    assert f"a=ice-ufrag:{restart.ours.ufrag}" in answer.sdp
    assert not script.of(news.DropPeers)


def test_a_path_whose_other_end_is_another_one_is_made_anew() -> None:
    script = two().up()
    script.offer("moved", number=2, sdp=OFFER.replace("AB:AB", "CD:CD"))
    assert [start.target for start in script.of(news.StartPeer)][-1] == Target.SUBSCRIBER
    assert not script.of(news.RestartPeer)


@pytest.mark.parametrize("lost", ["signalling", "media"])
def test_what_cannot_be_resumed_is_joined_anew_with_new_paths(lost: str) -> None:
    script = two().up()
    if lost == "signalling":
        script.broken()
        script.step(0.2)
        script.say(leave=rtc.LeaveRequest(action=rtc.LeaveRequest.RECONNECT, reason=models.STATE_MISMATCH))
    else:
        script.signalling.media_failed("the media path is lost", script.now)
        script.drain()
    script.step(1)
    assert "reconnect" not in query(script)
    assert len(script.of(news.DropPeers)) == 1
    script.join(agent(), sid="PA_again")
    script.media()
    assert script.events[-1] == news.Standing("PA_again", True)
    assert script.events.count(news.Ready()) == 1


def test_a_session_that_breaks_before_it_stands_is_joined_anew() -> None:
    script = two()
    script.join()
    script.broken()
    script.step(0.2)
    assert "reconnect" not in query(script)
    assert script.of(news.DropPeers)


def test_mute_leave_and_move_are_as_with_one_path() -> None:
    script = two().up()
    script.say(mute=rtc.MuteTrackRequest(sid="TR_me", muted=True))
    assert script.events[-1] == news.TrackMuted(True)
    moved = rtc.RoomMovedResponse(
        room=models.Room(name="elsewhere"), participant=models.ParticipantInfo(sid="PA_new"),
        other_participants=[agent("PA_b", "TR_b")],
    )  # fmt: skip
    script.say(room_moved=moved)
    assert script.events[-1] == news.Moved("elsewhere")
    assert script.asked("subscription")[-1].track_sids == ["TR_b"]
    script.broken()
    script.step(0.2)
    assert (script.of(news.Dial)[-1].room, query(script)["sid"]) == ("elsewhere", "PA_new")
    script.say(reconnect=rtc.ReconnectResponse())
    script.signalling.leave("no-answer")
    script.drain()
    assert script.asked("leave")[0].reason == models.USER_UNAVAILABLE
    assert isinstance(script.commands[-1], news.DropPeers)


def test_a_removal_ends_it() -> None:
    script = two().up()
    script.say(leave=rtc.LeaveRequest(reason=models.PARTICIPANT_REMOVED, action=rtc.LeaveRequest.DISCONNECT))
    left = script.events[-1]
    assert isinstance(left, news.Left)
    assert left.code == EndReason.REMOVED


@pytest.mark.parametrize("sdp", ["v=0\r\n", OFFER.replace("a=fingerprint", "a=nothing"), "x" * 300_000])
def test_an_offer_that_cannot_be_used_is_a_lost_path(sdp: str) -> None:
    script = two().up()
    script.offer(number=2, sdp=sdp)
    script.step(0.8)
    assert len(script.of(news.Dial)) == 2
    assert script.signalling.state is State.RETURNING
    assert "reconnect" not in query(script)


# -- which of the two ----------------------------------------------------------------------------------------------


def test_a_server_without_the_single_path_is_at_once_joined_by_two() -> None:
    script = Script()
    script.refused(404)
    assert [dial.request.path for dial in script.of(news.Dial)] == ["/rtc/v1", "/rtc"]
    script.mode = Mode.TWO
    script.join(agent())
    script.media()
    assert script.events == [news.ModeFound(Mode.TWO), news.Standing("PA_me", False), news.Ready()]


def test_a_room_that_is_not_there_is_refused_by_both_and_nothing_is_learnt() -> None:
    script = Script()
    script.refused(404)
    script.refused(404)
    [left] = script.events
    assert isinstance(left, news.Left)
    assert left.code == EndReason.ROOM_REFUSED
    assert len(script.of(news.Dial)) == 2


@pytest.mark.parametrize("before", list(Mode))
def test_a_server_that_came_back_as_another_one_is_joined_by_what_it_has(before: Mode) -> None:
    script = Script(mode=before).up()
    script.broken()
    script.step(0.2)
    script.refused(404)  # the resume
    script.step(1)
    script.refused(404)  # the join
    assert script.of(news.Dial)[-1].request.path == ("/rtc" if before is Mode.SINGLE else "/rtc/v1")
    script.mode = before.other
    script.join(agent(), sid="PA_again")
    script.media()
    assert script.events[-2:] == [news.ModeFound(before.other), news.Standing("PA_again", True)]


def test_what_was_found_is_remembered_for_some_minutes() -> None:
    known = KnownMode()
    assert known.at(5.0) is Mode.SINGLE
    known.found(Mode.TWO, 10.0)
    assert known.at(10.0 + REMEMBERED_S - 1) is Mode.TWO
    assert known.at(10.0 + REMEMBERED_S) is Mode.SINGLE
    known.found(Mode.TWO, 10.0)
    known.found(Mode.SINGLE, 20.0)
    assert known.at(21.0) is Mode.SINGLE


def test_an_offer_whose_answer_was_lost_with_the_signalling_is_made_anew() -> None:
    script = Script().up()
    script.say(media_sections_requirement=rtc.MediaSectionsRequirement(num_audios=1))
    script.broken()
    script.step(0.2)
    script.say(reconnect=rtc.ReconnectResponse())
    offers = script.asked("offer")
    assert [offer.id for offer in offers] == [2, 3]
    assert offers[1].sdp.count("a=recvonly") == offers[0].sdp.count("a=recvonly") == 2


def test_a_server_that_offers_without_end_is_left_and_its_offers_are_not_read() -> None:
    script = two()
    script.join(agent())
    script.media(Target.SUBSCRIBER, Target.PUBLISHER)
    for number in range(200):
        script.offer(ufrag=f"server{number}", number=number + 2)
    assert len(script.asked("answer")) <= OFFERS_BURST
    dials = len(script.of(news.Dial))
    script.step(FAREWELL_S + 0.1)
    assert len(script.of(news.Dial)) == dials + 1


def test_an_offer_of_too_many_sections_is_not_answered() -> None:
    script = two()
    section = OFFER[OFFER.index("m=") :]
    script.offer(sdp=OFFER + section * SECTIONS_MAX)
    assert not script.asked("answer")
