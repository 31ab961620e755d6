from __future__ import annotations

import pytest
from hypothesis import given as example
from hypothesis import strategies as st

from schemas import ids
from schemas.resources.telephone import number, pattern
from tests.schemas.resources import given


@pytest.mark.parametrize("text", ["+14155550100", "+1 415 555 0100", "+1 (415) 555-0100", "+1-415-555-0100"])
def test_one_number_has_one_form(text):
    assert given.accepted(given.number(number=text)).spec.number == "+14155550100"


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("14155550100", 'write "+14155550100"'),
        ("1 415 555 0100", 'write "+14155550100"'),
        ("4155550100", "write + and the country code"),
        ("0044 20 7946 0000", "write + and the country code"),
        ("+0441", "write + and the country code"),
        ("+1", "write + and the country code"),
        ("+1234567890123456", "write + and the country code"),
        ("alice", "write + and the country code"),
        ("", "write + and the country code"),
        ("+1415*", "write"),
        ("+1415555010x", "write"),
    ],
)
def test_other_texts_are_refused_with_what_to_write(text, advice):
    assert advice in given.complaints(given.number(number=text))["spec.number"]


def test_an_unquoted_number_is_to_be_quoted():
    sentence = '+14155550100 is read as a number, quote it: "+14155550100"'
    assert given.complaints(given.number(number=14155550100)) == {"spec.number": sentence}
    assert given.complaints(given.inbound(allowedNumbers=[14155550100])) == {"spec.inbound.allowedNumbers.0": sentence}
    assert given.complaints(given.rule(match={"to": ["+12", 14155550100]})) == {"spec.match.to.1": sentence}


@pytest.mark.parametrize(
    ("text", "form"), [("+1415*", "+1415*"), ("+1 415 *", "+1415*"), ("+1*", "+1*"), ("+12", "+12")]
)
def test_a_star_at_the_end_makes_a_prefix(text, form):
    assert given.accepted(given.rule(match={"from": [text]})).spec.match.from_ == (form,)


@pytest.mark.parametrize("text", ["*", "+*", "1415*", "+1*5", "+1**", "+0*", "**", "+1234567890123456*"])
def test_other_patterns_are_refused(text):
    assert list(given.complaints(given.rule(match={"to": [text]}))) == ["spec.match.to.0"]


def test_any_number_is_said_by_leaving_the_list_out():
    assert given.complaints(given.rule(match={"to": ["*"]}))["spec.match.to.0"].endswith(
        "leave the list out to mean any number"
    )


@example(st.text(alphabet="+0123456789 -()*x", max_size=20))
def test_what_is_accepted_is_e164_and_stays_itself(text):
    try:
        form = number(text)
    except ValueError:
        return
    assert ids.is_e164(form)
    assert number(form) == form == pattern(text) == ids.normalise_number(text)


@pytest.mark.parametrize(
    "field", [{"destinationCountry": "us"}, {"destinationCountry": "USA"}, {"destinationCountry": 1}]
)
def test_countries_are_two_capital_letters(field):
    assert list(given.complaints(given.outbound(**field))) == ["spec.outbound.destinationCountry"]


@pytest.mark.parametrize("code", [415, "41x", "", "1234567"])
def test_an_area_code_is_a_text_of_digits(code):
    bought = {"from": "livekit", "countryCode": "US", "areaCode": code}
    assert list(given.complaints(given.document("PhoneNumber", {"purchase": bought}))) == ["spec.purchase.areaCode"]
