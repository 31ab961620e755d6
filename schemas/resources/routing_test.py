"""`RoutingTest`: calls and where they must end. Never applied; `reconcile test` asks the same matcher as the bridge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, PlainValidator, WithJsonSchema

from schemas import ids
from schemas.resources import bounds
from schemas.resources.addresses import Address
from schemas.resources.base import CrossedPart, Crossing, Maybe, Part, Resource
from schemas.resources.credentials import Username
from schemas.resources.hints import did_you_mean
from schemas.resources.values import Name, Region, at_most, bounded, refuse, shown, text_of

REASONS = (
    "no-trunk",
    "source-not-allowed",
    "wrong-region",
    "caller-not-allowed",
    "called-not-served",
    "no-rule",
    "wrong-pin",
    "no-codec",
    "room-name",
)
"""Why a call that says all it is asked for is refused: the matcher's reasons. Who says nothing is asked first."""

_ASKED = {"wrong-credentials": "password", "pin-required": "pin"}
"""Refusals of the bridge that follow when nothing, or something wrong, is answered."""


def _user(value: object) -> str:
    """A number as a carrier would send it: any user part, since that is what is tested."""
    if isinstance(value, int) and not isinstance(value, bool):
        raise refuse("unquoted-number", f"+{abs(value)} is read as a number", f'quote it: "+{abs(value)}"')
    return at_most(bounds.ROOM_CHARS_MAX, empty=False)(value)


def _pin(value: object) -> str:
    if not isinstance(value, str) or not ids.is_pin(value):
        raise refuse("bad-pin", "this is not what a caller can enter", 'write at most 16 digits in quotes, like "1234"')
    return value


def _reason(value: object) -> str:
    reason = bounded(text_of(value), bounds.REASON_CHARS_MAX)
    if reason in REASONS:
        return reason
    asked = _ASKED.get(reason)
    if asked is not None:
        what = f"{shown(reason)} comes later: the caller is asked for a {_asked_for(asked)} first"
        raise refuse("bad-reason", what, f"write `asks: {asked}`")
    hint = did_you_mean(reason, list(REASONS))
    raise refuse("bad-reason", f"{shown(reason)} is not a reason to refuse a call", hint)


CallUser = Annotated[
    str,
    PlainValidator(_user),
    WithJsonSchema(
        {"type": "string", "minLength": 1, "maxLength": bounds.ROOM_CHARS_MAX, "examples": ["+14155550100"]}
    ),
]


def _asked_for(asks: object) -> str:
    return "PIN" if asks == "pin" else "password"


class Expectation(CrossedPart):
    """What must come out: what is left out is not compared."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    rule: Maybe[Name] = Field(None, description="The dispatch rule that takes the call.")
    trunk: Maybe[Name] = Field(None, description="The trunk that the call is seen on.")
    room: Maybe[
        Annotated[
            str,
            PlainValidator(at_most(2 * bounds.ROOM_CHARS_MAX, empty=False)),
            WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 2 * bounds.ROOM_CHARS_MAX}),
        ]
    ] = Field(None, description="The room; `*` stands for the random part of a name.")
    reason: Maybe[
        Annotated[
            str,
            PlainValidator(_reason),
            WithJsonSchema(
                {
                    "type": "string",
                    "enum": list(REASONS),
                }
            ),
        ]
    ] = Field(None, description="The code of the refusal: this call must be refused.")
    asks: Maybe[Literal["password", "pin"]] = Field(
        None, description="What the caller must be asked for, before anything else becomes of the call."
    )

    @classmethod
    def crossings(cls, given: Mapping[str, object]) -> Iterator[Crossing]:
        """Something is expected; a refused call has neither rule nor room, one that is asked first has no room yet."""
        if not given:
            hint = "write `rule`, `trunk`, `room`, `reason` or `asks`"
            yield Crossing("", refuse("missing", "nothing is expected", hint))
        for field in ("rule", "room", "asks"):
            if "reason" in given and field in given:
                what = "a refused call is asked for nothing" if field == "asks" else f"a refused call has no {field}"
                yield Crossing(field, refuse("one-of", what, f"keep `{field}` or `reason`"))
        for field in ("room",) if given.get("asks") == "pin" else ("rule", "room") if "asks" in given else ():
            if field in given:
                what = f"a call has no {field} while its caller is asked for a {_asked_for(given['asks'])}"
                yield Crossing(field, refuse("one-of", what, f"keep `{field}` or `asks`"))


class RoutedCall(Part):
    """One call and what must become of it."""

    to: CallUser = Field(description="The called number, as the carrier sends it.")
    from_: CallUser = Field(alias="from", description="The caller's number, as the carrier sends it.")
    address: Address = Field(description="The IP address that the call comes from.")
    pin: Maybe[
        Annotated[
            str,
            PlainValidator(_pin),
            WithJsonSchema({"type": "string", "pattern": "^[0-9*A-D]+$", "maxLength": ids.PIN_CHARS_MAX}),
        ]
    ] = Field(None, description="What the caller enters when asked for a PIN.")
    asserted: Maybe[CallUser] = Field(
        None, description="The caller's number in P-Asserted-Identity, which trunks with `trustIdentity` take."
    )
    registered: Maybe[Name] = Field(
        None, description="The trunk by whose registration the call comes (`outbound.register`)."
    )
    user: Maybe[Username] = Field(None, description="The user name that the caller proves when asked for a password.")
    region: Maybe[Region] = Field(None, description="The region of the bridge that takes the call.")
    expect: Expectation = Field(description="What must come out.")


class RoutingTestSpec(Part):
    """The calls."""

    calls: Annotated[tuple[RoutedCall, ...], Field(min_length=1, max_length=bounds.ROUTING_CALLS_MAX)] = Field(
        description="Calls, each with what must become of it."
    )


class RoutingTest(Resource):
    """Calls and where they must end. Never applied."""

    kind: Literal["RoutingTest"] = Field(description="The kind of this document.")
    spec: RoutingTestSpec = Field(description="The calls.")
