"""What LiveKit can hold of a row reads back as it was put; what a row does not know of an object stays."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import room, sip

from schemas.livekit_words import (
    put_headers,
    put_media,
    put_room,
    put_room_choice,
    read_headers,
    read_media,
    read_room,
    read_room_choice,
)
from schemas.tables.rows import Agent, Headers, Media, Room, RoomKind, RuleRow

text = st.text(max_size=4)
pairs = st.dictionaries(text, text, max_size=3).map(lambda held: tuple(sorted(held.items())))
codecs = st.lists(st.sampled_from(["opus", "g722", "pcmu", "pcma"]), unique=True).map(tuple)
encryption = st.sampled_from([None, "disable", "allow", "require"])
medias = st.builds(Media, codecs, encryption, timeout_ms=st.none() | st.integers(1, 600_000))
seconds = st.none() | st.integers(1, 86_400).map(lambda s: s * 1000)
agents = st.lists(st.builds(Agent, text, text), max_size=3).map(tuple)
rooms = st.builds(Room, agents, seconds, seconds, st.none() | st.integers(1, 99), text, text)


@given(st.builds(Headers, pairs, pairs, pairs, st.sampled_from(["none", "x", "all"])))
def test_headers_come_back(headers: Headers) -> None:
    info = sip.SIPInboundTrunkInfo(headers={"X-Old": "1"})
    put_headers(info, headers)
    assert read_headers(info) == headers


@given(medias, medias)
def test_media_come_back_whatever_stood_there(before: Media, media: Media) -> None:
    info = sip.SIPDispatchRuleInfo()
    put_media(info, before)
    put_media(info, media)
    assert read_media(info) == media


@given(st.sampled_from(RoomKind), text, st.booleans(), text)
def test_a_choice_of_a_room_comes_back_with_its_pin(kind: RoomKind, name: str, randomize: bool, pin: str) -> None:
    randomize = randomize and kind is not RoomKind.DIRECT
    info = sip.SIPDispatchRuleInfo()
    put_room_choice(info, RuleRow("default/a", RoomKind.DIRECT, "other"))
    put_room_choice(info, RuleRow("default/a", kind, name, randomize), pin)
    assert read_room_choice(info) == (kind, name, randomize, pin)


@given(rooms)
def test_a_room_comes_back(wanted: Room) -> None:
    info = sip.SIPDispatchRuleInfo(room_preset=wanted.preset)
    put_room(info.room_config, wanted)
    assert read_room(info) == wanted


def test_what_a_row_does_not_know_of_a_room_stays() -> None:
    config = room.RoomConfiguration(min_playout_delay=100, tags={"a": "b"})
    config.agents.add(agent_name="helper", deployment="blue")
    put_room(config, Room(agents=(Agent("helper", "x"), Agent("other"))))
    assert (config.min_playout_delay, dict(config.tags)) == (100, {"a": "b"})
    assert [(agent.agent_name, agent.metadata, agent.deployment) for agent in config.agents] == [
        ("helper", "x", "blue"),
        ("other", "", ""),
    ]


def test_the_form_of_encryption_that_livekit_had_first_is_read() -> None:
    assert read_media(sip.SIPInboundTrunkInfo(media_encryption=sip.SIP_MEDIA_ENCRYPT_REQUIRE)).encryption == "require"
    assert read_media(sip.SIPInboundTrunkInfo(media=sip.SIPMediaConfig())) == Media()


def test_codecs_beside_livekits_own_are_told_from_those_alone() -> None:
    added = sip.SIPMediaConfig(codecs=[sip.SIPCodec(name="PCMU", rate=8000)])
    assert read_media(sip.SIPInboundTrunkInfo(media=added)).codecs == ("+pcmu",)
