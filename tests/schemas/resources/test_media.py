from __future__ import annotations

import pytest

from tests.schemas.resources import given


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("PCMU", "did you mean `pcmu`?"),
        ("PCMA/8000", "did you mean `pcma`?"),
        ("ulaw", "did you mean `pcmu`?"),
        ("G722", "did you mean `g722`?"),
        ("g729", "choose from opus, g722, pcmu, pcma"),
        ("amr-wb", "choose from opus, g722, pcmu, pcma"),
        ("telephone-event", "digits are chosen by `dtmf: [rfc4733]`"),
    ],
)
def test_a_codec_is_one_of_the_known(name, advice):
    assert advice in given.complaints(given.trunk(media={"codecs": [name]}))["spec.media.codecs.0"]


def test_unset_fields_stay_unset_so_that_trunk_and_rule_can_be_merged():
    media = given.accepted(given.rule(media={})).spec.media
    assert (media.codecs, media.encryption, media.room_codec, media.dtmf, media.timeout) == (None,) * 5


@pytest.mark.parametrize(
    "field", [{"codecs": []}, {"codecs": ["pcmu", "pcmu"]}, {"dtmf": []}, {"dtmf": ["info", "info"]}]
)
def test_a_written_list_is_neither_empty_nor_repetitive(field):
    assert list(given.complaints(given.trunk(media=field))) == [f"spec.media.{next(iter(field))}"]


@pytest.mark.parametrize(
    "field", [{"encryption": "srtp"}, {"roomCodec": "g722"}, {"dtmf": ["in-band"]}, {"codecs": "pcmu"}]
)
def test_other_words_are_refused(field):
    assert given.complaints(given.trunk(media=field))
