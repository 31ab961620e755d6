"""What is done with the sound of calls: prompts, music while on hold, ringing tones, recordings."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, PlainValidator, WithJsonSchema

from schemas.resources import bounds
from schemas.resources.base import Part
from schemas.resources.values import DurationMs, between, refuse, shown, text_of
from schemas.ringing import RINGING, USUAL

BUILT_IN = "builtIn"
"""The bridge's own music."""

_RINGBACK = ("none", "room", *RINGING)
_WAV = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*\.wav")
_WAV_PATTERN = "^[A-Za-z0-9_][A-Za-z0-9._-]*[.]wav$"


def _prompt_file(value: object) -> str:
    name = text_of(value)
    if len(name) > bounds.PROMPT_FILE_CHARS_MAX or not _WAV.fullmatch(name):
        raise refuse(
            "bad-prompt-file",
            f"{shown(name)} is not the name of a prompt file",
            "write a name without a folder, like `ask-board.wav`; the bridge looks for it in its --prompts folder",
        )
    return name


def _music(value: object) -> str:
    name = text_of(value)
    if name.lower() == BUILT_IN.lower() and name != BUILT_IN:
        raise refuse("bad-music", f"{shown(name)} is no music", f"did you mean `{BUILT_IN}`?")
    return name if name == BUILT_IN else _prompt_file(name)


def _ringback(value: object) -> str:
    name = text_of(value)
    if name in _RINGBACK:
        return name
    plain = {"uk": "gb"}.get(name.lower(), name.lower())
    if plain in _RINGBACK:
        raise refuse("bad-ringback", f"{shown(name)} is no ringback", f"did you mean `{plain}`?")
    hint = f"write none, room, {USUAL}, or a country's two letters: {', '.join(sorted(set(RINGING) - {USUAL}))}"
    raise refuse("bad-ringback", f"{shown(name)} is no ringback", hint)


PromptFile = Annotated[
    str,
    PlainValidator(_prompt_file),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": _WAV_PATTERN,
            "maxLength": bounds.PROMPT_FILE_CHARS_MAX,
            "examples": ["ask-board.wav"],
        }
    ),
]
HoldMusic = Annotated[
    str,
    PlainValidator(_music),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^{BUILT_IN}$|{_WAV_PATTERN}",
            "maxLength": bounds.PROMPT_FILE_CHARS_MAX,
            "examples": [BUILT_IN, "hold.wav"],
        }
    ),
]
Ringback = Annotated[str, PlainValidator(_ringback), WithJsonSchema({"type": "string", "enum": list(_RINGBACK)})]


class Recording(Part):
    """Every call is recorded into a file of its own, on the bridge's disk: the phone left, what it hears right."""

    format: Literal["wav", "opus"] = Field(
        description="wav: 16-bit samples, 115 MB an hour at 8 kHz. opus: Ogg Opus, 15 MB an hour."
    )
    max_duration: Annotated[DurationMs, between(bounds.SECOND_MS, bounds.CALL_DURATION_MAX_MS, whole_seconds=True)] = (
        Field(
            bounds.RECORDING_MS,
            description="The recording ends after this, the call goes on; 1s to 24h.",
            json_schema_extra={"default": "4h"},
        )
    )
