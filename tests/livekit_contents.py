"""Any contents of a LiveKit server: what people make by hand, with and without form in a manifest, some marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st
from livekit.protocol import room, sip

from reconciler.targets.livekit.holdings import Info, id_of
from reconciler.targets.livekit.marker import METADATA_GAP, NAME_GAP, Marker, marked
from schemas.tables.rows import Kind

NUMBERS = ("+14155550100", "14155550101", "+1 (415) 555-0102", "+442071838750")
_ODD_NUMBERS = (*NUMBERS, "sales", "0044207", "*", "1000")
_NAMES = ("Carrier", "carrier", "", "Main line (US)", "日本", "no", "sip.example.com:5060")
_TEXTS = ("", "some text", "two\nlines\n", '{"a": "b"}', "tab\there", "dialplane.dev/owner")
_MANY = 3
"""How many times as likely the usual is, in a server that has odd things too."""
Draw = Callable[[st.SearchStrategy[Any]], Any]


class _Drawing:
    """Draws values: of a server whose contents are all `odd`, sometimes one that has no form in a manifest."""

    def __init__(self, draw: Draw, *, odd: bool) -> None:
        self.draw, self.odd = draw, odd

    def one(self, usual: Sequence[Any], odd: Sequence[Any] = ()) -> Any:
        return self.draw(st.sampled_from([*usual, *usual, *usual, *odd] if self.odd else [*usual]))

    def some(self, usual: Sequence[Any], odd: Sequence[Any] = (), least: int = 0, most: int = 2) -> list[Any]:
        unique = not (self.odd and self.draw(st.sampled_from([False] + [True] * _MANY)))
        values = [*usual, *(odd if self.odd else ())]
        return self.draw(st.lists(st.sampled_from(values), min_size=least, max_size=most, unique=unique))

    def pairs(self, keys: Sequence[str], values: Sequence[str]) -> dict[str, str]:
        return {key: self.one(values) for key in self.some(keys)}

    def yes(self) -> bool:
        return bool(self.draw(st.booleans()))


def _media(at: _Drawing, info: Any) -> None:
    if at.one([True, False, False]):
        media = info.media
        for name in at.some(["PCMU", "pcma", "G722"], ["amr-wb"]):
            media.codecs.add(name=name, rate=16_000 if name == "amr-wb" else 8_000)
        media.only_listed_codecs = bool(media.codecs) and at.one([True], [False])
        if at.yes():
            media.encryption = at.one([0, 1, 2])
        if at.yes():
            media.media_timeout.FromMilliseconds(at.one([15_000, 1_500], [500]))


def _common(at: _Drawing, info: Any) -> None:
    info.name, info.metadata = at.one(_NAMES[:2], _NAMES) if at.yes() else at.one(_NAMES), at.one(_TEXTS)
    info.numbers.extend(at.some(NUMBERS, _ODD_NUMBERS, 1))
    if at.yes():
        info.auth_username = at.one(["acme", "other one"], ['a"b', ""])
        info.auth_password = at.one(["Tiger", "a b#c'\"\\"], ["", "***"])
    info.headers.update(at.pairs(["X-Team", "x-tenant"], ["team", "y z"]))
    if at.odd and at.one([False] * _MANY + [True]):
        info.headers["X-A"] = "1e3"
    info.headers_to_attributes.update(at.pairs(["X-Team", "Call-ID"], ["team", "call"]))
    info.include_headers = at.one([0, 0, 1, 2])
    _media(at, info)


def _inbound(at: _Drawing) -> sip.SIPInboundTrunkInfo:
    info = sip.SIPInboundTrunkInfo()
    _common(at, info)
    if at.one([False, False, True]) and (at.odd or info.auth_username):
        del info.numbers[:]
    odd = ["10.2.3.4/8", "sip.example.com"]
    info.allowed_addresses.extend(at.some(["10.1.0.0/16", "10.2.3.4", "2001:db8::/32", "0.0.0.0/0"], odd))
    info.allowed_numbers.extend(at.some(NUMBERS, _ODD_NUMBERS) if at.one([True, False, False]) else [])
    info.auth_realm = at.one(["", "realm"]) if info.auth_username else at.one([""], ["realm"])
    for name, longest in (("ringing_timeout", 600), ("max_call_duration", 86_400)):
        if seconds := at.one([0, 20, 180, longest], [100_000]):
            getattr(info, name).FromSeconds(seconds)
    info.krisp_enabled = at.yes()
    return info


def _outbound(at: _Drawing) -> sip.SIPOutboundTrunkInfo:
    info = sip.SIPOutboundTrunkInfo()
    _common(at, info)
    info.address = at.one(["sip.example.com", "10.1.2.3:5080"], ["sip..example"])
    info.transport = at.one([0, 1, 2, 3])
    info.from_host = at.one(["", "acme.example.com"])
    info.destination_country = at.one(["", "US"], ["us"])
    return info


def _rule(at: _Drawing) -> sip.SIPDispatchRuleInfo:
    info = sip.SIPDispatchRuleInfo(name=at.one(_NAMES), metadata=at.one(_TEXTS))
    pin = at.one(["", "", "4711"], ["12-34"])
    kind = at.one(["direct", "individual", "callee"])
    if kind == "direct":
        direct = sip.SIPDispatchRuleDirect(room_name=at.one(["lobby", "hall"], [""]), pin=pin)
        info.rule.dispatch_rule_direct.CopyFrom(direct)
    elif kind == "individual":
        individual = sip.SIPDispatchRuleIndividual(room_prefix=at.one(["call", ""]), no_randomness=at.yes(), pin=pin)
        info.rule.dispatch_rule_individual.CopyFrom(individual)
    else:
        callee = sip.SIPDispatchRuleCallee(room_prefix="line-", randomize=at.yes(), pin=pin)
        info.rule.dispatch_rule_callee.CopyFrom(callee)
    info.trunk_ids.extend(at.some(["0", "1", "2"], ["9"]))
    info.numbers.extend(at.some(NUMBERS, _ODD_NUMBERS))
    info.inbound_numbers.extend(at.some(NUMBERS) if at.one([True, False, False]) else [])
    info.attributes.update(at.pairs(["team", "no"], ["x", "1e3", "two\nlines"]))
    info.hide_phone_number, info.krisp_enabled = at.yes(), at.yes()
    info.room_preset = at.one(["", "", "large"])
    if at.yes():
        config = info.room_config
        config.CopyFrom(room.RoomConfiguration(empty_timeout=at.one([0, 60]), metadata=at.one(_TEXTS)))
        for name in at.some(["a", "b"], [""]):
            config.agents.add(agent_name=name, metadata=at.one(_TEXTS), attributes={"k": "v"} if name == "b" else {})
        if at.yes():
            config.tags["a"] = "b"
    _media(at, info)
    return info


@st.composite
def contents(draw: Draw) -> list[Info]:
    """Objects without ids; `trunk_ids` of rules are indexes into the inbound trunks, 9 is one that is gone."""
    at = _Drawing(draw, odd=draw(st.booleans()))
    infos: list[Info] = [_inbound(at) for _ in range(draw(st.integers(0, 3)))]
    for _ in range(draw(st.integers(0, 2))):
        other = _outbound(at)
        infos.append(_paired(infos[0], other) if infos and at.yes() else other)
    infos += [_rule(at) for _ in range(draw(st.integers(0, 3)))]
    marks = [None, None, None, "theirs", "mine"] if draw(st.booleans()) else [None]
    for index, info in enumerate(infos):
        _mark(info, at.one(marks), index)
    return infos


def _paired(one: Any, other: sip.SIPOutboundTrunkInfo) -> sip.SIPOutboundTrunkInfo:
    """The other half of an inbound trunk, as people make it."""
    other.name, other.metadata = one.name, one.metadata
    del other.numbers[:]
    other.numbers.extend(one.numbers or NUMBERS[:1])
    other.media.CopyFrom(one.media)
    return other


def _mark(info: Info, owner: str | None, index: int) -> None:
    if owner is None:
        return
    if isinstance(info, sip.SIPDispatchRuleInfo):
        info.name = marked(info.name, Marker(owner, Kind.RULE, f"{owner}/rule{index}", index % 2 == 0), NAME_GAP)
    else:
        name = f"{owner}/trunk{index % 2}"
        info.metadata = marked(info.metadata, Marker(owner, Kind.TRUNK, name, index % 2 == 0), METADATA_GAP)


def with_ids(infos: list[Info]) -> list[Info]:
    """The same, as a server would hold them."""
    for index, info in enumerate(infos):
        if isinstance(info, sip.SIPDispatchRuleInfo):
            info.sip_dispatch_rule_id = f"SDR_{index:012}"
        else:
            info.sip_trunk_id = f"ST_{index:012}"
    name_trunks(
        infos, {str(i): id_of(info) for i, info in enumerate(infos) if isinstance(info, sip.SIPInboundTrunkInfo)}
    )
    return infos


def name_trunks(infos: list[Info], ids: dict[str, str]) -> None:
    """Put ids where rules have indexes."""
    for info in infos:
        if isinstance(info, sip.SIPDispatchRuleInfo):
            named = [ids.get(index, "ST_gone") for index in info.trunk_ids if index in ids or index == "9"]
            del info.trunk_ids[:]
            info.trunk_ids.extend(named)
