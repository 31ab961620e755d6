"""Where secrets come from. A document names the place of a secret and never holds one.

The reconciler resolves the place at apply; nothing here reads it. A literal secret is refused without being repeated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema

from schemas import ids
from schemas.resources import bounds
from schemas.resources.base import CrossedPart, Crossing, Maybe, Part, exactly_one
from schemas.resources.values import NAME_SCHEMA, at_most, bounded, distinct, refuse, yaml_word

PLACES_HINT = "name its place: {env: NAME}, {file: PATH} or {secretKeyRef: {name: NAME, key: KEY}}"

_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEY = re.compile(r"[-._A-Za-z0-9]+")


def _text(value: object) -> str:
    """A text. Anything else gets a complaint whose code does not invite a reader to show what is written there."""
    if not isinstance(value, str):
        raise refuse("bad-secret-ref", f"this must be a text, not {yaml_word(value)}", PLACES_HINT)
    return value


def _env(value: object) -> str:
    name = bounded(_text(value), bounds.SECRET_KEY_CHARS_MAX)
    if not _ENV.fullmatch(name):
        raise refuse("bad-secret-ref", "this is not the name of an environment variable", "write it like SUPPORT_PIN")
    return name


def _file(value: object) -> str:
    path = bounded(_text(value), bounds.FILE_PATH_CHARS_MAX)
    if not path or not path.isprintable():
        raise refuse("bad-secret-ref", "this is not the path of a file", "write it like secrets/password")
    return path


def _secret_name(value: object) -> str:
    name = _text(value)
    if not ids.is_name(name):
        raise refuse(
            "bad-secret-ref", "this is not the name of a Secret", "use lower-case letters, digits, `-` and `.`"
        )
    return name


def _key(value: object) -> str:
    key = bounded(_text(value), bounds.SECRET_KEY_CHARS_MAX)
    if not _KEY.fullmatch(key):
        raise refuse("bad-secret-ref", "this is not a key of a Secret", "use letters, digits, `-`, `_` and `.`")
    return key


def _no_literal(value: Any) -> Any:
    if isinstance(value, str | int | float):
        raise refuse("literal-secret", "a secret is never written in a manifest", PLACES_HINT)
    return value


class SecretKeyRef(Part):
    """A key of a Secret: in a cluster a Kubernetes Secret, in a folder `DIR/<name>/<key>` of `--secrets DIR`."""

    name: Annotated[str, PlainValidator(_secret_name), WithJsonSchema(NAME_SCHEMA)] = Field(
        description="The Secret's name."
    )
    key: Annotated[
        str,
        PlainValidator(_key),
        WithJsonSchema(
            {
                "type": "string",
                "pattern": "^[-._A-Za-z0-9]+$",
                "minLength": 1,
                "maxLength": bounds.SECRET_KEY_CHARS_MAX,
            }
        ),
    ] = Field(description="The key within it.")


class SecretSource(CrossedPart):
    """The place of one secret: exactly one of secretKeyRef, env and file. Never the secret itself."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    secret_key_ref: Maybe[SecretKeyRef] = Field(None, description="A key of a Secret.")
    env: Maybe[
        Annotated[
            str,
            PlainValidator(_env),
            WithJsonSchema(
                {
                    "type": "string",
                    "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
                    "maxLength": bounds.SECRET_KEY_CHARS_MAX,
                    "examples": ["TWILIO_PASSWORD"],
                }
            ),
        ]
    ] = Field(None, description="The name of an environment variable of the reconciler.")
    file: Maybe[
        Annotated[
            str,
            PlainValidator(_file),
            WithJsonSchema({"type": "string", "minLength": 1, "maxLength": bounds.FILE_PATH_CHARS_MAX}),
        ]
    ] = Field(None, description="The path of a file that the reconciler can read.")

    @classmethod
    def crossings(cls, given: Mapping[str, object]) -> Iterator[Crossing]:
        """Exactly one place."""
        return exactly_one(given, ("secretKeyRef", "env", "file"), PLACES_HINT)


SecretRef = Annotated[SecretSource, BeforeValidator(_no_literal)]
"""A `…From` field."""

_CREDENTIAL_SCHEMA = {"type": "string", "minLength": 1, "maxLength": bounds.CREDENTIAL_CHARS_MAX}


def _username(value: object) -> str:
    text = at_most(bounds.CREDENTIAL_CHARS_MAX)(value)
    if not text or '"' in text or "\\" in text:
        raise refuse("bad-username", "this is empty or holds a quote or a backslash", "leave these out")
    return text


DigestAlgorithm = Literal["SHA-512-256", "SHA-256", "MD5"]
"""RFC 8760's names, the strongest first."""
DIGEST_ALGORITHMS: tuple[str, ...] = get_args(DigestAlgorithm)

Username = Annotated[str, PlainValidator(_username), WithJsonSchema(_CREDENTIAL_SCHEMA)]


class Auth(Part):
    """Digest credentials: the user name here, the password at the place that `passwordFrom` names."""

    username: Username = Field(description="The user name of the digest credentials.")
    realm: Maybe[Username] = Field(None, description="The realm of the challenge; `LiveKit` when left out.")
    password_from: SecretRef = Field(description="Where the password comes from; never the password.")
    algorithms: Maybe[
        Annotated[
            tuple[DigestAlgorithm, ...],
            Field(min_length=1, max_length=bounds.DIGEST_ALGORITHMS_MAX),
            AfterValidator(distinct),
        ]
    ] = Field(
        None,
        description="Only these digest algorithms, the strongest first; all when left out. `[MD5]` for old peers that "
        "give up when the first challenge is by another.",
    )
