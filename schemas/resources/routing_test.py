"""`RoutingTest`: calls and where they must end. Never applied; `reconcile test` asks the same matcher as the bridge."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, PlainValidator, WithJsonSchema

from schemas import ids
from schemas.resources import bounds
from schemas.resources.addresses import Address
from schemas.resources.base import CrossedPart, Crossing, Maybe, Part, Resource
from schemas.resources.credentials import Username
from schemas.resources.values import Name, Region, at_most, bounded, refuse, shown, text_of

_REASON = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


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
    if not _REASON.fullmatch(reason):
        raise refuse("bad-reason", f"{shown(reason)} is not a reason's code", "write it like no-rule")
    return reason


CallUser = Annotated[
    str,
    PlainValidator(_user),
    WithJsonSchema(
        {"type": "string", "minLength": 1, "maxLength": bounds.ROOM_CHARS_MAX, "examples": ["+14155550100"]}
    ),
]


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
                    "pattern": "^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
                    "maxLength": bounds.REASON_CHARS_MAX,
                    "examples": ["no-rule"],
                }
            ),
        ]
    ] = Field(None, description="The code of the refusal: this call must be refused.")

    @classmethod
    def crossings(cls, given: Mapping[str, object]) -> Iterator[Crossing]:
        """Something is expected, and a refused call has neither rule nor room."""
        if not given:
            yield Crossing("", refuse("missing", "nothing is expected", "write `rule`, `trunk`, `room` or `reason`"))
        for field in ("rule", "room"):
            if "reason" in given and field in given:
                yield Crossing(field, refuse("one-of", f"a refused call has no {field}", f"keep `{field}` or `reason`"))


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
