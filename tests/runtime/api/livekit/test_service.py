"""The cores of the LiveKit-compatible API: whatever is sent is answered or refused, and routes never leave the list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.api.livekit.grants import Grants, grants_of
from runtime.api.livekit.routes import Ours, PassedOn, route
from runtime.api.livekit.service import METHODS, Asked, answer
from runtime.api.livekit.twirp import JSON, PROTOBUF, STATUS, Code, TwirpError
from schemas.tables.tables import Tables

EVERYTHING = Asked(Grants(True, True, True, "room"), Tables(), lambda kind, row_id: "")
NOTHING = Asked(Grants(), Tables(), lambda kind, row_id: "")


@given(st.sampled_from(sorted(METHODS)), st.binary(max_size=200), st.sampled_from([JSON, PROTOBUF]))
def test_any_body_is_answered_or_refused(method: str, body: bytes, form: str) -> None:
    fault = None
    try:
        answer(method, body, form, EVERYTHING)
    except TwirpError as refusal:
        fault = refusal
    assert fault is None or (fault.status in STATUS.values() and fault.msg)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_method_needs_a_grant_before_its_body_is_read(method: str) -> None:
    with pytest.raises(TwirpError) as refused:
        answer(method, b"\xff{", JSON, NOTHING)
    assert refused.value.code is Code.UNAUTHENTICATED


@given(st.text(max_size=200))
def test_any_token_is_refused_in_words(token: str) -> None:
    with pytest.raises(TwirpError) as refused:
        grants_of(f"Bearer {token}", "key", "secret" * 6, 0.0)
    assert refused.value.code is Code.UNAUTHENTICATED


@given(st.text(alphabet="/.%twirplveki1SIPagensttings:?#", max_size=40))
def test_a_route_leads_to_what_is_listed_or_nowhere(target: str) -> None:
    found = route(target)
    if isinstance(found, PassedOn):
        path = found.target.partition("?")[0]
        assert path.startswith(("/twirp/livekit.", "/rtc", "/agent", "/settings/regions"))
        assert ".." not in path
        assert "%" not in path


def test_both_spellings_of_a_route_are_one() -> None:
    assert route("//twirp/livekit.SIP/ListSIPTrunk") == Ours("ListSIPTrunk")
    assert route("//rtc?a=//") == PassedOn("/rtc?a=//", is_twirp=False)
    assert route("/twirp/livekit.Egress/ListEgress") == PassedOn("/twirp/livekit.Egress/ListEgress", is_twirp=True)
