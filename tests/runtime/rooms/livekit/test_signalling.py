"""A call's life on a LiveKit server, in virtual time."""

from __future__ import annotations

from itertools import pairwise

import pytest
from livekit.protocol import models, rtc

from runtime.calls.reasons import EndReason
from runtime.rooms.livekit import news
from runtime.rooms.livekit.limits import JOIN_S_MAX, LOST_S_MAX, TRACKS_MAX
from runtime.rooms.livekit.signalling import State
from tests.runtime.rooms.livekit.scripted import Script, agent

DISCONNECT, RESUME, RECONNECT = (
    rtc.LeaveRequest.DISCONNECT,
    rtc.LeaveRequest.RESUME,
    rtc.LeaveRequest.RECONNECT,
)


def test_one_round_trip_carries_offer_track_and_token() -> None:
    script = Script()
    [request] = script.requests()
    assert request.publisher_offer.type == "offer"
    assert [track.cid for track in request.add_track_requests] == ["track"]
    assert not request.connection_settings.auto_subscribe
    assert script.of(news.Dial)[0].attributes == (("sip.callStatus", "ringing"),)


def test_a_call_is_ready_when_media_flows_and_somebody_can_be_heard() -> None:
    script = Script()
    script.join()
    script.media()
    assert script.events == [news.Standing("PA_me", False)], "nobody is there yet"
    script.say(update=rtc.ParticipantUpdate(participants=[agent("PA_a", "")]))
    assert news.Ready() not in script.events, "present, and silent"
    script.say(update=rtc.ParticipantUpdate(participants=[agent("PA_a", "TR_a")]))
    assert script.events[-1] == news.Ready()
    [asked] = script.asked("subscription")
    assert (list(asked.track_sids), asked.participant_tracks[0].participant_sid) == (["TR_a"], "PA_a")


def test_two_phones_do_not_wait_for_each_other() -> None:
    script = Script()
    script.join(agent("PA_phone", "", kind=models.ParticipantInfo.SIP))
    script.media()
    assert news.Ready() in script.events


def test_only_so_many_tracks_are_subscribed_to_and_one_that_ends_makes_room() -> None:
    script = Script()
    script.join(agent("PA_many", *(f"TR_{n}" for n in range(TRACKS_MAX + 5))), agent("PA_more", "TR_more"))
    asked = [sid for request in script.asked("subscription") for sid in request.track_sids]
    assert len(asked) == TRACKS_MAX
    script.say(update=rtc.ParticipantUpdate(participants=[agent("PA_many", state=models.ParticipantInfo.DISCONNECTED)]))
    assert script.asked("subscription")[-1].track_sids == ["TR_more"]


def test_a_track_that_waits_for_an_offer_gets_one_and_only_one_is_under_way() -> None:
    script = Script().up()
    script.say(media_sections_requirement=rtc.MediaSectionsRequirement())
    script.say(media_sections_requirement=rtc.MediaSectionsRequirement(num_audios=2))
    [offer] = script.asked("offer")
    assert (offer.id, offer.sdp.count("a=recvonly")) == (2, 1)
    script.answer(number=2)
    assert script.asked("offer")[-1].sdp.count("a=recvonly") == 3
    script.answer(number=3)
    assert len(script.asked("offer")) == 2
    script.say(media_sections_requirement=rtc.MediaSectionsRequirement(num_audios=4_000_000))
    assert script.asked("offer")[-1].sdp.count("a=recvonly") == TRACKS_MAX


def test_attributes_that_changed_before_the_join_are_told_after_it() -> None:
    script = Script()
    script.signalling.set_attributes((("sip.callStatus", "active"),))
    script.join()
    assert dict(script.asked("update_metadata")[0].attributes) == {"sip.callStatus": "active"}


def test_attributes_that_the_server_changed_are_known() -> None:
    script = Script().up()
    me = models.ParticipantInfo(sid="PA_me", attributes={"outcome": "sold"})
    script.say(update=rtc.ParticipantUpdate(participants=[me]))
    assert script.events[-1] == news.AttributesChanged((("outcome", "sold"),))
    assert script.signalling.attributes == {"outcome": "sold"}


