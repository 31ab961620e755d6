"""How a transfer names a number: a carrier's form, and never another number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.routing.refer_to import refer_to
from runtime.sip.uri import TelUri, parse_uri
from schemas.tables.rows import Outbound, TrunkRow


def trunk(form: str, *addresses: str) -> TrunkRow:
    outbound = Outbound(addresses or ("1.zt.plivo.com:5060", "2.zt.plivo.com"))
    return TrunkRow("default/t", outbound=outbound, refer_to=form)


@pytest.mark.parametrize(
    ("form", "asked", "sent"),
    [
        ("asGiven", "tel:+15550105555", "tel:+15550105555"),
        ("sip", "tel:+15550105555", "<sip:+15550105555@1.zt.plivo.com>"),
        ("sip", "tel:+1-555-010-5555", "<sip:+15550105555@1.zt.plivo.com>"),
        ("sip", "<tel:+15550105555;ext=7>", "<tel:+15550105555;ext=7>"),
        ("sip", "tel:911", "tel:911"),
        ("sip", "<sip:agent@pbx.example.com>", "<sip:agent@pbx.example.com>"),
        ("tel", "tel:+15550105555", "tel:+15550105555"),
        ("tel", "<sip:+15550105555@2.ZT.plivo.com>", "tel:+15550105555"),
        ("tel", "<sip:+15550105555@pbx.example.com>", "<sip:+15550105555@pbx.example.com>"),
        ("tel", "<sip:+15550105555@1.zt.plivo.com;user=phone>", "<sip:+15550105555@1.zt.plivo.com;user=phone>"),
        ("tel", "<sip:agent@1.zt.plivo.com>", "<sip:agent@1.zt.plivo.com>"),
    ],
)
def test_only_a_number_is_written_anew(form: str, asked: str, sent: str) -> None:
    assert refer_to(trunk(form), asked) == sent


def test_an_ipv6_host_stands_in_brackets_and_a_trunk_without_hosts_has_none_to_name() -> None:
    assert refer_to(trunk("sip", "2001:db8::1"), "tel:+15550105555") == "<sip:+15550105555@[2001:db8::1]>"
    assert refer_to(TrunkRow("default/t", refer_to="sip"), "tel:+15550105555") == "tel:+15550105555"


@given(
    st.sampled_from(["asGiven", "tel", "sip"]),
    st.from_regex(r"\+[1-9][0-9]{1,14}", fullmatch=True),
    st.sampled_from(["tel:{}", "<sip:{}@1.zt.plivo.com>", "<sip:{}@elsewhere.example.com>", "<tel:{};a=b>"]),
)
def test_what_was_guarded_is_what_is_sent(form: str, number: str, asked: str) -> None:
    uri = parse_uri(refer_to(trunk(form), asked.format(number)).removeprefix("<").removesuffix(">"))
    assert (uri.number if isinstance(uri, TelUri) else uri.user) == number
