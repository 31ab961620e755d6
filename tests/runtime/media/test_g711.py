"""G.711: the recommendation's own values, and what the core builds on."""

from __future__ import annotations

import audioop
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.media.codecs import g711

LAWS: tuple[g711.Law, ...] = ("pcmu", "pcma")

# ITU-T G.711, table 2a/2b: decoder output values y_n (14 bit) of µ-law for some character signals (bits as sent).
MU_LAW_VALUES = [
    (0b10000000, 8031),
    (0b10001111, 4191),
    (0b10011111, 2079),
    (0b10101111, 1023),
    (0b10111111, 495),
    (0b11001111, 231),
    (0b11011111, 99),
    (0b11101111, 33),
    (0b11111110, 2),
    (0b11111111, 0),
]
# ITU-T G.711, table 1a: A-law decoder output in half steps (y = v/2); character signals before even bits are inverted.
A_LAW_VALUES = [
    (0b11111111, 4032),
    (0b11110000, 2112),
    (0b11100000, 1056),
    (0b11010000, 528),
    (0b11000000, 264),
    (0b10110000, 132),
    (0b10100000, 66),
    (0b10000000, 1),
]


def sample(law: g711.Law, code: int) -> int:
    return struct.unpack("=h", g711.decode(law, bytes([code])))[0]


@pytest.mark.parametrize(("code", "value"), MU_LAW_VALUES)
def test_mu_law_decodes_to_the_values_of_the_recommendation(code, value):
    assert sample("pcmu", code) == 4 * value
    assert sample("pcmu", code & 0x7F) == -4 * value


@pytest.mark.parametrize(("character", "value"), A_LAW_VALUES)
def test_a_law_decodes_to_the_values_of_the_recommendation(character, value):
    code = character ^ 0x55
    assert sample("pcma", code) == 8 * value
    assert sample("pcma", code ^ 0x80) == -8 * value


@pytest.mark.parametrize("law", LAWS)
def test_the_digital_milliwatt_of_g711_is_a_1_khz_tone_at_0_dbm0(law):
    codes = {
        "pcmu": [0x1E, 0x0B, 0x0B, 0x1E, 0x9E, 0x8B, 0x8B, 0x9E],
        "pcma": [0x34, 0x21, 0x21, 0x34, 0xB4, 0xA1, 0xA1, 0xB4],
    }[law]
    linear = g711.decode(law, bytes(codes) * 20)
    # 0 dBm0 is 3.17 dB (µ) or 3.14 dB (A) below full scale of a sine.
    below_full_scale = 20 * math.log10(audioop.rms(linear, 2) * math.sqrt(2) / 32768)
    assert below_full_scale == pytest.approx(-3.17 if law == "pcmu" else -3.14, abs=0.1)


@pytest.mark.parametrize("law", LAWS)
def test_every_code_survives_decoding_and_encoding(law):
    codes = bytes(range(256))
    again = g711.encode(law, g711.decode(law, codes))
    # µ-law has two zeros; both are silence.
    assert [(a, b) for a, b in zip(codes, again, strict=True) if a != b] in ([], [(0x7F, 0xFF)])


@pytest.mark.parametrize("source", LAWS)
@pytest.mark.parametrize("target", LAWS)
@given(payload=st.binary(max_size=480))
def test_transcoding_is_decoding_and_encoding(source, target, payload):
    expected = payload if source == target else g711.encode(target, g711.decode(source, payload))
    assert g711.transcode(source, target, payload) == expected


def test_a_frame_in_the_same_law_is_the_very_same_object():
    frame = bytes(range(160))
    assert g711.transcode("pcma", "pcma", frame) is frame


@pytest.mark.parametrize("law", LAWS)
def test_silence_is_a_frame_of_the_smallest_amplitude(law):
    linear = g711.decode(law, g711.SILENCE[law])
    assert len(linear) == 320
    assert audioop.max(linear, 2) <= 8
    assert g711.is_quiet(law, g711.SILENCE[law])
    assert g711.encode(law, bytes(320)) == g711.SILENCE[law]


@pytest.mark.parametrize("law", LAWS)
@given(payload=st.binary(min_size=1, max_size=160))
def test_quiet_means_that_no_sample_is_loud(law, payload):
    loudest = audioop.max(g711.decode(law, payload), 2)
    assert g711.is_quiet(law, payload) == (loudest <= g711.QUIET_AMPLITUDE_MAX)


@pytest.mark.parametrize("law", LAWS)
@given(payload=st.binary(max_size=160))
def test_wide_samples_are_the_same_samples(law, payload):
    assert audioop.lin2lin(g711.decode_wide(law, payload), 4, 2) == g711.decode(law, payload)
    assert g711.encode_wide(law, g711.decode_wide(law, payload)) == g711.encode(law, g711.decode(law, payload))
