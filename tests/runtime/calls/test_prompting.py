"""Between the switchboard and a dialogue: what only a late offer can bring about."""

from __future__ import annotations

from runtime.calls.commands import PlayPrompt
from runtime.calls.pin_dialogue import Prompt
from runtime.calls.prompting import Prompting
from runtime.media.codecs.codec import PCMU
from runtime.media.config import StreamConfig
from runtime.routing.route import Arrival, PinAsked, Rejection, route
from schemas.tables.rows import Inbound, RoomKind, Rows, RuleRow, Secret, TrunkRow
from schemas.tables.tables import Tables

SOURCE = "198.51.100.7"


def asked() -> PinAsked:
    trunk = TrunkRow("default/home", inbound=Inbound(networks=(SOURCE + "/32",)))
    rule = RuleRow("default/board", RoomKind.DIRECT, "board", pin=Secret("env:PIN", b"sealed"))
    arrival = Arrival(SOURCE, "+15550100000", "+15550101111", SOURCE, SOURCE, "id", "tag")
    found = route(Tables.build(Rows({trunk.id: trunk}, {rule.id: rule})), arrival, "", "SCL_x", "suffix")
    assert isinstance(found, PinAsked)
    return found


def stream(dtmf: int | None) -> StreamConfig:
    return StreamConfig(PCMU, 0, 0, dtmf, dtmf, (SOURCE, 4000), (SOURCE, 4001))


def test_who_can_press_keys_is_asked_and_who_cannot_is_hung_up_on() -> None:
    prompting = Prompting()
    assert prompting.begin("a", asked(), stream(101), 0.0) == PlayPrompt("a", Prompt.ASK, "")
    refused = prompting.begin("b", asked(), stream(None), 0.0)
    assert isinstance(refused, Rejection)
    assert refused.code == "media"
    assert prompting.asks("a")
    assert not prompting.asks("b")


def test_keys_and_prompts_of_a_call_that_is_over_set_nothing_off() -> None:
    prompting = Prompting()
    prompting.begin("a", asked(), stream(101), 0.0)
    prompting.forget("a")
    prompting.forget("a")
    assert prompting.key("a", "1", 1.0) is None
    assert prompting.played("a", 1.0) is None
    assert prompting.timer(1000.0) == []
