"""What we say to a LiveKit server is what it takes: attributes are cut to its bounds, the same way every time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.rooms.livekit.limits import ATTRIBUTES_BYTES_MAX, TOKEN_ATTRIBUTES_BYTES_MAX
from runtime.rooms.livekit.messages import fitting, in_token, update_attributes
from tests.runtime.rooms.livekit.scripted import Script

NAMES = st.sampled_from(("sip.callID", "sip.phoneNumber", "sip.h.x-a", "sip.h.x-b", "tenant", "\u00e9tage", "a", "z"))
ATTRIBUTES = st.dictionaries(NAMES, st.text(max_size=12))


def size(attributes: dict[str, str]) -> int:
    return sum(len(name.encode()) + len(value.encode()) for name, value in attributes.items())


@given(ATTRIBUTES, st.integers(0, 120), st.randoms())
def test_what_is_kept_fits_and_does_not_depend_on_the_order(attributes: dict[str, str], most: int, chance) -> None:
    kept = dict(fitting(tuple(attributes.items()), most))
    assert size(kept) <= most
    assert kept.items() <= attributes.items()
    assert len(kept) == len(attributes) or size(attributes) > most, "nothing is left out for nothing"
    shuffled = list(attributes.items())
    chance.shuffle(shuffled)
    assert dict(fitting(tuple(shuffled), most)) == kept


def test_those_of_the_call_are_kept_before_a_rules_and_those_before_headers() -> None:
    wanted = (("aaa", "1" * 7), ("sip.a", "1" * 5), ("sip.h.a", "1" * 3))
    assert [[name for name, _ in fitting(wanted, most)] for most in (10, 20, 30)] == [
        ["sip.a"],
        ["sip.a", "aaa"],
        ["sip.a", "aaa", "sip.h.a"],
    ]


def test_one_that_does_not_fit_keeps_no_later_one_out() -> None:
    assert fitting((("a", "1" * 20), ("b", "1")), 10) == (("b", "1"),)


def test_a_participant_begins_with_what_the_server_takes_and_a_token_carries_less() -> None:
    wanted = (("sip.callStatus", "ringing"), *((f"a{n:02}", "x" * 2000) for n in range(40)))
    script = Script(wanted)
    assert size(script.signalling.attributes) <= ATTRIBUTES_BYTES_MAX
    assert script.signalling.attributes["sip.callStatus"] == "ringing"
    assert size(dict(in_token(wanted))) <= TOKEN_ATTRIBUTES_BYTES_MAX
    told = dict(update_attributes(wanted).update_metadata.attributes)
    assert told == script.signalling.attributes, "one update more than it takes would change nothing"
