"""`DispatchRule`: which room a call goes to, and what its participant carries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, PlainValidator, WithJsonSchema

from schemas.resources import bounds
from schemas.resources.base import (
    CrossedPart,
    Crossing,
    DeletionPolicy,
    LabelSelector,
    Maybe,
    Part,
    Ref,
    Resource,
    exactly_one,
)
from schemas.resources.credentials import SecretRef
from schemas.resources.media import Media
from schemas.resources.sound import HoldMusic, PromptFile, Recording, Ringback
from schemas.resources.telephone import Pattern
from schemas.resources.values import (
    Attributes,
    DurationMs,
    Flag,
    Metadata,
    Whole,
    at_most,
    between,
    refuse,
)

RoomName = Annotated[
    str,
    PlainValidator(at_most(bounds.ROOM_CHARS_MAX, empty=False)),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": bounds.ROOM_CHARS_MAX, "examples": ["lobby"]}),
]
RoomPrefix = Annotated[
    str,
    PlainValidator(at_most(bounds.ROOM_PREFIX_CHARS_MAX)),
    WithJsonSchema({"type": "string", "maxLength": bounds.ROOM_PREFIX_CHARS_MAX, "examples": ["call"]}),
]


class Match(Part):
    """Which calls a rule is for."""

    to: Annotated[tuple[Pattern, ...], Field(max_length=bounds.NUMBERS_MAX)] = Field(
        (), description="Called numbers, exact or by prefix; empty means any. PhoneNumbers that point here are added."
    )
    from_: Annotated[tuple[Pattern, ...], Field(max_length=bounds.NUMBERS_MAX)] = Field(
        (), alias="from", description="Calling numbers, exact or by prefix; empty means any."
    )


class Direct(Part):
    """Everyone in one room."""

    room: RoomName = Field(description="The room's name.")


class Individual(Part):
    """A room per caller: `<prefix>_<caller>_<12 random characters>`."""

    room_prefix: RoomPrefix = Field("", description="What the room's name begins with.")
    randomize: Flag = Field(True, description="Whether each call gets a new room.")


class Callee(Part):
    """A room per called number: `<prefix>_<called>`."""

    room_prefix: RoomPrefix = Field("", description="What the room's name begins with.")
    randomize: Flag = Field(False, description="Whether each call gets a new room.")


class RoomChoice(CrossedPart):
    """How the room is chosen: exactly one of direct, individual and callee."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    direct: Maybe[Direct] = Field(None, description="Everyone in one room.")
    individual: Maybe[Individual] = Field(None, description="A room per caller.")
    callee: Maybe[Callee] = Field(None, description="A room per called number.")

    @classmethod
    def crossings(cls, given: Mapping[str, object]) -> Iterator[Crossing]:
        """Exactly one way."""
        return exactly_one(given, ("direct", "individual", "callee"), "like `direct: {room: lobby}`")


class PinPrompts(Part):
    """What callers hear while they are asked for the PIN: WAV files in the bridge's folder of prompts."""

    ask: Maybe[PromptFile] = Field(None, description="Asks for the PIN.")
    wrong: Maybe[PromptFile] = Field(None, description="Says that the PIN was wrong, and asks again.")
    goodbye: Maybe[PromptFile] = Field(None, description="Says that no more tries are left.")


class AgentDispatch(Part):
    """An agent that is started in the room."""

    agent_name: Annotated[
        str,
        PlainValidator(at_most(bounds.AGENT_NAME_CHARS_MAX, empty=False)),
        WithJsonSchema({"type": "string", "minLength": 1, "maxLength": bounds.AGENT_NAME_CHARS_MAX}),
    ] = Field(description="The name that the agent registered with.")
    metadata: Metadata = Field("", description="Passed to the agent's job.")


class Room(Part):
    """How the room is set up when the call creates it; a room that exists already keeps its own."""

    agents: Annotated[tuple[AgentDispatch, ...], Field(max_length=bounds.AGENTS_MAX)] = Field(
        (), description="Agents to start in the room."
    )
    empty_timeout: Maybe[
        Annotated[DurationMs, between(bounds.SECOND_MS, bounds.ROOM_TIMEOUT_MAX_MS, whole_seconds=True)]
    ] = Field(None, description="The room closes when nobody joins for this long; 1s to 24h.")
    departure_timeout: Maybe[
        Annotated[DurationMs, between(bounds.SECOND_MS, bounds.ROOM_TIMEOUT_MAX_MS, whole_seconds=True)]
    ] = Field(None, description="The room closes this long after the last one left; 1s to 24h.")
    max_participants: Maybe[Annotated[Whole, Field(ge=1, le=bounds.PARTICIPANTS_MAX)]] = Field(
        None, description="How many may be in the room, agents not counted."
    )
    metadata: Metadata = Field("", description="The room's metadata.")
    preset: Annotated[
        str,
        PlainValidator(at_most(bounds.ROOM_CHARS_MAX)),
        WithJsonSchema({"type": "string", "maxLength": bounds.ROOM_CHARS_MAX}),
    ] = Field("", description="The name of a room preset of the LiveKit project.")


