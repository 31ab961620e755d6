"""What every resource is made of: the frozen part, rules over several fields, metadata, and references by name.

Python attributes are snake_case, documents are camelCase, and only the camelCase form is read. Unknown fields are
refused, a written null is refused (so a list whose lines were all commented out never silently means "any"), and no
error text ever holds an input value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.functional_validators import ModelWrapValidatorHandler
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError

from schemas.resources import bounds
from schemas.resources.values import (
    LABEL_KEY_SCHEMA,
    LABEL_VALUE_SCHEMA,
    LabelKey,
    Labels,
    LabelValue,
    Name,
    Namespace,
    at_most,
    map_schema,
    refuse,
)

GROUP = "dialplane.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
DEFAULT_NAMESPACE = "default"

ApiVersion = Literal["dialplane.dev/v1alpha1"]
DeletionPolicy = Literal["Delete", "Retain"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NotNull:
    """Marks a field that may be left out but, where it is written, has a value."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The schema of the value itself, without null."""
        schema = handler(source)
        assert schema["type"] == "nullable"
        inner: CoreSchema = schema["schema"]
        return inner


Maybe = Annotated[T | None, NotNull()]
"""A field that may be left out; None is how Python sees that."""


class Part(BaseModel):
    """A frozen piece of a document, closed to unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, hide_input_in_errors=True)


@dataclass(frozen=True, slots=True)
class Crossing:
    """One broken rule over several fields of a part; `field` is the one to point at, "" the part itself."""

    field: str
    error: PydanticCustomError


class CrossedPart(Part):
    """A part with rules over several fields, which are judged even when single fields are wrong as well."""

    @classmethod
    def crossings(cls, given: Mapping[str, object]) -> Iterator[Crossing]:
        """Every broken rule, from the fields as they are written (by their camelCase names)."""
        return iter(())

    @model_validator(mode="wrap")
    @classmethod
    def _cross(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        broken = list(cls.crossings(data)) if isinstance(data, Mapping) else []
        if not broken:
            return handler(data)
        lines = [_line(c.error, tuple(c.field.split(".")) if c.field else ()) for c in broken]
        try:
            handler(data)
        except ValidationError as failed:
            lines += [_again(error) for error in failed.errors(include_url=False)]
        raise ValidationError.from_exception_data(cls.__name__, lines, hide_input=True)


def _line(error: PydanticCustomError, loc: tuple[str | int, ...]) -> InitErrorDetails:
    return InitErrorDetails(type=error, loc=loc, input=None)


def _again(error: Any) -> InitErrorDetails:
    """A line of a ValidationError in the form that a new one is made from."""
    ctx = error.get("ctx", {})
    kind = PydanticCustomError(error["type"], "{what}", ctx) if "what" in ctx else error["type"]
    return InitErrorDetails(type=kind, loc=error["loc"], input=error["input"], ctx=ctx)


def exactly_one(given: Mapping[str, object], fields: tuple[str, ...], missing: str) -> Iterator[Crossing]:
    """The rule that just one of `fields` is written; `missing` says what to do when none is."""
    written = [field for field in fields if field in given]
    named = f"{', '.join(f'`{field}`' for field in fields[:-1])} and `{fields[-1]}`"
    if not written:
        yield Crossing("", refuse("missing", f"one of {named} is missing", missing))
    for extra in written[1:]:
        yield Crossing(extra, refuse("one-of", f"`{extra}` stands beside `{written[0]}`", f"keep one of {named}"))


_ANNOTATION_SCHEMA = {"type": "string", "maxLength": bounds.ANNOTATION_CHARS_MAX}
Annotation = Annotated[
    str,
    PlainValidator(at_most(bounds.ANNOTATION_CHARS_MAX, printable=False)),
    WithJsonSchema(_ANNOTATION_SCHEMA),
]
Annotations = Annotated[
    dict[LabelKey, Annotation],
    Field(max_length=bounds.LABELS_MAX),
    map_schema(LABEL_KEY_SCHEMA, _ANNOTATION_SCHEMA, bounds.LABELS_MAX),
]
ServerField = Annotated[Any, Field(exclude=True, repr=False, description="Written by an API server; ignored.")]


class ObjectMeta(Part):
    """The name of an object, and what people attach to it."""

    name: Name = Field(description="Unique among the objects of this kind in its namespace.")
    namespace: Namespace = Field(DEFAULT_NAMESPACE, description="The namespace; `default` when left out.")
    labels: Maybe[Labels] = Field(None, description="Labels that selectors match, such as `region: us`.")
    annotations: Maybe[Annotations] = Field(None, description="Free notes for people and tools.")
    uid: ServerField = None
    resource_version: ServerField = None
    generation: ServerField = None
    creation_timestamp: ServerField = None
    deletion_timestamp: ServerField = None
    deletion_grace_period_seconds: ServerField = None
    managed_fields: ServerField = None
    finalizers: ServerField = None
    owner_references: ServerField = None
    self_link: ServerField = None


class Ref(Part):
    """A reference to an object by its name, in the same namespace unless another one is given."""

    name: Name = Field(description="The object's name.")
    namespace: Maybe[Namespace] = Field(None, description="Its namespace; the referring object's own when left out.")


class LocalRef(Part):
    """A reference to an object of the same namespace by its name."""

    name: Name = Field(description="The object's name.")


class LabelSelector(Part):
    """Picks objects by their labels."""

    match_labels: Annotated[
        dict[LabelKey, LabelValue],
        Field(min_length=1, max_length=bounds.LABELS_MAX),
        map_schema(LABEL_KEY_SCHEMA, LABEL_VALUE_SCHEMA, bounds.LABELS_MAX, entries_min=1),
    ] = Field(description="An object is picked when it has all of these labels.")


class Resource(Part):
    """What all documents share; each kind adds `kind` and `spec`."""

    api_version: ApiVersion = Field(description="The API group and version.")
    metadata: ObjectMeta = Field(description="Name, namespace, labels and annotations.")
    status: Annotated[Any, Field(exclude=True, repr=False, description="Written by the operator; ignored.")] = None