def test_the_server_mutes_our_track_and_takes_it_back() -> None:
    script = Script().up()
    script.say(mute=rtc.MuteTrackRequest(sid="TR_somebody", muted=True))
    script.say(mute=rtc.MuteTrackRequest(sid="TR_me", muted=True))
    script.say(mute=rtc.MuteTrackRequest(sid="TR_me", muted=False))
    assert script.events[-2:] == [news.TrackMuted(True), news.TrackMuted(False)]


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (models.DUPLICATE_IDENTITY, EndReason.DUPLICATE_IDENTITY),
        (models.PARTICIPANT_REMOVED, EndReason.REMOVED),
        (models.ROOM_DELETED, EndReason.ROOM_CLOSED),
        (models.UNKNOWN_REASON, EndReason.ROOM_LOST),
    ],
)
def test_who_is_sent_away_is_told_why(reason: models.DisconnectReason, code: EndReason) -> None:
    script = Script().up()
    script.say(leave=rtc.LeaveRequest(reason=reason, action=DISCONNECT))
    left = script.events[-1]
    assert isinstance(left, news.Left)
    assert left.code == code
    assert isinstance(script.commands[-1], news.DropPeers)
    before = len(script.commands)
    script.say(leave=rtc.LeaveRequest(reason=reason, action=DISCONNECT))
    script.step(60)
    assert len(script.commands) == before, "an end is an end"


def test_signalling_that_breaks_is_resumed_and_media_is_not_touched() -> None:
    script = Script().up()
    script.broken()
    script.step(0.2)
    request = script.requests()[-1]
    assert (request.reconnect, request.participant_sid) == (True, "PA_me")
    script.say(reconnect=rtc.ReconnectResponse())
    [sync] = script.asked("sync_state")
    assert sync.subscription.track_sids == ["TR_PA_agent"]
    assert [track.track.sid for track in sync.publish_tracks] == ["TR_me"]
    assert sync.offer.type == "offer"
    assert sync.answer.type == "answer"
    assert script.events[-1] == news.Standing("PA_me", True)
    assert not script.of(news.DropPeers)


def test_what_cannot_be_resumed_is_joined_anew_with_a_new_media_path() -> None:
    script = Script().up()
    script.broken()
    script.step(0.2)
    script.refused(404)
    script.step(1)
    request = script.requests()[-1]
    assert not request.reconnect
    assert "ufrag2" in request.publisher_offer.sdp
    assert len(script.of(news.DropPeers)) == 1
    script.join(agent(), sid="PA_again")
    script.media()
    assert script.events[-1] == news.Standing("PA_again", True)
    assert script.events.count(news.Ready()) == 1


def test_the_server_may_ask_for_either() -> None:
    script = Script().up()
    script.say(leave=rtc.LeaveRequest(action=RESUME))
    script.step(0.2)
    assert script.requests()[-1].reconnect
    script.say(reconnect=rtc.ReconnectResponse())
    script.say(leave=rtc.LeaveRequest(action=RECONNECT))
    script.step(0.2)
    assert not script.requests()[-1].reconnect


def test_who_is_sent_out_does_not_come_back_because_the_media_path_closed_first() -> None:
    script = Script().up()
    script.signalling.media_failed("the server closed the media path", script.now)
    script.drain()
    script.say(leave=rtc.LeaveRequest(reason=models.ROOM_DELETED))
    script.step(2)
    assert len(script.requests()) == 1, "no second join"
    left = script.events[-1]
    assert isinstance(left, news.Left)
    assert left.code == "room-closed"


def test_a_lost_media_path_is_made_anew() -> None:
    script = Script().up()
    script.signalling.media_failed("the media path is lost", script.now)
    script.drain()
    script.step(0.4)
    assert len(script.requests()) == 2
    assert not script.requests()[-1].reconnect
    assert script.signalling.state is State.RETURNING


def test_coming_back_ends_with_its_bound_and_pauses_grow() -> None:
    script = Script().up()
    script.broken()
    began, times = script.now, []
    while script.signalling.state is not State.ENDED and script.now < began + 100:
        dials = len(script.of(news.Dial))
        script.step(0.1)
        if len(script.of(news.Dial)) > dials:
            times.append(script.now)
            script.refused(0)
    left = script.events[-1]
    assert isinstance(left, news.Left)
    assert left.code == EndReason.ROOM_LOST
    assert LOST_S_MAX <= script.now - began <= LOST_S_MAX + 0.3
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert 5 < len(times) < 25
    assert max(pauses) > 4 * pauses[0]