class Fallback(Part):
    """What the caller gets when the room cannot be had."""

    sip_code: Annotated[Whole, Field(ge=bounds.SIP_CODE_MIN, le=bounds.SIP_CODE_MAX)] = Field(
        bounds.FALLBACK_SIP_CODE, description="The SIP status of the refusal, 400 to 699."
    )


class DispatchRuleSpec(CrossedPart):
    """Which calls, and into which room."""

    model_config = ConfigDict(json_schema_extra={"not": {"required": ["trunkRefs", "trunkSelector"]}})

    trunk_refs: Maybe[Annotated[tuple[Ref, ...], Field(min_length=1, max_length=bounds.TRUNK_REFS_MAX)]] = Field(
        None, description="The trunks whose calls this rule is for; without it and trunkSelector, every declared trunk."
    )
    trunk_selector: Maybe[LabelSelector] = Field(None, description="The trunks by their labels.")
    match: Match = Field(Match(), description="Called and calling numbers.")
    priority: Maybe[Annotated[Whole, Field(ge=0, le=bounds.PRIORITY_MAX)]] = Field(
        None, description="The smaller number is tried first; rules without one come last."
    )
    pin_from: Maybe[SecretRef] = Field(None, description="Where the PIN comes from that callers must enter.")
    pin_prompts: Maybe[PinPrompts] = Field(
        None, description="Prompts of your own; each that is left out is the bridge's."
    )
    rule: RoomChoice = Field(description="How the room is chosen: exactly one of direct, individual and callee.")
    room: Maybe[Room] = Field(None, description="How the room is set up when the call creates it.")
    attributes: Maybe[Attributes] = Field(None, description="Attributes of the caller's participant.")
    metadata: Metadata = Field("", description="Metadata of the caller's participant.")
    hide_phone_number: Flag = Field(False, description="Masks the caller's number in the room.")
    noise_cancellation: Flag = Field(False, description="Cleans the caller's audio.")
    media: Maybe[Media] = Field(None, description="Media of these calls, merged over the trunk's.")
    answer: Literal["whenRoomReady", "immediately", "onRequest"] = Field(
        "whenRoomReady",
        description="Whether the call is answered when the room is ready, at once, or when somebody there asks for it.",
    )
    ringback: Ringback = Field(
        "none",
        description="What the caller hears before the answer: its own network (none), the room, a ringing tone of the "
        "bridge (tone), or that of a country (its two letters, in small).",
    )
    hold_music: Maybe[HoldMusic] = Field(
        None,
        description="What the phone hears while the room has it on hold: builtIn, or a WAV file among the bridge's "
        "prompts. Left out, the trunk's counts.",
    )
    recording: Maybe[Recording] = Field(None, description="Records every call into a file of its own.")
    messages: Literal["none", "room"] = Field(
        "none", description="Where what the phone writes goes (MESSAGE, INFO): nowhere, or to the room as data."
    )
    fallback: Maybe[Fallback] = Field(None, description="What the caller gets when the room cannot be had.")
    deletion_policy: DeletionPolicy = Field("Delete", description="What happens when this document is deleted.")

    @classmethod
    def crossings(cls, given: Mapping[str, object]) -> Iterator[Crossing]:
        """Trunks by name or by label, not both; prompts only where a PIN is asked for."""
        if "trunkRefs" in given and "trunkSelector" in given:
            yield Crossing(
                "trunkSelector", refuse("one-of", "`trunkSelector` stands beside `trunkRefs`", "keep one of the two")
            )
        if "pinPrompts" in given and "pinFrom" not in given:
            hint = "add `pinFrom`, or take `pinPrompts` out"
            yield Crossing(
                "pinPrompts", refuse("no-pin", "`pinPrompts` stands without `pinFrom`, nobody is asked", hint)
            )


class DispatchRule(Resource):
    """Sends calls to rooms."""

    kind: Literal["DispatchRule"] = Field(description="The kind of this document.")
    spec: DispatchRuleSpec = Field(description="Which calls, and into which room.")
