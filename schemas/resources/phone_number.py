"""`PhoneNumber`: one number, the trunk it arrives on, and the rule that it goes to.

There can be a million of these, so the model is small: reading one costs a few microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import ConfigDict, Field

from schemas.resources.base import (
    CrossedPart,
    Crossing,
    DeletionPolicy,
    LocalRef,
    Maybe,
    Part,
    Ref,
    Resource,
    exactly_one,
)
from schemas.resources.telephone import AreaCode, Country, Number
from schemas.resources.values import refuse


class Purchase(Part):
    """A number to buy: billable, so it never happens without being allowed."""

    from_: Literal["livekit"] = Field(alias="from", description="Who sells it.")
    country_code: Country = Field(description="The country, two letters.")
    area_code: Maybe[AreaCode] = Field(None, description="The area code, as a text.")
    type: Literal["local", "tollFree"] = Field("local", description="What kind of number.")


class PhoneNumberSpec(CrossedPart):
    """The number and its way."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [{"required": ["number"]}, {"required": ["purchase"]}],
            "not": {"required": ["purchase", "trunkRef"]},
        }
    )

    number: Maybe[Number] = Field(None, description="The number, quoted, with + and country code. Immutable once set.")
    purchase: Maybe[Purchase] = Field(
        None, description="Asks LiveKit for a number; the one that was bought is written beside it."
    )
    trunk_ref: Maybe[Ref] = Field(None, description="The trunk it arrives on; none for a LiveKit number.")
    dispatch_rule_ref: Maybe[LocalRef] = Field(
        None, description="The rule that its calls go to; without it the rules' own match decides."
    )
    direction: Literal["inbound", "outbound", "both"] = Field("both", description="Which calls it serves.")
    deletion_policy: DeletionPolicy = Field(
        "Retain", description="Retain keeps the number when this document is deleted; it becomes unrouted."
    )

    @classmethod
    def crossings(cls, given: Mapping[str, object]) -> Iterator[Crossing]:
        """A number is named or bought, or bought and named since; LiveKit's own arrive on no trunk."""
        if "purchase" not in given:
            yield from exactly_one(given, ("number", "purchase"), 'write the number in quotes, like "+14155550100"')
        elif "trunkRef" in given:
            yield Crossing(
                "trunkRef",
                refuse("one-of", "`trunkRef` stands beside `purchase`", "LiveKit's own numbers need no trunk"),
            )


class PhoneNumber(Resource):
    """A telephone number: the trunk it arrives on, and the rule that its calls go to."""

    kind: Literal["PhoneNumber"] = Field(description="The kind of this document.")
    spec: PhoneNumberSpec = Field(description="The number and its way.")