def test_a_server_that_never_answers_has_so_long_and_no_longer() -> None:
    script = Script()
    script.step(JOIN_S_MAX + 0.2)
    [left] = script.events
    assert isinstance(left, news.Left)
    assert left.code == EndReason.ROOM_UNREACHABLE


def test_a_refused_key_is_not_tried_again() -> None:
    script = Script()
    script.refused(401)
    [left] = script.events
    assert isinstance(left, news.Left)
    assert left.code == EndReason.ROOM_REFUSED
    script.step(30)
    assert len(script.of(news.Dial)) == 1


def test_a_silent_server_is_pinged_and_then_given_up() -> None:
    script = Script().up()
    script.step(6)
    assert script.asked("ping_req")
    script.say(pong_resp=rtc.Pong())
    script.step(14)
    assert len(script.of(news.Dial)) == 1
    script.step(2)
    assert script.requests()[-1].reconnect


def test_leaving_says_goodbye_and_shows_the_last_status() -> None:
    script = Script().up()
    script.signalling.leave(EndReason.HANGUP, (("sip.callStatus", "hangup"),))
    script.drain()
    assert dict(script.asked("update_metadata")[-1].attributes) == {"sip.callStatus": "hangup"}
    assert script.asked("leave")[0].reason == models.CLIENT_INITIATED
    assert not [event for event in script.events if isinstance(event, news.Left)]
    script.broken()
    script.step(60)
    assert len(script.of(news.Dial)) == 1


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("no-answer", models.USER_UNAVAILABLE),
        ("busy", models.USER_REJECTED),
        ("trunk-failure", models.SIP_TRUNK_FAILURE),
        (EndReason.MEDIA_TIMEOUT, models.MEDIA_FAILURE),
        ("whatever a table says", models.CLIENT_INITIATED),
    ],
)
def test_the_others_are_told_what_became_of_the_phone(reason: str, word: models.DisconnectReason) -> None:
    script = Script().up()
    script.signalling.leave(reason)
    script.drain()
    assert [leave.reason for leave in script.asked("leave")] == [word]


def test_a_room_that_was_moved_is_the_room_to_come_back_to() -> None:
    script = Script().up()
    moved = rtc.RoomMovedResponse(
        room=models.Room(name="elsewhere"), participant=models.ParticipantInfo(sid="PA_new"), token="t",
        other_participants=[agent("PA_b", "TR_b")],
    )  # fmt: skip
    script.say(room_moved=moved)
    assert script.asked("subscription")[-1].track_sids == ["TR_b"]
    assert script.events[-1] == news.Moved("elsewhere")
    script.broken()
    script.step(0.2)
    assert script.of(news.Dial)[-1].room == "elsewhere"
    assert script.requests()[-1].participant_sid == "PA_new"


@pytest.mark.parametrize("data", [b"", b"\xff" * 40, rtc.SignalResponse(pong=3).SerializeToString()])
def test_what_cannot_be_read_changes_nothing(data: bytes) -> None:
    script = Script().up()
    before = len(script.commands), len(script.events)
    script.signalling.received(data, script.now)
    for candidate in ("", "{", "[]", "null", '{"candidate": 3}', '{"candidate": ""}'):
        script.say(trickle=rtc.TrickleRequest(candidateInit=candidate))
    assert (len(script.commands), len(script.events)) == before


def test_an_answer_that_cannot_be_used_is_tried_anew_until_the_bound() -> None:
    script = Script()
    script.join()
    fresh = Script()
    fresh.say(join=rtc.JoinResponse(participant=models.ParticipantInfo(sid="PA_me")))
    fresh.say(answer=rtc.SessionDescription(type="answer", sdp="v=0\r\n"))
    fresh.step(0.4)
    assert len(fresh.of(news.Dial)) == 2
    assert not fresh.of(news.StartPeer)


def test_a_server_that_takes_no_codec_of_ours_is_a_refusal() -> None:
    script = Script()
    script.say(join=rtc.JoinResponse(participant=models.ParticipantInfo(sid="PA_me")))
    script.answer("63 9")
    [left] = script.events
    assert isinstance(left, news.Left)
    assert left.code == EndReason.ROOM_REFUSED
