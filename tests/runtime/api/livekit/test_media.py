"""A SIPMediaConfig becomes the bridge's media wishes, as LiveKit means it."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from livekit.protocol import sip

from schemas.tables.rows import Media
from tests.runtime.api.livekit.requests import dialled, refused


def wished(**config: Any) -> Media:
    return dialled(media=sip.SIPMediaConfig(**config)).media


def listed(*codecs: tuple[str, int]) -> list[sip.SIPCodec]:
    return [sip.SIPCodec(name=name, rate=rate) for name, rate in codecs]


def test_codecs_are_added_to_the_usual_ones_or_replace_them() -> None:
    codecs = listed(("G722", 0), ("PCMA", 8000), ("telephone-event", 0), ("opus", 48_000), ("G722", 8000))
    assert wished(codecs=codecs, only_listed_codecs=True).codecs == ("g722", "pcma", "opus")
    assert wished(codecs=codecs).codecs == ("opus", "g722", "pcmu", "pcma")
    assert wished(codecs=listed(("PCMU", 16_000), ("EVS", 16_000)), only_listed_codecs=True).codecs == (
        "pcmu/16000",
        "evs/16000",
    ), "what is unknown stays, and matches nothing"
    assert wished() == Media()


@pytest.mark.parametrize("codec", [("", 8000), ("a b", 8000), ("PCMU/8000", 0), ("opus", 0), ("c" * 65, 8000)])
def test_a_codec_that_is_none_is_refused(codec: tuple[str, int]) -> None:
    assert refused(media=sip.SIPMediaConfig(codecs=listed(codec)))[0] == "media.codecs"


def test_only_the_listed_codecs_needs_a_list_that_is_not_long() -> None:
    assert refused(media=sip.SIPMediaConfig(only_listed_codecs=True))[0] == "media.codecs"
    assert refused(media=sip.SIPMediaConfig(codecs=listed(("PCMU", 0)) * 17))[0] == "media.codecs"


def test_encryption_is_upgraded_from_its_older_field() -> None:
    disable, allow, require = sip.SIP_MEDIA_ENCRYPT_DISABLE, sip.SIP_MEDIA_ENCRYPT_ALLOW, sip.SIP_MEDIA_ENCRYPT_REQUIRE
    assert wished(encryption=disable).encryption == "disable"
    assert wished(encryption=allow).encryption == "allow"
    assert dialled(media_encryption=disable).media.encryption is None, "it cannot be told from nothing said"
    assert dialled(media_encryption=require).media.encryption == "require"
    both = dialled(media_encryption=require, media=sip.SIPMediaConfig(encryption=disable))
    assert both.media.encryption == "disable"
    assert refused(media_encryption=9)[0] == "media_encryption"
    assert refused(media=sip.SIPMediaConfig(encryption=9))[0] == "media.encryption"  # type: ignore[arg-type]


def test_a_media_timeout_is_ten_minutes_at_most() -> None:
    assert wished(media_timeout=Duration(seconds=15, nanos=500_000_000)).timeout_ms == 15_500
    assert wished(media_timeout=Duration(nanos=1)).timeout_ms == 1
    assert wished(media_timeout=Duration()).timeout_ms is None
    assert wished(media_timeout=Duration(seconds=600)).timeout_ms == 600_000
    for length in (Duration(seconds=600, nanos=1_000_000), Duration(seconds=-1)):
        assert refused(media=sip.SIPMediaConfig(media_timeout=length))[0] == "media.media_timeout"
